package store_test

import (
	"context"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestDeletedWhileRelated deletes an entity while another transaction, which
// has its row, adds one relationship to it and removes another: those at the
// other ends count neither.
func TestDeletedWhileRelated(t *testing.T) {
	db := openPostgres(t)
	gone, old := seedEvidence(t, db)
	other := gone
	other.ID, other.Name, other.NameKey = "e3", "e3", "e3"
	noError(t, db.CreateEntity(t.Context(), other))
	deleted := make(chan error, 1)
	noError(t, db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
		_, _, err := tx.UpsertRelationships(ctx, []kgl.Relationship{{
			ID: "r2", From: kgl.EntityRef{ID: other.ID}, To: kgl.EntityRef{ID: gone.ID}, Type: "funds", Extractor: "mock",
			Version: 1, CreatedAt: now, UpdatedAt: now,
		}})
		noError(t, err)
		noError(t, tx.DeleteRelationship(ctx, old.ID))
		go func() { deleted <- db.DeleteEntity(context.WithoutCancel(t.Context()), gone.ID) }()
		waitForLock(t, db)
		return nil
	}))
	noError(t, <-deleted)
	for _, id := range []string{old.To.ID, other.ID} {
		e, err := db.Entity(t.Context(), id)
		noError(t, err)
		if e.Degree != 0 {
			t.Errorf("%s has the degree %d", id, e.Degree)
		}
	}
}
