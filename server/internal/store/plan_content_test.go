package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestContentPlans reads the plans that the engines choose by cost, on some
// ten thousand rows, for the lists of content and sources and for the queries
// that workers repeat.
func TestContentPlans(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedPlans(t, db)
			for _, statistics := range []bool{false, true} {
				lists := contentPlans(db.Engine())
				if statistics {
					execute(t, db, "ANALYZE")
				} else if db.Engine() == store.Postgres {
					lists = nil // it gathers them by itself, but after the first fetches
				}
				for _, tc := range lists {
					t.Run(tc.name, func(t *testing.T) {
						query, args := store.ListText(tc.query)
						checkCostedPlan(t, db, query, args, tc.index, tc.sorts)
					})
				}
				for _, tc := range workerPlans {
					t.Run(tc.name, func(t *testing.T) {
						checkCostedPlan(t, db, namedQuery(t, db.Engine(), tc.file, tc.name), nil, tc.index, tc.sorts)
					})
				}
			}
		})
	}
}

func contentPlans(e store.Engine) []listPlan {
	moment := kgl.Page{Limit: 20, After: &kgl.Position{Int: 1_000_000_000, ID: "i"}}
	text := kgl.Page{Limit: 20, After: &kgl.Position{Text: "feed 5", ID: "i"}}
	contents := func(f kgl.ContentFilter) store.ListQuery {
		return store.ContentsQuery(e, f, kgl.ContentNewestFirst, false, moment)
	}
	sources := func(f kgl.SourceFilter) store.ListQuery {
		return store.SourcesQuery(e, f, kgl.SourceNewestFirst, moment)
	}
	failed := []kgl.ContentStatus{kgl.ContentFailed}
	span := kgl.TimeRange{Since: time.UnixMicro(1_000_000), Until: time.UnixMicro(900_000_000)}
	return []listPlan{
		{"content", contents(kgl.ContentFilter{}), "contents_first_seen", false},
		{"content, first page", store.ContentsQuery(e, kgl.ContentFilter{}, kgl.ContentNewestFirst, true, kgl.Page{}), "contents_first_seen", false},
		{"content, oldest first", store.ContentsQuery(e, kgl.ContentFilter{}, kgl.ContentOldestFirst, false, moment), "contents_first_seen", false},
		{"content with duplicates", contents(kgl.ContentFilter{Duplicates: kgl.DuplicatesAll}), "contents_published", false},
		{"duplicates only", contents(kgl.ContentFilter{Duplicates: kgl.DuplicatesOnly}), "contents_duplicates", false},
		{"content of a source", contents(kgl.ContentFilter{SourceID: "s1"}), "contents_source", false},
		{"content of a status", contents(kgl.ContentFilter{Status: failed}), "contents_status", false},
		{"content of a language", contents(kgl.ContentFilter{Language: "de"}), "contents_language", false},
		{"content of a time", contents(kgl.ContentFilter{Published: span}), "contents_first_seen", false},
		{"content by everything", contents(kgl.ContentFilter{SourceID: "s1", Status: failed, Language: "de", Published: span}), "contents_", true},
		{"content that changed", store.ContentsQuery(e, kgl.ContentFilter{ChangedAfter: time.UnixMicro(5)}, kgl.ContentByChange, false, moment), "contents_changed", false},
		{"content by its last change", store.ContentsQuery(e, kgl.ContentFilter{Duplicates: kgl.DuplicatesAll}, kgl.ContentLastChanged, true, kgl.Page{}), "contents_changed", false},
		{"content of two states", contents(kgl.ContentFilter{Status: []kgl.ContentStatus{kgl.ContentNew, kgl.ContentFailed}}), "contents_", false},
		{"revisions", store.RevisionsQuery(e, "c1", kgl.Page{Limit: 20, After: &kgl.Position{Int: 5}}), "", false},
		{"fetches", store.FetchesQuery(e, "s1", moment), "source_fetches_source", false},
		{"sources", sources(kgl.SourceFilter{}), "sources_created", false},
		{"sources by title", store.SourcesQuery(e, kgl.SourceFilter{}, kgl.SourceByTitle, text), "sources_title", false},
		{"sources by title with a prefix", store.SourcesQuery(e, kgl.SourceFilter{TitlePrefix: "feed 77"}, kgl.SourceByTitle, text), "sources_title", false},
		{"sources of a status", sources(kgl.SourceFilter{Status: []kgl.SourceStatus{kgl.SourceGone}}), "sources_status", false},
		{"sources of a health", sources(kgl.SourceFilter{Health: []kgl.SourceHealth{kgl.HealthGone}}), "sources_health", false},
		{"sources of a host", store.SourcesQuery(e, kgl.SourceFilter{Host: "h7"}, kgl.SourceNewestFirst, kgl.Page{}), "sources_", true},
		{"tasks", store.TasksQuery(e, kgl.TaskFilter{}, moment), "enrichment_tasks_updated", false},
		{"tasks of a state", store.TasksQuery(e, kgl.TaskFilter{State: kgl.TaskDead}, moment), "enrichment_tasks_list", false},
		{"tasks of a source", store.TasksQuery(e, kgl.TaskFilter{SourceID: "s1"}, moment), "enrichment_tasks_source", false},
		{"tasks of a source and a state", store.TasksQuery(e, kgl.TaskFilter{SourceID: "s1", State: kgl.TaskDone}, moment), "enrichment_tasks_source", false},
		{"tasks of a lane and a state", store.TasksQuery(e, kgl.TaskFilter{Lane: "ai", State: kgl.TaskDone}, moment), "enrichment_tasks_lane", false},
		{"sources with a tag", sources(kgl.SourceFilter{Tag: "t"}), "sources_created", false},
	}
}

