package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateEntity implements kgl.EntityStore. Of aliases with the same normalised
// form the first is kept.
func (db *DB) CreateEntity(ctx context.Context, e kgl.Entity) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CreateEntity(ctx, sqlitedb.CreateEntityParams{
			ID: e.ID, Name: e.Name, NameKey: e.NameKey, Type: e.Type, Description: e.Description,
			Attributes: objectText(e.Attributes), Confidence: e.Confidence, Extractor: e.Extractor,
			Version: e.Version, CreatedAt: micros(e.CreatedAt), UpdatedAt: micros(e.UpdatedAt),
		})
		if err := entityExists(created(n, err)); err != nil {
			return err
		}
		if err := setAliases(ctx, c, aliasRows(e.ID, e.Type, e.Extractor, e.Aliases)); err != nil {
			return err
		}
		if err := setExternalIDs(ctx, c, e.ID, nil, e.ExternalIDs); err != nil {
			return err
		}
		return syncNameGrams(ctx, c, nil, []string{e.ID})
	})
}

// entityExists says more of the conflict that storing the row of an entity can
// meet.
func entityExists(err error) error {
	if err = failure(err); kgl.Is(err, kgl.CodeConflict) {
		return kgl.Wrap(err, kgl.CodeConflict, "an entity with this type and name exists already")
	}
	return err
}

// objectText returns a JSON object as it is stored; none is an empty one.
func objectText(object json.RawMessage) string {
	if len(object) == 0 {
		return "{}"
	}
	return string(object)
}

func entityOf(row sqlitedb.Entity, aliases []string) kgl.Entity {
	if aliases == nil {
		aliases = []string{}
	}
	return kgl.Entity{
		ID: row.ID, Name: row.Name, NameKey: row.NameKey, Type: row.Type, Description: row.Description,
		Aliases: aliases, Attributes: json.RawMessage(row.Attributes), Confidence: row.Confidence,
		Extractor: row.Extractor, MentionCount: row.MentionCount, Status: kgl.EntityStatus(row.Status), MergedInto: row.MergedInto,
		ExternalIDs: []kgl.ExternalID{}, Degree: row.Degree, FirstSeenAt: seenAt(row.FirstSeenAt), LastSeenAt: seenAt(row.LastSeenAt),
		Version:   row.Version,
		CreatedAt: timeOf(row.CreatedAt), UpdatedAt: timeOf(row.UpdatedAt),
	}
}

// seenAt returns when an item that mentions an entity was published; nil for none.
func seenAt(t int64) *time.Time {
	if t == 0 {
		return nil
	}
	return timePtr(&t)
}

// Entity implements kgl.EntityStore. Aliases are in the order of their
// normalised form.
func (db *DB) Entity(ctx context.Context, id string) (kgl.Entity, error) {
	var e kgl.Entity
	err := db.read(ctx, func(c *conn) error {
		row, err := c.Entity(ctx, id)
		if err != nil {
			return err
		}
		es, err := withNames(ctx, c, []sqlitedb.Entity{row})
		if err == nil {
			e = es[0]
		}
		return err
	})
	if isNoRows(err) {
		return kgl.Entity{}, kgl.NotFound("entity")
	}
	return e, err
}

