package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// FinishFetch implements kgl.HostStore. What a person changed while the fetch
// ran stays: a paused source stays paused, and a source with another URL takes
// nothing of the old one's document.
func (db *DB) FinishFetch(ctx context.Context, l kgl.HostLease, r kgl.FetchResult, keep int) error {
	fetch, err := fetchRow(r.Fetch)
	if err != nil {
		return failure(err)
	}
	if isPlain(r) {
		if stored, err := db.finishPlain(ctx, l, r, fetch); stored || err != nil {
			return db.dropOldFetches(ctx, r.Fetch.SourceID, keep, err)
		}
	}
	return db.finishGenerally(ctx, l, r, fetch, keep)
}

// finishGenerally stores any fetch, whatever happened to the source meanwhile.
func (db *DB) finishGenerally(ctx context.Context, l kgl.HostLease, r kgl.FetchResult, fetch sqlitedb.CreateFetchParams, keep int) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		old, sourceErr := lockSource(ctx, c, r.Fetch.SourceID)
		if sourceErr != nil && !kgl.Is(sourceErr, kgl.CodeNotFound) {
			return sourceErr
		}
		host, err := c.LockHost(ctx, l.Host)
		if err != nil && !isNoRows(err) {
			return err
		}
		if err != nil || host.LeaseToken != l.Token || host.LeaseOwner != l.Owner {
			return leaseLost("host")
		}
		if sourceErr != nil {
			return sourceErr
		}
		if err := applyFetch(ctx, c, l, old, r); err != nil {
			return err
		}
		if err := c.CreateFetch(ctx, fetch); err != nil {
			return err
		}
		if r.Release != nil {
			if err := releaseHost(ctx, c, l, *r.Release); err != nil {
				return err
			}
		}
		return dropOldFetches(ctx, c, old.ID, keep)
	})
}

// dropOldFetches drops the rows of history beyond keep, unless storing failed.
func (db *DB) dropOldFetches(ctx context.Context, sourceID string, keep int, err error) error {
	if err != nil || keep < 0 {
		return err
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error { return dropOldFetches(ctx, c, sourceID, keep) })
}

func dropOldFetches(ctx context.Context, c *conn, sourceID string, keep int) error {
	if keep < 0 {
		return nil
	}
	return c.DropOldFetches(ctx, sqlitedb.DropOldFetchesParams{SourceID: sourceID, Keep: int64(keep)})
}

// applyFetch stores what the fetch means for the source. When the leased host is
// due then is told by its release: until then nobody claims it. Another host, to
// which the source moved, is told at once.
func applyFetch(ctx context.Context, c *conn, l kgl.HostLease, old sqlitedb.Source, r kgl.FetchResult) error {
	if r.FetchedURL != "" && r.FetchedURL != old.URL {
		return nil
	}
	next, err := fetched(old, r)
	if err != nil {
		return err
	}
	if r.Move != nil {
		if err := moveSource(ctx, c, old, &next, *r.Move); err != nil {
			return err
		}
	}
	if isShownChange(old, next) {
		next.Version++
	}
	if _, err := c.UpdateSource(ctx, updateOf(next)); err != nil {
		return err
	}
	others := slices.DeleteFunc([]string{old.Host, next.Host}, func(host string) bool { return host == l.Host })
	return refreshHosts(ctx, c, next.UpdatedAt, others...)
}

// fetched returns the source after a fetch of its URL.
func fetched(old sqlitedb.Source, r kgl.FetchResult) (sqlitedb.Source, error) {
	next := old
	end := micros(r.Fetch.StartedAt.Add(r.Fetch.Duration))
	next.LastFetchedAt, next.UpdatedAt = &end, max(end, old.UpdatedAt)
	next.Etag, next.LastModified, next.BodyHash = r.ETag, r.LastModified, r.BodyHash
	if old.Status != string(kgl.SourcePaused) {
		next.Status, next.NextFetchAt = string(r.Status), microsPtr(r.NextFetchAt)
		// Whoever asks for a fetch while one runs wants what the server has by now.
		if asked := old.NextFetchAt; asked != nil && *asked > micros(r.Fetch.StartedAt) && (next.NextFetchAt == nil || *asked < *next.NextFetchAt) {
			next.NextFetchAt = asked
		}
	}
	next.ConsecutiveFailures = r.ConsecutiveFailures
	if r.Fetch.Outcome == kgl.FetchFailed {
		next.LastErrorCode, next.LastError, next.LastErrorAt = r.Fetch.ErrorCode, r.Fetch.Error, &end
	} else {
		next.LastSuccessAt = &end
		next.LastErrorCode, next.LastError, next.LastErrorAt = "", "", nil
	}
	if r.Document {
		next.Description, next.SiteURL, next.Format, next.Language = r.Description, r.SiteURL, r.Format, r.Language
		if !old.TitleIsManual && r.Title != "" {
			next.Title, next.TitleKey = r.Title, strings.ToLower(r.Title)
		}
	}
	if r.Health != "" && (string(r.Health) != old.Health || old.HealthSince == nil) {
		next.Health, next.HealthSince = string(r.Health), &end
	}
	var err error
	next.State, err = jsonText(r.State)
	return next, err
}

