package enrich

import (
	"context"
	"errors"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// purgeBatch is how many items a step of a purge looks at: it bounds the
// transaction.
const purgeBatch = 100

// Runs is what people do with the results of extractors: look at them and take
// them back.
type Runs struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// NewRuns returns the service.
func NewRuns(store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *Runs {
	return &Runs{store: store, clock: clock, ids: ids}
}

// Get returns a run. CodeNotFound.
func (s *Runs) Get(ctx context.Context, id string) (kgl.ExtractionRun, error) {
	return s.store.Run(ctx, id)
}

// List returns a page of runs, newest first.
func (s *Runs) List(ctx context.Context, f kgl.ExtractionRunFilter, p kgl.Page) (kgl.List[kgl.ExtractionRun], error) {
	return s.store.Runs(ctx, f, p)
}

// Retract takes back what a run found, with its events and an audit row.
// CodeNotFound; CodeConflict: the run is not current.
func (s *Runs) Retract(ctx context.Context, id string) (kgl.ExtractionRun, error) {
	var run kgl.ExtractionRun
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		var relationships []string
		var err error
		if run, relationships, err = tx.RetractRun(ctx, id, s.clock.Now()); err != nil {
			return err
		}
		events := []kgl.Event{kgl.NewEvent(s.ids, s.clock, kgl.EventExtractionRetracted, "content", run.ContentID, map[string]any{
			"run_id": run.ID, "revision": run.Revision, "extractor": run.Extractor,
		})}
		if err := tx.AppendEvents(ctx, append(events, s.gone(relationships, nil, "run_retracted")...)); err != nil {
			return err
		}
		_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "extraction_run.retract", "extraction_run", id, kgl.AuditSuccess,
			map[string]any{"content_id": run.ContentID, "extractor": run.Extractor, "relationships_removed": len(relationships)}))
		return err
	})
	return run, err
}

// gone returns the events about relationships and entities that were removed.
func (s *Runs) gone(relationships []string, entities []kgl.EntityRef, reason string) []kgl.Event {
	events := make([]kgl.Event, 0, len(relationships)+len(entities))
	for _, id := range relationships {
		events = append(events, kgl.NewEvent(s.ids, s.clock, kgl.EventRelationshipDeleted, "relationship", id, map[string]any{"reason": reason}))
	}
	for _, e := range entities {
		events = append(events, kgl.NewEvent(s.ids, s.clock, kgl.EventEntityDeleted, "entity", e.ID,
			map[string]any{"name": e.Name, "type": e.Type, "reason": reason}))
	}
	return events
}

// PurgeResult counts what a purge removed.
type PurgeResult struct {
	Contents      int64 // items that something was removed of
	Runs          int64
	Mentions      int64
	Relationships int64
	Entities      int64
}

// Purge removes what extractors derived from the items of a source, some items
// in a transaction. It can be repeated: after it was interrupted it removes the
// rest. CodeNotFound; CodeConflict: the source allows AI processing, so that all
// would be derived again.
func (s *Runs) Purge(ctx context.Context, sourceID string) (PurgeResult, error) {
	if _, err := s.store.Source(ctx, sourceID); err != nil {
		return PurgeResult{}, err
	}
	var total PurgeResult
	for after := ""; ; {
		done, err := s.purgeStep(ctx, sourceID, after)
		if err != nil {
			if total == (PurgeResult{}) {
				return total, err
			}
			return total, errors.Join(err, s.auditPurge(context.WithoutCancel(ctx), sourceID, kgl.AuditFailure, total))
		}
		total.Contents += done.Contents
		total.Runs += done.Runs
		total.Mentions += done.Mentions
		total.Relationships += int64(len(done.Relationships))
		total.Entities += int64(len(done.Entities))
		if after = done.Last; after == "" {
			return total, s.auditPurge(ctx, sourceID, kgl.AuditSuccess, total)
		}
	}
}

// purgeStep is one transaction of a purge.
func (s *Runs) purgeStep(ctx context.Context, sourceID, after string) (kgl.Purged, error) {
	var done kgl.Purged
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		consents, err := tx.HoldConsents(ctx, sourceID)
		if err != nil {
			return err
		}
		if consents.AIProcessing.Allowed {
			return kgl.Errorf(kgl.CodeConflict, "the source allows AI processing of its items: withdraw that first")
		}
		if done, err = tx.PurgeDerived(ctx, sourceID, after, purgeBatch, s.clock.Now()); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, s.gone(done.Relationships, done.Entities, "purged"))
	})
	return done, err
}

func (s *Runs) auditPurge(ctx context.Context, sourceID string, outcome kgl.AuditOutcome, n PurgeResult) error {
	_, err := s.store.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "source.purge_derived", "source", sourceID, outcome, map[string]any{
		"contents": n.Contents, "runs": n.Runs, "mentions": n.Mentions, "relationships": n.Relationships, "entities": n.Entities,
	}))
	return err
}
