package graph

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fieldStatus is the name of the state among the changed fields of an entity.
const fieldStatus = "status"

// storeEntity stores the changed fields of an entity. A change of its state
// takes its relationships out of the graph, or brings them back.
func storeEntity(ctx context.Context, tx kgl.Store, before, after kgl.Entity, fields []string) (kgl.Entity, error) {
	result := before
	if len(fields) > 1 || fields[0] != fieldStatus {
		var err error
		if result, err = tx.UpdateEntity(ctx, after); err != nil {
			return result, err
		}
	}
	if before.Status == after.Status {
		return result, nil
	}
	if err := tx.SetEntityStatus(ctx, after.ID, after.Status, after.UpdatedAt); err != nil {
		return result, err
	}
	return tx.Entity(ctx, after.ID)
}
