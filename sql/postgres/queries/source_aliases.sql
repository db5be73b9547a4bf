-- name: CreateSourceAlias :exec
INSERT INTO source_aliases (url_key, source_id, url, created_at) VALUES (@url_key, @source_id, @url, @created_at)
ON CONFLICT (url_key) DO UPDATE SET source_id = excluded.source_id, url = excluded.url, created_at = excluded.created_at;

-- name: SourceOfAlias :one
SELECT source_id FROM source_aliases WHERE url_key = @url_key;

-- A source that goes back to a former URL has it as its own again.
-- name: DeleteSourceAlias :exec
DELETE FROM source_aliases WHERE url_key = @url_key;
