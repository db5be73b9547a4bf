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
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_by, l.created_at, c.source_id, c.fetched_at
FROM duplicate_links l JOIN contents c ON c.id = l.content_id
WHERE l.duplicate_of = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@heads AS TEXT) AS JSONB))))
ORDER BY l.duplicate_of, c.fetched_at, c.id, l.reason;

-- name: HeadsOfSource :many
SELECT DISTINCT l.duplicate_of FROM duplicate_links l JOIN contents h ON h.id = l.duplicate_of
WHERE h.source_id = @source_id;

-- name: CreateDuplicateLinks :exec
INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_by, created_at)
SELECT n.content_id, n.duplicate_of, n.reason, n.score, n.created_by, n.created_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (content_id TEXT, duplicate_of TEXT, reason TEXT, score DOUBLE PRECISION,
  created_by TEXT, created_at BIGINT)
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
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_by, l.created_at
FROM duplicate_links l
WHERE l.duplicate_of = (SELECT COALESCE(c.duplicate_of, c.id) FROM contents c WHERE c.id = @content_id)
  AND (l.created_at > @after_at OR (l.created_at = @after_at AND (l.content_id > @after_id OR (l.content_id = @after_id AND l.reason > @after_reason))))
ORDER BY l.created_at, l.content_id, l.reason LIMIT CAST(@row_limit AS BIGINT);

-- name: CountFolded :exec
UPDATE contents SET version = version + 1,
  duplicate_count = (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = contents.id)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@heads AS TEXT) AS JSONB))))
  AND duplicate_count <> (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = contents.id);

-- name: HeadsOfSourceMembers :many
SELECT DISTINCT CAST(duplicate_of AS TEXT) AS head_id FROM contents WHERE source_id = @source_id AND duplicate_of IS NOT NULL;

-- The items of groups, by their heads.
-- name: GroupMembers :many
SELECT id, CAST(duplicate_of AS TEXT) AS head_id FROM contents
WHERE duplicate_of = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@heads AS TEXT) AS JSONB)))) ORDER BY fetched_at, id;

-- The heads of items that a person took apart.
-- name: Exclusions :many
SELECT e.content_id, e.other_id, CAST(COALESCE(a.duplicate_of, a.id) AS TEXT) AS head_id, CAST(COALESCE(b.duplicate_of, b.id) AS TEXT) AS other_head_id
FROM contents a JOIN duplicate_exclusions e ON e.content_id = a.id JOIN contents b ON b.id = e.other_id
WHERE a.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: CreateExclusions :exec
INSERT INTO duplicate_exclusions (content_id, other_id, created_by, created_at)
SELECT n.content_id, n.other_id, n.created_by, n.created_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (content_id TEXT, other_id TEXT, created_by TEXT, created_at BIGINT)
ON CONFLICT (content_id, other_id) DO NOTHING;

-- name: DeleteExclusions :exec
DELETE FROM duplicate_exclusions WHERE content_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  AND other_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@other_ids AS TEXT) AS JSONB))));

-- name: DeleteLinksOfContents :exec
DELETE FROM duplicate_links WHERE content_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: PutSignature :exec
INSERT INTO content_signatures (content_id, key_version, seen_at, key0, key1, key2, key3, key4, key5)
VALUES (@content_id, @key_version, @seen_at, @key0, @key1, @key2, @key3, @key4, @key5)
ON CONFLICT (content_id) DO UPDATE SET key_version = excluded.key_version, seen_at = excluded.seen_at, key0 = excluded.key0, key1 = excluded.key1, key2 = excluded.key2, key3 = excluded.key3, key4 = excluded.key4, key5 = excluded.key5;

