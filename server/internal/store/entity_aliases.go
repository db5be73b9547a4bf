package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// aliasRow is an alias as SetAliases and AddFoundAliases take it.
type aliasRow struct {
	EntityID string `json:"entity_id"`
	AliasKey string `json:"alias_key"`
	Alias    string `json:"alias"`
	Type     string `json:"type"`
	Language string `json:"language"`
	Source   string `json:"source"`
}

// aliasRows returns the aliases of an entity. What has no letter or digit cannot
// be looked up and is left out.
func aliasRows(entityID, typ, source string, aliases []string) []aliasRow {
	seen := map[string]bool{}
	var rows []aliasRow
	for _, a := range aliases {
		key := kgl.NormalizeName(a)
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		rows = append(rows, aliasRow{EntityID: entityID, AliasKey: key, Alias: a, Type: typ, Source: source})
	}
	return rows
}

// setAliases stores the aliases of an entity that a person wrote.
func setAliases(ctx context.Context, c *conn, rows []aliasRow) error {
	if len(rows) == 0 {
		return nil
	}
	text, err := jsonText(rows)
	if err != nil {
		return err
	}
	return c.SetAliases(ctx, text)
}

// EntityAliases implements kgl.EntityStore.
func (db *DB) EntityAliases(ctx context.Context, entityID string, p kgl.Page) (kgl.List[kgl.Alias], error) {
	p.Limit = pageLimit(p)
	arg := sqlitedb.AliasPageParams{EntityID: entityID, RowLimit: int64(p.Limit) + 1}
	if p.After != nil {
		arg.AfterKey = p.After.Text
	}
	var out []kgl.Alias
	var keys []string
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.AliasPage(ctx, arg)
		for _, row := range rows {
			out = append(out, kgl.Alias{EntityID: row.EntityID, Alias: row.Alias, Language: row.Language, Source: row.Source})
			keys = append(keys, row.AliasKey)
		}
		return err
	})
	if err != nil {
		return kgl.List[kgl.Alias]{}, err
	}
	list := pageOf(out, p, func(kgl.Alias) kgl.Position { return kgl.Position{} })
	if list.Next != nil {
		list.Next.Text = keys[p.Limit-1]
	}
	return list, nil
}

// AddAlias implements kgl.EntityStore.
func (db *DB) AddAlias(ctx context.Context, a kgl.Alias, now time.Time) (kgl.Entity, error) {
	return db.changeAliases(ctx, a.EntityID, now, func(ctx context.Context, c *conn, e sqlitedb.Entity) error {
		n, err := c.AddAlias(ctx, sqlitedb.AddAliasParams{
			EntityID: a.EntityID, AliasKey: kgl.NormalizeName(a.Alias), Alias: a.Alias, Type: e.Type, Language: a.Language, Source: a.Source,
		})
		if err == nil && n == 0 {
			return kgl.Errorf(kgl.CodeConflict, "the entity has this alias already")
		}
		return err
	})
}

// RemoveAlias implements kgl.EntityStore.
func (db *DB) RemoveAlias(ctx context.Context, entityID, key string, now time.Time) (kgl.Entity, error) {
	return db.changeAliases(ctx, entityID, now, func(ctx context.Context, c *conn, _ sqlitedb.Entity) error {
		n, err := c.RemoveAlias(ctx, sqlitedb.RemoveAliasParams{EntityID: entityID, AliasKey: key})
		return affected(n, err, "alias")
	})
}

// changeAliases changes aliases of an entity, which gets a new version.
func (db *DB) changeAliases(ctx context.Context, id string, now time.Time, change func(context.Context, *conn, sqlitedb.Entity) error) (kgl.Entity, error) {
	var out kgl.Entity
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		ids := []string{id}
		if _, err := lockEntities(ctx, c, ids); err != nil {
			return err
		}
		row, err := c.Entity(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("entity")
		}
		if err != nil {
			return err
		}
		before, err := nameKeys(ctx, c, ids)
		if err != nil {
			return err
		}
		if err := change(ctx, c, row); err != nil {
			return err
		}
		if err := syncNameGrams(ctx, c, before, ids); err != nil {
			return err
		}
		if err := touchEntities(ctx, c, ids, now); err != nil {
			return err
		}
		es, err := entitiesInOrder(ctx, c, ids)
		if err == nil {
			out = es[0]
		}
		return err
	})
	return out, err
}

// touchEntities gives entities a new version.
func touchEntities(ctx context.Context, c *conn, ids []string, now time.Time) error {
	list, err := listText(ids)
	if err != nil {
		return err
	}
	return c.TouchEntities(ctx, sqlitedb.TouchEntitiesParams{UpdatedAt: micros(now), Ids: list})
}
