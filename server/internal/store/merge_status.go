package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// SetEntityStatus implements kgl.MergeStore.
func (db *DB) SetEntityStatus(ctx context.Context, id string, status kgl.EntityStatus, now time.Time) error {
	if status != kgl.EntityActive && status != kgl.EntityRejected {
		return kgl.Invalid("status", "must be active or rejected")
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := ownGraph(ctx, c); err != nil {
			return err
		}
		states := entityStates{}
		if err := lockStates(ctx, c, states, []string{id}); err != nil {
			return err
		}
		switch state, known := states[id]; {
		case !known:
			return kgl.NotFound("entity")
		case state.status == kgl.EntityMerged:
			return kgl.Errorf(kgl.CodeConflict, "the entity was merged into %s", state.into)
		case state.status == status:
			return nil
		}
		at := micros(now)
		if status == kgl.EntityRejected {
			if err := forgetDegrees(ctx, c, []string{id}); err != nil {
				return err
			}
		}
		if err := c.SetEntityStatus(ctx, sqlitedb.SetEntityStatusParams{ID: id, Status: string(status), UpdatedAt: at}); err != nil {
			return err
		}
		if status == kgl.EntityRejected {
			return suppress(ctx, c, id, at)
		}
		return revive(ctx, c, id, at)
	})
}

func suppress(ctx context.Context, c *conn, id string, at int64) error {
	if err := c.SuppressFrom(ctx, sqlitedb.SuppressFromParams{EntityID: id, UpdatedAt: at}); err != nil {
		return err
	}
	return c.SuppressTo(ctx, sqlitedb.SuppressToParams{EntityID: id, UpdatedAt: at})
}

func revive(ctx context.Context, c *conn, id string, at int64) error {
	if err := c.ReviveFrom(ctx, sqlitedb.ReviveFromParams{EntityID: id, UpdatedAt: at}); err != nil {
		return err
	}
	if err := c.ReviveTo(ctx, sqlitedb.ReviveToParams{EntityID: id, UpdatedAt: at}); err != nil {
		return err
	}
	ends, err := activeEnds(ctx, c, []string{id})
	if err != nil {
		return err
	}
	return countDegrees(ctx, c, nil, ends)
}

// forgetDegrees takes the active relationships of entities that leave the graph
// off the degrees of both ends.
func forgetDegrees(ctx context.Context, c *conn, ids []string) error {
	ends, err := activeEnds(ctx, c, ids)
	if err != nil {
		return err
	}
	return countDegrees(ctx, c, ends, nil)
}

// activeEnds returns both ends of each active relationship of the entities, once
// for each.
func activeEnds(ctx context.Context, c *conn, ids []string) ([]string, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.ActiveEnds(ctx, list)
	if err != nil {
		return nil, err
	}
	ends := make([]string, 0, 2*len(rows))
	for _, row := range rows {
		ends = append(ends, row.FromEntityID, row.ToEntityID)
	}
	return ends, nil
}
