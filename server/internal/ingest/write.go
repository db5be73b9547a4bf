package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// stored counts what a write did.
type stored struct{ created, updated, failed int }

// write stores an attempt: items, duplicate links, enrichment tasks, events
// and the state of the source in one transaction. When the database refuses an
// item, the items are stored one by one, so that only the bad one is lost.
func (w *Worker) write(ctx context.Context, lease kgl.HostLease, a *attempt) (stored, error) {
	ch, err := w.compare(ctx, a)
	if err != nil {
		return stored{}, err
	}
	if ch.empty() {
		return stored{}, w.writeNothingNew(ctx, lease, a)
	}
	var done stored
	err = w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) (err error) {
		if done, err = w.apply(ctx, tx, ch); err != nil {
			return err
		}
		return w.finish(ctx, tx, lease, a, done)
	})
	if err == nil || !refused(err) {
		return done, err
	}
	if _, err := w.store.Source(ctx, a.source.ID); err != nil {
		return stored{}, err // deleted meanwhile: no item can be stored
	}
	w.log.WarnContext(ctx, "storing items one by one", "source_id", a.source.ID, "error", err)
	return w.writeOneByOne(ctx, lease, a, ch)
}

// writeNothingNew stores an attempt that changes no item. Where it changes no
// state that others are told of, that is one call of the store, and no
// transaction around it.
func (w *Worker) writeNothingNew(ctx context.Context, lease kgl.HostLease, a *attempt) error {
	if err := w.settle(ctx, w.store, a, stored{}); err != nil {
		return err
	}
	if a.result.Move == nil && a.result.Status == a.source.Status {
		return w.finishSettled(ctx, w.store, lease, a, stored{})
	}
	return w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		return w.finish(ctx, tx, lease, a, stored{})
	})
}

// refused reports whether an error may be about the rows themselves. Other
// errors would hit every item alike.
func refused(err error) bool {
	switch kgl.ErrorCode(err) {
	case kgl.CodeInternal, kgl.CodeInvalid, kgl.CodeConflict:
		return true
	}
	return false
}

// writeOneByOne stores each item in a transaction of its own, and the state of
// the source after them. The host is extended in each, at its end: the lease
// must still be ours when the item is committed.
func (w *Worker) writeOneByOne(ctx context.Context, lease kgl.HostLease, a *attempt, ch change) (stored, error) {
	var done stored
	for _, one := range ch.single() {
		var n stored
		err := w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) (err error) {
			if n, err = w.apply(ctx, tx, one); err != nil {
				return err
			}
			return tx.ExtendHost(ctx, lease, lease.Until)
		})
		switch {
		case err == nil:
			done.created, done.updated = done.created+n.created, done.updated+n.updated
		case refused(err):
			done.failed++
			w.log.ErrorContext(ctx, "an item could not be stored", "source_id", a.source.ID, "error", err)
		default:
			return done, err
		}
	}
	a.result.BodyHash, a.result.ETag, a.result.LastModified = "", "", "" // the lost ones are tried again
	a.result.Fetch.ItemsFailed += int64(done.failed)
	err := w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		return w.finish(ctx, tx, lease, a, done)
	})
	return done, err
}

// apply stores the items of a change with their links, tasks and events.
func (w *Worker) apply(ctx context.Context, tx kgl.Store, ch change) (stored, error) {
	if ch.empty() {
		return stored{}, nil
	}
	created, err := w.create(ctx, tx, ch.created)
	if err != nil {
		return stored{}, err
	}
	links, err := w.reviseAndLink(ctx, tx, created, ch)
	if err != nil {
		return stored{}, err
	}
	if err := w.noteRemoved(ctx, tx, ch); err != nil {
		return stored{}, err
	}
	all := slices.Concat(created, ch.revised)
	if err := tx.CreateTasks(ctx, w.tasks(all)); err != nil {
		return stored{}, err
	}
	if err := tx.AppendEvents(ctx, w.events(all, links)); err != nil {
		return stored{}, err
	}
	return stored{created: len(created), updated: len(ch.revised)}, nil
}

// reviseAndLink stores edits and moves of stored items, and links what is the
// same as items of other sources by now.
func (w *Worker) reviseAndLink(ctx context.Context, tx kgl.Store, created []kgl.Content, ch change) ([]kgl.DuplicateLink, error) {
	revise := func() error { return w.revise(ctx, tx, ch) }
	if len(created)+len(ch.revised) == 0 {
		return nil, revise()
	}
	return w.duplicates(ctx, tx, created, ch.revised, ch.texts, revise)
}

