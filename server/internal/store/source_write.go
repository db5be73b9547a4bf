package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Whoever writes a source locks the source first and its hosts after it, so
// that writers of the same rows wait for each other in one direction.

// lockSource returns the source and locks it until the transaction ends.
func lockSource(ctx context.Context, c *conn, id string) (sqlitedb.Source, error) {
	row, err := c.LockSource(ctx, id)
	if isNoRows(err) {
		return row, kgl.NotFound("source")
	}
	return row, err
}

// refreshHosts computes when the hosts are due, after their sources changed.
// Each is locked by a statement of its own before: on Postgres the computation
// then sees what the transaction that it waited for has committed.
func refreshHosts(ctx context.Context, c *conn, updatedAt int64, hosts ...string) error {
	hosts = slices.Clone(hosts)
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	for _, h := range hosts {
		if _, err := c.LockHost(ctx, h); err != nil {
			return err
		}
	}
	for _, h := range hosts {
		if err := c.RefreshHost(ctx, sqlitedb.RefreshHostParams{Host: h, UpdatedAt: updatedAt}); err != nil {
			return err
		}
	}
	return nil
}

// checkURLFree gives CodeConflict when another source has the URL key, or had
// it before it moved. It asks before the write, because a failed write would
// end a transaction of Postgres.
func checkURLFree(ctx context.Context, c *conn, id, urlKey string) error {
	known, err := sourceIDs(ctx, c, []string{urlKey})
	if err != nil || known[urlKey] == "" || known[urlKey] == id {
		return err
	}
	return sourceExists()
}

// UpdateSource implements kgl.SourceStore.
func (db *DB) UpdateSource(ctx context.Context, s kgl.Source) (kgl.Source, error) {
	edit, err := sourceRow(s)
	if err != nil {
		return kgl.Source{}, failure(err)
	}
	var stored sqlitedb.Source
	err = db.write(ctx, func(ctx context.Context, c *conn) error {
		old, err := lockSource(ctx, c, s.ID)
		if err != nil {
			return err
		}
		if old.Version != s.Version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the source was changed meanwhile")
		}
		next := edited(old, edit)
		if next.urlChanged {
			if err := checkURLFree(ctx, c, s.ID, next.URLKey); err != nil {
				return err
			}
			if err := c.CreateHost(ctx, sqlitedb.CreateHostParams{Host: next.Host, UpdatedAt: next.UpdatedAt}); err != nil {
				return err
			}
		}
		if stored, err = c.UpdateSource(ctx, updateOf(next.Source)); err != nil {
			return err
		}
		return refreshHosts(ctx, c, next.UpdatedAt, old.Host, next.Host)
	})
	if err != nil {
		return kgl.Source{}, err
	}
	return mapped(sourceOf(stored))
}

// LockSources implements kgl.SourceStore.
func (db *DB) LockSources(ctx context.Context, ids []string) ([]kgl.Source, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var list []kgl.Source
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		list = make([]kgl.Source, 0, len(ids))
		for _, id := range slices.Compact(ids) {
			row, err := c.LockSource(ctx, id)
			if isNoRows(err) {
				continue
			}
			if err != nil {
				return err
			}
			s, err := sourceOf(row)
			if err != nil {
				return err
			}
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

// UpdateSources implements kgl.SourceStore. All sources are locked before the
// first host is.
func (db *DB) UpdateSources(ctx context.Context, ss []kgl.Source) error {
	if len(ss) == 0 {
		return nil
	}
	ss = slices.SortedFunc(slices.Values(ss), func(a, b kgl.Source) int { return strings.Compare(a.ID, b.ID) })
	hosts, err := hostsOf(ss)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		for _, s := range ss {
			edit, err := sourceRow(s)
			if err != nil {
				return err
			}
			old, err := lockSource(ctx, c, s.ID)
			if err != nil {
				return err
			}
			next := edited(old, edit)
			switch {
			case old.Version != s.Version:
				return kgl.Errorf(kgl.CodePreconditionFailed, "a source was changed meanwhile")
			case next.urlChanged:
				return kgl.Errorf(kgl.CodeInvalid, "the URL of one source at a time can be changed")
			}
			if _, err := c.UpdateSource(ctx, updateOf(next.Source)); err != nil {
				return err
			}
		}
		if _, err := c.LockHosts(ctx, hosts); err != nil {
			return err
		}
		return c.RefreshHosts(ctx, sqlitedb.RefreshHostsParams{Hosts: hosts, UpdatedAt: micros(ss[0].UpdatedAt)})
	})
}

// ScheduleSources implements kgl.SourceStore.
func (db *DB) ScheduleSources(ctx context.Context, ids []string, at time.Time) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		var due []kgl.Source
		for _, id := range slices.Compact(ids) {
			src, err := c.LockSource(ctx, id)
			if isNoRows(err) || err == nil && (src.Status == string(kgl.SourcePaused) || src.NextFetchAt != nil && *src.NextFetchAt <= micros(at)) {
				continue
			}
			if err != nil {
				return err
			}
			if err := c.ScheduleSource(ctx, sqlitedb.ScheduleSourceParams{ID: id, NextFetchAt: microsPtr(&at)}); err != nil {
				return err
			}
			due = append(due, kgl.Source{Host: src.Host})
		}
		hosts, err := hostsOf(due)
		if err != nil || len(due) == 0 {
			return err
		}
		if _, err := c.LockHosts(ctx, hosts); err != nil {
			return err
		}
		return c.RefreshHosts(ctx, sqlitedb.RefreshHostsParams{Hosts: hosts, UpdatedAt: micros(at)})
	})
}

