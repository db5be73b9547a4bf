package store

import (
	"context"
	"slices"
	"strings"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// newSourceRow is a new source as CreateSources takes it.
type newSourceRow struct {
	ID                   string `json:"id"`
	URL                  string `json:"url"`
	URLKey               string `json:"url_key"`
	Host                 string `json:"host"`
	Title                string `json:"title"`
	TitleKey             string `json:"title_key"`
	TitleIsManual        bool   `json:"title_is_manual"`
	SiteURL              string `json:"site_url"`
	Tags                 string `json:"tags"`
	Status               string `json:"status"`
	FetchIntervalSeconds int64  `json:"fetch_interval_seconds"`
	NextFetchAt          *int64 `json:"next_fetch_at"`
	CreatedBy            string `json:"created_by"`
	Version              int64  `json:"version"`
	CreatedAt            int64  `json:"created_at"`
	UpdatedAt            int64  `json:"updated_at"`
	Health               string `json:"health"`
	Settings             string `json:"settings"`
	Secrets              string `json:"secrets"`
	State                string `json:"state"`
}

// CreateSources implements kgl.SourceImportStore.
func (db *DB) CreateSources(ctx context.Context, ss []kgl.Source) ([]string, error) {
	if len(ss) == 0 {
		return []string{}, nil
	}
	stored := map[string]bool{}
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		clear(stored)
		fresh, err := withoutFormer(ctx, c, ss)
		if err != nil || len(fresh) == 0 {
			return err
		}
		hosts, err := hostsOf(fresh)
		if err != nil {
			return err
		}
		text, err := newSourceRows(fresh)
		if err != nil {
			return err
		}
		now := micros(fresh[0].UpdatedAt)
		if err := c.CreateHosts(ctx, sqlitedb.CreateHostsParams{Hosts: hosts, UpdatedAt: now}); err != nil {
			return err
		}
		ids, err := c.CreateSources(ctx, text)
		if err != nil {
			return err
		}
		for _, id := range ids {
			stored[id] = true
		}
		// By a statement of its own: see refreshHosts.
		if _, err := c.LockHosts(ctx, hosts); err != nil {
			return err
		}
		return c.RefreshHosts(ctx, sqlitedb.RefreshHostsParams{Hosts: hosts, UpdatedAt: now})
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(stored))
	for _, s := range ss {
		if stored[s.ID] {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// withoutFormer leaves the sources out whose URL was that of another one.
func withoutFormer(ctx context.Context, c *conn, ss []kgl.Source) ([]kgl.Source, error) {
	keys := make([]string, len(ss))
	for i, s := range ss {
		keys[i] = s.URLKey
	}
	known, err := sourceIDs(ctx, c, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ss), func(s kgl.Source) bool { return known[s.URLKey] != "" }), nil
}

// hostsOf returns the hosts of sources as a list for a statement.
func hostsOf(ss []kgl.Source) (string, error) {
	hosts := make([]string, len(ss))
	for i, s := range ss {
		hosts[i] = s.Host
	}
	slices.Sort(hosts)
	return listText(slices.Compact(hosts))
}

func newSourceRows(ss []kgl.Source) (string, error) {
	// In one order, so that two who create the same sources do not wait for each
	// other in a circle.
	ss = slices.SortedFunc(slices.Values(ss), func(a, b kgl.Source) int { return strings.Compare(a.URLKey, b.URLKey) })
	rows, err := convert(ss, func(s kgl.Source) (newSourceRow, error) {
		r, err := sourceRow(s)
		return newSourceRow{
			ID: r.ID, URL: r.URL, URLKey: r.URLKey, Host: r.Host, Title: r.Title, TitleKey: strings.ToLower(r.Title), TitleIsManual: r.TitleIsManual,
			SiteURL: r.SiteURL, Tags: r.Tags, Status: r.Status, FetchIntervalSeconds: r.FetchIntervalSeconds, NextFetchAt: r.NextFetchAt,
			CreatedBy: r.CreatedBy, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
			Health: r.Health, Settings: r.Settings, Secrets: r.Secrets, State: r.State,
		}, err
	})
	if err != nil {
		return "", err
	}
	return listText(rows)
}

// SourceIDsByURLKeys implements kgl.SourceImportStore.
func (db *DB) SourceIDsByURLKeys(ctx context.Context, keys []string) (map[string]string, error) {
	var ids map[string]string
	err := db.read(ctx, func(c *conn) (err error) {
		ids, err = sourceIDs(ctx, c, keys)
		return err
	})
	return ids, err
}

func sourceIDs(ctx context.Context, c *conn, keys []string) (map[string]string, error) {
	ids := make(map[string]string, len(keys))
	if len(keys) == 0 {
		return ids, nil
	}
	list, err := listText(keys)
	if err != nil {
		return nil, err
	}
	rows, err := c.SourceIDsByURLKeys(ctx, list)
	for _, r := range rows {
		if ids[r.URLKey] == "" {
			ids[r.URLKey] = r.SourceID
		}
	}
	return ids, err
}

// SourceTags implements kgl.SourceImportStore.
func (db *DB) SourceTags(ctx context.Context, p kgl.Page) (kgl.List[kgl.TagCount], error) {
	p.Limit = pageLimit(p)
	after := ""
	if p.After != nil {
		after = p.After.Text
	}
	var rows []sqlitedb.SourceTagsRow
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.SourceTags(ctx, sqlitedb.SourceTagsParams{After: after, RowLimit: int64(p.Limit) + 1})
		return err
	})
	if err != nil {
		return kgl.List[kgl.TagCount]{}, err
	}
	tags := make([]kgl.TagCount, len(rows))
	for i, r := range rows {
		tags[i] = kgl.TagCount{Tag: r.Tag, Count: r.Total}
	}
	return pageOf(tags, p, func(t kgl.TagCount) kgl.Position { return kgl.Position{Text: t.Tag} }), nil
}
