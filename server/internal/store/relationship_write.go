package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// relationshipKey is by what a relationship is recognised.
type relationshipKey struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"`
}

func keyOfRelationship(r kgl.Relationship) relationshipKey {
	return relationshipKey{From: r.From.ID, To: r.To.ID, Type: r.Type}
}

// relationshipRow is a relationship as InsertRelationships takes it.
type relationshipRow struct {
	relationshipKey
	ID         string  `json:"id"`
	Confidence float64 `json:"confidence"`
	Extractor  string  `json:"extractor"`
	Version    int64   `json:"version"`
	CreatedAt  int64   `json:"created_at"`
	UpdatedAt  int64   `json:"updated_at"`
}

// UpsertRelationships implements kgl.RelationshipStore. Of the ends only the
// ids count. CodeConflict: an end does not exist; CodeInvalid: both ends are the
// same entity.
func (db *DB) UpsertRelationships(ctx context.Context, rs []kgl.Relationship) ([]kgl.Relationship, []bool, error) {
	for _, r := range rs {
		if r.From.ID == r.To.ID {
			return nil, nil, kgl.Invalid("to", "a relationship needs two different entities")
		}
	}
	var out []kgl.Relationship
	var created []bool
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		ids, made, err := relationshipUpsert(ctx, c, rs).run()
		if err != nil {
			return err
		}
		created = made
		out, err = relationshipsInOrder(ctx, c, ids)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return out, created, nil
}

func relationshipUpsert(ctx context.Context, c *conn, rs []kgl.Relationship) *upsert[relationshipKey] {
	u := &upsert[relationshipKey]{
		keys:       make([]relationshipKey, len(rs)),
		ids:        make([]string, len(rs)),
		confidence: make([]float64, len(rs)),
	}
	for i, r := range rs {
		u.keys[i], u.ids[i], u.confidence[i] = keyOfRelationship(r), r.ID, r.Confidence
	}
	u.also = func(int) []relationshipKey { return nil }
	u.find = func(keys []relationshipKey) (map[relationshipKey]string, error) {
		return findRelationships(ctx, c, keys)
	}
	u.lock = func(ids []string) (map[string]float64, error) { return lockRelationships(ctx, c, ids) }
	u.insert = func(indexes []int) ([]string, error) {
		in := make([]relationshipRow, len(indexes))
		for n, i := range indexes {
			in[n] = relationshipRow{
				relationshipKey: u.keys[i], ID: rs[i].ID, Confidence: u.confidence[i], Extractor: rs[i].Extractor,
				Version: rs[i].Version, CreatedAt: micros(rs[i].CreatedAt), UpdatedAt: micros(rs[i].UpdatedAt),
			}
		}
		text, err := jsonText(in)
		if err != nil {
			return nil, err
		}
		return c.InsertRelationships(ctx, text)
	}
	u.raise = func(id string, i int) error {
		return c.RaiseRelationshipConfidence(ctx, sqlitedb.RaiseRelationshipConfidenceParams{
			ID: id, Confidence: rs[i].Confidence, UpdatedAt: micros(rs[i].UpdatedAt),
		})
	}
	return u
}

func findRelationships(ctx context.Context, c *conn, keys []relationshipKey) (map[relationshipKey]string, error) {
	text, err := jsonText(keys)
	if err != nil {
		return nil, err
	}
	rows, err := c.RelationshipsByKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	found := map[relationshipKey]string{}
	for _, row := range rows {
		found[relationshipKey{From: row.FromEntityID, To: row.ToEntityID, Type: row.Type}] = row.ID
	}
	return found, nil
}

// lockRelationships is lockEntities for relationships.
func lockRelationships(ctx context.Context, c *conn, ids []string) (map[string]float64, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.LockRelationships(ctx, list)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, row := range rows {
		out[row.ID] = row.Confidence
	}
	return out, nil
}

// relationshipsInOrder reads relationships, which may repeat, in the order of
// ids.
func relationshipsInOrder(ctx context.Context, c *conn, ids []string) ([]kgl.Relationship, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.RelationshipsByIDs(ctx, list)
	if err != nil {
		return nil, err
	}
	byID := map[string]kgl.Relationship{}
	for _, row := range rows {
		byID[row.ID] = relationshipOf(sqlitedb.RelationshipRow(row))
	}
	out := make([]kgl.Relationship, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, nil
}
