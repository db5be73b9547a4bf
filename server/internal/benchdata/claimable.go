package benchdata

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Claimable fills a migrated, empty database with sources that are each alone
// on their host, of which the first ones are due within the second before now
// and the others within the day after it.
func Claimable(ctx context.Context, databaseURL string, sources, due int, now time.Time) (err error) {
	return withDatabase(ctx, databaseURL, func(db database, postgres bool) error {
		numbers := fmt.Sprintf(" FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS n", sources)
		id := "printf('019cb000-0000-7000-8000-%012d', i)"
		if postgres {
			numbers = fmt.Sprintf(" FROM (SELECT CAST(i AS BIGINT) AS i FROM generate_series(1, %d) AS g(i)) AS n", sources)
			id = "'019cb000-0000-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0')"
		}
		at := now.UnixMicro()
		next := fmt.Sprintf("CASE WHEN i <= %d THEN %d - 1000 * (%d - i) - 1000 ELSE %d + 60000000 + i %% 86400 * 1000000 END", due, at, due, at)
		if err := db.exec(ctx,
			"INSERT INTO hosts (host, due_at, updated_at) SELECT 'feed-' || i || '.example', "+next+", 0"+numbers,
			`INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status,
  fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures,
  last_error_code, last_error, created_by, version, created_at, updated_at)
SELECT `+id+`, 'https://feed-' || i || '.example/rss.xml', 'https://feed-' || i || '.example/rss.xml', 'feed-' || i || '.example',
  'Feed ' || i, 'feed ' || i, FALSE, 'What a feed says of itself', 'https://feed-' || i || '.example/', 'rss', 'en', '[]', 'active',
  0, '"an-entity-tag"', '', 'the hash of the document', `+next+`, 0, 0, 0, '', '', '', 1, i, 0`+numbers,
		); err != nil {
			return err
		}
		return tidy(ctx, db, postgres)
	})
}

// MakeDue lets hosts that were claimed be claimed again.
func MakeDue(ctx context.Context, databaseURL string) error {
	return withDatabase(ctx, databaseURL, func(db database, postgres bool) error {
		if err := db.exec(ctx, `UPDATE hosts SET not_before = 0, due_at = (SELECT MIN(s.next_fetch_at) FROM sources s WHERE s.host = hosts.host)
WHERE not_before > 0`); err != nil {
			return err
		}
		return tidy(ctx, db, postgres)
	})
}

// tidy does what a server does by itself after a while.
func tidy(ctx context.Context, db database, postgres bool) error {
	if postgres {
		return db.exec(ctx, "VACUUM ANALYZE hosts, sources", "CHECKPOINT")
	}
	return db.exec(ctx, "ANALYZE")
}

func withDatabase(ctx context.Context, databaseURL string, fn func(db database, postgres bool) error) (err error) {
	db, err := open(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	return fn(db, strings.HasPrefix(databaseURL, "postgres"))
}
