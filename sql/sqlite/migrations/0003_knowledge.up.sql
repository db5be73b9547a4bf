-- What a person decided about an entity, what it was merged into, and how it is connected. first_seen_at and last_seen_at
-- are the times of publication of the oldest and the newest item that mentions it; 0 for none.
ALTER TABLE entities ADD COLUMN status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'merged', 'rejected'));
ALTER TABLE entities ADD COLUMN merged_into TEXT REFERENCES entities (id) ON DELETE CASCADE;
ALTER TABLE entities ADD COLUMN degree BIGINT NOT NULL DEFAULT 0;
ALTER TABLE entities ADD COLUMN first_seen_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE entities ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX entities_merged_into ON entities (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX entities_degree ON entities (degree, id);
CREATE INDEX entities_type_degree ON entities (type, degree, id);
CREATE INDEX entities_seen ON entities (last_seen_at, id);
CREATE INDEX entities_type_seen ON entities (type, last_seen_at, id);
-- They are few.
CREATE INDEX entities_inactive ON entities (status, id) WHERE status <> 'active';

-- language is a BCP 47 tag or empty; source is the extractor or 'manual' or 'merge'.
ALTER TABLE entity_aliases ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE entity_aliases ADD COLUMN source TEXT NOT NULL DEFAULT '';

-- Names of entities elsewhere: a Wikidata item, a domain, a channel.
CREATE TABLE entity_external_ids (
  scheme TEXT NOT NULL,
  value TEXT NOT NULL,
  entity_id TEXT NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  PRIMARY KEY (scheme, value)
);
CREATE INDEX entity_external_ids_entity ON entity_external_ids (entity_id, scheme, value);

-- What names and aliases are found by: their trigrams, padded with two spaces before and one behind, and, behind a slash, the
-- name without its spaces. size is the number of characters of the name. The rows follow from the names; there are many, so
-- that they have no second index, which a foreign key would need, and whoever deletes an entity deletes them by their key.
CREATE TABLE entity_name_grams (
  gram TEXT NOT NULL,
  size BIGINT NOT NULL,
  entity_id TEXT NOT NULL,
  PRIMARY KEY (gram, size, entity_id)
) WITHOUT ROWID;

-- Merges of entities: who merged what, why, and how many rows moved. Undone ones are kept.
CREATE TABLE entity_merges (
  id TEXT NOT NULL PRIMARY KEY,
  winner_id TEXT NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  mentions BIGINT NOT NULL,
  relationships BIGINT NOT NULL,
  evidence BIGINT NOT NULL,
  aliases BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  undone_at BIGINT,
  undone_by TEXT NOT NULL
);
CREATE INDEX entity_merges_winner ON entity_merges (winner_id, created_at, id);
CREATE INDEX entity_merges_created ON entity_merges (created_at, id);

CREATE TABLE entity_merge_losers (
  merge_id TEXT NOT NULL REFERENCES entity_merges (id) ON DELETE CASCADE,
  entity_id TEXT NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  PRIMARY KEY (merge_id, entity_id)
);
CREATE INDEX entity_merge_losers_entity ON entity_merge_losers (entity_id, merge_id);

-- Whose row a merge moved here; nothing when it did not. All that undoing a merge needs stands with the rows, so that merges
-- can be undone in any order.
ALTER TABLE entity_aliases ADD COLUMN origin_id TEXT REFERENCES entities (id) ON DELETE SET NULL;
CREATE INDEX entity_aliases_origin ON entity_aliases (origin_id) WHERE origin_id IS NOT NULL;
ALTER TABLE entity_external_ids ADD COLUMN origin_id TEXT REFERENCES entities (id) ON DELETE SET NULL;
CREATE INDEX entity_external_ids_origin ON entity_external_ids (origin_id) WHERE origin_id IS NOT NULL;

-- Results of extractors. One of an item and an extractor's name is the current one; the next replaces it and takes back
-- what it found.
CREATE TABLE extraction_runs (
  id TEXT NOT NULL PRIMARY KEY,
  content_id TEXT NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  extractor TEXT NOT NULL,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  actor TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('current', 'superseded', 'retracted')),
  task_id TEXT NOT NULL,
  lease_token BIGINT NOT NULL,
  entities BIGINT NOT NULL,
  mentions BIGINT NOT NULL,
  relationships BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE UNIQUE INDEX extraction_runs_current ON extraction_runs (content_id, name) WHERE status = 'current';
CREATE UNIQUE INDEX extraction_runs_task ON extraction_runs (task_id, lease_token) WHERE task_id <> '';
CREATE INDEX extraction_runs_content ON extraction_runs (content_id, finished_at, id);
CREATE INDEX extraction_runs_finished ON extraction_runs (finished_at, id);
CREATE INDEX extraction_runs_name ON extraction_runs (name, finished_at, id);
CREATE INDEX extraction_runs_status ON extraction_runs (status, finished_at, id);

-- type is what the extractor took the entity for; salience is from 0 to 1, 0 for unknown; published_at is that of the item.
ALTER TABLE mentions ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE mentions ADD COLUMN salience DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE mentions ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mentions ADD COLUMN run_id TEXT REFERENCES extraction_runs (id) ON DELETE SET NULL;
ALTER TABLE mentions ADD COLUMN origin_id TEXT REFERENCES entities (id) ON DELETE SET NULL;
CREATE INDEX mentions_origin ON mentions (origin_id) WHERE origin_id IS NOT NULL;
CREATE INDEX mentions_seen ON mentions (entity_id, published_at, content_id, id);
CREATE INDEX mentions_run ON mentions (run_id) WHERE run_id IS NOT NULL;

-- Only active relationships are part of the graph: a person rejected a rejected one, an end of a suppressed one is not active,
-- a merged one is the same as merged_into and stands at its own ends. rejected says so of merged ones too. own_confidence is
-- the confidence without that of the ones that were merged into it, when it differs. weight is confidence times pieces of evidence, at least one. The times are as
-- the text says: a year, a month or a day.
ALTER TABLE relationships ADD COLUMN status TEXT NOT NULL DEFAULT 'active'
  CHECK (status IN ('active', 'rejected', 'suppressed', 'merged'));
ALTER TABLE relationships ADD COLUMN merged_into TEXT REFERENCES relationships (id) ON DELETE SET NULL;
ALTER TABLE relationships ADD COLUMN weight DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE relationships ADD COLUMN fact TEXT NOT NULL DEFAULT '';
ALTER TABLE relationships ADD COLUMN valid_from TEXT NOT NULL DEFAULT '';
ALTER TABLE relationships ADD COLUMN valid_to TEXT NOT NULL DEFAULT '';
ALTER TABLE relationships ADD COLUMN origin_from_id TEXT REFERENCES entities (id) ON DELETE SET NULL;
ALTER TABLE relationships ADD COLUMN origin_to_id TEXT REFERENCES entities (id) ON DELETE SET NULL;
ALTER TABLE relationships ADD COLUMN own_confidence DOUBLE PRECISION;
ALTER TABLE relationships ADD COLUMN rejected BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE relationships SET weight = confidence * CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END;
CREATE INDEX relationships_merged_into ON relationships (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX relationships_origin_from ON relationships (origin_from_id) WHERE origin_from_id IS NOT NULL;
CREATE INDEX relationships_origin_to ON relationships (origin_to_id) WHERE origin_to_id IS NOT NULL;
CREATE INDEX relationships_hidden ON relationships (status, created_at, id) WHERE status <> 'active';
CREATE INDEX relationships_hidden_weight ON relationships (status, weight, id) WHERE status <> 'active';
-- They hold all that a step through the graph reads.
CREATE INDEX relationships_out ON relationships (from_entity_id, weight DESC, to_entity_id, id, type, confidence) WHERE status = 'active';
CREATE INDEX relationships_in ON relationships (to_entity_id, weight DESC, from_entity_id, id, type, confidence) WHERE status = 'active';
CREATE INDEX relationships_weight ON relationships (weight, id);
CREATE INDEX relationships_type_weight ON relationships (type, weight, id);

ALTER TABLE relationship_evidence ADD COLUMN run_id TEXT REFERENCES extraction_runs (id) ON DELETE SET NULL;
ALTER TABLE relationship_evidence ADD COLUMN origin_id TEXT REFERENCES relationships (id) ON DELETE SET NULL;
CREATE INDEX relationship_evidence_origin ON relationship_evidence (origin_id) WHERE origin_id IS NOT NULL;
CREATE INDEX relationship_evidence_run ON relationship_evidence (run_id) WHERE run_id IS NOT NULL;

UPDATE entities SET degree = (SELECT COUNT(*) FROM relationships r WHERE r.from_entity_id = entities.id)
  + (SELECT COUNT(*) FROM relationships r WHERE r.to_entity_id = entities.id);
UPDATE mentions SET published_at = COALESCE((SELECT c.published_at FROM contents c WHERE c.id = mentions.content_id), 0),
  type = COALESCE((SELECT e.type FROM entities e WHERE e.id = mentions.entity_id), '');
UPDATE entities SET first_seen_at = COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id), 0),
  last_seen_at = COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id), 0);

