DROP TABLE extraction_requests;
DROP TABLE source_consents;

DROP INDEX IF EXISTS enrichment_tasks_ready;
DROP INDEX IF EXISTS enrichment_tasks_later;
DROP INDEX IF EXISTS enrichment_tasks_turn;
DROP INDEX IF EXISTS enrichment_tasks_source;
DROP INDEX IF EXISTS enrichment_tasks_list;
DROP INDEX IF EXISTS enrichment_tasks_updated;
DROP INDEX IF EXISTS enrichment_tasks_lane;
DROP INDEX IF EXISTS enrichment_tasks_leased;
UPDATE enrichment_tasks SET state = 'pending' WHERE state IN ('waiting', 'withheld');
ALTER TABLE enrichment_tasks DROP CONSTRAINT enrichment_tasks_state_check;
ALTER TABLE enrichment_tasks ADD CONSTRAINT enrichment_tasks_state_check CHECK (state IN ('pending', 'leased', 'done', 'dead'));
ALTER TABLE enrichment_tasks DROP COLUMN turn;
ALTER TABLE enrichment_tasks DROP COLUMN priority;
ALTER TABLE enrichment_tasks DROP COLUMN source_id;
ALTER TABLE enrichment_tasks DROP COLUMN kind;
CREATE INDEX IF NOT EXISTS enrichment_tasks_open ON enrichment_tasks (extractor, available_at, id) WHERE state IN ('pending', 'leased');

DROP INDEX IF EXISTS relationship_evidence_origin;
ALTER TABLE relationship_evidence DROP COLUMN origin_id;
DROP INDEX IF EXISTS relationship_evidence_run;
ALTER TABLE relationship_evidence DROP COLUMN run_id;

DROP INDEX IF EXISTS relationships_type_weight;
DROP INDEX IF EXISTS relationships_hidden_weight;
DROP INDEX IF EXISTS relationships_hidden;
DROP INDEX IF EXISTS relationships_origin_to;
DROP INDEX IF EXISTS relationships_origin_from;
DROP INDEX IF EXISTS relationships_weight;
DROP INDEX IF EXISTS relationships_in;
DROP INDEX IF EXISTS relationships_out;
DROP INDEX IF EXISTS relationships_merged_into;
ALTER TABLE relationships DROP COLUMN rejected;
ALTER TABLE relationships DROP COLUMN own_confidence;
ALTER TABLE relationships DROP COLUMN origin_to_id;
ALTER TABLE relationships DROP COLUMN origin_from_id;
ALTER TABLE relationships DROP COLUMN valid_to;
ALTER TABLE relationships DROP COLUMN valid_from;
ALTER TABLE relationships DROP COLUMN fact;
ALTER TABLE relationships DROP COLUMN weight;
ALTER TABLE relationships DROP COLUMN merged_into;
ALTER TABLE relationships DROP COLUMN status;

DROP INDEX IF EXISTS mentions_run;
DROP INDEX IF EXISTS mentions_origin;
ALTER TABLE mentions DROP COLUMN origin_id;
DROP INDEX IF EXISTS mentions_seen;
ALTER TABLE mentions DROP COLUMN run_id;
ALTER TABLE mentions DROP COLUMN published_at;
ALTER TABLE mentions DROP COLUMN salience;
ALTER TABLE mentions DROP COLUMN type;

DROP TABLE extraction_runs;
DROP TABLE entity_merge_losers;
DROP TABLE entity_merges;
DROP TABLE entity_name_grams;
DROP TABLE entity_external_ids;
DROP INDEX IF EXISTS entity_aliases_origin;
ALTER TABLE entity_aliases DROP COLUMN origin_id;
ALTER TABLE entity_aliases DROP COLUMN source;
ALTER TABLE entity_aliases DROP COLUMN language;

DROP INDEX IF EXISTS entities_inactive;
DROP INDEX IF EXISTS entities_type_seen;
DROP INDEX IF EXISTS entities_seen;
DROP INDEX IF EXISTS entities_type_degree;
DROP INDEX IF EXISTS entities_degree;
DROP INDEX IF EXISTS entities_merged_into;
ALTER TABLE entities DROP COLUMN last_seen_at;
ALTER TABLE entities DROP COLUMN first_seen_at;
ALTER TABLE entities DROP COLUMN degree;
ALTER TABLE entities DROP COLUMN merged_into;
ALTER TABLE entities DROP COLUMN status;

INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
