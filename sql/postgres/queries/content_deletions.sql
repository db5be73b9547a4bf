-- name: RecordContentDeletion :exec
INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash)
SELECT c.source_id, c.identity_kind, c.identity_key, c.content_hash FROM contents c WHERE c.id = @id
ON CONFLICT (source_id, identity_kind, identity_key) DO UPDATE SET content_hash = excluded.content_hash;

-- The lateral join makes it one search of the key for each identity.
-- name: ContentDeletions :many
SELECT d.identity_kind, d.identity_key, d.content_hash
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k (kind TEXT, identity TEXT)
CROSS JOIN LATERAL (SELECT x.identity_kind, x.identity_key, x.content_hash FROM content_deletions x
  WHERE x.source_id = @source_id AND x.identity_kind = k.kind AND x.identity_key = k.identity LIMIT 1) AS d;
