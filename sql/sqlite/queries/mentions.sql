-- name: DeleteMentions :many
DELETE FROM mentions WHERE content_id = @content_id AND extractor = @extractor
RETURNING entity_id;

-- What the extractor does not say is taken from the item and the entity. Of an unknown one the foreign key speaks.
-- name: InsertMentions :many
INSERT INTO mentions (id, content_id, revision, entity_id, start_offset, end_offset, quote, confidence, extractor, created_at,
  type, salience, published_at, run_id)
SELECT json_extract(n.value, '$.id'), json_extract(n.value, '$.content_id'), json_extract(n.value, '$.revision'), json_extract(n.value, '$.entity_id'),
  json_extract(n.value, '$.start_offset'), json_extract(n.value, '$.end_offset'), json_extract(n.value, '$.quote'), json_extract(n.value, '$.confidence'),
  json_extract(n.value, '$.extractor'), json_extract(n.value, '$.created_at'),
  COALESCE(NULLIF(json_extract(n.value, '$.type'), ''), e.type, ''), json_extract(n.value, '$.salience'), COALESCE(c.published_at, 0),
  json_extract(n.value, '$.run_id')
FROM json_each(CAST(@rows_json AS TEXT)) AS n
LEFT JOIN contents c ON c.id = json_extract(n.value, '$.content_id')
LEFT JOIN entities e ON e.id = json_extract(n.value, '$.entity_id')
WHERE TRUE
ON CONFLICT (content_id, entity_id, extractor, start_offset, end_offset) DO NOTHING
RETURNING entity_id;

-- name: DeleteRunMentions :many
DELETE FROM mentions WHERE run_id = @run_id
RETURNING entity_id;

-- Of an extractor in any version, from before there were runs.
-- name: DeleteExtractorMentions :many
DELETE FROM mentions
WHERE content_id = @content_id AND run_id IS NULL
  AND (extractor = @name OR substr(extractor, 1, length(CAST(@name AS TEXT)) + 1) = CAST(@name AS TEXT) || '@')
RETURNING entity_id;

-- Removes the mentions of an item whoever made them.
-- name: DeleteContentMentions :many
DELETE FROM mentions WHERE content_id = @content_id
RETURNING entity_id;

-- name: DeleteSourceMentions :many
DELETE FROM mentions WHERE content_id IN (SELECT c.id FROM contents c WHERE c.source_id = @source_id)
RETURNING entity_id;

-- Adds to the counter instead of counting anew: right under concurrency, and cheap for an entity with many mentions. The
-- times are ends of an index.
-- name: AddMentionCount :exec
UPDATE entities SET mention_count = mention_count + @delta,
  first_seen_at = COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0),
  last_seen_at = COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0)
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- Of entities that lost as many mentions as they got.
-- name: RefreshSeenTimes :exec
UPDATE entities SET
  first_seen_at = COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0),
  last_seen_at = COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0)
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
  AND (first_seen_at <> COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0)
    OR last_seen_at <> COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0));

-- name: ContentEntities :many
SELECT e.id, e.name, e.name_key, e.type, e.description, e.attributes, e.confidence, e.extractor, e.mention_count, e.version, e.created_at, e.updated_at,
  e.status, e.merged_into, e.degree, e.first_seen_at, e.last_seen_at
FROM entities e
WHERE e.id IN (SELECT m.entity_id FROM mentions m WHERE m.content_id = @content_id) AND e.status = 'active'
  AND (e.name_key > @after_key OR (e.name_key = @after_key AND e.id > @after_id))
ORDER BY e.name_key, e.id LIMIT @row_limit;

-- At most 100 of each entity, in the order of the text.
-- name: MentionsOfEntities :many
SELECT r.id, r.content_id, r.revision, r.entity_id, r.start_offset, r.end_offset, r.quote, r.confidence, r.extractor, r.created_at,
  r.type, r.salience, r.published_at, r.run_id
FROM (
  SELECT m.id, m.content_id, m.revision, m.entity_id, m.start_offset, m.end_offset, m.quote, m.confidence, m.extractor, m.created_at,
    m.type, m.salience, m.published_at, m.run_id,
    CAST(ROW_NUMBER() OVER (PARTITION BY m.entity_id ORDER BY m.start_offset, m.end_offset, m.id) AS BIGINT) AS place
  FROM mentions m
  WHERE m.content_id = @content_id AND m.entity_id IN (SELECT value FROM json_each(CAST(@entity_ids AS TEXT)))
) AS r
WHERE r.place <= 100
ORDER BY r.entity_id, r.place;

-- Newest publication first; those of one item together.
-- name: MentionsOfEntity :many
SELECT m.id, m.content_id, m.revision, m.entity_id, m.start_offset, m.end_offset, m.quote, m.confidence, m.extractor, m.created_at,
  m.type, m.salience, m.published_at, m.run_id,
  c.source_id, c.title, c.url, c.language, c.published_at AS content_published_at
FROM mentions m JOIN contents c ON c.id = m.content_id
WHERE m.entity_id = @entity_id AND m.confidence >= @min_confidence
  AND (m.published_at < @after_at OR (m.published_at = @after_at AND (m.content_id < @after_content
    OR (m.content_id = @after_content AND m.id < @after_id))))
  AND m.published_at <= @after_at
ORDER BY m.published_at DESC, m.content_id DESC, m.id DESC LIMIT @row_limit;

-- name: ContentsOfEntity :many
SELECT g.content_id, g.at, g.mention_count, c.source_id, c.title, c.url, c.language, c.published_at
FROM (
  SELECT m.published_at AS at, m.content_id AS content_id, CAST(COUNT(*) AS BIGINT) AS mention_count
  FROM mentions m
  WHERE m.entity_id = @entity_id
    AND (m.published_at < @after_at OR (m.published_at = @after_at AND m.content_id < @after_content))
    AND m.published_at <= @after_at
  GROUP BY m.published_at, m.content_id
  ORDER BY m.published_at DESC, m.content_id DESC LIMIT @row_limit
) AS g
JOIN contents c ON c.id = g.content_id
ORDER BY g.at DESC, g.content_id DESC;

-- All mentions of an item have the time of publication that it has now, whoever found them and when.
-- name: AlignMentions :many
UPDATE mentions SET published_at = (SELECT c.published_at FROM contents c WHERE c.id = mentions.content_id)
WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT)))
  AND published_at <> (SELECT c.published_at FROM contents c WHERE c.id = mentions.content_id)
RETURNING entity_id;
