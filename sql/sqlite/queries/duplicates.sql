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
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_by, l.created_at, c.source_id, c.fetched_at
FROM duplicate_links l JOIN contents c ON c.id = l.content_id
WHERE l.duplicate_of IN (SELECT value FROM json_each(CAST(@heads AS TEXT)))
ORDER BY l.duplicate_of, c.fetched_at, c.id, l.reason;

-- name: HeadsOfSource :many
SELECT DISTINCT l.duplicate_of FROM duplicate_links l JOIN contents h ON h.id = l.duplicate_of
WHERE h.source_id = @source_id;

-- name: CreateDuplicateLinks :exec
INSERT INTO duplicate_links (content_id, duplicate_of, reason, score, created_by, created_at)
SELECT json_extract(n.value, '$.content_id'), json_extract(n.value, '$.duplicate_of'), json_extract(n.value, '$.reason'), json_extract(n.value,
  '$.score'), json_extract(n.value, '$.created_by'), json_extract(n.value, '$.created_at')
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
SELECT l.content_id, l.duplicate_of, l.reason, l.score, l.created_by, l.created_at
FROM duplicate_links l
WHERE l.duplicate_of = (SELECT COALESCE(c.duplicate_of, c.id) FROM contents c WHERE c.id = @content_id)
  AND (l.created_at > @after_at OR (l.created_at = @after_at AND (l.content_id > @after_id OR (l.content_id = @after_id AND l.reason > @after_reason))))
ORDER BY l.created_at, l.content_id, l.reason LIMIT @row_limit;

-- name: CountFolded :exec
UPDATE contents SET version = version + 1,
  duplicate_count = (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = contents.id)
WHERE id IN (SELECT value FROM json_each(CAST(@heads AS TEXT)))
  AND duplicate_count <> (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = contents.id);

-- name: HeadsOfSourceMembers :many
SELECT DISTINCT CAST(duplicate_of AS TEXT) AS head_id FROM contents WHERE source_id = @source_id AND duplicate_of IS NOT NULL;

-- The items of groups, by their heads.
-- name: GroupMembers :many
SELECT id, CAST(duplicate_of AS TEXT) AS head_id FROM contents
WHERE duplicate_of IN (SELECT value FROM json_each(CAST(@heads AS TEXT))) ORDER BY fetched_at, id;

-- The heads of items that a person took apart.
-- name: Exclusions :many
SELECT e.content_id, e.other_id, CAST(COALESCE(a.duplicate_of, a.id) AS TEXT) AS head_id, CAST(COALESCE(b.duplicate_of, b.id) AS TEXT) AS other_head_id
FROM contents a JOIN duplicate_exclusions e ON e.content_id = a.id JOIN contents b ON b.id = e.other_id
WHERE a.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: CreateExclusions :exec
INSERT INTO duplicate_exclusions (content_id, other_id, created_by, created_at)
SELECT json_extract(n.value, '$.content_id'), json_extract(n.value, '$.other_id'), json_extract(n.value, '$.created_by'), json_extract(n.value, '$.created_at')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ON CONFLICT (content_id, other_id) DO NOTHING;

-- name: DeleteExclusions :exec
DELETE FROM duplicate_exclusions WHERE content_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
  AND other_id IN (SELECT value FROM json_each(CAST(@other_ids AS TEXT)));

-- name: DeleteLinksOfContents :exec
DELETE FROM duplicate_links WHERE content_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: PutSignature :exec
INSERT INTO content_signatures (content_id, key_version, seen_at, key0, key1, key2, key3, key4, key5)
VALUES (@content_id, @key_version, @seen_at, @key0, @key1, @key2, @key3, @key4, @key5)
ON CONFLICT (content_id) DO UPDATE SET key_version = excluded.key_version, seen_at = excluded.seen_at, key0 = excluded.key0, key1 = excluded.key1, key2 = excluded.key2, key3 = excluded.key3, key4 = excluded.key4, key5 = excluded.key5;

