package store_test

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestExpiredContentsPlan reads the plan by which retention finds what it
// removes, where the items have mentions and evidence: it walks the items of one
// source in their order, and asks for what refers to each by a key.
func TestExpiredContentsPlan(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedPlans(t, db)
			seedGraphPlans(t, db)
			execute(t, db, "ANALYZE")
			checkCostedPlan(t, db, namedQuery(t, db.Engine(), "retention", "ExpiredContents"), nil, "contents_source", false)
		})
	}
}

// seedGraphPlans gives the items of seedPlans mentions and evidence, a few of
// them by people.
func seedGraphPlans(t *testing.T, db *store.DB) {
	t.Helper()
	numbers := " FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) SELECT i FROM c) AS n"
	if db.Engine() == store.Postgres {
		numbers = " FROM generate_series(1, 20000) AS n(i)"
	}
	const by = "CASE i % 1000 WHEN 0 THEN 'manual' ELSE 'builtin@1' END"
	for _, statement := range []string{
		"INSERT INTO entities (id, type, name, name_key, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at) " +
			"SELECT 'e' || i, 'person', 'N' || i, 'n' || i, '', '{}', 1, " + by + ", 1, 1, i, i" + numbers,
		"INSERT INTO mentions (id, content_id, revision, entity_id, start_offset, end_offset, quote, confidence, extractor, created_at) " +
			"SELECT 'm' || i, 'c' || i, 1, 'e' || i, 0, 1, 'q', 1, " + by + ", i" + numbers,
		"INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version, created_at, updated_at) " +
			"SELECT 'r' || i, 'e' || i, 'e' || (i % 20000 + 1), 'knows', 1, " + by + ", 1, 1, i, i" + numbers,
		"INSERT INTO relationship_evidence (id, relationship_id, content_id, revision, start_offset, end_offset, quote, confidence, extractor, created_at) " +
			"SELECT 'v' || i, 'r' || i, 'c' || i, 1, 0, 1, 'q', 1, " + by + ", i" + numbers,
	} {
		execute(t, db, statement)
	}
}