type editedSource struct {
	sqlitedb.Source
	urlChanged bool
}

// edited returns the stored source with what people may edit. The validators
// belong to the document at the old URL, and a title that the feed is to give
// again must be read.
func edited(old, edit sqlitedb.Source) editedSource {
	next := old
	next.Title, next.TitleKey, next.TitleIsManual = edit.Title, edit.TitleKey, edit.TitleIsManual
	next.Tags, next.Status, next.FetchIntervalSeconds, next.NextFetchAt = edit.Tags, edit.Status, edit.FetchIntervalSeconds, edit.NextFetchAt
	next.ConsecutiveFailures = edit.ConsecutiveFailures
	next.Settings, next.Secrets = edit.Settings, edit.Secrets
	next.LastErrorCode, next.LastError, next.LastErrorAt = edit.LastErrorCode, edit.LastError, edit.LastErrorAt
	next.Version, next.UpdatedAt = old.Version+1, edit.UpdatedAt
	changed := edit.URL != old.URL || edit.URLKey != old.URLKey
	if changed {
		next.URL, next.URLKey, next.Host = edit.URL, edit.URLKey, edit.Host
	}
	if resumed := edit.Status == string(kgl.SourceActive) && old.Status != edit.Status; changed || resumed {
		next.Health, next.HealthSince = string(kgl.HealthPending), nil
	}
	if changed || old.TitleIsManual && !edit.TitleIsManual {
		next.Etag, next.LastModified, next.BodyHash = "", "", ""
	}
	return editedSource{Source: next, urlChanged: changed}
}

func updateOf(r sqlitedb.Source) sqlitedb.UpdateSourceParams {
	return sqlitedb.UpdateSourceParams{
		ID: r.ID, URL: r.URL, URLKey: r.URLKey, Host: r.Host, Title: r.Title, TitleKey: r.TitleKey, TitleIsManual: r.TitleIsManual,
		Description: r.Description, SiteURL: r.SiteURL, Format: r.Format, Language: r.Language, Tags: r.Tags, Status: r.Status,
		FetchIntervalSeconds: r.FetchIntervalSeconds, Etag: r.Etag, LastModified: r.LastModified, BodyHash: r.BodyHash,
		NextFetchAt: r.NextFetchAt, LastFetchedAt: r.LastFetchedAt, LastSuccessAt: r.LastSuccessAt,
		ConsecutiveFailures: r.ConsecutiveFailures, LastErrorCode: r.LastErrorCode, LastError: r.LastError, LastErrorAt: r.LastErrorAt,
		Version: r.Version, UpdatedAt: r.UpdatedAt,
		Health: r.Health, HealthSince: r.HealthSince, Settings: r.Settings, Secrets: r.Secrets, State: r.State,
	}
}

// DeleteSource implements kgl.SourceStore.
func (db *DB) DeleteSource(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		src, err := c.LockSourceToDelete(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("source")
		}
		if err != nil {
			return err
		}
		// What enrichment stores about an item from here on would be removed with
		// it, but not counted.
		if _, err := c.LockContentsOfSource(ctx, id); err != nil {
			return err
		}
		if err := rehead(ctx, c, func() ([]string, error) { return c.HeadsOfSource(ctx, id) },
			func(l sqlitedb.LinksOfHeadsRow) bool { return l.SourceID == id }); err != nil {
			return err
		}
		left, err := c.HeadsOfSourceMembers(ctx, id)
		if err != nil {
			return err
		}
		if err := forgetSource(ctx, c, id); err != nil {
			return err
		}
		if _, err := c.DeleteSource(ctx, id); err != nil {
			return err
		}
		if err := countFolded(ctx, c, left); err != nil {
			return err
		}
		return refreshHosts(ctx, c, src.UpdatedAt, src.Host)
	})
}

// RequestFetch implements kgl.SourceStore.
func (db *DB) RequestFetch(ctx context.Context, id string, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		src, err := lockSource(ctx, c, id)
		if err != nil {
			return err
		}
		if src.Status == string(kgl.SourcePaused) {
			return kgl.Errorf(kgl.CodeConflict, "the source is paused and is not fetched")
		}
		at := micros(now)
		if waits, err := waitsForFetch(ctx, c, src, at); err != nil || waits {
			return err
		}
		if err := c.ScheduleSource(ctx, sqlitedb.ScheduleSourceParams{ID: id, NextFetchAt: &at}); err != nil {
			return err
		}
		return refreshHosts(ctx, c, at, src.Host)
	})
}

// waitsForFetch reports whether a source is due and no worker has its host: it
// keeps its place among those that wait. While a worker has the host, a request
// may have come too late for the fetch that is under way.
func waitsForFetch(ctx context.Context, c *conn, src sqlitedb.Source, now int64) (bool, error) {
	if src.NextFetchAt == nil || *src.NextFetchAt > now {
		return false, nil
	}
	host, err := c.LockHost(ctx, src.Host)
	return err == nil && host.LeaseUntil <= now, err
}