// withNames reads the aliases and the external ids of all the entities in one
// query each.
func withNames(ctx context.Context, c *conn, rows []sqlitedb.Entity) ([]kgl.Entity, error) {
	if len(rows) == 0 {
		return []kgl.Entity{}, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	aliases, err := c.EntityAliases(ctx, list)
	if err != nil {
		return nil, err
	}
	byEntity := map[string][]string{}
	for _, a := range aliases {
		byEntity[a.EntityID] = append(byEntity[a.EntityID], a.Alias)
	}
	external, err := externalIDs(ctx, c, list)
	if err != nil {
		return nil, err
	}
	out := make([]kgl.Entity, len(rows))
	for i, row := range rows {
		out[i] = entityOf(row, byEntity[row.ID])
		out[i].ExternalIDs = append(out[i].ExternalIDs, external[row.ID]...)
	}
	return out, nil
}

// FollowEntity implements kgl.EntityStore.
func (db *DB) FollowEntity(ctx context.Context, id string) (kgl.Entity, error) {
	e, err := db.Entity(ctx, id)
	if err != nil || e.MergedInto == nil {
		return e, err
	}
	err = db.read(ctx, func(c *conn) error {
		winners, err := mergeWinners(ctx, c, []string{id})
		if err == nil {
			id = winners[id]
		}
		return err
	})
	if err != nil {
		return kgl.Entity{}, err
	}
	return db.Entity(ctx, id)
}

// mergeWinners returns what entities were merged into in the end: themselves
// when into none. Ids of no entity are left out.
func mergeWinners(ctx context.Context, c *conn, ids []string) (map[string]string, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.MergeWinners(ctx, list)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, row := range rows {
		out[row.StartID] = row.ID
	}
	return out, nil
}

// UpdateEntity implements kgl.EntityStore.
func (db *DB) UpdateEntity(ctx context.Context, e kgl.Entity) (kgl.Entity, error) {
	var out kgl.Entity
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		ids := []string{e.ID}
		before, err := nameKeys(ctx, c, ids)
		if err != nil {
			return err
		}
		row, err := c.UpdateEntity(ctx, sqlitedb.UpdateEntityParams{
			ID: e.ID, Version: e.Version, Name: e.Name, NameKey: e.NameKey, Type: e.Type, Description: e.Description,
			Attributes: objectText(e.Attributes), Confidence: e.Confidence, UpdatedAt: micros(e.UpdatedAt),
		})
		if isNoRows(err) {
			_, err = c.Entity(ctx, e.ID)
			return staleOrMissing(err, "entity")
		}
		if err != nil {
			return entityExists(err)
		}
		if err := replaceNames(ctx, c, e); err != nil {
			return err
		}
		if err := syncNameGrams(ctx, c, before, ids); err != nil {
			return err
		}
		es, err := withNames(ctx, c, []sqlitedb.Entity{row})
		if err == nil {
			out = es[0]
		}
		return err
	})
	return out, err
}

// replaceNames makes the aliases and external ids of an entity those of e.
func replaceNames(ctx context.Context, c *conn, e kgl.Entity) error {
	rows := aliasRows(e.ID, e.Type, kgl.ExtractorManual, e.Aliases)
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = row.AliasKey
	}
	list, err := listText(keys)
	if err != nil {
		return err
	}
	if err := c.KeepAliases(ctx, sqlitedb.KeepAliasesParams{EntityID: e.ID, Keys: list}); err != nil {
		return err
	}
	if err := setAliases(ctx, c, rows); err != nil {
		return err
	}
	ids, err := listText([]string{e.ID})
	if err != nil {
		return err
	}
	have, err := externalIDs(ctx, c, ids)
	if err != nil {
		return err
	}
	return setExternalIDs(ctx, c, e.ID, have[e.ID], e.ExternalIDs)
}

// DeleteEntity implements kgl.EntityStore. What was merged into the entity goes
// with it by a foreign key; what the keys do not reach is removed here.
func (db *DB) DeleteEntity(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		ids, err := c.MergedInto(ctx, id)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return kgl.NotFound("entity")
		}
		if err := disconnect(ctx, c, ids); err != nil {
			return err
		}
		if err := dropNameGrams(ctx, c, ids); err != nil {
			return err
		}
		n, err := c.DeleteEntity(ctx, id)
		return affected(n, err, "entity")
	})
}

// disconnect locks entities that are about to be deleted, and lowers the degree
// of those that active relationships connect with them.
func disconnect(ctx context.Context, c *conn, ids []string) error {
	list, err := listText(ids)
	if err != nil {
		return err
	}
	locked := map[string]bool{}
	for {
		neighbors, err := c.ActiveNeighbors(ctx, list)
		if err != nil {
			return err
		}
		open := slices.DeleteFunc(unique(slices.Concat(ids, neighbors)), func(id string) bool { return locked[id] })
		if len(open) == 0 { // no relationship came or went before they were locked
			return countDegrees(ctx, c, neighbors, nil)
		}
		if _, err := lockEntities(ctx, c, open); err != nil {
			return err
		}
		for _, id := range open {
			locked[id] = true
		}
	}
}
