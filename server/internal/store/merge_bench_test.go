package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// hubItems is how many items the mentions and the evidence of hubs are in.
const hubItems = 5_000

// fillHubs stores two entities, winner and loser, of which each has n mentions
// and n relationships with a piece of evidence; a tenth of the relationships and
// of the mentions of the two is the same.
func fillHubs(b *testing.B, db *store.DB, n int) {
	b.Helper()
	run := func(format string, args ...any) {
		b.Helper()
		check(b, db.ExecRaw(b.Context(), fmt.Sprintf(format, args...)))
	}
	check(b, db.CreateSource(b.Context(), kgl.Source{
		ID: "s", URL: "u", URLKey: "u", Host: "h", Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	}))
	numbers := func(from, to int) string {
		if db.Engine() == store.Postgres {
			return fmt.Sprintf("(SELECT generate_series AS n FROM generate_series(%d, %d)) AS x", from, to)
		}
		return fmt.Sprintf("(WITH RECURSIVE x(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM x WHERE n < %d) SELECT n FROM x) AS x", from, to)
	}
	run(`INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, version, fetched_at, updated_at, published_at,
		published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories, enclosures,
		content_html, content_text)
		SELECT 'c' || n, 's', '', 'guid', 'c' || n, 'processed', 1, 1, 0, 0, n, FALSE, '', 0, '', '', '', '', '', '', '[]', '[]', '[]', '', ''
		FROM %s`, numbers(1, hubItems))
	run(`INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
		SELECT 'e' || n, 'entity ' || n, 'entity ' || n, 'person', '', '{}', 0.5, 'mock', 0, 1, 0, 0 FROM %s`, numbers(1, 2*n))
	for hub, first := range map[string]int{"winner": 1, "loser": n - n/10 + 1} {
		run(`INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
			VALUES ('%[1]s', '%[1]s', '%[1]s', 'person', '', '{}', 0.5, 'mock', 0, 1, 0, 0)`, hub)
		run(`INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version, created_at, updated_at, weight)
			SELECT '%[1]s' || n, '%[1]s', 'e' || n, 'knows', 0.5, 'mock', 1, 1, n, n, 0.5 FROM %[2]s`, hub, numbers(first, first+n-1))
		run(`INSERT INTO relationship_evidence (id, relationship_id, content_id, revision, start_offset, end_offset, quote, confidence, extractor, created_at)
			SELECT '%[1]s' || n, '%[1]s' || n, 'c' || (n %% %[3]d + 1), 1, n, n + 1, 'q', 0.5, 'mock', n FROM %[2]s`, hub, numbers(first, first+n-1), hubItems)
		run(`INSERT INTO mentions (id, content_id, revision, entity_id, start_offset, end_offset, quote, confidence, extractor, created_at, published_at)
			SELECT '%[1]s' || n, 'c' || (n %% %[3]d + 1), 1, '%[1]s', n, n + 1, 'q', 0.5, 'mock', n, n FROM %[2]s`, hub, numbers(first, first+n-1), hubItems)
	}
	run(`UPDATE entities SET degree = (SELECT COUNT(*) FROM relationships r WHERE r.from_entity_id = entities.id)
		+ (SELECT COUNT(*) FROM relationships r WHERE r.to_entity_id = entities.id),
		mention_count = (SELECT COUNT(*) FROM mentions m WHERE m.entity_id = entities.id)`)
	run("ANALYZE")
}

// BenchmarkHubs merges two entities with many relationships and mentions, undoes
// that, and rejects and restores one of them. It reports the time of each.
func BenchmarkHubs(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) string{
		"SQLite": func(b *testing.B) string {
			url := "sqlite:///" + filepath.Join(b.TempDir(), "kgl.db")
			check(b, migrateUp(b.Context(), url))
			return url
		},
		"Postgres": func(b *testing.B) string { return postgresTemplate.NewDatabase(b) },
	} {
		for _, n := range []int{10_000, 43_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				db, err := store.Open(b.Context(), store.Config{URL: open(b)})
				check(b, err)
				b.Cleanup(func() { _ = db.Close() })
				fillHubs(b, db, n)
				spent := map[string]time.Duration{}
				timed := func(what string, fn func() error) {
					begin := time.Now()
					check(b, fn())
					spent[what] += time.Since(begin)
				}
				for i := 0; b.Loop(); i++ {
					id := fmt.Sprint("merge", i)
					timed("merge", func() error {
						_, err := db.MergeEntities(b.Context(), kgl.EntityMerge{
							ID: id, Winner: kgl.EntityRef{ID: "winner"}, Losers: []kgl.EntityRef{{ID: "loser"}}, CreatedAt: now,
						})
						return err
					})
					timed("undo", func() error { _, err := db.UndoMerge(b.Context(), id, "me", now); return err })
					timed("reject", func() error { return db.SetEntityStatus(b.Context(), "loser", kgl.EntityRejected, now) })
					timed("restore", func() error { return db.SetEntityStatus(b.Context(), "loser", kgl.EntityActive, now) })
				}
				for what, d := range spent {
					b.ReportMetric(d.Seconds()/float64(b.N), what+"-s/op")
				}
			})
		}
	}
}