// workerPlans are generated queries that must not read more than they return.
var workerPlans = []struct {
	file, name, index string
	sorts             bool // the few rows of one key
}{
	{"hosts", "ClaimHosts", "hosts_due", false},
	{"hosts", "NextFreeHost", "hosts_due", false},
	{"hosts", "LeasedHosts", "hosts_leased", false},
	{"sources", "DueSources", "sources_host_due", false},
	{"identity", "ContentStates", "sqlite_autoindex_contents_2|contents_source_id_identity_kind_identity_key_key", false},
	{"identity", "SimilarContents", "contents_alt", true},
	{"identity", "SimilarContents", "contents_canonical_url", true},
	{"identity", "SimilarContents", "contents_text_hash", true},
	{"identity", "SimilarContents", "contents_source", true},
	{"identity", "RevisionMarks", "content_revisions", true},
	{"retention", "OldestKept", "contents_source", true},
	{"retention", "RetentionSources", "sources", false},
	{"duplicates", "FirstByURL", "contents_canonical_url", false},
	{"duplicates", "FirstByText", "contents_text_hash", false},
	{"duplicates", "LinksOfHeads", "duplicate_links_group", true},
	{"duplicates", "Duplicates", "duplicate_links_group", true},
	{"duplicates", "NearItems", "content_signatures_key5", true},
	{"duplicates", "NearItemsOf", "content_signatures_key5", true},
	{"duplicates", "GroupMembers", "contents_duplicate_of", true},
	{"duplicates", "UnsignedContents", "contents_fetched", true},
	{"duplicates", "DeleteOldSignatures", "sqlite_autoindex_content_signatures_1|content_signatures_pkey", false},
	{"tasks", "ClaimTasks", "enrichment_tasks_ready", false},
	{"tasks", "DueTasks", "enrichment_tasks_later", false},
	{"tasks", "NextTask", "enrichment_tasks_ready", false},
	{"tasks", "NextTask", "enrichment_tasks_later", false},
	{"tasks", "Turns", "enrichment_tasks_ready", false},
	{"tasks", "Turns", "enrichment_tasks_turn", false},
	{"tasks", "CountLeases", "enrichment_tasks_leased", false},
	{"tasks", "WithholdTasks", "enrichment_tasks_source", false},
	{"tasks", "WithheldTasks", "enrichment_tasks_", true},
	{"tasks", "StrayTasks", "enrichment_tasks_", true},
	{"events", "EventsAfter", "events_order", false},
}

