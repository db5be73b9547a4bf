package graph

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fieldStatus is the name of the state among the changed fields of an entity.
const fieldStatus = "status"

// storeEntity stores the changed fields of an entity. A change of its state
// takes its relationships out of the graph, or brings them back; it comes first,
// because it needs the graph for itself.
func storeEntity(ctx context.Context, tx kgl.Store, before, after kgl.Entity, fields []string) (kgl.Entity, error) {
	if before.Status == after.Status {
		return tx.UpdateEntity(ctx, after)
	}
	if err := tx.SetEntityStatus(ctx, after.ID, after.Status, after.UpdatedAt); err != nil {
		return before, err
	}
	result, err := tx.Entity(ctx, after.ID)
	if err != nil {
		return result, err
	}
	if result.Version != before.Version+1 {
		return result, kgl.Errorf(kgl.CodePreconditionFailed, "the entity was changed meanwhile")
	}
	if len(fields) == 1 {
		return result, nil
	}
	after.Version = result.Version
	return tx.UpdateEntity(ctx, after)
}
