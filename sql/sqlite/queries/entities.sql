-- name: CreateEntity :execrows
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
VALUES (@id, @name, @name_key, @type, @description, @attributes, @confidence, @extractor, 0, @version, @created_at, @updated_at)
ON CONFLICT (type, name_key) DO NOTHING;

-- In the order of the unique key, so that concurrent transactions wait for each other in one direction.
-- name: InsertEntities :many
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
SELECT json_extract(n.value, '$.id'), json_extract(n.value, '$.name'), json_extract(n.value, '$.name_key'), json_extract(n.value, '$.type'),
  json_extract(n.value, '$.description'), json_extract(n.value, '$.attributes'), json_extract(n.value, '$.confidence'), json_extract(n.value, '$.extractor'),
  0, json_extract(n.value, '$.version'), json_extract(n.value, '$.created_at'), json_extract(n.value, '$.updated_at')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ORDER BY json_extract(n.value, '$.type'), json_extract(n.value, '$.name_key')
ON CONFLICT (type, name_key) DO NOTHING
RETURNING id;

-- name: Entity :one
SELECT id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at
FROM entities WHERE id = @id;

-- name: EntitiesByIDs :many
SELECT id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at
FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: EntitiesByNameKeys :many
SELECT e.id, e.type, e.name_key, e.merged_into
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN entities e ON e.type = json_extract(k.value, '$.type') AND e.name_key = json_extract(k.value, '$.key');

-- name: EntitiesByAliasKeys :many
SELECT a.entity_id, a.type, a.alias_key, e.merged_into
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN entity_aliases a ON a.alias_key = json_extract(k.value, '$.key') AND a.type = json_extract(k.value, '$.type')
JOIN entities e ON e.id = a.entity_id
ORDER BY a.entity_id;

-- name: EntitiesByExternalIDs :many
SELECT x.scheme, x.value, x.entity_id, e.merged_into
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN entity_external_ids x ON x.scheme = json_extract(k.value, '$.scheme') AND x.value = json_extract(k.value, '$.value')
JOIN entities e ON e.id = x.entity_id;

-- What entities were merged into in the end, themselves when into none. UNION instead of UNION ALL ends a circle.
-- name: MergeWinners :many
WITH RECURSIVE chain AS (
  SELECT e.id AS start_id, e.id AS id, e.merged_into AS next_id FROM entities e WHERE e.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
  UNION
  SELECT c.start_id, e.id, e.merged_into FROM chain c JOIN entities e ON e.id = c.next_id
)
SELECT chain.start_id, chain.id FROM chain WHERE chain.next_id IS NULL;

-- An entity and all that was merged into it, directly or not.
-- name: MergedInto :many
WITH RECURSIVE merged AS (
  SELECT e.id AS id FROM entities e WHERE e.id = @id
  UNION
  SELECT e.id FROM merged JOIN entities e ON e.merged_into = merged.id
)
SELECT merged.id FROM merged ORDER BY merged.id;

-- Postgres locks the rows here, in the order of their ids.
-- name: LockEntities :many
SELECT id, confidence, merged_into FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) ORDER BY id;

-- name: RaiseEntityConfidence :exec
UPDATE entities SET confidence = @confidence, version = version + 1, updated_at = @updated_at
WHERE id = @id AND confidence < @confidence;

-- name: TouchEntities :exec
UPDATE entities SET version = version + 1, updated_at = @updated_at WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: UpdateEntity :one
UPDATE entities SET name = @name, name_key = @name_key, type = @type, description = @description, attributes = @attributes,
  confidence = @confidence, version = version + 1, updated_at = @updated_at
WHERE id = @id AND version = @version
RETURNING id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at;

-- The other ends of the active relationships of entities, once for each relationship.
-- name: ActiveNeighbors :many
SELECT r.to_entity_id AS id FROM relationships r WHERE r.status = 'active' AND r.from_entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
UNION ALL
SELECT r.from_entity_id FROM relationships r WHERE r.status = 'active' AND r.to_entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: DeleteEntity :execrows
DELETE FROM entities WHERE id = @id;
