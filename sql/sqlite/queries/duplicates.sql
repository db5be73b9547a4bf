-- The first-seen item of another source with the same canonical URL.
-- name: FirstByURL :many
SELECT CAST(json_extract(k.value, '$.idx') AS BIGINT) AS idx, c.id, c.fetched_at
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN contents c ON c.id = (
  SELECT x.id FROM contents x
  WHERE x.canonical_url = json_extract(k.value, '$.canonical_url') AND x.canonical_url <> '' AND x.source_id <> json_extract(k.value, '$.source_id')
  ORDER BY x.fetched_at, x.id LIMIT 1);

-- The first-seen item of another source with the same normalised text.
-- name: FirstByText :many
SELECT CAST(json_extract(k.value, '$.idx') AS BIGINT) AS idx, c.id, c.fetched_at
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN contents c ON c.id = (
  SELECT x.id FROM contents x
  WHERE x.text_hash = json_extract(k.value, '$.text_hash') AND x.text_hash <> '' AND x.source_id <> json_extract(k.value, '$.source_id')
  ORDER BY x.fetched_at, x.id LIMIT 1);

-- In the order of the ids, so that concurrent transactions wait for each other in one direction.
-- name: LockFolding :many
SELECT id, duplicate_of FROM contents WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) ORDER BY id;

-- name: LinksOfHeads :many
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_at, c.source_id, c.fetched_at
FROM duplicate_links l JOIN contents c ON c.id = l.content_id
WHERE l.duplicate_of IN (SELECT value FROM json_each(CAST(@heads AS TEXT)))
ORDER BY l.duplicate_of, c.fetched_at, c.id, l.reason;

-- name: HeadsOfSource :many
SELECT DISTINCT l.duplicate_of FROM duplicate_links l JOIN contents h ON h.id = l.duplicate_of
WHERE h.source_id = @source_id;

-- name: CreateDuplicateLinks :exec
INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_at)
SELECT json_extract(n.value, '$.content_id'), json_extract(n.value, '$.duplicate_of'), json_extract(n.value, '$.reason'), json_extract(n.value,
  '$.score'), json_extract(n.value, '$.created_at')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ON CONFLICT (content_id, duplicate_of, reason) DO NOTHING;

-- name: DeleteLinksToHeads :exec
DELETE FROM duplicate_links WHERE duplicate_of IN (SELECT value FROM json_each(CAST(@heads AS TEXT)));

-- name: DeleteLinksOfContent :exec
DELETE FROM duplicate_links WHERE content_id = @content_id AND reason IN (SELECT value FROM json_each(CAST(@reasons AS TEXT)));

-- Links say what an item is folded under: all links of an item point to the head of its group.
-- name: RefoldContents :exec
UPDATE contents SET version = version + 1,
  duplicate_of = (SELECT MIN(l.duplicate_of) FROM duplicate_links l WHERE l.content_id = contents.id)
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: Duplicates :many
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_at
FROM duplicate_links l
WHERE l.duplicate_of = (SELECT COALESCE(c.duplicate_of, c.id) FROM contents c WHERE c.id = @content_id)
  AND (l.created_at > @after_at OR (l.created_at = @after_at AND (l.content_id > @after_id OR (l.content_id = @after_id AND l.reason > @after_reason))))
ORDER BY l.created_at, l.content_id, l.reason LIMIT @row_limit;
