-- name: RecordContentDeletion :exec
INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash)
SELECT c.source_id, c.identity_kind, c.identity_key, c.content_hash FROM contents c WHERE c.id = @id
ON CONFLICT (source_id, identity_kind, identity_key) DO UPDATE SET content_hash = excluded.content_hash;

-- The order of the join makes it one search of the key for each identity.
-- name: ContentDeletions :many
SELECT d.identity_kind, d.identity_key, d.content_hash
FROM json_each(CAST(@keys AS TEXT)) AS k
CROSS JOIN content_deletions d
WHERE d.source_id = @source_id AND d.identity_kind = json_extract(k.value, '$.kind') AND d.identity_key = json_extract(k.value, '$.identity');