// revise stores edits and moves of stored items.
func (w *Worker) revise(ctx context.Context, tx kgl.Store, ch change) error {
	for _, c := range ch.revised {
		if err := tx.ReviseContent(ctx, c); err != nil {
			return err
		}
		if newest := c.Revision - 1 - w.cfg.Retention.Revisions; newest > 0 {
			if err := tx.DropRevisions(ctx, c.ID, newest); err != nil {
				return err
			}
		}
	}
	return tx.MoveContents(ctx, ch.moved, w.clock.Now())
}

// noteRemoved keeps what is remembered of removed items.
func (w *Worker) noteRemoved(ctx context.Context, tx kgl.Store, ch change) error {
	if err := tx.ForgetRemoved(ctx, ch.sourceID, ch.back); err != nil || !ch.note {
		return err
	}
	now := w.clock.Now()
	return tx.SeeRemoved(ctx, ch.sourceID, ch.seen, now, now.Add(-rememberRemoved))
}

func (w *Worker) create(ctx context.Context, tx kgl.Store, cs []kgl.Content) ([]kgl.Content, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	ids, err := tx.CreateContents(ctx, cs)
	if err != nil || len(ids) == len(cs) {
		return cs, err
	}
	isStored := make(map[string]bool, len(ids))
	for _, id := range ids {
		isStored[id] = true
	}
	created := make([]kgl.Content, 0, len(ids))
	for _, c := range cs {
		if isStored[c.ID] {
			created = append(created, c)
		}
	}
	return created, nil
}

func (w *Worker) tasks(cs []kgl.Content) []kgl.EnrichmentTask {
	now := w.clock.Now()
	var ts []kgl.EnrichmentTask
	for _, c := range cs {
		for _, extractor := range w.cfg.Extractors {
			ts = append(ts, kgl.NewEnrichmentTask(w.ids, now, c.ID, c.SourceID, c.Revision, extractor))
		}
	}
	return ts
}

func (w *Worker) events(cs []kgl.Content, links []kgl.DuplicateLink) []kgl.Event {
	es := make([]kgl.Event, 0, len(cs)+len(links))
	for _, c := range cs {
		typ := kgl.EventContentCreated
		if c.Revision > 1 {
			typ = kgl.EventContentUpdated
		}
		es = append(es, kgl.NewEvent(w.ids, w.clock, typ, "content", c.ID, map[string]any{
			"source_id": c.SourceID, "revision": c.Revision,
		}))
	}
	return append(es, w.linkEvents(links)...)
}

// finish stores the state of the source, with an event when it changed.
func (w *Worker) finish(ctx context.Context, tx kgl.Store, lease kgl.HostLease, a *attempt, done stored) error {
	if err := w.settle(ctx, tx, a, done); err != nil {
		return err
	}
	if err := w.finishSettled(ctx, tx, lease, a, done); err != nil {
		return err
	}
	return w.report(ctx, tx, a)
}

// finishSettled stores the state of the source. The host is released with it
// when the turn ends here; one that asks for patience is looked at before.
func (w *Worker) finishSettled(ctx context.Context, tx kgl.Store, lease kgl.HostLease, a *attempt, done stored) error {
	a.released = false // in a transaction that was rolled back
	r := a.result
	r.Fetch.Outcome = a.outcome(done)
	r.Fetch.ItemsCreated, r.Fetch.ItemsUpdated = int64(done.created), int64(done.updated)
	if a.isLast && r.Health != kgl.HealthThrottled {
		notBefore := time.Time{}
		if w.cfg.HostDelay > 0 {
			notBefore = w.clock.Now().Add(w.cfg.HostDelay)
		}
		r.Release = &notBefore
	}
	if err := tx.FinishFetch(ctx, lease, r, w.keepFetches(r.Fetch)); err != nil {
		return err
	}
	a.released = r.Release != nil
	return nil
}

// keepFetches is how many rows of history a source keeps, or -1 for now: to look
// for old rows costs more than to store one, so only one fetch in some does. The
// last digit of its id is as good as drawn by lot.
func (w *Worker) keepFetches(f kgl.Fetch) int {
	if f.ID[len(f.ID)-1] != '0' {
		return -1
	}
	return w.cfg.KeepFetches
}

// outcome says how the attempt ended, given what of it was stored.
func (a *attempt) outcome(done stored) kgl.FetchOutcome {
	switch {
	case a.result.Fetch.Outcome != "":
		return a.result.Fetch.Outcome
	case done.created+done.updated > 0:
		return kgl.FetchNewContent
	default:
		return kgl.FetchUnchanged
	}
}

func userMessage(err error) string {
	if e, ok := errors.AsType[*kgl.Error](err); ok {
		return e.Message
	}
	return "the fetch failed because of an internal fault"
}
