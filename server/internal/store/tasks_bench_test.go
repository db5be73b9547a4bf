package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// seedQueue stores items of 300 sources, with n tasks of the AI module that are
// pending and as many that wait for a later time.
func seedQueue(b *testing.B, db *store.DB, n int) {
	b.Helper()
	const sources, items = 300, 20_000
	numbers := func(n int) string {
		if db.Engine() == store.Postgres {
			return fmt.Sprintf(" FROM generate_series(1, %d) AS n(i)", n)
		}
		return fmt.Sprintf(" FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS n", n)
	}
	later := benchTime(1_000_000).UnixMicro()
	for _, statement := range []string{
		"INSERT INTO hosts (host, updated_at) VALUES ('h', 0)",
		"INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, " +
			"fetch_interval_seconds, etag, last_modified, body_hash, consecutive_failures, last_error_code, last_error, created_by, version, created_at, updated_at) " +
			"SELECT 's' || i, 'u' || i, 'u' || i, 'h', '', '', FALSE, '', '', '', '', '[]', 'active', 0, '', '', '', 0, '', '', '', 1, 0, 0" + numbers(sources),
		"INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, version, fetched_at, updated_at, published_at, " +
			"published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories, enclosures, content_html, content_text) " +
			fmt.Sprintf("SELECT 'c' || i, 's' || (i %% %d + 1), '', 'guid', 'g' || i, 'new', 1, 1, i, i, i, FALSE, 'en', 1, 'h', '', '', '', 'A title', '', '[]', '[]', '[]', '', 'text'", sources) + numbers(items),
		"INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, last_error, " +
			fmt.Sprintf("created_at, updated_at, source_id, turn) SELECT 't' || i, 'c' || (i %% %d + 1), i, 'ai', CASE WHEN i %% 2 = 0 THEN 'pending' ELSE 'waiting' END, 0, ", items) +
			fmt.Sprintf("%d, '', 0, '', i, i, 's' || (i %% %d + 1), i / %d", later, sources, sources) + numbers(2*n),
		"ANALYZE",
	} {
		check(b, db.ExecRaw(b.Context(), statement))
	}
}

// BenchmarkTaskQueue measures what workers do with a short and with a long queue:
// but for counting, both cost the same.
func BenchmarkTaskQueue(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, n := range []int{1_000, 100_000} {
			url := "sqlite:///" + filepath.Join(b.TempDir(), "kgl.db")
			if engine == "postgres" {
				url = postgresTemplate.NewDatabase(b)
			} else {
				check(b, migrateUp(b.Context(), url))
			}
			db, err := store.Open(b.Context(), store.Config{URL: url})
			check(b, err)
			b.Cleanup(func() { _ = db.Close() })
			seedQueue(b, db, n)
			now := benchTime(1)
			name := func(what string) string { return fmt.Sprintf("%s/%s/%d", engine, what, n) }
			b.Run(name("look"), func(b *testing.B) {
				for b.Loop() {
					if at, err := db.NextTaskAt(b.Context(), kgl.LaneAI); err != nil || at == nil {
						b.Fatal(at, err)
					}
				}
			})
			b.Run(name("claim 10 and release them"), func(b *testing.B) {
				for b.Loop() {
					ts, err := db.ClaimTasks(b.Context(), kgl.LaneAI, "w", now, now.Add(time.Hour), 10)
					if err != nil {
						b.Fatal(err)
					}
					for _, t := range ts {
						check(b, db.ReleaseTask(b.Context(), t, now)) // so that the queue stays as it is
					}
				}
			})
			b.Run(name("count"), func(b *testing.B) {
				for b.Loop() {
					_, err := db.CountTasks(b.Context())
					check(b, err)
				}
			})
		}
	}
}
