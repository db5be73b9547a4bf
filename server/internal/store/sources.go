package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateSource implements kgl.SourceStore.
func (db *DB) CreateSource(ctx context.Context, s kgl.Source) error {
	row, err := sourceRow(s)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := checkURLFree(ctx, c, s.ID, s.URLKey); err != nil {
			return err
		}
		if err := c.CreateHost(ctx, sqlitedb.CreateHostParams{Host: s.Host, UpdatedAt: row.UpdatedAt}); err != nil {
			return err
		}
		n, err := c.CreateSource(ctx, sqlitedb.CreateSourceParams(row))
		if err != nil {
			return err
		}
		if n == 0 {
			return sourceExists()
		}
		return refreshHosts(ctx, c, row.UpdatedAt, s.Host)
	})
}

func sourceExists() error {
	return kgl.Errorf(kgl.CodeConflict, "a source with this URL exists already")
}

// Source implements kgl.SourceStore.
func (db *DB) Source(ctx context.Context, id string) (kgl.Source, error) {
	row, err := one(ctx, db, "source", func(c *conn) (sqlitedb.Source, error) { return c.Source(ctx, id) })
	if err != nil {
		return kgl.Source{}, err
	}
	return mapped(sourceOf(row))
}

// SourceByURLKey implements kgl.SourceStore.
func (db *DB) SourceByURLKey(ctx context.Context, urlKey string) (kgl.Source, error) {
	row, err := one(ctx, db, "source", func(c *conn) (sqlitedb.Source, error) {
		row, err := c.SourceByURLKey(ctx, urlKey)
		if isNoRows(err) {
			return sourceByFormerKey(ctx, c, urlKey)
		}
		return row, err
	})
	if err != nil {
		return kgl.Source{}, err
	}
	return mapped(sourceOf(row))
}

const selectSources sqlText = `SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language,
  tags, status, fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at,
  consecutive_failures, last_error_code, last_error, last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources`

func scanSource(rs rows) (kgl.Source, error) {
	var r sqlitedb.Source
	err := rs.Scan(&r.ID, &r.URL, &r.URLKey, &r.Host, &r.Title, &r.TitleKey, &r.TitleIsManual, &r.Description, &r.SiteURL, &r.Format, &r.Language,
		&r.Tags, &r.Status, &r.FetchIntervalSeconds, &r.Etag, &r.LastModified, &r.BodyHash, &r.NextFetchAt, &r.LastFetchedAt, &r.LastSuccessAt,
		&r.ConsecutiveFailures, &r.LastErrorCode, &r.LastError, &r.LastErrorAt, &r.CreatedBy, &r.Version, &r.CreatedAt, &r.UpdatedAt,
		&r.Health, &r.HealthSince, &r.Settings, &r.Secrets, &r.State)
	if err != nil {
		return kgl.Source{}, err
	}
	return sourceOf(r)
}

// sourcesQuery builds the list of sources and returns it with the position of
// a row in its order.
func sourcesQuery(e Engine, f kgl.SourceFilter, sort kgl.SourceSort, p kgl.Page) (*listQuery, func(kgl.Source) kgl.Position) {
	q := newList(e, selectSources)
	q.in("status", texts(f.Status))
	q.in("health", texts(f.Health))
	if f.Host != "" {
		q.compare("host", "=", f.Host)
	}
	if f.TitlePrefix != "" {
		q.prefix("title_key", strings.ToLower(f.TitlePrefix))
	}
	if f.Tag != "" && e == Postgres {
		q.call("CAST(tags AS JSONB) @> jsonb_build_array(CAST(", f.Tag, " AS TEXT))")
	} else if f.Tag != "" {
		q.call("EXISTS (SELECT 1 FROM json_each(tags) AS t WHERE t.value = ", f.Tag, ")")
	}
	var after []any
	if sort == kgl.SourceByTitle {
		if p.After != nil {
			after = []any{p.After.Text, p.After.ID}
		}
		q.orderBy(ascending, []sqlText{"title_key", "id"}, after)
		return q, func(s kgl.Source) kgl.Position { return kgl.Position{Text: strings.ToLower(s.Title), ID: s.ID} }
	}
	if p.After != nil {
		after = []any{p.After.Int, p.After.ID}
	}
	q.orderBy(descending, []sqlText{"created_at", "id"}, after)
	return q, func(s kgl.Source) kgl.Position { return kgl.Position{Int: micros(s.CreatedAt), ID: s.ID} }
}

