-- name: CreateEntity :execrows
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
VALUES (@id, @name, @name_key, @type, @description, @attributes, @confidence, @extractor, 0, @version, @created_at, @updated_at)
ON CONFLICT (type, name_key) DO NOTHING;

-- In the order of the unique key, so that concurrent transactions wait for each other in one direction.
-- name: InsertEntities :many
INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at)
SELECT n.id, n.name, n.name_key, n.type,
  n.description, n.attributes, n.confidence, n.extractor,
  0, n.version, n.created_at, n.updated_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (id TEXT, name TEXT, name_key TEXT, type TEXT, description TEXT, attributes TEXT, confidence DOUBLE PRECISION, extractor TEXT, version BIGINT, created_at BIGINT, updated_at BIGINT)
ORDER BY n.type, n.name_key
ON CONFLICT (type, name_key) DO NOTHING
RETURNING id;

-- name: Entity :one
SELECT id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at
FROM entities WHERE id = @id;

-- name: EntitiesByIDs :many
SELECT id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at,
  status, merged_into, degree, first_seen_at, last_seen_at
FROM entities WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: EntitiesByNameKeys :many
SELECT e.id, e.type, e.name_key
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (type TEXT, "key" TEXT)
JOIN entities e ON e.type = k.type AND e.name_key = k."key";

-- name: EntitiesByAliasKeys :many
SELECT a.entity_id, a.type, a.alias_key
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k ("key" TEXT, type TEXT)
JOIN entity_aliases a ON a.alias_key = k."key" AND a.type = k.type
ORDER BY a.entity_id;

-- Postgres locks the rows here, in the order of their ids.
-- name: LockEntities :many
SELECT id, confidence FROM entities WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) ORDER BY id FOR NO KEY UPDATE;

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
WHERE entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
ORDER BY entity_id, alias_key;

-- name: InsertAliases :exec
INSERT INTO entity_aliases (entity_id, alias_key, alias, type)
SELECT n.entity_id, n.alias_key, n.alias, n.type
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (entity_id TEXT, alias_key TEXT, alias TEXT, type TEXT)
ON CONFLICT (entity_id, alias_key) DO NOTHING;

-- name: DeleteAliases :exec
DELETE FROM entity_aliases WHERE entity_id = @entity_id;
