package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateEntity implements kgl.EntityStore. Of aliases with the same normalised
// form the first is kept.
func (db *DB) CreateEntity(ctx context.Context, e kgl.Entity) error {
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CreateEntity(ctx, sqlitedb.CreateEntityParams{
			ID: e.ID, Name: e.Name, NameKey: e.NameKey, Type: e.Type, Description: e.Description,
			Attributes: objectText(e.Attributes), Confidence: e.Confidence, Extractor: e.Extractor,
			Version: e.Version, CreatedAt: micros(e.CreatedAt), UpdatedAt: micros(e.UpdatedAt),
		})
		if err := created(n, err); err != nil {
			return err
		}
		return insertAliases(ctx, c, []kgl.Entity{e})
	})
	return entityExists(err)
}

// entityExists says more of the only conflict that storing an entity can meet.
func entityExists(err error) error {
	if kgl.Is(err, kgl.CodeConflict) {
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
		es, err := withAliases(ctx, c, []sqlitedb.Entity{row})
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

// withAliases reads the aliases of all the entities in one query.
func withAliases(ctx context.Context, c *conn, rows []sqlitedb.Entity) ([]kgl.Entity, error) {
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
	out := make([]kgl.Entity, len(rows))
	for i, row := range rows {
		out[i] = entityOf(row, byEntity[row.ID])
	}
	return out, nil
}

// aliasRow is an alias as InsertAliases takes it.
type aliasRow struct {
	EntityID string `json:"entity_id"`
	AliasKey string `json:"alias_key"`
	Alias    string `json:"alias"`
	Type     string `json:"type"`
}

func insertAliases(ctx context.Context, c *conn, es []kgl.Entity) error {
	var out []aliasRow
	for _, e := range es {
		for _, a := range e.Aliases {
			// What has no letter or digit cannot be looked up.
			if key := kgl.NormalizeName(a); key != "" {
				out = append(out, aliasRow{EntityID: e.ID, AliasKey: key, Alias: a, Type: e.Type})
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	text, err := jsonText(out)
	if err != nil {
		return err
	}
	return c.InsertAliases(ctx, text)
}

// UpdateEntity implements kgl.EntityStore.
func (db *DB) UpdateEntity(ctx context.Context, e kgl.Entity) (kgl.Entity, error) {
	var out kgl.Entity
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		row, err := c.UpdateEntity(ctx, sqlitedb.UpdateEntityParams{
			ID: e.ID, Version: e.Version, Name: e.Name, NameKey: e.NameKey, Type: e.Type, Description: e.Description,
			Attributes: objectText(e.Attributes), Confidence: e.Confidence, UpdatedAt: micros(e.UpdatedAt),
		})
		if isNoRows(err) {
			_, err = c.Entity(ctx, e.ID)
			return staleOrMissing(err, "entity")
		}
		if err != nil {
			return err
		}
		if err := c.DeleteAliases(ctx, e.ID); err != nil {
			return err
		}
		if err := insertAliases(ctx, c, []kgl.Entity{e}); err != nil {
			return err
		}
		es, err := withAliases(ctx, c, []sqlitedb.Entity{row})
		if err == nil {
			out = es[0]
		}
		return err
	})
	return out, entityExists(err)
}

// DeleteEntity implements kgl.EntityStore.
func (db *DB) DeleteEntity(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.DeleteEntity(ctx, id)
		return affected(n, err, "entity")
	})
}
