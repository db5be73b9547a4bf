package ingest

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Contents is what people may do with items besides reading them.
type Contents struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// NewContents returns the service.
func NewContents(store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *Contents {
	return &Contents{store: store, clock: clock, ids: ids}
}

// DeleteContent removes an item with its revisions, mentions and evidence. It
// stays away while its source publishes it as it was, and comes back when it is
// edited there. CodeNotFound; CodePreconditionFailed: ifVersion is not the stored
// version.
func (s *Contents) DeleteContent(ctx context.Context, id string, ifVersion *int64) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		c, err := tx.Content(ctx, id)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != c.Version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the content was changed meanwhile; read it again")
		}
		if err := tx.DeleteContent(ctx, id, kgl.RemovedByPerson, s.clock.Now()); err != nil {
			return err
		}
		details := map[string]any{"source_id": c.SourceID, "reason": kgl.RemovedByPerson}
		if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(s.ids, s.clock, kgl.EventContentDeleted, "content", id, details)}); err != nil {
			return err
		}
		_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "content.delete", "content", id, kgl.AuditSuccess, details))
		return err
	})
}
