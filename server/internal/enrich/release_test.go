package enrich

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// faulty is a store that fails as it is told; nil functions fail never.
type faulty struct {
	kgl.Store
	inTx, release, next func() error
}

func call(fail func() error) error {
	if fail == nil {
		return nil
	}
	return fail()
}

func (f *faulty) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	if err := call(f.inTx); err != nil {
		return err
	}
	return f.Store.InTx(ctx, fn)
}

func (f *faulty) ReleaseTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	if err := call(f.release); err != nil {
		return err
	}
	return f.Store.ReleaseTask(ctx, t, now)
}

func (f *faulty) NextTaskAt(ctx context.Context, extractor string) (*time.Time, error) {
	if err := call(f.next); err != nil {
		return nil, err
	}
	return f.Store.NextTaskAt(ctx, extractor)
}

// times fails n times with a code.
func times(n int64, code kgl.Code) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) > n {
			return nil
		}
		return kgl.Errorf(code, "the database fails")
	}
}

func (w *world) workerOn(store kgl.Store, x Extractor, cfg Config) *Worker {
	return NewWorker(store, NewRecorder(store, w.clock, w.ids, nil), x, w.clock, w.ids, slog.New(slog.DiscardHandler), w, cfg)
}

// wantOutage runs one batch and wants an error of the database.
func (w *world) wantOutage(worker *Worker, code kgl.Code) {
	w.t.Helper()
	if n, err := worker.RunOnce(w.t.Context()); !kgl.Is(err, code) {
		w.t.Fatalf("a batch of %d tasks gave %v, want %s", n, err, code)
	}
}

func whole(_ context.Context, c kgl.Content) (kgl.Extraction, error) { return wholeText(c), nil }

func TestWorkerGivesBackWhatTheDatabaseDoesNotTake(t *testing.T) {
	for _, code := range []kgl.Code{kgl.CodeUnavailable, kgl.CodeTimeout, kgl.CodeStorageFull} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			first, second := w.add("fake", "first"), w.add("fake", "second")
			worker := w.workerOn(&faulty{Store: w.db, inTx: times(1, code)}, fake(whole), Config{Concurrency: 1})
			w.wantOutage(worker, code)
			w.wantStatus(first.ID, kgl.ContentNew)
			w.wantStatus(second.ID, kgl.ContentNew) // not begun: the database fails
			if got := w.outcomes(); got != "map[released:2]" {
				t.Errorf("outcomes %s", got)
			}
			w.wantNotAttempted("fake", first.ID, second.ID)
			w.clock.Advance(time.Hour)
			w.runOnce(worker, 2)
			w.wantStatus(first.ID, kgl.ContentProcessed)
			w.wantStatus(second.ID, kgl.ContentProcessed)
		})
	}
}

func TestWorkerReleasesLaterWhatItOwes(t *testing.T) {
	w := newWorld(t)
	first, second := w.add("fake", "first"), w.add("fake", "second")
	worker := w.workerOn(&faulty{
		Store: w.db, inTx: times(1, kgl.CodeUnavailable), release: times(3, kgl.CodeUnavailable),
	}, fake(whole), Config{Concurrency: 1})
	w.wantOutage(worker, kgl.CodeUnavailable) // releases neither
	w.wantOutage(worker, kgl.CodeUnavailable) // nor now, and claims nothing
	w.wantStatus(first.ID, kgl.ContentProcessing)
	w.must(worker.payBack(t.Context()))
	w.wantStatus(first.ID, kgl.ContentNew)
	w.wantNotAttempted("fake", first.ID, second.ID)
}

func TestWorkerOwesNothingOnceTheLeaseIsAnothers(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	worker := w.workerOn(&faulty{
		Store: w.db, inTx: times(1, kgl.CodeUnavailable), release: times(1, kgl.CodeUnavailable),
	}, fake(whole), Config{Lease: time.Minute})
	w.wantOutage(worker, kgl.CodeUnavailable)
	w.clock.Advance(time.Hour)
	now := w.clock.Now()
	if ts, err := w.db.ClaimTasks(t.Context(), "fake", "other", now, now.Add(time.Hour), 1); err != nil || len(ts) != 1 {
		t.Fatalf("claimed %d: %v", len(ts), err)
	}
	w.runOnce(worker, 0)
	w.wantStatus(c.ID, kgl.ContentProcessing)
}

// A result that never fits into the time of a transaction is given up like any
// other that fails.
func TestWorkerCountsTimeoutsThatDoNotEnd(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	worker := w.workerOn(&faulty{Store: w.db, inTx: times(2, kgl.CodeTimeout)}, fake(whole), Config{MaxAttempts: 2, RetryBase: time.Second})
	w.wantOutage(worker, kgl.CodeTimeout)
	w.runOnce(worker, 1)
	w.wantStatus(c.ID, kgl.ContentNew)
	if got := w.outcomes(); got != "map[released:1 retried:1]" {
		t.Errorf("outcomes %s", got)
	}
	w.runOnce(worker, 0) // it waits, as after any failed attempt
}

// The codes of the database in the mouth of an extractor are its own failure.
func TestWorkerCountsFailuresOfTheExtractor(t *testing.T) {
	w := newWorld(t)
	w.add("fake", "text")
	w.runOnce(w.worker(fake(func(context.Context, kgl.Content) (kgl.Extraction, error) {
		return kgl.Extraction{}, fmt.Errorf("the model: %w", kgl.Errorf(kgl.CodeUnavailable, "is busy"))
	}), Config{}), 1)
	if got := w.outcomes(); got != "map[retried:1]" {
		t.Errorf("outcomes %s", got)
	}
}

// The lease of a batch may end before its last task is begun.
func TestWorkerGivesBackWhatItCouldNotBeginInTime(t *testing.T) {
	w := newWorld(t)
	first, second := w.add("fake", "first"), w.add("fake", "second")
	w.runOnce(w.worker(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		w.clock.Advance(time.Hour)
		return wholeText(c), nil
	}), Config{Concurrency: 1, Lease: time.Minute}), 2)
	w.wantStatus(first.ID, kgl.ContentProcessed)
	w.wantStatus(second.ID, kgl.ContentNew)
	w.wantNotAttempted("fake", second.ID)
}

func TestRunOutlastsAnOutage(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	ctx, cancel := context.WithCancel(t.Context())
	worker := w.workerOn(&faulty{Store: w.db, next: times(4, kgl.CodeUnavailable)}, fake(func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
		cancel()
		return wholeText(c), nil
	}), Config{PollInterval: time.Microsecond, OutageMax: time.Millisecond, Grace: time.Minute})
	w.must(worker.Run(ctx))
	w.wantStatus(c.ID, kgl.ContentProcessed)
}
