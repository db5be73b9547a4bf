package benchdata

// table is one table with the columns that are filled.
type table struct {
	name    string
	columns []string
}

// Tables in an order that satisfies their foreign keys.
const (
	hosts = iota
	sources
	entities
	aliases
	nameGrams
	relationships
	contents
	revisions
	links
	signatures
	tasks
	runs
	mentions
	evidence
	events
	fetches
	tableCount
)

// tables returns the tables by the constants above.
func tables() [tableCount]table {
	body := []string{"published_at", "published_inferred", "language", "word_count", "content_hash", "text_hash", "url", "canonical_url", "title",
		"summary", "authors", "categories", "enclosures", "content_html", "content_text"}
	return [tableCount]table{
		hosts: {"hosts", []string{"host", "due_at", "updated_at"}},
		sources: {"sources", []string{"id", "url", "url_key", "host", "title", "title_key", "title_is_manual", "description", "site_url", "format",
			"language", "tags", "status", "fetch_interval_seconds", "etag", "last_modified", "body_hash", "next_fetch_at", "last_fetched_at",
			"last_success_at", "consecutive_failures", "last_error_code", "last_error", "created_by", "version", "created_at", "updated_at"}},
		entities: {"entities", []string{"id", "name", "name_key", "type", "description", "attributes", "confidence", "extractor", "mention_count",
			"version", "created_at", "updated_at"}},
		aliases:   {"entity_aliases", []string{"entity_id", "alias_key", "alias", "type", "source"}},
		nameGrams: {"entity_name_grams", []string{"gram", "size", "entity_id"}},
		relationships: {"relationships", []string{"id", "from_entity_id", "to_entity_id", "type", "confidence", "extractor", "evidence_count",
			"version", "created_at", "updated_at"}},
		contents: {"contents", append([]string{"id", "source_id", "guid", "identity_kind", "identity_key", "status", "revision", "duplicate_of",
			"version", "fetched_at", "updated_at"}, body...)},
		revisions:  {"content_revisions", append([]string{"content_id", "revision", "recorded_at"}, body...)},
		links:      {"duplicate_links", []string{"content_id", "duplicate_of", "reason", "score", "created_at"}},
		signatures: {"content_signatures", []string{"content_id", "key_version", "seen_at", "key0", "key1", "key2", "key3", "key4", "key5"}},
		tasks: {"enrichment_tasks", []string{"id", "content_id", "revision", "extractor", "state", "attempts", "available_at", "lease_owner",
			"lease_token", "last_error", "created_at", "updated_at", "source_id", "turn"}},
		runs: {"extraction_runs", []string{"id", "content_id", "revision", "extractor", "name", "model", "config_hash", "actor", "status", "task_id",
			"lease_token", "entities", "mentions", "relationships", "started_at", "finished_at"}},
		mentions: {"mentions", []string{"id", "content_id", "revision", "entity_id", "start_offset", "end_offset", "quote", "confidence",
			"extractor", "created_at", "type", "published_at", "run_id"}},
		evidence: {"relationship_evidence", []string{"id", "relationship_id", "content_id", "revision", "start_offset", "end_offset", "quote",
			"confidence", "extractor", "created_at", "run_id"}},
		events: {"events", []string{"tx_id", "id", "type", "subject_type", "subject_id", "data", "occurred_at"}},
		fetches: {"source_fetches", []string{"id", "source_id", "started_at", "duration_us", "outcome", "http_status", "bytes", "items_seen",
			"items_created", "items_updated", "items_failed", "error_code", "error", "warnings"}},
	}
}

// countFolded gives heads the number of the items that are folded under them,
// which is not known when a head is written.
const countFolded = `UPDATE contents SET duplicate_count = (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = contents.id)
WHERE id IN (SELECT duplicate_of FROM contents WHERE duplicate_of IS NOT NULL)`

// countGraph gives entities and relationships what follows from the rows that
// speak of them.
func countGraph() []string {
	return []string{
		`UPDATE entities SET mention_count = (SELECT COUNT(*) FROM mentions m WHERE m.entity_id = entities.id),
  first_seen_at = COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id), 0),
  last_seen_at = COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id), 0),
  degree = (SELECT COUNT(*) FROM relationships r WHERE r.from_entity_id = entities.id)
    + (SELECT COUNT(*) FROM relationships r WHERE r.to_entity_id = entities.id)`,
		"UPDATE relationships SET evidence_count = (SELECT COUNT(*) FROM relationship_evidence v WHERE v.relationship_id = relationships.id)",
		"UPDATE relationships SET weight = confidence * CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END",
	}
}

// batch is rows by table, each with values in the order of the table's columns.
type batch [tableCount][][]any

func (b *batch) add(t int, values ...any) { b[t] = append(b[t], values) }

func (b *batch) clear() {
	for t := range b {
		clear(b[t])
		b[t] = b[t][:0]
	}
}