// planValues stand for the parameters of the named queries.
var planValues = map[string]string{
	"row_limit": "20", "now": "1000000000", "lease_until": "1", "lease_owner": "'w'", "host": "'h7'", "extractor": "'mock'", "from_extractor": "'ai'",
	"source_id": "'s1'", "heads": `'["c1","c2"]'`, "content_id": "'c1'", "after_at": "5", "after_id": "''", "after_reason": "''",
	"key0": "1", "key1": "1", "key2": "1", "key3": "1", "key4": "1", "key5": "1", "since": "19990", "key_version": "1", "before": "100", "tx_id": "0", "seq": "4000",
	"source_ids": `'["s1","s2"]'`, "priority": "0",
	"ids": `'["c1","c2"]'`, "every_source": "1", "before_at": "1000000000", "before_id": "'c5000'",
}

var parameter = regexp.MustCompile(`@(\w+)`)

// namedQuery returns a query of sql/ with values in place of its parameters.
func namedQuery(t *testing.T, e store.Engine, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "sql", string(e), "queries", file+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	_, query, found := strings.Cut(string(text), "-- name: "+name+" :")
	if !found {
		t.Fatalf("%s.sql has no query %s", file, name)
	}
	_, query, _ = strings.Cut(query, "\n")
	query, _, _ = strings.Cut(query, ";")
	keys := `'[{"idx":0,"kind":"guid","identity":"g1","source_id":"s1","canonical_url":"u1","text_hash":"x1",` +
		`"since":0,"key0":1,"key1":1,"key2":1,"key3":1,"key4":1,"key5":1,"alt":"a1","url":"u1","text":"x1","published":5000000}]'`
	return parameter.ReplaceAllStringFunc(query, func(p string) string {
		if p == "@keys" {
			return keys
		}
		v, known := planValues[p[1:]]
		if !known {
			t.Fatalf("%s has the unknown parameter %s", name, p)
		}
		return v
	})
}

