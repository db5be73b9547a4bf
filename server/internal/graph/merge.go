package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of a merge.
const (
	MaxMergeLosers    = 20
	MaxMergeReasonLen = 1_000 // characters
)

// Merges is the service that merges entities. It is safe for concurrent use.
type Merges struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// NewMerges returns the service.
func NewMerges(store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *Merges {
	return &Merges{store: store, clock: clock, ids: ids}
}

// Merge merges the losers into the winner. CodeNotFound: there is no such
// winner; CodeInvalid: a loser does not exist, is the winner or is named twice;
// CodeConflict: one of them is rejected or merged into another one already.
func (s *Merges) Merge(ctx context.Context, winner string, losers []string, reason string) (kgl.EntityMerge, error) {
	m := kgl.EntityMerge{
		ID: s.ids.NewID(), Winner: kgl.EntityRef{ID: winner}, Reason: strings.TrimSpace(reason), Actor: actorOf(ctx), CreatedAt: s.clock.Now(),
	}
	if err := checkMerge(winner, losers, m.Reason); err != nil {
		return kgl.EntityMerge{}, err
	}
	for _, id := range losers {
		m.Losers = append(m.Losers, kgl.EntityRef{ID: id})
	}
	var out kgl.EntityMerge
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if _, err := tx.Entity(ctx, winner); err != nil {
			return err
		}
		for i, id := range losers {
			if _, err := tx.Entity(ctx, id); kgl.Is(err, kgl.CodeNotFound) {
				return kgl.Invalid(fmt.Sprintf("entity_ids[%d]", i), "is no entity")
			} else if err != nil {
				return err
			}
		}
		var err error
		if out, err = tx.MergeEntities(ctx, m); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityMerged, "entity.merge", out)
	})
	return out, err
}

func checkMerge(winner string, losers []string, reason string) error {
	var faults faults
	if len(losers) == 0 || len(losers) > MaxMergeLosers {
		faults.add("entity_ids", fmt.Sprintf("must be 1 to %d entities", MaxMergeLosers))
	}
	for i, id := range losers {
		switch {
		case id == winner:
			faults.add(fmt.Sprintf("entity_ids[%d]", i), "is the entity itself")
		case slices.Contains(losers[:i], id):
			faults.add(fmt.Sprintf("entity_ids[%d]", i), "is named twice")
		}
	}
	faults.add("reason", textFault(reason, 0, MaxMergeReasonLen))
	return faults.err()
}

// Undo undoes a merge that an entity took part in: as the one that stayed, as
// one that was merged, or as the one that answers for the first. CodeNotFound:
// there is no such entity, or no such merge of it; CodeConflict: it was undone
// already.
func (s *Merges) Undo(ctx context.Context, entityID, mergeID string) (kgl.EntityMerge, error) {
	var out kgl.EntityMerge
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := checkPart(ctx, tx, entityID, mergeID); err != nil {
			return err
		}
		var err error
		if out, err = tx.UndoMerge(ctx, mergeID, actorOf(ctx), s.clock.Now()); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityUnmerged, "entity.unmerge", out)
	})
	return out, err
}

func checkPart(ctx context.Context, tx kgl.Store, entityID, mergeID string) error {
	if _, err := tx.Entity(ctx, entityID); err != nil {
		return err
	}
	m, err := tx.EntityMerge(ctx, mergeID)
	if err != nil {
		return err
	}
	if m.Winner.ID == entityID || slices.ContainsFunc(m.Losers, func(l kgl.EntityRef) bool { return l.ID == entityID }) {
		return nil
	}
	winner, err := tx.FollowEntity(ctx, m.Winner.ID)
	if err == nil && winner.ID != entityID {
		return kgl.NotFound("merge")
	}
	return err
}

// List returns a page of the merges that an entity took part in, on either
// side, newest first. CodeNotFound: there is no such entity.
func (s *Merges) List(ctx context.Context, entityID string, p kgl.Page) (kgl.List[kgl.EntityMerge], error) {
	if _, err := s.store.Entity(ctx, entityID); err != nil {
		return kgl.List[kgl.EntityMerge]{}, err
	}
	return s.store.EntityMerges(ctx, entityID, bounded(p))
}

// record writes an event about each loser, one about the entity that answered
// for them, and, last, the audit row.
func (s *Merges) record(ctx context.Context, tx kgl.Store, typ kgl.EventType, action string, m kgl.EntityMerge) error {
	winner, err := tx.FollowEntity(ctx, m.Winner.ID)
	if err != nil {
		return err
	}
	var events []kgl.Event
	losers := make([]string, len(m.Losers))
	for i, l := range m.Losers {
		losers[i] = l.ID
		events = append(events, kgl.NewEvent(s.ids, s.clock, typ, "entity", l.ID, map[string]any{
			"name": l.Name, "type": l.Type, "into": m.Winner.ID, "merge_id": m.ID,
		}))
	}
	events = append(events, kgl.NewEvent(s.ids, s.clock, kgl.EventEntityUpdated, "entity", winner.ID, map[string]any{
		"name": winner.Name, "type": winner.Type, "extractor": winner.Extractor, "merge_id": m.ID,
	}))
	if err := tx.AppendEvents(ctx, events); err != nil {
		return err
	}
	_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, action, "entity", m.Winner.ID, kgl.AuditSuccess, map[string]any{
		"merge_id": m.ID, "losers": losers, "reason": m.Reason,
	}))
	return err
}

// actorOf names who acts: the id, or the kind of those that have none.
func actorOf(ctx context.Context) string {
	p := kgl.PrincipalFrom(ctx)
	if p.ID != "" {
		return p.ID
	}
	return string(p.Type)
}
