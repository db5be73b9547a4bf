package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// before returns a migrator that knows the first n migrations only, as the
// binaries of before did.
func before(t *testing.T, url string, n int) *store.Migrator {
	t.Helper()
	engine, err := store.EngineOf(url)
	noError(t, err)
	folder := filepath.Join("..", "..", "..", "sql", string(engine), "migrations")
	entries, err := os.ReadDir(folder)
	noError(t, err)
	files := fstest.MapFS{}
	for _, e := range entries[:2*n] { // one up, one down
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		noError(t, err)
		files["m/"+e.Name()] = &fstest.MapFile{Data: text}
	}
	m, err := store.NewMigratorOf(url, files, "m")
	noError(t, err)
	return m
}

// The rows of an installation that the first schema kept: an edited item, a
// group of duplicates, a deleted item, and sources in all states.
var rowsOfBefore = []string{
	`INSERT INTO hosts (host, updated_at) VALUES ('h', 1)`,
	`INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status,
		fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures,
		last_error_code, last_error, last_error_at, created_by, version, created_at, updated_at) VALUES
		('new', 'u1', 'u1', 'h', '', '', FALSE, '', '', '', '', '[]', 'active', 0, '', '', '', NULL, NULL, NULL, 0, '', '', NULL, '', 1, 1, 1),
		('ok', 'u2', 'u2', 'h', '', '', FALSE, '', '', '', '', '[]', 'active', 0, '', '', '', NULL, 5, 5, 0, '', '', NULL, '', 1, 2, 2),
		('bad', 'u3', 'u3', 'h', '', '', FALSE, '', '', '', '', '[]', 'failing', 0, '', '', '', NULL, 6, 5, 3, 'x', 'x', 6, '', 1, 3, 3),
		('gone', 'u4', 'u4', 'h', '', '', FALSE, '', '', '', '', '[]', 'gone', 0, '', '', '', NULL, 7, NULL, 1, 'x', 'x', 7, '', 1, 4, 4)`,
	`INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at,
		published_at, published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories,
		enclosures, content_html, content_text) VALUES
		('edited', 'ok', 'g1', 'guid', 'g1', 'processed', 2, NULL, 3, 100, 900, 50, FALSE, 'en', 1, 'h2', 't', 'u', 'u', 'T2', '', '[]', '[]', '[]', '<p>b2</p>', 'b2'),
		('copy', 'bad', 'g1', 'guid', 'g1', 'new', 1, 'edited', 1, 200, 200, 60, TRUE, '', 1, 'h', 't', 'u', 'u', 'T', '', '[]', '[]', '[]', '<p>c</p>', 'c')`,
	`INSERT INTO content_revisions (content_id, revision, recorded_at, published_at, published_inferred, language, word_count, content_hash,
		text_hash, url, canonical_url, title, summary, authors, categories, enclosures, content_html, content_text) VALUES
		('edited', 1, 500, 50, FALSE, 'en', 1, 'h1', 't', 'u', 'u', 'T1', '', '[]', '[]', '[]', '<p>b1</p>', 'b1')`,
	`INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_at) VALUES ('copy', 'edited', 'same_text', 1, 200)`,
	`INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash) VALUES ('ok', 'guid', 'g9', 'h9')`,
	`INSERT INTO source_fetches (id, source_id, started_at, duration_us, outcome, http_status, bytes, items_seen, items_created, items_updated,
		items_failed, error_code, error, warnings) VALUES ('f', 'ok', 5, 1, 'unchanged', 200, 1, 1, 0, 0, 0, '', '', '[]')`,
	`INSERT INTO mentions (id, content_id, revision, entity_id, start_offset, end_offset, quote, confidence, extractor, created_at)
		SELECT 'm', 'edited', 2, e.id, 0, 1, 'b', 1, 'mock', 1 FROM entities e`,
}

// TestMigrateIngestion takes an installation of the first schema to the one
// with the state of fetching and back: nothing is lost, and what is new is
// derived from what was known.
func TestMigrateIngestion(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		noError(t, before(t, url, 1).Up(t.Context()))
		db := open(t, url)
		execute(t, db, `INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version,
			created_at, updated_at) VALUES ('e', 'E', 'e', 'grant', '', '{}', 1, 'mock', 1, 1, 1, 1)`)
		for _, statement := range rowsOfBefore {
			execute(t, db, statement)
		}
		noError(t, db.Close())

		ours := migrator(t, url)
		noError(t, ours.Up(t.Context()))
		checkIngestionSchema(t, open(t, url))

		noError(t, ours.Down(t.Context(), 2))
		db = open(t, url)
		execute(t, db, "UPDATE contents SET title = title")
		noError(t, db.Close())
		noError(t, ours.Up(t.Context()))
		checkIngestionSchema(t, open(t, url))
	})
}

func checkIngestionSchema(t *testing.T, db *store.DB) {
	t.Helper()
	for id, want := range map[string]kgl.SourceHealth{
		"new": kgl.HealthPending, "ok": kgl.HealthOK, "bad": kgl.HealthFailing, "gone": kgl.HealthGone,
	} {
		s, err := db.Source(t.Context(), id)
		noError(t, err)
		if s.Health != want || (s.HealthSince == nil) != (id == "new") {
			t.Errorf("source %s is %s since %v", id, s.Health, s.HealthSince)
		}
	}
	edited, err := db.Content(t.Context(), "edited")
	noError(t, err)
	if edited.ChangedAt.UnixMicro() != 500 || edited.Duplicates != 1 || edited.HTML != "<p>b2</p>" || edited.RawHash != "" {
		t.Errorf("the edited item is %+v", edited)
	}
	folded, err := db.Content(t.Context(), "copy")
	noError(t, err)
	if folded.ChangedAt.UnixMicro() != 200 || folded.DuplicateOf != "edited" || folded.PublishedSource() != "fetched" {
		t.Errorf("the copy is %+v", folded)
	}
	revisions, err := db.ContentRevisions(t.Context(), "edited", kgl.Page{Limit: 5})
	noError(t, err)
	links, err := db.Duplicates(t.Context(), "copy", kgl.Page{Limit: 5})
	noError(t, err)
	fetches, err := db.Fetches(t.Context(), "ok", kgl.Page{Limit: 5})
	noError(t, err)
	entities, err := db.ContentEntities(t.Context(), "edited", kgl.Page{Limit: 5})
	noError(t, err)
	if len(revisions.Rows) != 1 || len(links.Rows) != 1 || len(fetches.Rows) != 1 || len(entities.Rows) != 1 {
		t.Errorf("%d revisions, %d links, %d fetches, %d entities", len(revisions.Rows), len(links.Rows), len(fetches.Rows), len(entities.Rows))
	}
	states, err := db.ContentStates(t.Context(), "ok", []kgl.ContentIdentity{{Kind: kgl.IdentityGUID, Key: "g9"}})
	noError(t, err)
	if len(states) != 1 || states[0].Removed != kgl.RemovedByPerson {
		t.Errorf("the deleted item is %+v", states)
	}
	noError(t, db.Ping(t.Context()))
	noError(t, db.Close())
}
