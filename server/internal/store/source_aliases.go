package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// moveSource gives next another URL than old, and keeps the one of old as an
// alias, by which the source is found and nobody else can be created. URLs that
// have the same key need none.
func moveSource(ctx context.Context, c *conn, old sqlitedb.Source, next *sqlitedb.Source, to kgl.SourceMove) error {
	if err := checkURLFree(ctx, c, old.ID, to.URLKey); err != nil {
		return err
	}
	if err := c.CreateHost(ctx, sqlitedb.CreateHostParams{Host: to.Host, UpdatedAt: next.UpdatedAt}); err != nil {
		return err
	}
	if to.URLKey != old.URLKey {
		err := c.CreateSourceAlias(ctx, sqlitedb.CreateSourceAliasParams{
			URLKey: old.URLKey, SourceID: old.ID, URL: old.URL, CreatedAt: next.UpdatedAt,
		})
		if err != nil {
			return err
		}
	}
	next.URL, next.URLKey, next.Host = to.URL, to.URLKey, to.Host
	return c.DeleteSourceAlias(ctx, to.URLKey)
}

// sourceByFormerKey returns the source that had the URL key before it moved.
func sourceByFormerKey(ctx context.Context, c *conn, urlKey string) (sqlitedb.Source, error) {
	id, err := c.SourceOfAlias(ctx, urlKey)
	if err != nil {
		return sqlitedb.Source{}, err
	}
	return c.Source(ctx, id)
}
