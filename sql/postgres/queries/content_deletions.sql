-- name: RecordContentDeletion :exec
INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash, reason, guid, alt_key, canonical_url, text_hash, title_key,
  published_at, published_inferred, deleted_at, seen_at)
SELECT c.source_id, c.identity_kind, c.identity_key, c.content_hash, CAST(@reason AS TEXT), c.guid, c.alt_key, c.canonical_url, c.text_hash,
  CAST(@title_key AS TEXT), c.published_at, c.published_inferred, CAST(@deleted_at AS BIGINT), CAST(@deleted_at AS BIGINT)
FROM contents c WHERE c.id = @id
ON CONFLICT (source_id, identity_kind, identity_key) DO UPDATE SET content_hash = excluded.content_hash, reason = excluded.reason,
  guid = excluded.guid, alt_key = excluded.alt_key, canonical_url = excluded.canonical_url, text_hash = excluded.text_hash,
  title_key = excluded.title_key, published_at = excluded.published_at, published_inferred = excluded.published_inferred,
  deleted_at = excluded.deleted_at, seen_at = excluded.seen_at;

-- Those that the feed lists, and those of which it is not known when it did.
-- name: SeeContentDeletions :exec
UPDATE content_deletions SET seen_at = @seen_at
WHERE source_id = @source_id AND (seen_at = 0 OR (identity_kind IN ('guid', 'url', 'hash') AND identity_key IN (
  SELECT k.identity FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (identity TEXT))));

-- name: DropContentDeletions :exec
DELETE FROM content_deletions WHERE source_id = @source_id AND seen_at < @before;

-- Of items that are stored again.
-- name: ForgetContentDeletions :exec
DELETE FROM content_deletions
WHERE source_id = @source_id AND (identity_kind, identity_key) IN (
  SELECT k.kind, k.identity FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (kind TEXT, identity TEXT));

-- name: ContentTitle :one
SELECT title FROM contents WHERE id = @id;
