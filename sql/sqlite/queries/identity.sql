-- What is stored, and what was removed, by identity: one journey for the items of a document. The list outside, the unique indexes
-- inside: SQLite keeps the order of a CROSS JOIN, Postgres that of a LATERAL with a limit.
-- name: ContentStates :many
SELECT c.id, c.identity_kind, c.identity_key, c.guid, c.alt_key, c.raw_hash, c.content_hash, c.revision, c.published_at,
  c.published_inferred, CAST('' AS TEXT) AS removed, CAST(0 AS BIGINT) AS removed_at
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN contents c
WHERE c.source_id = @source_id AND c.identity_kind = json_extract(k.value, '$.kind') AND c.identity_key = json_extract(k.value, '$.identity')
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred, d.reason, d.deleted_at
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN content_deletions d
WHERE d.source_id = @source_id AND d.identity_kind = json_extract(k.value, '$.kind') AND d.identity_key = json_extract(k.value, '$.identity');

-- What shares another form of the id, the page, the text or the date with one of the items: a few rows for each, since what many share tells
-- nothing. The indexes of pages and texts are those of all sources, so they are bounded before the source is looked at.
-- name: SimilarContents :many
SELECT c.id, c.identity_kind, c.identity_key, c.guid, c.alt_key, c.raw_hash, c.content_hash, c.revision, c.published_at,
  c.published_inferred,
  c.canonical_url, c.text_hash, c.title, c.summary, CAST('' AS TEXT) AS removed, CAST(0 AS BIGINT) AS removed_at
FROM (
  SELECT a.id FROM json_each(CAST(@keys AS TEXT)) AS k CROSS JOIN contents a WHERE a.id IN (
    SELECT x.id FROM contents x WHERE x.source_id = @source_id AND x.alt_key = json_extract(k.value, '$.alt') AND x.alt_key <> '' LIMIT 20)
  UNION
  SELECT a.id FROM json_each(CAST(@keys AS TEXT)) AS k CROSS JOIN contents a WHERE a.id IN (
    SELECT x.id FROM contents x WHERE x.source_id = @source_id AND x.published_at = json_extract(k.value, '$.published') LIMIT 20)
  UNION
  SELECT a.id FROM json_each(CAST(@keys AS TEXT)) AS k CROSS JOIN contents a WHERE a.id IN (
    SELECT x.id FROM contents x WHERE x.canonical_url = json_extract(k.value, '$.url') AND x.canonical_url <> '' LIMIT 100)
  UNION
  SELECT a.id FROM json_each(CAST(@keys AS TEXT)) AS k CROSS JOIN contents a WHERE a.id IN (
    SELECT x.id FROM contents x WHERE x.text_hash = json_extract(k.value, '$.text') AND x.text_hash <> '' LIMIT 100)
) AS h
CROSS JOIN contents c
WHERE c.id = h.id AND c.source_id = @source_id
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN content_deletions d
WHERE d.source_id = @source_id AND d.alt_key = json_extract(k.value, '$.alt') AND d.alt_key <> ''
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN content_deletions d
WHERE d.source_id = @source_id AND d.canonical_url = json_extract(k.value, '$.url') AND d.canonical_url <> ''
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN content_deletions d
WHERE d.source_id = @source_id AND d.text_hash = json_extract(k.value, '$.text') AND d.text_hash <> ''
LIMIT 2000;

-- Items whose ids changed, or of which less changed than makes a revision. The rows are an object by the id of the item.
-- name: MoveContents :exec
UPDATE contents SET
  updated_at = CASE WHEN CAST(@updated_at AS BIGINT) > updated_at AND guid <> json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".guid')
    THEN CAST(@updated_at AS BIGINT) ELSE updated_at END,
  version = version + CASE WHEN guid <> json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".guid') THEN 1 ELSE 0 END,
  guid = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".guid'),
  identity_kind = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".identity_kind'),
  identity_key = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".identity_key'),
  alt_key = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".alt_key'),
  raw_hash = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".raw_hash'),
  content_hash = json_extract(CAST(@rows_json AS TEXT), '$."' || id || '".content_hash')
WHERE id IN (SELECT n.key FROM json_each(CAST(@rows_json AS TEXT)) AS n);

-- What is kept of the earlier states of items, without their bodies.
-- name: RevisionMarks :many
SELECT r.content_id, r.revision, r.recorded_at, r.content_hash FROM content_revisions r
WHERE r.content_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
ORDER BY r.content_id, r.revision;

-- name: DropRevisions :exec
DELETE FROM content_revisions WHERE content_id = @content_id AND revision <= @newest;
