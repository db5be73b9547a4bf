-- name: CreateSource :execrows
INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status,
  fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code,
  last_error, last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state)
VALUES (@id, @url, @url_key, @host, @title, @title_key, @title_is_manual, @description, @site_url, @format, @language, @tags, @status,
  @fetch_interval_seconds, @etag, @last_modified, @body_hash, @next_fetch_at, @last_fetched_at, @last_success_at, @consecutive_failures,
  @last_error_code, @last_error, @last_error_at, @created_by, @version, @created_at, @updated_at,
  @health, @health_since, @settings, @secrets, @state)
ON CONFLICT (url_key) DO NOTHING;

-- name: Source :one
SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources WHERE id = @id;

-- name: SourceByURLKey :one
SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources WHERE url_key = @url_key;

-- Postgres locks the row, so that an edit and the end of a fetch do not overwrite each other.
-- name: LockSource :one
SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources WHERE id = @id;

-- Postgres locks the row against every other use: the writers of its content hold it until they end.
-- name: LockSourceToDelete :one
SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources WHERE id = @id;

-- name: UpdateSource :one
UPDATE sources SET url = @url, url_key = @url_key, host = @host, title = @title, title_key = @title_key, title_is_manual = @title_is_manual,
  description = @description, site_url = @site_url, format = @format, language = @language, tags = @tags, status = @status,
  fetch_interval_seconds = @fetch_interval_seconds, etag = @etag, last_modified = @last_modified, body_hash = @body_hash,
  next_fetch_at = @next_fetch_at, last_fetched_at = @last_fetched_at, last_success_at = @last_success_at,
  consecutive_failures = @consecutive_failures, last_error_code = @last_error_code, last_error = @last_error, last_error_at = @last_error_at,
  health = @health, health_since = @health_since, settings = @settings, secrets = @secrets, state = @state,
  version = @version, updated_at = @updated_at
WHERE id = @id
RETURNING id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state;

-- name: ScheduleSource :exec
UPDATE sources SET next_fetch_at = @next_fetch_at WHERE id = @id;

-- name: DeleteSource :execrows
DELETE FROM sources WHERE id = @id;

-- name: SourceContentCounts :many
SELECT c.source_id, COUNT(*) AS total FROM contents c
WHERE c.source_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
GROUP BY c.source_id;

-- name: DueSources :many
SELECT id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status, fetch_interval_seconds,
  etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures, last_error_code, last_error,
  last_error_at, created_by, version, created_at, updated_at,
  health, health_since, settings, secrets, state
FROM sources
WHERE host = @host AND next_fetch_at <= @now AND status <> 'paused'
ORDER BY next_fetch_at LIMIT @row_limit;

-- name: CreateFetch :exec
INSERT INTO source_fetches (id, source_id, started_at, duration_us, outcome, http_status, bytes, items_seen, items_created, items_updated,
  items_failed, error_code, error, warnings, details)
VALUES (@id, @source_id, @started_at, @duration_us, @outcome, @http_status, @bytes, @items_seen, @items_created, @items_updated, @items_failed,
  @error_code, @error, @warnings, @details);

-- name: DropOldFetches :exec
DELETE FROM source_fetches
WHERE source_fetches.source_id = @source_id AND source_fetches.id NOT IN (
  SELECT f.id FROM source_fetches f WHERE f.source_id = @source_id ORDER BY f.started_at DESC, f.id DESC LIMIT @keep);
