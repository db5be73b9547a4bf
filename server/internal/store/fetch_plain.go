package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Most fetches find nothing new. They are stored with as few statements as can
// be, under the condition that the source is as it was when it was claimed and
// the lease is still held; where that does not hold, nothing is stored, and the
// general way decides.

// isPlain reports whether a fetch, for all that the worker knows, changes nothing
// of the source but when it was fetched, its validators and what is remembered,
// and whether it has no more to tell than its row of history has room for here.
func isPlain(r kgl.FetchResult) bool {
	f := r.Fetch
	if f.ItemsSeen|f.ItemsCreated|f.ItemsUpdated|f.ItemsFailed != 0 || f.ErrorCode+f.Error != "" {
		return false
	}
	return (f.Outcome == kgl.FetchNotModified || f.Outcome == kgl.FetchUnchanged) && !r.Document && r.Move == nil &&
		r.Status == kgl.SourceActive && r.ConsecutiveFailures == 0 && r.NextFetchAt != nil && r.Health != "" && r.FetchedURL != ""
}

// The parameters are those of plainArgs. SQLite counts them by where they first
// appear, which is in their order.
const (
	plainSet = `etag = $1, last_modified = $2, body_hash = $3, next_fetch_at = $4, last_fetched_at = $5, last_success_at = $5, state = $6,
  updated_at = CASE WHEN updated_at < $5 THEN $5 ELSE updated_at END`
	plainSource = `s.id = $7 AND s.url = $8 AND s.host = $9 AND s.status = 'active' AND s.health = $10 AND s.health_since IS NOT NULL
  AND s.consecutive_failures = 0 AND s.last_error_code = '' AND s.last_error_at IS NULL AND s.next_fetch_at <= $11`
	plainLease = `h.host = s.host AND h.lease_token = $12 AND h.lease_owner = $13`

	plainSQLite = `UPDATE sources AS s SET ` + plainSet + `
WHERE ` + plainSource + ` AND EXISTS (SELECT 1 FROM hosts h WHERE ` + plainLease + `)`

	// The source is locked before its host, as everywhere.
	plainPostgres = `WITH held AS MATERIALIZED (
  SELECT s.id FROM sources s JOIN hosts h ON ` + plainLease + ` WHERE ` + plainSource + ` FOR NO KEY UPDATE OF s FOR NO KEY UPDATE OF h
), done AS (
  UPDATE sources SET ` + plainSet + ` FROM held WHERE sources.id = held.id
)
INSERT INTO source_fetches (id, source_id, started_at, duration_us, outcome, http_status, bytes, items_seen, items_created, items_updated,
  items_failed, error_code, error, warnings, details)
SELECT CAST($14 AS TEXT), held.id, CAST($11 AS BIGINT), CAST($15 AS BIGINT), CAST($16 AS TEXT), CAST($17 AS BIGINT), CAST($18 AS BIGINT),
  0, 0, 0, 0, '', '', CAST($19 AS TEXT), CAST($20 AS TEXT) FROM held`

	// releasePostgres is ReleaseHost in the transaction of plainPostgres, which has
	// locked the host, and only if that has stored the fetch $5.
	releasePostgres = `UPDATE hosts SET lease_owner = '', lease_until = 0, not_before = $1, due_at = (
  SELECT CASE WHEN MIN(s.next_fetch_at) < $1 THEN $1 ELSE MIN(s.next_fetch_at) END
  FROM sources s WHERE s.host = hosts.host AND s.next_fetch_at IS NOT NULL AND s.status <> 'paused')
WHERE hosts.host = $2 AND hosts.lease_token = $3 AND hosts.lease_owner = $4 AND EXISTS (SELECT 1 FROM source_fetches f WHERE f.id = $5)`
)

func plainArgs(l kgl.HostLease, r kgl.FetchResult) ([]any, error) {
	state, err := jsonText(r.State)
	return []any{
		r.ETag, r.LastModified, r.BodyHash, micros(*r.NextFetchAt), micros(r.Fetch.StartedAt.Add(r.Fetch.Duration)), state,
		r.Fetch.SourceID, r.FetchedURL, l.Host, string(r.Health), micros(r.Fetch.StartedAt), l.Token, l.Owner,
	}, err
}

// finishPlain stores a plain fetch, and reports whether it could.
func (db *DB) finishPlain(ctx context.Context, l kgl.HostLease, r kgl.FetchResult, fetch sqlitedb.CreateFetchParams) (bool, error) {
	args, err := plainArgs(l, r)
	if err != nil {
		return false, failure(err)
	}
	if db.Engine() == Postgres {
		return db.finishPlainPostgres(ctx, l, r, fetch, args)
	}
	stored := false
	err = db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.exec(ctx, plainSQLite, args)
		if err != nil || n == 0 {
			return err
		}
		if err := c.CreateFetch(ctx, fetch); err != nil {
			return err
		}
		if stored = true; r.Release == nil {
			return nil
		}
		return releaseHost(ctx, c, l, *r.Release)
	})
	return stored, err
}

// finishPlainPostgres sends the statements in one message, which Postgres runs
// in one transaction.
func (db *DB) finishPlainPostgres(ctx context.Context, l kgl.HostLease, r kgl.FetchResult, fetch sqlitedb.CreateFetchParams, args []any) (bool, error) {
	e, ok := db.engine.(*postgresEngine)
	if !ok || db.txOf(ctx) != nil {
		return false, nil
	}
	batch := &pgx.Batch{}
	batch.Queue(plainPostgres, append(args, fetch.ID, fetch.DurationUs, fetch.Outcome, fetch.HTTPStatus, fetch.Bytes, fetch.Warnings, fetch.Details)...)
	if r.Release != nil {
		batch.Queue(releasePostgres, micros(*r.Release), l.Host, l.Token, l.Owner, fetch.ID)
	}
	affected, err := e.pool.sendBatch(ctx, batch)
	if isRetryable(err) {
		return false, nil // the general way tries more than once
	}
	if err != nil {
		return false, db.noteRoom(failure(commitFailure(err)))
	}
	return affected[0] > 0, nil
}
