package store_test

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// The graph of an installation of before: a supported relationship, one that a
// person made, an alias, and tasks in all states.
var graphOfBefore = []string{
	`INSERT INTO hosts (host, updated_at) VALUES ('h', 1)`,
	`INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status,
		fetch_interval_seconds, etag, last_modified, body_hash, consecutive_failures, last_error_code, last_error, created_by, version, created_at,
		updated_at) VALUES ('s', 'u', 'u', 'h', '', '', FALSE, '', '', '', '', '[]', 'active', 0, '', '', '', 0, '', '', '', 1, 1, 1)`,
	`INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, version, fetched_at, updated_at, changed_at, details,
		published_at, published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories,
		enclosures, content_html, content_text)
		SELECT 'c' || n, 's', 'g' || n, 'guid', 'g' || n, 'new', 1, 1, 100, 100, 100, '{}', n * 10, FALSE, 'en', 1, 'h', 't', 'u', 'u', 'T', '',
			'[]', '[]', '[]', '', 'Ada meets Bo' FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) AS numbers`,
	`INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
		VALUES ('a', 'Ada', 'ada', 'person', '', '{}', 1, 'mock', 2, 1, 1, 1), ('b', 'Bö', 'bö', 'person', '', '{}', 1, 'mock', 0, 1, 1, 1)`,
	`INSERT INTO entity_aliases (entity_id, alias_key, alias, type) VALUES ('a', 'al', 'Al', 'person')`,
	`INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version, created_at, updated_at)
		VALUES ('r1', 'a', 'b', 'knows', 0.5, 'mock', 3, 1, 1, 1), ('r2', 'b', 'a', 'knows', 0.25, 'manual', 0, 1, 1, 1)`,
	`INSERT INTO mentions (id, content_id, revision, entity_id, start_offset, end_offset, quote, confidence, extractor, created_at)
		VALUES ('m2', 'c2', 1, 'a', 0, 3, 'Ada', 1, 'mock', 1), ('m4', 'c4', 1, 'a', 0, 3, 'Ada', 1, 'mock', 1)`,
	`INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
		last_error, created_at, updated_at) VALUES
		('t1', 'c1', 1, 'mock', 'pending', 0, 1, '', 0, NULL, '', 1, 1), ('t2', 'c2', 1, 'mock', 'pending', 2, 900, '', 2, NULL, 'x', 1, 1),
		('t3', 'c3', 1, 'mock', 'leased', 1, 900, 'w', 1, 900, '', 1, 1), ('t4', 'c4', 1, 'mock', 'done', 1, 1, '', 1, NULL, '', 1, 1),
		('t5', 'c5', 1, 'mock', 'dead', 5, 1, '', 5, NULL, 'x', 1, 1)`,
}

// TestMigrateKnowledge takes a graph of the second schema to the third one and
// back: nothing is lost, and what is new is derived from what was known.
func TestMigrateKnowledge(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		noError(t, before(t, url, 2).Up(t.Context()))
		db := open(t, url)
		for _, statement := range graphOfBefore {
			execute(t, db, statement)
		}
		noError(t, db.Close())

		ours := migrator(t, url)
		noError(t, ours.Up(t.Context()))
		db = open(t, url)
		checkKnowledgeSchema(t, db)
		// What the older schema cannot say has to become what it can.
		execute(t, db, "UPDATE enrichment_tasks SET state = 'withheld' WHERE id = 't1'")
		noError(t, db.Close())

		noError(t, ours.Down(t.Context(), 1))
		db = open(t, url)
		execute(t, db, "UPDATE enrichment_tasks SET last_error = last_error")
		noError(t, db.Close())
		noError(t, ours.Up(t.Context()))
		checkKnowledgeSchema(t, open(t, url))
	})
}

func checkKnowledgeSchema(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	ada, err := db.Entity(ctx, "a")
	noError(t, err)
	bo, err := db.Entity(ctx, "b")
	noError(t, err)
	if ada.Status != kgl.EntityActive || ada.MergedInto != nil || ada.Degree != 2 || ada.FirstSeenAt == nil || ada.FirstSeenAt.UnixMicro() != 20 ||
		ada.LastSeenAt.UnixMicro() != 40 || len(ada.Aliases) != 1 {
		t.Errorf("an entity with mentions is %+v", ada)
	}
	if bo.Degree != 2 || bo.FirstSeenAt != nil || bo.LastSeenAt != nil {
		t.Errorf("an entity without mentions is %+v", bo)
	}
	for id, weight := range map[string]float64{"r1": 1.5, "r2": 0.25} {
		r, err := db.Relationship(ctx, id)
		noError(t, err)
		if r.Weight != weight || r.Status != kgl.RelationshipActive || r.Fact != "" {
			t.Errorf("relationship %s is %+v", id, r)
		}
	}
	mentions, err := db.ContentEntities(ctx, "c2", kgl.Page{Limit: 5})
	noError(t, err)
	if len(mentions.Rows) != 1 || len(mentions.Rows[0].Mentions) != 1 || mentions.Rows[0].Mentions[0].Type != "person" ||
		mentions.Rows[0].Mentions[0].PublishedAt.UnixMicro() != 20 {
		t.Errorf("mentions of an item are %+v", mentions.Rows)
	}
	for query, want := range map[string]string{
		"SELECT state || ' ' || source_id FROM enrichment_tasks WHERE id = 't1'": "pending s",
		"SELECT state || ' ' || source_id FROM enrichment_tasks WHERE id = 't2'": "waiting s",
		"SELECT state || ' ' || source_id FROM enrichment_tasks WHERE id = 't3'": "leased s",
		"SELECT state || ' ' || source_id FROM enrichment_tasks WHERE id = 't4'": "done s",
		"SELECT state || ' ' || source_id FROM enrichment_tasks WHERE id = 't5'": "dead s",
		// Four of "ada", three of its alias "al" and of "bö", and the spelling of each.
		"SELECT CAST(COUNT(*) AS TEXT) FROM entity_name_grams":                                    "13",
		"SELECT entity_id || ' ' || CAST(size AS TEXT) FROM entity_name_grams WHERE gram = 'bö '": "b 2",
		"SELECT entity_id || ' ' || CAST(size AS TEXT) FROM entity_name_grams WHERE gram = ' al'": "a 2",
		"SELECT entity_id || ' ' || CAST(size AS TEXT) FROM entity_name_grams WHERE gram = '/bö'": "b 2",
	} {
		got, err := db.ScanRaw(ctx, false, query)
		noError(t, err)
		if got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	noError(t, db.Ping(ctx))
}