INSERT INTO entity_name_grams (gram, size, entity_id)
WITH RECURSIVE names AS (
  SELECT id AS entity_id, name_key AS name_key FROM entities UNION SELECT entity_id, alias_key FROM entity_aliases
), places AS (
  SELECT entity_id AS entity_id, name_key AS name_key, 1 AS place FROM names
  UNION ALL
  SELECT entity_id, name_key, place + 1 FROM places WHERE place <= length(name_key)
)
SELECT DISTINCT substr('  ' || name_key || ' ', place, 3), length(name_key), entity_id FROM places;

INSERT INTO entity_name_grams (gram, size, entity_id)
SELECT DISTINCT '/' || replace(n.name_key, ' ', ''), length(n.name_key), n.entity_id
FROM (SELECT id AS entity_id, name_key FROM entities UNION SELECT entity_id, alias_key FROM entity_aliases) AS n;

-- Work: kind is what is asked for, source_id whose item it is, turn the order that is fair between sources. A waiting task is
-- not due yet, a withheld one is of a source that does not allow it.
CREATE TABLE enrichment_tasks_after (
  id TEXT NOT NULL PRIMARY KEY,
  content_id TEXT NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  extractor TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'waiting', 'leased', 'withheld', 'done', 'dead')),
  attempts BIGINT NOT NULL,
  available_at BIGINT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_token BIGINT NOT NULL,
  lease_until BIGINT,
  last_error TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'extract',
  source_id TEXT NOT NULL DEFAULT '',
  priority BIGINT NOT NULL DEFAULT 0,
  turn BIGINT NOT NULL DEFAULT 0,
  UNIQUE (content_id, revision, extractor)
);
INSERT INTO enrichment_tasks_after (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
  last_error, created_at, updated_at, kind, source_id, priority, turn)
