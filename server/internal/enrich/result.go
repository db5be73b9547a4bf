package enrich

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxLastError bounds the text of a failure that is stored with a task, in bytes.
const maxLastError = 500

// errSuperseded rolls a result back because its item was edited meanwhile.
var errSuperseded = errors.New("enrich: a newer revision exists")

func hasText(c kgl.Content) bool { return strings.TrimSpace(c.Text) != "" }

// storeResult stores an extraction, the end of its task and their events in one
// transaction. It has the same effect however often it is repeated.
func (w *Worker) storeResult(ctx context.Context, t kgl.EnrichmentTask, c kgl.Content, x kgl.Extraction) (Outcome, error) {
	outcome, status := OutcomeProcessed, kgl.ContentProcessed
	if !hasText(c) {
		outcome, status = OutcomeSkipped, kgl.ContentSkipped
	}
	err := w.settle(ctx, t, status, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		r := resultWriter{tx: tx, ids: w.ids, clock: w.clock, now: now, task: t}
		return r.write(ctx, c, status, x)
	})
	if errors.Is(err, errSuperseded) {
		return OutcomeSuperseded, w.store.CompleteTask(ctx, t, w.clock.Now())
	}
	return outcome, err
}

// settle ends a task: it sets the status of the item, completes the task and
// calls fn, in one transaction. The item comes first, as in the transaction that
// stores a revision, so that the two do not wait for each other in a circle.
func (w *Worker) settle(ctx context.Context, t kgl.EnrichmentTask, status kgl.ContentStatus, fn func(context.Context, kgl.Store, time.Time) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := w.clock.Now()
		if err := setStatus(ctx, tx, t, status, now); err != nil {
			return err
		}
		if err := tx.CompleteTask(ctx, t, now); err != nil {
			return err
		}
		return fn(ctx, tx, now)
	})
}

// setStatus sets the status of the task's item; errSuperseded when the task is
// not about its current revision. Setting locks the item, so that the revision
// read after it stays the current one until the commit.
func setStatus(ctx context.Context, tx kgl.Store, t kgl.EnrichmentTask, status kgl.ContentStatus, now time.Time) error {
	err := tx.SetContentStatus(ctx, t.ContentID, status, now)
	if kgl.Is(err, kgl.CodeNotFound) {
		return errSuperseded
	}
	if err != nil {
		return err
	}
	c, err := tx.Content(ctx, t.ContentID)
	if err != nil {
		return err
	}
	if c.Revision != t.Revision {
		return errSuperseded
	}
	return nil
}

// fail stores a failed attempt: the task waits for the next one or, after the
// last, is given up.
func (w *Worker) fail(ctx context.Context, t kgl.EnrichmentTask, cause error) (Outcome, error) {
	if t.Attempts < w.cfg.MaxAttempts {
		w.log.WarnContext(ctx, "enrichment attempt failed", "error", cause)
		return OutcomeRetried, w.retry(ctx, t, errorText(cause), w.retryDelay(t.Attempts))
	}
	w.log.ErrorContext(ctx, "enrichment task given up", "error", cause)
	err := w.endAttempt(ctx, t, kgl.ContentFailed, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		return tx.BuryTask(ctx, t, errorText(cause), now)
	}, kgl.NewEvent(w.ids, w.clock, kgl.EventContentFailed, "content", t.ContentID, map[string]any{
		"revision": t.Revision, "extractor": t.Extractor, "attempts": t.Attempts,
	}))
	return OutcomeBuried, err
}

func (w *Worker) retry(ctx context.Context, t kgl.EnrichmentTask, lastError string, delay time.Duration) error {
	return w.endAttempt(ctx, t, kgl.ContentNew, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		return tx.RetryTask(ctx, t, lastError, now, now.Add(delay))
	})
}

// endAttempt stores an attempt that gave no result. The task of a revision that
// was superseded is completed instead: nobody waits for it.
func (w *Worker) endAttempt(ctx context.Context, t kgl.EnrichmentTask, status kgl.ContentStatus, end func(context.Context, kgl.Store, time.Time) error, events ...kgl.Event) error {
	err := w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := w.clock.Now()
		if err := setStatus(ctx, tx, t, status, now); err != nil {
			return err
		}
		if err := end(ctx, tx, now); err != nil || len(events) == 0 {
			return err
		}
		return tx.AppendEvents(ctx, events)
	})
	if errors.Is(err, errSuperseded) {
		return w.store.CompleteTask(ctx, t, w.clock.Now())
	}
	return err
}

