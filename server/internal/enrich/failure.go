package enrich

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Blame says what the failure of an extractor means for the task.
type Blame int

// What a Failure may mean. An error that is no Failure means BlameAttempt.
const (
	// BlameAttempt counts the attempt; the task is tried again later.
	BlameAttempt Blame = iota
	// BlameItem gives the task up at once: no other attempt would do better.
	BlameItem
	// BlameExtractor gives the task back uncounted: the extractor cannot work
	// now, whatever it is given.
	BlameExtractor
)

// Failure is an error of an Extractor that says more than that it failed.
type Failure struct {
	Blame Blame

	// After is how long to wait before the next attempt; 0: as usual.
	After time.Duration

	// Seen is set when the extractor may have begun with the item. With
	// BlameExtractor, only so many of these are forgiven as a task has attempts:
	// an item that brings its extractor down would be handed out for ever.
	Seen bool

	Err error
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Pacer is an Extractor that cannot always work, such as one in another
// process. A Worker claims nothing while it has to wait.
type Pacer interface {
	// Ready returns how long to wait before the next task is claimed; 0: the
	// extractor can work now. It may ask the extractor, briefly.
	Ready(ctx context.Context) time.Duration
}

// paused returns how long the extractor asks the worker to wait.
func (w *Worker) paused(ctx context.Context) time.Duration {
	if p, ok := w.extractor.(Pacer); ok {
		return p.Ready(ctx)
	}
	return 0
}

// excused reports whether the extractor alone is to blame for a failure. Of those
// that may be the item's after all, each task is excused only so many.
func (w *Worker) excused(t kgl.EnrichmentTask, err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && f.Blame == BlameExtractor && (!f.Seen || w.owed.timeout(t) < w.cfg.MaxAttempts)
}

// blameOf returns what the failure of an attempt means, and how long the task
// should wait; 0: as usual.
func blameOf(err error) (Blame, time.Duration) {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Blame, f.After
	}
	return BlameAttempt, 0
}