func execute(t *testing.T, db *store.DB, statement string) {
	t.Helper()
	if err := db.ExecRaw(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// seedPlans fills the tables with numbered rows.
func seedPlans(t *testing.T, db *store.DB) {
	t.Helper()
	numbers := func(n string) string {
		if db.Engine() == store.Postgres {
			return " FROM generate_series(1, " + n + ") AS n(i)"
		}
		return " FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " + n + ") SELECT i FROM c) AS n"
	}
	for _, statement := range []string{
		"INSERT INTO hosts (host, due_at, lease_until, updated_at) SELECT 'h' || i, i * 1000, CASE WHEN i % 500 = 0 THEN 5 ELSE 0 END, 0" + numbers("2000"),
		"INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, " +
			"fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, " +
			"last_error, last_error_at, created_by, version, created_at, updated_at) SELECT 's' || i, 'u' || i, 'u' || i, 'h' || (i / 2 + 1), 'Feed ' || i, 'feed ' || i, FALSE, '', '', '', '', '[\"t\"]', " +
			"CASE i % 50 WHEN 0 THEN 'gone' ELSE 'active' END, 0, '', '', '', i * 1000, NULL, NULL, 0, '', '', NULL, '', 1, i * 1000, 0" + numbers("3000"),
		"INSERT INTO source_fetches (id, source_id, started_at, duration_us, outcome, http_status, bytes, items_seen, items_created, " +
			"items_updated, items_failed, error_code, error, warnings) SELECT 'f' || i, 's' || (i % 300 + 1), i * 1000, 1, 'unchanged', 200, 1, 1, 1, 1, 1, '', '', '[]'" + numbers("6000"),
		"INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at, " +
			"published_at, published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories, " +
			"enclosures, content_html, content_text, changed_at) SELECT 'c' || i, 's' || (i % 300 + 1), '', 'guid', 'g' || i, CASE i % 40 WHEN 0 THEN 'failed' WHEN 1 THEN 'new' ELSE 'processed' END, 1, " +
			"CASE WHEN i % 20 = 0 THEN 'c' || (i - 1) END, 1, i, i, CAST(i AS BIGINT) * 100000, FALSE, CASE i % 10 WHEN 0 THEN 'de' ELSE 'en' END, 1, 'h', " +
			"'x' || i, '', 'u' || i, 'A title of some words', 'A summary of some more words', '[]', '[]', '[]', '<p>body</p>', 'body', i" + numbers("20000"),
		"INSERT INTO content_revisions (content_id, revision, recorded_at, published_at, published_inferred, language, word_count, " +
			"content_hash, text_hash, url, canonical_url, title, summary, authors, categories, enclosures, content_html, content_text) SELECT 'c' || (i % 1000 + 1), i, 1, 1, FALSE, '', 1, '', '', '', '', '', '', '[]', '[]', '[]', '', ''" + numbers("3000"),
		"INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_at) SELECT 'c' || (i * 5), 'c' || (i * 5 - 1), 'same_text', 1, i" + numbers("4000"),
		"INSERT INTO content_signatures (content_id, key_version, seen_at, key0, key1, key2, key3, key4, key5) SELECT 'c' || i, 1, i, i % 5000, i, i, i, i, i" + numbers("20000"),
		"INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash, alt_key, canonical_url, text_hash) " +
			"SELECT 's' || (i % 300 + 1), 'guid', 'd' || i, 'h', 'a' || i, 'u' || i, 'x' || i" + numbers("6000"),
		"INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, last_error, created_at, updated_at, " +
			"source_id) SELECT 't' || i, 'c' || i, 1, 'mock', CASE WHEN i % 30 = 0 THEN 'pending' ELSE 'done' END, 0, CAST(i AS BIGINT) * 100000, '', 0, '', 0, 0, " +
			"'s' || (i % 300 + 1)" + numbers("20000"),
		"INSERT INTO source_consents (source_id, purpose, allowed, decided_at, decided_by) SELECT 's' || i, 'ai_processing', i % 10 <> 0, 0, ''" + numbers("3000"),
		"INSERT INTO events (tx_id, id, type, subject_type, subject_id, data, occurred_at) SELECT 0, 'e' || i, 'x', 'content', 'c', '{}', 0" + numbers("8000"),
	} {
		execute(t, db, statement)
	}
}

// jsonScan is the step that reads a JSON parameter, or the rows of a bounded
// subquery.
var jsonScan = regexp.MustCompile(`SCAN (k|s|t EXISTS|json_each) VIRTUAL TABLE|SCAN \(subquery-\d+\)|SCAN [hlp]$|Function Scan`)

func checkCostedPlan(t *testing.T, db *store.DB, query string, args []any, index string, sorts bool) {
	t.Helper()
	plan, err := db.PlanOf(t.Context(), query, args)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	if !slices.ContainsFunc(strings.Split(index, "|"), func(name string) bool { return strings.Contains(plan, name) }) {
		t.Errorf("the index %s is not used:\n%s", index, plan)
	}
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		seq := strings.Contains(line, "Seq Scan") && !strings.Contains(line, "event_clock")
		if !jsonScan.MatchString(line) && (seq || strings.HasPrefix(line, "SCAN ") && !strings.Contains(line, "USING")) {
			t.Errorf("a whole table is read (%s):\n%s", line, plan)
		}
	}
	if !sorts && (strings.Contains(plan, "TEMP B-TREE FOR") && !strings.Contains(plan, "LAST TERM") || strings.Contains(plan, "Sort Key")) {
		t.Errorf("the rows are sorted:\n%s", plan)
	}
}