// Sources implements kgl.SourceStore.
func (db *DB) Sources(ctx context.Context, f kgl.SourceFilter, sort kgl.SourceSort, p kgl.Page) (kgl.List[kgl.Source], error) {
	var list kgl.List[kgl.Source]
	err := db.read(ctx, func(c *conn) (err error) {
		q, position := sourcesQuery(c.engine, f, sort, p)
		list, err = readList(ctx, c, q, p, scanSource, position)
		return err
	})
	return list, err
}

// SourceContentCounts implements kgl.SourceStore. Unknown ids count 0.
func (db *DB) SourceContentCounts(ctx context.Context, ids []string) (map[string]int64, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, failure(err)
	}
	counts := make(map[string]int64, len(ids))
	for _, id := range ids {
		counts[id] = 0
	}
	err = db.read(ctx, func(c *conn) error {
		rows, err := c.SourceContentCounts(ctx, list)
		for _, r := range rows {
			counts[r.SourceID] = r.Total
		}
		return err
	})
	return counts, err
}

// sourceRow returns a source as it is stored.
func sourceRow(s kgl.Source) (sqlitedb.Source, error) {
	tags, err1 := listText(s.Tags)
	settings, err2 := jsonText(s.Settings)
	state, err3 := jsonText(s.State)
	if s.Health == "" {
		s.Health = kgl.HealthPending
	}
	return sqlitedb.Source{
		ID: s.ID, URL: s.URL, URLKey: s.URLKey, Host: s.Host, Title: s.Title, TitleKey: strings.ToLower(s.Title),
		TitleIsManual: s.TitleIsManual, Description: s.Description, SiteURL: s.SiteURL, Format: s.Format, Language: s.Language,
		Tags: tags, Status: string(s.Status), FetchIntervalSeconds: int64(s.FetchInterval / time.Second),
		Etag: s.ETag, LastModified: s.LastModified, BodyHash: s.BodyHash,
		NextFetchAt: microsPtr(s.NextFetchAt), LastFetchedAt: microsPtr(s.LastFetchedAt), LastSuccessAt: microsPtr(s.LastSuccessAt),
		ConsecutiveFailures: s.ConsecutiveFailures, LastErrorCode: s.LastErrorCode, LastError: s.LastError, LastErrorAt: microsPtr(s.LastErrorAt),
		CreatedBy: s.CreatedBy, Version: s.Version, CreatedAt: micros(s.CreatedAt), UpdatedAt: micros(s.UpdatedAt),
		Health: string(s.Health), HealthSince: microsPtr(s.HealthSince), Settings: settings, Secrets: s.Secrets, State: state,
	}, errors.Join(err1, err2, err3)
}

// sourceOf is the reverse of sourceRow.
func sourceOf(r sqlitedb.Source) (kgl.Source, error) {
	s := kgl.Source{
		ID: r.ID, URL: r.URL, URLKey: r.URLKey, Host: r.Host, Title: r.Title, TitleIsManual: r.TitleIsManual,
		Description: r.Description, SiteURL: r.SiteURL, Format: r.Format, Language: r.Language,
		Status: kgl.SourceStatus(r.Status), FetchInterval: time.Duration(r.FetchIntervalSeconds) * time.Second,
		ETag: r.Etag, LastModified: r.LastModified, BodyHash: r.BodyHash,
		NextFetchAt: timePtr(r.NextFetchAt), LastFetchedAt: timePtr(r.LastFetchedAt), LastSuccessAt: timePtr(r.LastSuccessAt),
		ConsecutiveFailures: r.ConsecutiveFailures, LastErrorCode: r.LastErrorCode, LastError: r.LastError, LastErrorAt: timePtr(r.LastErrorAt),
		CreatedBy: r.CreatedBy, Version: r.Version, CreatedAt: timeOf(r.CreatedAt), UpdatedAt: timeOf(r.UpdatedAt),
		Health: kgl.SourceHealth(r.Health), HealthSince: timePtr(r.HealthSince), Secrets: r.Secrets,
	}
	return s, errors.Join(textsOf(r.Tags, &s.Tags), fromJSON(r.Settings, &s.Settings), fromJSON(r.State, &s.State))
}
