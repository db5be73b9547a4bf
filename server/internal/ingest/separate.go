package ingest

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TakeApart takes an item out of its group of duplicates, for good: the item and
// the others are not put together again, also when they are edited, but by hand.
// CodeNotFound; CodeConflict: it is in no group.
func (s *Contents) TakeApart(ctx context.Context, id string) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		others, err := tx.TakeApart(ctx, id, kgl.PrincipalFrom(ctx).ID, s.clock.Now())
		if err != nil {
			return err
		}
		details := map[string]any{"from": others}
		if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(s.ids, s.clock, kgl.EventDuplicateUnlinked, "content", id, details)}); err != nil {
			return err
		}
		_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "content.take_apart", "content", id, kgl.AuditSuccess, details))
		return err
	})
}

// LinkByHand says that an item repeats another one, whatever their texts: their
// groups become one, under the head of the other one. CodeNotFound: one of them
// does not exist; CodeConflict: they are in one group already.
func (s *Contents) LinkByHand(ctx context.Context, id, duplicateOf string) (kgl.DuplicateLink, error) {
	l := kgl.DuplicateLink{
		ContentID: id, DuplicateOf: duplicateOf, Reason: kgl.DuplicateManual, Score: 1,
		CreatedBy: kgl.PrincipalFrom(ctx).ID, CreatedAt: s.clock.Now(),
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.LinkByHand(ctx, l); err != nil {
			return err
		}
		stored, err := tx.Content(ctx, id)
		if err != nil {
			return err
		}
		if stored.DuplicateOf != "" {
			l.DuplicateOf = stored.DuplicateOf // the head of the other one's group
		}
		if err := tx.AppendEvents(ctx, []kgl.Event{linkEvent(s.ids, s.clock, l)}); err != nil {
			return err
		}
		_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "content.link_duplicate", "content", id, kgl.AuditSuccess,
			map[string]any{"duplicate_of": l.DuplicateOf}))
		return err
	})
	return l, err
}
