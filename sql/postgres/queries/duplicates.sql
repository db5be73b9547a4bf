-- The first-seen item of another source with the same canonical URL.
-- name: FirstByURL :many
SELECT CAST(k.idx AS BIGINT) AS idx, c.id, c.fetched_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (idx BIGINT, source_id TEXT, canonical_url TEXT)
CROSS JOIN LATERAL (
  SELECT x.id, x.fetched_at FROM contents x
  WHERE x.canonical_url = k.canonical_url AND x.canonical_url <> '' AND x.source_id <> k.source_id
  ORDER BY x.fetched_at, x.id LIMIT 1) AS c;

-- The first-seen item of another source with the same normalised text.
-- name: FirstByText :many
SELECT CAST(k.idx AS BIGINT) AS idx, c.id, c.fetched_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (idx BIGINT, source_id TEXT, text_hash TEXT)
CROSS JOIN LATERAL (
  SELECT x.id, x.fetched_at FROM contents x
  WHERE x.text_hash = k.text_hash AND x.text_hash <> '' AND x.source_id <> k.source_id
  ORDER BY x.fetched_at, x.id LIMIT 1) AS c;

-- In the order of the ids, so that concurrent transactions wait for each other in one direction.
-- name: LockFolding :many
SELECT id, duplicate_of FROM contents WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) ORDER BY id FOR NO KEY UPDATE;

-- name: LinksOfHeads :many
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_at, c.source_id, c.fetched_at
FROM duplicate_links l JOIN contents c ON c.id = l.content_id
WHERE l.duplicate_of = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@heads AS TEXT) AS JSONB))))
ORDER BY l.duplicate_of, c.fetched_at, c.id, l.reason;

-- name: HeadsOfSource :many
SELECT DISTINCT l.duplicate_of FROM duplicate_links l JOIN contents h ON h.id = l.duplicate_of
WHERE h.source_id = @source_id;

-- name: CreateDuplicateLinks :exec
INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_at)
SELECT n.content_id, n.duplicate_of, n.reason, n.score, n.created_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (content_id TEXT, duplicate_of TEXT, reason TEXT, score DOUBLE PRECISION,
  created_at BIGINT)
ON CONFLICT (content_id, duplicate_of, reason) DO NOTHING;

-- name: DeleteLinksToHeads :exec
DELETE FROM duplicate_links WHERE duplicate_of = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@heads AS TEXT) AS JSONB))));

-- name: DeleteLinksOfContent :exec
DELETE FROM duplicate_links WHERE content_id = @content_id AND reason = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@reasons AS TEXT) AS JSONB))));

-- Links say what an item is folded under: all links of an item point to the head of its group.
-- name: RefoldContents :exec
UPDATE contents SET version = version + 1,
  duplicate_of = (SELECT MIN(l.duplicate_of) FROM duplicate_links l WHERE l.content_id = contents.id)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: Duplicates :many
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_at
FROM duplicate_links l
WHERE l.duplicate_of = (SELECT COALESCE(c.duplicate_of, c.id) FROM contents c WHERE c.id = @content_id)
  AND (l.created_at > @after_at OR (l.created_at = @after_at AND (l.content_id > @after_id OR (l.content_id = @after_id AND l.reason > @after_reason))))
ORDER BY l.created_at, l.content_id, l.reason LIMIT CAST(@row_limit AS BIGINT);
