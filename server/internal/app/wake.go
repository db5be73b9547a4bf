package app

import "sync/atomic"

// wakeUp passes a sign of new work from the services to the workers, which are
// made after them and only in processes that have their role.
type wakeUp struct {
	ingestWorker atomic.Pointer[func()]
	importWorker atomic.Pointer[func()]
	enrichWorker atomic.Pointer[func()]
	leases       atomic.Pointer[func()]
}

func (w *wakeUp) ingest()  { call(&w.ingestWorker) }
func (w *wakeUp) imports() { call(&w.importWorker) }

// enrich tells those who work on new tasks here, and those who wait for them
// elsewhere.
func (w *wakeUp) enrich() {
	call(&w.enrichWorker)
	call(&w.leases)
}

func call(p *atomic.Pointer[func()]) {
	if fn := p.Load(); fn != nil {
		(*fn)()
	}
}
