package app

import "sync/atomic"

// wakeUp passes a sign of new work from the services to the workers, which are
// made after them and only in processes that have their role.
type wakeUp struct {
	ingestWorker atomic.Pointer[func()]
	importWorker atomic.Pointer[func()]
	enrichWorker atomic.Pointer[func()]
}

func (w *wakeUp) ingest()  { call(&w.ingestWorker) }
func (w *wakeUp) imports() { call(&w.importWorker) }
func (w *wakeUp) enrich()  { call(&w.enrichWorker) }

func call(p *atomic.Pointer[func()]) {
	if fn := p.Load(); fn != nil {
		(*fn)()
	}
}
