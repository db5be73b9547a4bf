package enrich

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// resultKept is how long the answer to an extraction on demand is kept.
const resultKept = time.Hour

// storeTimeout bounds the transaction that stores one result.
const storeTimeout = 30 * time.Second

// ErrSuperseded says that a result is about an item that was edited or removed
// meanwhile. Errors that wrap it have CodeConflict.
var ErrSuperseded = errors.New("enrich: the item was edited or removed meanwhile")

// Result is what an extractor found in a revision of an item.
type Result struct {
	Lane       string              // whose work it is: kgl.LaneBuiltin, kgl.LaneMock or kgl.LaneAI
	Task       *kgl.EnrichmentTask // as it was leased; nil: there was none
	Content    kgl.Content         // as the extractor read it
	Extraction kgl.Extraction
	Actor      string    // who hands it in
	StartedAt  time.Time // of the extraction
}

// Recorder stores results. It is the only writer of what extractors find: the
// worker, the lease protocol and extraction on demand hand their results to it.
// It is safe for concurrent use.
type Recorder struct {
	store  kgl.Store
	clock  kgl.Clock
	ids    kgl.IDSource
	derive func(kgl.Extraction, string) kgl.Extraction
}

// NewRecorder returns a recorder. derive adds to what was found what follows from
// it, given the text; nil: nothing.
func NewRecorder(store kgl.Store, clock kgl.Clock, ids kgl.IDSource, derive func(kgl.Extraction, string) kgl.Extraction) *Recorder {
	return &Recorder{store: store, clock: clock, ids: ids, derive: derive}
}

// Record stores a result as a run, in the place of the current run of the item
// and the extractor's name, with the end of its task, the end of the requests
// that wait for it, and their events: all in one transaction. The same result
// again, for the same lease of the task, has no effect and returns the same run.
//
// CodeInvalid: the result breaks a rule, see Check and CheckOwner; nothing was
// stored, and the lease goes on. CodeLeaseLost: the lease is not the newest of
// the task. CodeConflict, which wraps ErrSuperseded: another revision is stored,
// or the item is gone. CodeConsentDenied: its source does not allow extraction.
func (r *Recorder) Record(ctx context.Context, res Result) (kgl.ExtractionRun, error) {
	if run, ok, err := r.recorded(ctx, res.Task); ok || err != nil {
		return run, err
	}
	x := res.Extraction
	if err := CheckOwner(res.Lane, x.Extractor); err != nil {
		return kgl.ExtractionRun{}, err
	}
	if err := Check(x, res.Content.Text); err != nil {
		return kgl.ExtractionRun{}, err
	}
	res.Extraction = r.withDerived(tidied(x), res.Content.Text)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var run kgl.ExtractionRun
	err := r.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := r.clock.Now()
		c, err := r.hold(ctx, tx, res.Content, kgl.ContentProcessed, now)
		if err != nil {
			return err
		}
		if res.Task != nil {
			if err := tx.CompleteTask(ctx, *res.Task, now); err != nil {
				return err
			}
		}
		w := runWriter{tx: tx, ids: r.ids, clock: r.clock, now: now, content: c}
		run, err = w.write(ctx, res)
		return err
	})
	if kgl.Is(err, kgl.CodeLeaseLost) {
		// Two callers handed in the same result at once.
		if run, ok, _ := r.recorded(ctx, res.Task); ok {
			return run, nil
		}
	}
	return run, err
}

// withDerived adds to what was found in a text what follows from it.
func (r *Recorder) withDerived(x kgl.Extraction, text string) kgl.Extraction {
	if r.derive == nil {
		return x
	}
	return r.derive(x, text)
}

// recorded returns the run that was stored for the lease of a task.
func (r *Recorder) recorded(ctx context.Context, t *kgl.EnrichmentTask) (kgl.ExtractionRun, bool, error) {
	if t == nil {
		return kgl.ExtractionRun{}, false, nil
	}
	run, err := r.store.RunOfTask(ctx, t.ID, t.LeaseToken)
	if kgl.Is(err, kgl.CodeNotFound) {
		return run, false, nil
	}
	return run, err == nil, err
}

// Skip stores that an item holds no text: the end of its task, and that nothing
// is found in it any more by the extractors of the lane. Its errors are those of
// Record.
func (r *Recorder) Skip(ctx context.Context, lane string, t kgl.EnrichmentTask, c kgl.Content) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return r.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := r.clock.Now()
		c, err := r.hold(ctx, tx, c, kgl.ContentSkipped, now)
		if err != nil {
			return err
		}
		if err := tx.CompleteTask(ctx, t, now); err != nil {
			return err
		}
		w := runWriter{tx: tx, ids: r.ids, clock: r.clock, now: now, content: c}
		return w.empty(ctx, lane)
	})
}

// hold makes sure, until the transaction ends, that the revision that was read is
// the stored one and that its source allows extraction, and sets the status of
// the item. The source comes first and the item second, as in every transaction
// that writes both, so that no two wait for each other in a circle.
func (r *Recorder) hold(ctx context.Context, tx kgl.Store, read kgl.Content, status kgl.ContentStatus, now time.Time) (kgl.Content, error) {
	consents, err := tx.HoldConsents(ctx, read.SourceID)
	if kgl.Is(err, kgl.CodeNotFound) {
		return kgl.Content{}, superseded()
	}
	if err != nil {
		return kgl.Content{}, err
	}
	if !consents.AIProcessing.Allowed {
		return kgl.Content{}, ConsentDenied()
	}
	return holdRevision(ctx, tx, read.ID, read.Revision, status, now)
}

// holdRevision sets the status of an item and returns it. Setting locks it, so
// that the revision read after it stays the current one until the commit.
func holdRevision(ctx context.Context, tx kgl.Store, id string, revision int64, status kgl.ContentStatus, now time.Time) (kgl.Content, error) {
	err := tx.SetContentStatus(ctx, id, status, now)
	if kgl.Is(err, kgl.CodeNotFound) {
		return kgl.Content{}, superseded()
	}
	if err != nil {
		return kgl.Content{}, err
	}
	c, err := tx.Content(ctx, id)
	if err == nil && c.Revision != revision {
		err = superseded()
	}
	return c, err
}

func superseded() error {
	return kgl.Wrap(ErrSuperseded, kgl.CodeConflict, "the item was edited or removed meanwhile")
}

// ConsentDenied is the error about items of a source that does not allow
// extraction: CodeConsentDenied.
func ConsentDenied() error {
	return kgl.Errorf(kgl.CodeConsentDenied, "the source does not allow AI processing of its items")
}
