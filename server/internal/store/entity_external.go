package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// externalRow is an external id as InsertExternalIDs takes it.
type externalRow struct {
	Scheme   string `json:"scheme"`
	Value    string `json:"value"`
	EntityID string `json:"entity_id"`
}

// addExternalIDs stores those of the ids that no entity has and returns them.
func addExternalIDs(ctx context.Context, c *conn, rows []externalRow) ([]externalRow, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	text, err := jsonText(rows)
	if err != nil {
		return nil, err
	}
	added, err := c.InsertExternalIDs(ctx, text)
	if err != nil {
		return nil, err
	}
	out := make([]externalRow, len(added))
	for i, row := range added {
		out[i] = externalRow{Scheme: row.Scheme, Value: row.Value, EntityID: row.EntityID}
	}
	return out, nil
}

// setExternalIDs makes the ids of an entity those that are given. Those that
// stay are not touched. CodeConflict names those that other entities have.
func setExternalIDs(ctx context.Context, c *conn, entityID string, have, want []kgl.ExternalID) error {
	for _, x := range have {
		if slices.Contains(want, x) {
			continue
		}
		err := c.DeleteExternalID(ctx, sqlitedb.DeleteExternalIDParams{Scheme: x.Scheme, Value: x.Value, EntityID: entityID})
		if err != nil {
			return err
		}
	}
	var rows []externalRow
	for _, x := range unique(want) {
		if !slices.Contains(have, x) {
			rows = append(rows, externalRow{Scheme: x.Scheme, Value: x.Value, EntityID: entityID})
		}
	}
	added, err := addExternalIDs(ctx, c, rows)
	if err != nil || len(added) == len(rows) {
		return err
	}
	conflict := kgl.Errorf(kgl.CodeConflict, "an external id belongs to another entity")
	for i, x := range want {
		if !slices.Contains(have, x) && !slices.Contains(added, externalRow{Scheme: x.Scheme, Value: x.Value, EntityID: entityID}) {
			conflict.Fields = append(conflict.Fields, kgl.FieldError{
				Field: fmt.Sprintf("external_ids[%d]", i), Message: "belongs to another entity",
			})
		}
	}
	return conflict
}

// externalIDs returns the ids of entities, in the order of scheme and value.
func externalIDs(ctx context.Context, c *conn, entityIDs string) (map[string][]kgl.ExternalID, error) {
	rows, err := c.ExternalIDs(ctx, entityIDs)
	if err != nil {
		return nil, err
	}
	out := map[string][]kgl.ExternalID{}
	for _, row := range rows {
		out[row.EntityID] = append(out[row.EntityID], kgl.ExternalID{Scheme: row.Scheme, Value: row.Value})
	}
	return out, nil
}

// ExternalMatches implements kgl.EntityStore.
func (db *DB) ExternalMatches(ctx context.Context, ids []kgl.ExternalID) ([]kgl.ExternalMatch, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]entityKey, len(ids))
	for i, x := range ids {
		keys[i] = entityKey{Scheme: x.Scheme, Value: x.Value}
	}
	text, err := jsonText(keys)
	if err != nil {
		return nil, err
	}
	var out []kgl.ExternalMatch
	err = db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		rows, err := c.EntitiesByExternalIDs(ctx, text)
		if err != nil {
			return err
		}
		out = nil
		entities, err := summaries(ctx, c, rows, func(r sqlitedb.EntitiesByExternalIDsRow) string { return r.EntityID })
		for _, row := range rows {
			if e, ok := entities[row.EntityID]; ok && e.Status == kgl.EntityActive {
				out = append(out, kgl.ExternalMatch{ExternalID: kgl.ExternalID{Scheme: row.Scheme, Value: row.Value}, Entity: e})
			}
		}
		return err
	})
	return out, err
}
