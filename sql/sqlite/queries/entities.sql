-- name: CreateEntity :execrows
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
VALUES (@id, @name, @name_key, @type, @description, @attributes, @confidence, @extractor, 0, @version, @created_at, @updated_at)
ON CONFLICT (type, name_key) DO NOTHING;

-- In the order of the unique key, so that concurrent transactions wait for each other in one direction.
-- name: InsertEntities :many
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
SELECT json_extract(value, '$.id'), json_extract(value, '$.name'), json_extract(value, '$.name_key'), json_extract(value, '$.type'),
  json_extract(value, '$.description'), json_extract(value, '$.attributes'), json_extract(value, '$.confidence'), json_extract(value, '$.extractor'),
  0, json_extract(value, '$.version'), json_extract(value, '$.created_at'), json_extract(value, '$.updated_at')
FROM json_each(CAST(@rows_json AS TEXT)) WHERE TRUE
ORDER BY json_extract(value, '$.type'), json_extract(value, '$.name_key')
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
SELECT e.id, e.type, e.name_key
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN entities e ON e.type = json_extract(k.value, '$.type') AND e.name_key = json_extract(k.value, '$.key');

-- name: EntitiesByAliasKeys :many
SELECT a.entity_id, a.type, a.alias_key
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN entity_aliases a ON a.alias_key = json_extract(k.value, '$.key') AND a.type = json_extract(k.value, '$.type')
ORDER BY a.entity_id;

-- Postgres locks the rows here, in the order of their ids.
-- name: LockEntities :many
SELECT id, confidence FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) ORDER BY id;

-- name: RaiseEntityConfidence :exec
UPDATE entities SET confidence = @confidence, version = version + 1, updated_at = @updated_at
WHERE id = @id AND confidence < @confidence;

-- name: UpdateEntity :one
UPDATE entities SET name = @name, name_key = @name_key, type = @type, description = @description, attributes = @attributes,
  confidence = @confidence, version = version + 1, updated_at = @updated_at
WHERE id = @id AND version = @version
RETURNING id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at;

-- name: DeleteEntity :execrows
DELETE FROM entities WHERE id = @id;

-- name: EntityAliases :many
SELECT entity_id, alias_key, alias, type, language, source FROM entity_aliases
WHERE entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
ORDER BY entity_id, alias_key;

-- name: InsertAliases :exec
INSERT INTO entity_aliases (entity_id, alias_key, alias, type)
SELECT json_extract(value, '$.entity_id'), json_extract(value, '$.alias_key'), json_extract(value, '$.alias'), json_extract(value, '$.type')
FROM json_each(CAST(@rows_json AS TEXT)) WHERE TRUE
ON CONFLICT (entity_id, alias_key) DO NOTHING;

-- name: DeleteAliases :exec
DELETE FROM entity_aliases WHERE entity_id = @entity_id;
