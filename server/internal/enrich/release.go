package enrich

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// releaseTimeout bounds the release of one task.
const releaseTimeout = 5 * time.Second

// extractionError marks a failure of the extractor, as against one of the
// database, whose codes an extractor may use for a service of its own.
type extractionError struct{ error }

func (e extractionError) Unwrap() error { return e.error }

// outage reports whether the database is to blame for a failure, and not the
// item. A timeout may also come from a result that is too large to be stored in
// time: of each task, only so many are taken for an outage.
func (w *Worker) outage(t kgl.EnrichmentTask, err error) bool {
	if _, ok := errors.AsType[extractionError](err); ok {
		return false
	}
	switch kgl.ErrorCode(err) {
	case kgl.CodeUnavailable, kgl.CodeStorageFull:
		return true
	case kgl.CodeTimeout:
		return w.owed.timeout(t) < w.cfg.MaxAttempts
	}
	return false
}

// giveBack releases a task. When the database does not even take that, the
// worker owes it and releases it before it claims again. CodeLeaseLost.
func (w *Worker) giveBack(ctx context.Context, t kgl.EnrichmentTask) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := w.store.ReleaseTask(ctx, t, w.clock.Now())
	if err != nil && !kgl.Is(err, kgl.CodeLeaseLost) {
		w.owed.add(t)
	}
	return err
}

// payBack releases what could not be released before, up to the first error. A
// task whose lease went to another worker meanwhile is not ours any more.
func (w *Worker) payBack(ctx context.Context) error {
	tasks := w.owed.take()
	for i, t := range tasks {
		if err := w.giveBack(ctx, t); err != nil && !kgl.Is(err, kgl.CodeLeaseLost) {
			w.owed.add(tasks[i+1:]...)
			return err
		}
	}
	return nil
}

// debts are the tasks that a worker must still release, and how often storing
// the result of a task ran out of time.
type debts struct {
	mu       sync.Mutex
	tasks    []kgl.EnrichmentTask
	timeouts map[string]int64
}

func (d *debts) add(ts ...kgl.EnrichmentTask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks = append(d.tasks, ts...)
}

func (d *debts) take() []kgl.EnrichmentTask {
	d.mu.Lock()
	defer d.mu.Unlock()
	ts := d.tasks
	d.tasks = nil
	return ts
}

// timeout counts one more timeout of a task and returns how many there were.
func (d *debts) timeout(t kgl.EnrichmentTask) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timeouts == nil {
		d.timeouts = map[string]int64{}
	}
	d.timeouts[t.ID]++
	return d.timeouts[t.ID]
}

// forget ends the count of a task's timeouts.
func (d *debts) forget(t kgl.EnrichmentTask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.timeouts, t.ID)
}