-- name: PutSignatures :exec
INSERT INTO content_signatures (content_id, key_version, seen_at, key0, key1, key2, key3, key4, key5)
SELECT n.content_id, n.key_version, n.seen_at, n.key0, n.key1, n.key2, n.key3, n.key4, n.key5
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (content_id TEXT, key_version BIGINT, seen_at BIGINT,
  key0 BIGINT, key1 BIGINT, key2 BIGINT, key3 BIGINT, key4 BIGINT, key5 BIGINT)
ON CONFLICT (content_id) DO UPDATE SET key_version = excluded.key_version, seen_at = excluded.seen_at, key0 = excluded.key0, key1 = excluded.key1, key2 = excluded.key2, key3 = excluded.key3, key4 = excluded.key4, key5 = excluded.key5;

-- Items of other sources that share a key, the newest of each key. The bound per key is what a key that
-- thousands of items share, such as one of a template, may cost.
-- name: NearItems :many
SELECT CAST(k.idx AS BIGINT) AS idx, CAST(c.head_id AS TEXT) AS head_id, s.seen_at,
  s.key0, s.key1, s.key2, s.key3, s.key4, s.key5
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (idx BIGINT, source_id TEXT, since BIGINT, key0 BIGINT, key1 BIGINT, key2 BIGINT, key3 BIGINT, key4 BIGINT, key5 BIGINT)
CROSS JOIN LATERAL (SELECT DISTINCT u.content_id FROM (
  (SELECT x.content_id FROM content_signatures x WHERE x.key0 = k.key0 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key1 = k.key1 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key2 = k.key2 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key3 = k.key3 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key4 = k.key4 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key5 = k.key5 AND x.seen_at >= k.since ORDER BY x.seen_at DESC LIMIT 8)) AS u) AS n
CROSS JOIN LATERAL (
  SELECT i.seen_at, i.key0, i.key1, i.key2, i.key3, i.key4, i.key5 FROM content_signatures i WHERE i.content_id = n.content_id LIMIT 1) AS s
CROSS JOIN LATERAL (
  SELECT COALESCE(i.duplicate_of, i.id) AS head_id FROM contents i WHERE i.id = n.content_id AND i.source_id <> k.source_id LIMIT 1) AS c;

-- The same for one item: SQLite takes less for one each than for a list, which it would parse for every key.
-- name: NearItemsOf :many
SELECT CAST(COALESCE(c.duplicate_of, c.id) AS TEXT) AS head_id, s.seen_at, s.key0, s.key1, s.key2, s.key3, s.key4, s.key5
FROM content_signatures s JOIN contents c ON c.id = s.content_id
WHERE s.content_id IN (
  (SELECT x.content_id FROM content_signatures x WHERE x.key0 = CAST(@key0 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key1 = CAST(@key1 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key2 = CAST(@key2 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key3 = CAST(@key3 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key4 = CAST(@key4 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL (SELECT x.content_id FROM content_signatures x WHERE x.key5 = CAST(@key5 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8))
  AND c.source_id <> @source_id;

-- The beginnings of texts, which is what is compared.
-- name: ContentTexts :many
SELECT id, source_id, fetched_at, title, CAST(SUBSTR(content_text, 1, 20000) AS TEXT) AS body FROM contents
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Items that have no keys of this version yet, the first-seen first.
-- name: UnsignedContents :many
SELECT c.id, c.source_id, c.fetched_at, c.title, CAST(SUBSTR(c.content_text, 1, 20000) AS TEXT) AS body FROM contents c
WHERE c.fetched_at >= @since AND NOT EXISTS (SELECT 1 FROM content_signatures s WHERE s.content_id = c.id AND s.key_version = @key_version)
ORDER BY c.fetched_at, c.id LIMIT CAST(@row_limit AS BIGINT);

-- Ids grow with time, so that the oldest come first.
-- name: DeleteOldSignatures :execrows
DELETE FROM content_signatures WHERE content_signatures.seen_at < @before AND content_signatures.content_id IN (
  SELECT o.content_id FROM content_signatures o ORDER BY o.content_id LIMIT CAST(@row_limit AS BIGINT));