// errorText returns the text of a failure in a form that every database takes.
func errorText(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "")
	if len(text) <= maxLastError {
		return text
	}
	cut := maxLastError
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// resultWriter writes one extraction inside a transaction.
type resultWriter struct {
	tx     kgl.Store
	ids    kgl.IDSource
	clock  kgl.Clock
	now    time.Time
	task   kgl.EnrichmentTask
	events []kgl.Event
}

func (r *resultWriter) write(ctx context.Context, c kgl.Content, status kgl.ContentStatus, x kgl.Extraction) error {
	entities, err := r.entities(ctx, x.Entities)
	if err != nil {
		return err
	}
	mentions := r.mentions(x, entities)
	if err := r.tx.ReplaceMentions(ctx, c.ID, x.Extractor, mentions); err != nil {
		return err
	}
	relationships, err := r.relationships(ctx, c, x, entities)
	if err != nil {
		return err
	}
	r.event(kgl.EventContentProcessed, "content", c.ID, map[string]any{
		"source_id": c.SourceID, "revision": c.Revision, "extractor": x.Extractor, "status": string(status),
		"mentions": len(mentions), "relationships": relationships,
	})
	return r.tx.AppendEvents(ctx, r.events)
}

func (r *resultWriter) event(typ kgl.EventType, subject, id string, data map[string]any) {
	r.events = append(r.events, kgl.NewEvent(r.ids, r.clock, typ, subject, id, data))
}

// entities stores the entities and returns, for each extracted one, the stored
// one. They are written in the order of their keys, so that workers wait for
// each other in one direction.
func (r *resultWriter) entities(ctx context.Context, found []kgl.ExtractedEntity) ([]kgl.Entity, error) {
	if len(found) == 0 {
		return nil, nil
	}
	wanted := make([]kgl.Entity, 0, len(found))
	index := map[[2]string]int{}
	for _, f := range found {
		key := [2]string{f.Type, kgl.NormalizeName(f.Name)}
		if i, ok := index[key]; ok {
			wanted[i].Confidence = max(wanted[i].Confidence, f.Confidence)
			continue
		}
		index[key] = len(wanted)
		wanted = append(wanted, r.entity(f, key[1]))
	}
	slices.SortFunc(wanted, func(a, b kgl.Entity) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.NameKey, b.NameKey))
	})
	stored, created, err := r.tx.UpsertEntities(ctx, wanted)
	if err != nil {
		return nil, err
	}
	for i, e := range wanted {
		index[[2]string{e.Type, e.NameKey}] = i
	}
	r.entityEvents(stored, created)
	result := make([]kgl.Entity, len(found))
	for i, f := range found {
		result[i] = stored[index[[2]string{f.Type, kgl.NormalizeName(f.Name)}]]
	}
	return result, nil
}

func (r *resultWriter) entity(f kgl.ExtractedEntity, key string) kgl.Entity {
	return kgl.Entity{
		ID: r.ids.NewID(), Name: f.Name, NameKey: key, Type: f.Type,
		Aliases: []string{}, Attributes: []byte(`{}`),
		Confidence: f.Confidence, Extractor: r.task.Extractor,
		Version: 1, CreatedAt: r.now, UpdatedAt: r.now,
	}
}

// entityEvents tells of entities that are new, and of those whose confidence
// was raised: the store gives these a new version and the time of this write.
func (r *resultWriter) entityEvents(stored []kgl.Entity, created []bool) {
	told := map[string]bool{}
	for i, e := range stored {
		typ := kgl.EventEntityUpdated
		if created[i] {
			typ = kgl.EventEntityCreated
		} else if e.Version == 1 || !e.UpdatedAt.Equal(r.now) || told[e.ID] {
			continue
		}
		told[e.ID] = true
		r.event(typ, "entity", e.ID, map[string]any{"name": e.Name, "type": e.Type, "extractor": r.task.Extractor})
	}
}

// mentions returns one row for each place; two extracted names may be the same
// stored entity, by an alias.
func (r *resultWriter) mentions(x kgl.Extraction, entities []kgl.Entity) []kgl.Mention {
	type place struct {
		entity     string
		start, end int64
	}
	seen := map[place]bool{}
	mentions := []kgl.Mention{}
	for i, e := range x.Entities {
		for _, s := range e.Spans {
			p := place{entities[i].ID, s.Start, s.End}
			if seen[p] {
				continue
			}
			seen[p] = true
			mentions = append(mentions, kgl.Mention{
				ID: r.ids.NewID(), ContentID: r.task.ContentID, Revision: r.task.Revision, EntityID: p.entity,
				Start: s.Start, End: s.End, Quote: s.Quote,
				Confidence: e.Confidence, Extractor: x.Extractor, CreatedAt: r.now,
			})
		}
	}
	return mentions
}