SELECT t.id, t.content_id, t.revision, t.extractor, CASE WHEN t.state = 'pending' AND t.attempts > 0 THEN 'waiting' ELSE t.state END, t.attempts,
  t.available_at, t.lease_owner, t.lease_token, t.lease_until, t.last_error, t.created_at, t.updated_at, 'extract',
  COALESCE((SELECT c.source_id FROM contents c WHERE c.id = t.content_id), ''), 0, 0
FROM enrichment_tasks t;
DROP TABLE enrichment_tasks;
ALTER TABLE enrichment_tasks_after RENAME TO enrichment_tasks;
CREATE INDEX enrichment_tasks_ready ON enrichment_tasks (extractor, priority DESC, turn, id) WHERE state = 'pending';
CREATE INDEX enrichment_tasks_later ON enrichment_tasks (extractor, available_at, id) WHERE state IN ('waiting', 'leased');
CREATE INDEX enrichment_tasks_turn ON enrichment_tasks (source_id, extractor, priority, turn) WHERE state = 'pending';
CREATE INDEX enrichment_tasks_leased ON enrichment_tasks (lease_owner) WHERE state = 'leased';
CREATE INDEX enrichment_tasks_source ON enrichment_tasks (source_id, updated_at, id);
CREATE INDEX enrichment_tasks_list ON enrichment_tasks (state, updated_at, id);
CREATE INDEX enrichment_tasks_updated ON enrichment_tasks (updated_at, id);
CREATE INDEX enrichment_tasks_lane ON enrichment_tasks (extractor, state, updated_at, id);

-- What may be done with the items of a source; without a row everything may.
CREATE TABLE source_consents (
  source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL CHECK (purpose IN ('ai_processing', 'publication')),
  allowed BOOLEAN NOT NULL,
  decided_at BIGINT NOT NULL,
  decided_by TEXT NOT NULL,
  PRIMARY KEY (source_id, purpose)
);

-- Extractions that somebody asked for and waits for, of an item or of a text that is not stored otherwise.
CREATE TABLE extraction_requests (
  id TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  content_id TEXT REFERENCES contents (id) ON DELETE CASCADE,
  text TEXT NOT NULL,
  language TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed')),
  attempts BIGINT NOT NULL,
  lease_until BIGINT,
  result TEXT NOT NULL,
  run_id TEXT REFERENCES extraction_runs (id) ON DELETE SET NULL,
  failure TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  finished_at BIGINT,
  expires_at BIGINT NOT NULL
);
CREATE INDEX extraction_requests_open ON extraction_requests (created_at, id) WHERE status IN ('pending', 'running');
CREATE INDEX extraction_requests_expires ON extraction_requests (expires_at);
CREATE INDEX extraction_requests_content ON extraction_requests (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX extraction_requests_run ON extraction_requests (run_id) WHERE run_id IS NOT NULL;

INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
