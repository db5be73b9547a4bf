-- What is stored, and what was removed, by identity: one journey for the items of a document. The list outside, the unique indexes
-- inside: SQLite keeps the order of a CROSS JOIN, Postgres that of a LATERAL with a limit.
-- name: ContentStates :many
SELECT c.id, c.identity_kind, c.identity_key, c.guid, c.alt_key, c.raw_hash, c.content_hash, c.revision, c.published_at,
  c.published_inferred, CAST('' AS TEXT) AS removed, CAST(0 AS BIGINT) AS removed_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (kind TEXT, identity TEXT)
CROSS JOIN LATERAL (SELECT x.id, x.identity_kind, x.identity_key, x.guid, x.alt_key, x.raw_hash, x.content_hash, x.revision, x.published_at,
  x.published_inferred FROM contents x
  WHERE x.source_id = @source_id AND x.identity_kind = k.kind AND x.identity_key = k.identity LIMIT 1) AS c
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred, d.reason, d.deleted_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (kind TEXT, identity TEXT)
CROSS JOIN LATERAL (SELECT x.identity_kind, x.identity_key, x.guid, x.alt_key, x.content_hash, x.published_at, x.published_inferred,
  x.canonical_url, x.text_hash, x.title_key, x.reason, x.deleted_at FROM content_deletions x
  WHERE x.source_id = @source_id AND x.identity_kind = k.kind AND x.identity_key = k.identity LIMIT 1) AS d;

-- What shares another form of the id, the page, the text or the date with one of the items: a few rows for each, since what many share tells
-- nothing. The indexes of pages and texts are those of all sources, so they are bounded before the source is looked at.
-- name: SimilarContents :many
SELECT c.id, c.identity_kind, c.identity_key, c.guid, c.alt_key, c.raw_hash, c.content_hash, c.revision, c.published_at,
  c.published_inferred,
  c.canonical_url, c.text_hash, c.title, c.summary, CAST('' AS TEXT) AS removed, CAST(0 AS BIGINT) AS removed_at
FROM (
  SELECT a.id FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
  CROSS JOIN LATERAL (SELECT x.id FROM contents x WHERE x.source_id = @source_id AND x.alt_key = k.alt AND x.alt_key <> '' LIMIT 20) AS a
  UNION
  SELECT a.id FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
  CROSS JOIN LATERAL (SELECT x.id FROM contents x WHERE x.source_id = @source_id AND x.published_at = k.published LIMIT 20) AS a
  UNION
  SELECT a.id FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
  CROSS JOIN LATERAL (SELECT x.id FROM contents x WHERE x.canonical_url = k.url AND x.canonical_url <> '' LIMIT 100) AS a
  UNION
  SELECT a.id FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
  CROSS JOIN LATERAL (SELECT x.id FROM contents x WHERE x.text_hash = k.text AND x.text_hash <> '' LIMIT 100) AS a
) AS h
CROSS JOIN LATERAL (SELECT x.id, x.identity_kind, x.identity_key, x.guid, x.alt_key, x.raw_hash, x.content_hash, x.revision, x.published_at,
  x.published_inferred, x.canonical_url, x.text_hash, x.title, x.summary FROM contents x WHERE x.id = h.id AND x.source_id = @source_id LIMIT 1) AS c
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
CROSS JOIN LATERAL (SELECT x.identity_kind, x.identity_key, x.guid, x.alt_key, x.content_hash, x.published_at, x.published_inferred,
  x.canonical_url, x.text_hash, x.title_key, x.reason, x.deleted_at FROM content_deletions x
  WHERE x.source_id = @source_id AND x.alt_key = k.alt AND x.alt_key <> '' LIMIT 20) AS d
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
CROSS JOIN LATERAL (SELECT x.identity_kind, x.identity_key, x.guid, x.alt_key, x.content_hash, x.published_at, x.published_inferred,
  x.canonical_url, x.text_hash, x.title_key, x.reason, x.deleted_at FROM content_deletions x
  WHERE x.source_id = @source_id AND x.canonical_url = k.url AND x.canonical_url <> '' LIMIT 20) AS d
UNION ALL
SELECT '', d.identity_kind, d.identity_key, d.guid, d.alt_key, '', d.content_hash, 0, d.published_at, d.published_inferred,
  d.canonical_url, d.text_hash, d.title_key, '', d.reason, d.deleted_at
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (alt TEXT, url TEXT, text TEXT, published BIGINT)
CROSS JOIN LATERAL (SELECT x.identity_kind, x.identity_key, x.guid, x.alt_key, x.content_hash, x.published_at, x.published_inferred,
  x.canonical_url, x.text_hash, x.title_key, x.reason, x.deleted_at FROM content_deletions x
  WHERE x.source_id = @source_id AND x.text_hash = k.text AND x.text_hash <> '' LIMIT 20) AS d
LIMIT 2000;

-- Items whose ids changed, or of which less changed than makes a revision. The rows are an object by the id of the item.
-- name: MoveContents :exec
UPDATE contents AS c SET
  updated_at = CASE WHEN CAST(@updated_at AS BIGINT) > c.updated_at AND c.guid <> n.value ->> 'guid'
    THEN CAST(@updated_at AS BIGINT) ELSE c.updated_at END,
  version = c.version + CASE WHEN c.guid <> n.value ->> 'guid' THEN 1 ELSE 0 END,
  guid = n.value ->> 'guid', identity_kind = n.value ->> 'identity_kind', identity_key = n.value ->> 'identity_key',
  alt_key = n.value ->> 'alt_key', raw_hash = n.value ->> 'raw_hash', content_hash = n.value ->> 'content_hash'
FROM jsonb_each(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n
WHERE c.id = n.key;

-- What is kept of the earlier states of items, without their bodies.
-- name: RevisionMarks :many
SELECT r.content_id, r.revision, r.recorded_at, r.content_hash FROM content_revisions r
WHERE r.content_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
ORDER BY r.content_id, r.revision;

-- name: DropRevisions :exec
DELETE FROM content_revisions WHERE content_id = @content_id AND revision <= @newest;
