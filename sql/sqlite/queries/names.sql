-- name: EntityAliases :many
SELECT entity_id, alias_key, alias, type, language, source FROM entity_aliases
WHERE entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
ORDER BY entity_id, alias_key;

-- name: AliasPage :many
SELECT entity_id, alias_key, alias, type, language, source FROM entity_aliases
WHERE entity_id = @entity_id AND alias_key > @after_key
ORDER BY alias_key LIMIT @row_limit;

-- What a person wrote: an alias that is there keeps its language and its source.
-- name: SetAliases :exec
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source)
SELECT json_extract(n.value, '$.entity_id'), json_extract(n.value, '$.alias_key'), json_extract(n.value, '$.alias'), json_extract(n.value, '$.type'),
  json_extract(n.value, '$.language'), json_extract(n.value, '$.source')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ON CONFLICT (entity_id, alias_key) DO UPDATE SET alias = excluded.alias, type = excluded.type;

-- What an extractor found: not what is a name or an alias of an entity of that type already, and not without bound.
-- name: AddFoundAliases :many
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source)
SELECT e.id, json_extract(n.value, '$.alias_key'), json_extract(n.value, '$.alias'), e.type,
  json_extract(n.value, '$.language'), json_extract(n.value, '$.source')
FROM json_each(CAST(@rows_json AS TEXT)) AS n
JOIN entities e ON e.id = json_extract(n.value, '$.entity_id')
WHERE NOT EXISTS (SELECT 1 FROM entities o WHERE o.type = e.type AND o.name_key = json_extract(n.value, '$.alias_key'))
  AND NOT EXISTS (SELECT 1 FROM entity_aliases a WHERE a.alias_key = json_extract(n.value, '$.alias_key') AND a.type = e.type)
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
DELETE FROM entity_aliases WHERE entity_id = @entity_id AND NOT (alias_key IN (SELECT value FROM json_each(CAST(@keys AS TEXT))));

-- name: ExternalIDs :many
SELECT scheme, value, entity_id FROM entity_external_ids
WHERE entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
ORDER BY entity_id, scheme, value;

-- In the order of the key, so that concurrent transactions wait for each other in one direction.
-- name: InsertExternalIDs :many
INSERT INTO entity_external_ids (scheme, value, entity_id)
SELECT json_extract(n.value, '$.scheme'), json_extract(n.value, '$.value'), json_extract(n.value, '$.entity_id')
FROM json_each(CAST(@rows_json AS TEXT)) AS n
WHERE (SELECT COUNT(*) FROM entity_external_ids x WHERE x.entity_id = json_extract(n.value, '$.entity_id')) < 100
ORDER BY json_extract(n.value, '$.scheme'), json_extract(n.value, '$.value')
ON CONFLICT (scheme, value) DO NOTHING
RETURNING scheme, value, entity_id;

-- name: DeleteExternalID :exec
DELETE FROM entity_external_ids WHERE scheme = @scheme AND value = @value AND entity_id = @entity_id;

-- The normalised names and aliases of entities.
-- name: NameKeys :many
SELECT e.id AS entity_id, e.name_key FROM entities e WHERE e.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
UNION
SELECT a.entity_id, a.alias_key FROM entity_aliases a WHERE a.entity_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: InsertNameGrams :exec
INSERT INTO entity_name_grams (gram, size, entity_id)
SELECT g.value, json_extract(n.value, '$.size'), json_extract(n.value, '$.entity_id')
FROM json_each(CAST(@rows_json AS TEXT)) AS n JOIN json_each(json_extract(n.value, '$.grams')) AS g WHERE TRUE
ON CONFLICT (gram, size, entity_id) DO NOTHING;

-- name: DeleteNameGrams :exec
DELETE FROM entity_name_grams WHERE entity_id = @entity_id AND size = @size AND gram IN (SELECT value FROM json_each(CAST(@grams AS TEXT)));

-- How many names of these lengths have a gram, counted to a bound.
-- name: NameGramCounts :many
SELECT CAST(q.key AS BIGINT) AS place, CAST((SELECT COUNT(*) FROM (
  SELECT 1 FROM entity_name_grams g WHERE g.gram = json_extract(q.value, '$.gram')
    AND g.size >= json_extract(q.value, '$.low') AND g.size <= json_extract(q.value, '$.high') LIMIT @most) AS t) AS BIGINT) AS name_count
FROM json_each(CAST(@grams AS TEXT)) AS q;

-- The active entities with names that differ from others in their spaces only, see kgl.NameSpelling.
-- name: EntitiesSpelled :many
SELECT g.gram, g.entity_id, e.type FROM entity_name_grams g JOIN entities e ON e.id = g.entity_id
WHERE g.gram IN (SELECT value FROM json_each(CAST(@spellings AS TEXT))) AND e.status = 'active'
ORDER BY g.gram, e.degree DESC, e.id, g.size LIMIT @row_limit;

-- name: ActiveEntitiesByNames :many
SELECT e.id, e.name, e.name_key
FROM entities e WHERE e.name_key IN (SELECT value FROM json_each(CAST(@keys AS TEXT))) AND e.status = 'active'
ORDER BY e.name_key, e.degree DESC, e.id;

-- name: ActiveEntitiesByAliases :many
SELECT e.id, a.alias, a.alias_key
FROM entity_aliases a JOIN entities e ON e.id = a.entity_id
WHERE a.alias_key IN (SELECT value FROM json_each(CAST(@keys AS TEXT))) AND e.status = 'active'
ORDER BY a.alias_key, e.degree DESC, e.id;
