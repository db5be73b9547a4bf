package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// entityKey is by what an entity is recognised: an external id, or its type and
// the normalised form of its name or of an alias.
type entityKey struct {
	Type   string `json:"type,omitempty"`
	Key    string `json:"key,omitempty"`
	Scheme string `json:"scheme,omitempty"`
	Value  string `json:"value,omitempty"`
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
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		ids, made, err := entityUpsert(ctx, c, es).run()
		if err != nil {
			return err
		}
		created = made
		if err := addFoundNames(ctx, c, es, ids, made); err != nil {
			return err
		}
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
		u.keys[i], u.ids[i], u.confidence[i] = entityKey{Type: e.Type, Key: e.NameKey}, e.ID, e.Confidence
	}
	u.first = func(i int) []entityKey {
		var keys []entityKey
		for _, x := range es[i].ExternalIDs {
			keys = append(keys, entityKey{Scheme: x.Scheme, Value: x.Value})
		}
		return keys
	}
	u.also = func(i int) []entityKey {
		keys := make([]entityKey, len(es[i].Aliases))
		for n, a := range es[i].Aliases {
			keys[n] = entityKey{Type: es[i].Type, Key: kgl.NormalizeName(a)}
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

// findEntities returns the ids of the entities that the keys stand for, which
// were merged into no other one.
func findEntities(ctx context.Context, c *conn, keys []entityKey) (map[entityKey]string, error) {
	text, err := jsonText(keys)
	if err != nil {
		return nil, err
	}
	found := map[entityKey]string{}
	merged := false
	note := func(key entityKey, id string, into *string) {
		found[key], merged = id, merged || into != nil
	}
	if slices.ContainsFunc(keys, func(k entityKey) bool { return k.Scheme != "" }) {
		byID, err := c.EntitiesByExternalIDs(ctx, text)
		if err != nil {
			return nil, err
		}
		for _, row := range byID {
			note(entityKey{Scheme: row.Scheme, Value: row.Value}, row.EntityID, row.MergedInto)
		}
	}
	byAlias, err := c.EntitiesByAliasKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	for _, row := range byAlias {
		if key := (entityKey{Type: row.Type, Key: row.AliasKey}); found[key] == "" {
			note(key, row.EntityID, row.MergedInto)
		}
	}
	byName, err := c.EntitiesByNameKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	for _, row := range byName {
		note(entityKey{Type: row.Type, Key: row.NameKey}, row.ID, row.MergedInto)
	}
	if !merged {
		return found, nil
	}
	return found, followFound(ctx, c, found)
}

// followFound replaces the ids of merged entities by those of the entities that
// they were merged into.
func followFound(ctx context.Context, c *conn, found map[entityKey]string) error {
	winners, err := mergeWinners(ctx, c, unique(slices.Collect(maps.Values(found))))
	if err != nil {
		return err
	}
	for key, id := range found {
		if winner, ok := winners[id]; ok {
			found[key] = winner
		}
	}
	return nil
}

// lockEntities keeps entities from being changed until the transaction ends
// and returns the confidence of those that were not merged into another one.
// Everything that changes several entities locks them here first, all in one
// order, so that transactions seldom deadlock.
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
		if row.MergedInto == nil {
			out[row.ID] = row.Confidence
		}
	}
	return out, nil
}

// insertEntities stores entities with the trigrams of their names and returns
// the ids of those whose type and name nobody else stored meanwhile. Their
// aliases and external ids follow in addFoundNames.
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
	names := map[string][]string{}
	for _, e := range es {
		if slices.Contains(ids, e.ID) {
			names[e.ID] = []string{e.NameKey}
		}
	}
	return ids, changeNameGrams(ctx, c, nil, names)
}

// addFoundNames gives the stored entities, by their ids in the order of es, what
// they are called otherwise. Those that were there before get a new version when
// that adds something to them.
func addFoundNames(ctx context.Context, c *conn, es []kgl.Entity, ids []string, created []bool) error {
	changed, err := addFoundAliases(ctx, c, es, ids)
	if err != nil {
		return err
	}
	var external []externalRow
	for i, e := range es {
		for _, x := range e.ExternalIDs {
			external = append(external, externalRow{Scheme: x.Scheme, Value: x.Value, EntityID: ids[i]})
		}
	}
	added, err := addExternalIDs(ctx, c, unique(external))
	if err != nil {
		return err
	}
	for _, row := range added {
		changed[row.EntityID] = true
	}
	for i, id := range ids {
		if created[i] {
			delete(changed, id)
		}
	}
	for i, id := range ids {
		if !changed[id] {
			continue
		}
		delete(changed, id)
		if err := touchEntities(ctx, c, []string{id}, es[i].UpdatedAt); err != nil {
			return err
		}
	}
	return nil
}

// addFoundAliases stores the names by which extractors found entities, and
// returns the entities that have new aliases.
func addFoundAliases(ctx context.Context, c *conn, es []kgl.Entity, ids []string) (map[string]bool, error) {
	type named struct{ id, key string }
	changed, seen := map[string]bool{}, map[named]bool{}
	var rows []aliasRow
	for i, e := range es {
		for _, row := range aliasRows(ids[i], e.Type, e.Extractor, append([]string{e.Name}, e.Aliases...)) {
			if at := (named{row.EntityID, row.AliasKey}); !seen[at] {
				seen[at] = true
				rows = append(rows, row)
			}
		}
	}
	if len(rows) == 0 {
		return changed, nil
	}
	text, err := jsonText(rows)
	if err != nil {
		return nil, err
	}
	added, err := c.AddFoundAliases(ctx, text)
	if err != nil || len(added) == 0 {
		return changed, err
	}
	names := map[string][]string{}
	for _, row := range added {
		changed[row.EntityID] = true
		names[row.EntityID] = append(names[row.EntityID], row.AliasKey)
	}
	// What they had stays, and the store leaves out trigrams that are there.
	return changed, changeNameGrams(ctx, c, nil, names)
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
	es, err := withNames(ctx, c, rows)
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
