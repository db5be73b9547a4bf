-- name: EntityAliases :many
SELECT entity_id, alias_key, alias, type, language, source FROM entity_aliases
WHERE entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
ORDER BY entity_id, alias_key;

-- name: AliasPage :many
SELECT entity_id, alias_key, alias, type, language, source FROM entity_aliases
WHERE entity_id = @entity_id AND alias_key > @after_key
ORDER BY alias_key LIMIT @row_limit::bigint;

-- What a person wrote: an alias that is there keeps its language and its source.
-- name: SetAliases :exec
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source)
SELECT n.entity_id, n.alias_key, n.alias, n.type,
  n.language, n.source
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (entity_id TEXT, alias_key TEXT, alias TEXT, type TEXT, language TEXT, source TEXT) WHERE TRUE
ON CONFLICT (entity_id, alias_key) DO UPDATE SET alias = excluded.alias, type = excluded.type;

-- What an extractor found: not what is a name or an alias of an entity of that type already, and not without bound.
-- name: AddFoundAliases :many
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source)
SELECT e.id, n.alias_key, n.alias, e.type,
  n.language, n.source
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (entity_id TEXT, alias_key TEXT, alias TEXT, language TEXT, source TEXT)
JOIN entities e ON e.id = n.entity_id
WHERE NOT EXISTS (SELECT 1 FROM entities o WHERE o.type = e.type AND o.name_key = n.alias_key)
  AND NOT EXISTS (SELECT 1 FROM entity_aliases a WHERE a.alias_key = n.alias_key AND a.type = e.type)
  AND (SELECT COUNT(*) FROM entity_aliases b WHERE b.entity_id = e.id) < 100
ON CONFLICT (entity_id, alias_key) DO NOTHING
RETURNING entity_id, alias_key;

-- name: AddAlias :execrows
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source)
VALUES (@entity_id, @alias_key, @alias, @type, @language, @source)
ON CONFLICT (entity_id, alias_key) DO NOTHING;

-- name: RemoveAlias :execrows
DELETE FROM entity_aliases WHERE entity_id = @entity_id AND alias_key = @alias_key;

-- name: KeepAliases :exec
DELETE FROM entity_aliases WHERE entity_id = @entity_id AND NOT (alias_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB)))));

-- name: ExternalIDs :many
SELECT scheme, value, entity_id FROM entity_external_ids
WHERE entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
ORDER BY entity_id, scheme, value;

-- In the order of the key, so that concurrent transactions wait for each other in one direction.
-- name: InsertExternalIDs :many
INSERT INTO entity_external_ids (scheme, value, entity_id)
SELECT n.scheme, n.value, n.entity_id
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (scheme TEXT, value TEXT, entity_id TEXT)
WHERE (SELECT COUNT(*) FROM entity_external_ids x WHERE x.entity_id = n.entity_id) < 100
ORDER BY n.scheme, n.value
ON CONFLICT (scheme, value) DO NOTHING
RETURNING scheme, value, entity_id;

-- name: DeleteExternalID :exec
DELETE FROM entity_external_ids WHERE scheme = @scheme AND value = @value AND entity_id = @entity_id;

-- The normalised names and aliases of entities.
-- name: NameKeys :many
SELECT e.id AS entity_id, e.name_key FROM entities e WHERE e.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
UNION
SELECT a.entity_id, a.alias_key FROM entity_aliases a WHERE a.entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: InsertNameGrams :exec
INSERT INTO entity_name_grams (gram, size, entity_id)
SELECT g.gram, n.size, n.entity_id
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (size BIGINT, entity_id TEXT, grams JSONB)
CROSS JOIN LATERAL jsonb_array_elements_text(n.grams) AS g (gram)
ON CONFLICT (gram, size, entity_id) DO NOTHING;

-- name: DeleteNameGrams :exec
DELETE FROM entity_name_grams WHERE entity_id = @entity_id AND size = @size AND gram = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@grams AS TEXT) AS JSONB))));

-- How many names of these lengths have a gram, counted to a bound.
-- name: NameGramCounts :many
SELECT CAST(q.place - 1 AS BIGINT) AS place, CAST((SELECT COUNT(*) FROM (
  SELECT 1 FROM entity_name_grams g WHERE g.gram = (q.value ->> 'gram')
    AND g.size >= CAST(q.value ->> 'low' AS BIGINT) AND g.size <= CAST(q.value ->> 'high' AS BIGINT) LIMIT @most::bigint) AS t) AS BIGINT) AS name_count
FROM jsonb_array_elements(CAST(CAST(@grams AS TEXT) AS JSONB)) WITH ORDINALITY AS q (value, place);

-- The active entities with names that differ from others in their spaces only, see kgl.NameSpelling.
-- name: EntitiesSpelled :many
SELECT g.gram, g.entity_id, e.type FROM entity_name_grams g JOIN entities e ON e.id = g.entity_id
WHERE g.gram = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@spellings AS TEXT) AS JSONB)))) AND e.status = 'active'
ORDER BY g.gram, e.degree DESC, e.id, g.size LIMIT @row_limit::bigint;

-- name: ActiveEntitiesByNames :many
SELECT e.id, e.name, e.name_key
FROM entities e WHERE e.name_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB)))) AND e.status = 'active'
ORDER BY e.name_key, e.degree DESC, e.id;

-- name: ActiveEntitiesByAliases :many
SELECT e.id, a.alias, a.alias_key
FROM entity_aliases a JOIN entities e ON e.id = a.entity_id
WHERE a.alias_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB)))) AND e.status = 'active'
ORDER BY a.alias_key, e.degree DESC, e.id;
