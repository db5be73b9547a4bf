package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// entityKey is by what an entity is recognised: its type, and the normalised
// form of its name or of an alias.
type entityKey struct {
	Type string `json:"type"`
	Key  string `json:"key"`
}

// entityRow is an entity as InsertEntities takes it.
type entityRow struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	NameKey     string  `json:"name_key"`
	Type        string  `json:"type"`
	Description string  `json:"description"`
	Attributes  string  `json:"attributes"`
	Confidence  float64 `json:"confidence"`
	Extractor   string  `json:"extractor"`
	Version     int64   `json:"version"`
	CreatedAt   int64   `json:"created_at"`
	UpdatedAt   int64   `json:"updated_at"`
}

// UpsertEntities implements kgl.EntityStore. A name goes before an alias, the
// alias of the older entity before that of the younger. Entities that the list
// names twice are created once, for the first of them.
func (db *DB) UpsertEntities(ctx context.Context, es []kgl.Entity) ([]kgl.Entity, []bool, error) {
	var out []kgl.Entity
	var created []bool
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		u := entityUpsert(ctx, c, es)
		ids, made, err := u.run()
		if err != nil {
			return err
		}
		created = made
		out, err = entitiesInOrder(ctx, c, ids)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return out, created, nil
}

func entityUpsert(ctx context.Context, c *conn, es []kgl.Entity) *upsert[entityKey] {
	u := &upsert[entityKey]{
		keys:       make([]entityKey, len(es)),
		ids:        make([]string, len(es)),
		confidence: make([]float64, len(es)),
	}
	for i, e := range es {
		u.keys[i], u.ids[i], u.confidence[i] = entityKey{e.Type, e.NameKey}, e.ID, e.Confidence
	}
	u.also = func(i int) []entityKey {
		keys := make([]entityKey, len(es[i].Aliases))
		for n, a := range es[i].Aliases {
			keys[n] = entityKey{es[i].Type, kgl.NormalizeName(a)}
		}
		return keys
	}
	u.find = func(keys []entityKey) (map[entityKey]string, error) { return findEntities(ctx, c, keys) }
	u.lock = func(ids []string) (map[string]float64, error) { return lockEntities(ctx, c, ids) }
	u.insert = func(indexes []int) ([]string, error) {
		fresh := make([]kgl.Entity, len(indexes))
		for n, i := range indexes {
			fresh[n] = es[i]
			fresh[n].Confidence = u.confidence[i]
		}
		return insertEntities(ctx, c, fresh)
	}
	u.raise = func(id string, i int) error {
		return c.RaiseEntityConfidence(ctx, sqlitedb.RaiseEntityConfidenceParams{
			ID: id, Confidence: es[i].Confidence, UpdatedAt: micros(es[i].UpdatedAt),
		})
	}
	return u
}

func findEntities(ctx context.Context, c *conn, keys []entityKey) (map[entityKey]string, error) {
	text, err := jsonText(keys)
	if err != nil {
		return nil, err
	}
	byAlias, err := c.EntitiesByAliasKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	byName, err := c.EntitiesByNameKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	found := map[entityKey]string{}
	for _, row := range byAlias {
		if key := (entityKey{row.Type, row.AliasKey}); found[key] == "" {
			found[key] = row.EntityID
		}
	}
	for _, row := range byName {
		found[entityKey{row.Type, row.NameKey}] = row.ID
	}
	return found, nil
}

// lockEntities keeps entities from being changed until the transaction ends
// and returns their confidence. Everything that changes several entities locks
// them here first, all in one order, so that transactions seldom deadlock.
func lockEntities(ctx context.Context, c *conn, ids []string) (map[string]float64, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.LockEntities(ctx, list)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, row := range rows {
		out[row.ID] = row.Confidence
	}
	return out, nil
}

// insertEntities stores entities with their aliases and returns the ids of
// those whose type and name nobody else stored meanwhile.
func insertEntities(ctx context.Context, c *conn, es []kgl.Entity) ([]string, error) {
	in := make([]entityRow, len(es))
	for i, e := range es {
		in[i] = entityRow{
			ID: e.ID, Name: e.Name, NameKey: e.NameKey, Type: e.Type, Description: e.Description,
			Attributes: objectText(e.Attributes), Confidence: e.Confidence, Extractor: e.Extractor,
			Version: e.Version, CreatedAt: micros(e.CreatedAt), UpdatedAt: micros(e.UpdatedAt),
		}
	}
	text, err := jsonText(in)
	if err != nil {
		return nil, err
	}
	ids, err := c.InsertEntities(ctx, text)
	if err != nil {
		return nil, err
	}
	inserted := map[string]bool{}
	for _, id := range ids {
		inserted[id] = true
	}
	var stored []kgl.Entity
	for _, e := range es {
		if inserted[e.ID] {
			stored = append(stored, e)
		}
	}
	return ids, insertAliases(ctx, c, stored)
}

// entitiesInOrder reads entities, which may repeat, in the order of ids.
func entitiesInOrder(ctx context.Context, c *conn, ids []string) ([]kgl.Entity, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.EntitiesByIDs(ctx, list)
	if err != nil {
		return nil, err
	}
	es, err := withAliases(ctx, c, rows)
	if err != nil {
		return nil, err
	}
	byID := map[string]kgl.Entity{}
	for _, e := range es {
		byID[e.ID] = e
	}
	out := make([]kgl.Entity, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, nil
}