// isShownChange reports whether the two states differ in what a source is, and
// not only in how its last fetches went.
func isShownChange(a, b sqlitedb.Source) bool {
	return a.Title != b.Title || a.Description != b.Description || a.SiteURL != b.SiteURL ||
		a.Format != b.Format || a.Language != b.Language || a.Status != b.Status || a.URL != b.URL
}

const selectFetches sqlText = `SELECT id, source_id, started_at, duration_us, outcome, http_status, bytes, items_seen, items_created,
  items_updated, items_failed, error_code, error, warnings, details
FROM source_fetches`

func scanFetch(rs rows) (kgl.Fetch, error) {
	var r sqlitedb.CreateFetchParams
	err := rs.Scan(&r.ID, &r.SourceID, &r.StartedAt, &r.DurationUs, &r.Outcome, &r.HTTPStatus, &r.Bytes, &r.ItemsSeen, &r.ItemsCreated,
		&r.ItemsUpdated, &r.ItemsFailed, &r.ErrorCode, &r.Error, &r.Warnings, &r.Details)
	if err != nil {
		return kgl.Fetch{}, err
	}
	f := kgl.Fetch{
		ID: r.ID, SourceID: r.SourceID, StartedAt: timeOf(r.StartedAt), Duration: time.Duration(r.DurationUs) * time.Microsecond,
		Outcome: kgl.FetchOutcome(r.Outcome), HTTPStatus: r.HTTPStatus, Bytes: r.Bytes, ItemsSeen: r.ItemsSeen,
		ItemsCreated: r.ItemsCreated, ItemsUpdated: r.ItemsUpdated, ItemsFailed: r.ItemsFailed, ErrorCode: r.ErrorCode, Error: r.Error,
	}
	return f, errors.Join(listOf(r.Warnings, &f.Warnings), fromJSON(r.Details, &f.Details))
}

func fetchRow(f kgl.Fetch) (sqlitedb.CreateFetchParams, error) {
	warnings, err1 := listText(f.Warnings)
	details, err2 := jsonText(f.Details)
	return sqlitedb.CreateFetchParams{
		ID: f.ID, SourceID: f.SourceID, StartedAt: micros(f.StartedAt), DurationUs: f.Duration.Microseconds(), Outcome: string(f.Outcome),
		HTTPStatus: f.HTTPStatus, Bytes: f.Bytes, ItemsSeen: f.ItemsSeen, ItemsCreated: f.ItemsCreated, ItemsUpdated: f.ItemsUpdated,
		ItemsFailed: f.ItemsFailed, ErrorCode: f.ErrorCode, Error: f.Error, Warnings: warnings, Details: details,
	}, errors.Join(err1, err2)
}

func fetchesQuery(e Engine, sourceID string, p kgl.Page, outcomes ...kgl.FetchOutcome) *listQuery {
	q := newList(e, selectFetches)
	q.compare("source_id", "=", sourceID)
	q.in("outcome", texts(outcomes))
	var after []any
	if p.After != nil {
		after = []any{p.After.Int, p.After.ID}
	}
	q.orderBy(descending, []sqlText{"started_at", "id"}, after)
	return q
}

// Fetches implements kgl.SourceStore.
func (db *DB) Fetches(ctx context.Context, sourceID string, p kgl.Page, outcomes ...kgl.FetchOutcome) (kgl.List[kgl.Fetch], error) {
	var list kgl.List[kgl.Fetch]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, fetchesQuery(c.engine, sourceID, p, outcomes...), p, scanFetch,
			func(f kgl.Fetch) kgl.Position { return kgl.Position{Int: micros(f.StartedAt), ID: f.ID} })
		return err
	})
	return list, err
}