-- name: PutSignatures :exec
INSERT INTO content_signatures (content_id, key_version, seen_at, key0, key1, key2, key3, key4, key5)
SELECT json_extract(n.value, '$.content_id'),
  json_extract(n.value, '$.key_version'),
  json_extract(n.value, '$.seen_at'),
  json_extract(n.value, '$.key0'),
  json_extract(n.value, '$.key1'),
  json_extract(n.value, '$.key2'),
  json_extract(n.value, '$.key3'),
  json_extract(n.value, '$.key4'),
  json_extract(n.value, '$.key5')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ON CONFLICT (content_id) DO UPDATE SET key_version = excluded.key_version, seen_at = excluded.seen_at, key0 = excluded.key0, key1 = excluded.key1, key2 = excluded.key2, key3 = excluded.key3, key4 = excluded.key4, key5 = excluded.key5;

-- Items of other sources that share a key, the newest of each key. The bound per key is what a key that
-- thousands of items share, such as one of a template, may cost.
-- name: NearItems :many
SELECT CAST(json_extract(k.value, '$.idx') AS BIGINT) AS idx, CAST(COALESCE(c.duplicate_of, c.id) AS TEXT) AS head_id, s.seen_at,
  s.key0, s.key1, s.key2, s.key3, s.key4, s.key5
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN content_signatures s ON s.content_id IN (
  SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key0 = json_extract(k.value, '$.key0') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key1 = json_extract(k.value, '$.key1') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key2 = json_extract(k.value, '$.key2') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key3 = json_extract(k.value, '$.key3') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key4 = json_extract(k.value, '$.key4') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key5 = json_extract(k.value, '$.key5') AND x.seen_at >= json_extract(k.value, '$.since')
    ORDER BY x.seen_at DESC LIMIT 8))
JOIN contents c ON c.id = s.content_id
WHERE c.source_id <> json_extract(k.value, '$.source_id');

-- The same for one item: SQLite takes less for one each than for a list, which it would parse for every key.
-- name: NearItemsOf :many
SELECT CAST(COALESCE(c.duplicate_of, c.id) AS TEXT) AS head_id, s.seen_at, s.key0, s.key1, s.key2, s.key3, s.key4, s.key5
FROM content_signatures s JOIN contents c ON c.id = s.content_id
WHERE s.content_id IN (
  SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key0 = CAST(@key0 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key1 = CAST(@key1 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key2 = CAST(@key2 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key3 = CAST(@key3 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key4 = CAST(@key4 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8)
  UNION ALL SELECT * FROM (SELECT x.content_id FROM content_signatures x WHERE x.key5 = CAST(@key5 AS BIGINT) AND x.seen_at >= CAST(@since AS BIGINT) ORDER BY x.seen_at DESC LIMIT 8))
  AND c.source_id <> @source_id;

-- The beginnings of texts, which is what is compared.
-- name: ContentTexts :many
SELECT id, source_id, fetched_at, title, CAST(SUBSTR(content_text, 1, 20000) AS TEXT) AS body FROM contents
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- Items that have no keys of this version yet, the first-seen first.
-- name: UnsignedContents :many
SELECT c.id, c.source_id, c.fetched_at, c.title, CAST(SUBSTR(c.content_text, 1, 20000) AS TEXT) AS body FROM contents c
WHERE c.fetched_at >= @since AND NOT EXISTS (SELECT 1 FROM content_signatures s WHERE s.content_id = c.id AND s.key_version = @key_version)
ORDER BY c.fetched_at, c.id LIMIT @row_limit;

-- Ids grow with time, so that the oldest come first.
-- name: DeleteOldSignatures :execrows
DELETE FROM content_signatures WHERE content_signatures.seen_at < @before AND content_signatures.content_id IN (
  SELECT o.content_id FROM content_signatures o ORDER BY o.content_id LIMIT @row_limit);
