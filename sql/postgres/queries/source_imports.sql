-- name: CreateHosts :exec
INSERT INTO hosts (host, due_at, updated_at)
SELECT n.host, NULL, CAST(@updated_at AS BIGINT) FROM jsonb_array_elements_text(CAST(CAST(@hosts AS TEXT) AS JSONB)) AS n (host)
ORDER BY n.host COLLATE "C"
ON CONFLICT (host) DO NOTHING;

-- Postgres locks the rows in the order of their names, as everyone does who changes sources of several hosts.
-- name: LockHosts :many
SELECT host FROM hosts WHERE host = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@hosts AS TEXT) AS JSONB))))
ORDER BY host FOR NO KEY UPDATE;

-- RefreshHost for several. A list of the states that are fetched would make Postgres read their whole index while it
-- has no statistics.
-- name: RefreshHosts :exec
UPDATE hosts SET updated_at = CAST(@updated_at AS BIGINT), due_at = (
  SELECT CASE WHEN MIN(s.next_fetch_at) < hosts.not_before THEN hosts.not_before ELSE MIN(s.next_fetch_at) END
  FROM sources s WHERE s.host = hosts.host AND s.next_fetch_at IS NOT NULL AND s.status <> 'paused')
WHERE hosts.host = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@hosts AS TEXT) AS JSONB))));

-- name: CreateSources :many
INSERT INTO sources (id, url, url_key, host, title, title_key, title_is_manual, description, site_url, format, language, tags, status,
  fetch_interval_seconds, etag, last_modified, body_hash, next_fetch_at, last_fetched_at, last_success_at, consecutive_failures,
  last_error_code, last_error, last_error_at, created_by, version, created_at, updated_at, health, health_since, settings, secrets, state)
SELECT n.id, n.url, n.url_key, n.host,
  n.title, n.title_key, n.title_is_manual, '',
  n.site_url, '', '', n.tags, n.status,
  n.fetch_interval_seconds, '', '', '', n.next_fetch_at, NULL, NULL, 0, '', '', NULL,
  n.created_by, n.version, n.created_at,
  n.updated_at, n.health, NULL, n.settings,
  n.secrets, n.state
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (id TEXT, url TEXT, url_key TEXT, host TEXT, title TEXT, title_key TEXT,
  title_is_manual BOOLEAN, site_url TEXT, tags TEXT, status TEXT, fetch_interval_seconds BIGINT, next_fetch_at BIGINT, created_by TEXT,
  version BIGINT, created_at BIGINT, updated_at BIGINT, health TEXT, settings TEXT, secrets TEXT, state TEXT)
ON CONFLICT (url_key) DO NOTHING
RETURNING id;

-- A source is known by its former URLs, too; its present one comes first.
-- name: SourceIDsByURLKeys :many
SELECT s.url_key, s.id AS source_id, CAST(0 AS BIGINT) AS former
FROM sources s WHERE s.url_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB))))
UNION ALL
SELECT a.url_key, a.source_id, CAST(1 AS BIGINT) AS former
FROM source_aliases a WHERE a.url_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB))))
ORDER BY 3, 1;

-- name: SourceTags :many
SELECT CAST(t.tag AS TEXT) AS tag, CAST(COUNT(*) AS BIGINT) AS total
FROM sources s, jsonb_array_elements_text(CAST(s.tags AS JSONB)) AS t (tag)
WHERE t.tag COLLATE "C" > CAST(@after AS TEXT)
GROUP BY t.tag ORDER BY t.tag COLLATE "C" LIMIT CAST(@row_limit AS BIGINT);

-- name: CreateSourceImport :exec
INSERT INTO source_imports (id, state, file_name, tags, dry_run, total, processed, added, existing, failed, created_by, lease_owner, lease_token,
  lease_until, created_at, started_at, finished_at)
VALUES (@id, @state, @file_name, @tags, @dry_run, @total, @processed, @added, @existing, @failed, @created_by, '', 0, 0, @created_at, @started_at,
  @finished_at);

-- Creates lines; of those that exist it stores what became of them.
-- name: SaveImportLines :exec
INSERT INTO source_import_lines (import_id, position, line, url, title, site_url, tags, outcome, source_id, error_code, message)
SELECT n.import_id, n.position, n.line, n.url,
  n.title, n.site_url, n.tags, n.outcome,
  n.source_id, n.error_code, n.message
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (import_id TEXT, position BIGINT, line BIGINT, url TEXT, title TEXT,
  site_url TEXT, tags TEXT, outcome TEXT, source_id TEXT, error_code TEXT, message TEXT)
ON CONFLICT (import_id, position) DO UPDATE SET outcome = excluded.outcome, source_id = excluded.source_id,
  error_code = excluded.error_code, message = excluded.message;

-- name: SourceImport :one
SELECT id, state, file_name, tags, dry_run, total, processed, added, existing, failed, created_by, lease_owner, lease_token, lease_until, created_at,
  started_at, finished_at
FROM source_imports WHERE id = @id;

-- name: PendingImportLines :many
SELECT import_id, position, line, url, title, site_url, tags, outcome, source_id, error_code, message
FROM source_import_lines WHERE import_id = @import_id AND outcome = 'pending'
ORDER BY position LIMIT CAST(@row_limit AS BIGINT);

-- name: OpenImports :many
SELECT i.lease_until FROM source_imports i WHERE i.state IN ('pending', 'running') ORDER BY i.lease_until LIMIT 1;

-- On Postgres, imports that another transaction is claiming are passed over, and the array makes sure that the
-- subquery, which locks, runs once.
-- name: ClaimSourceImport :many
UPDATE source_imports SET state = 'running', lease_owner = @lease_owner, lease_token = lease_token + 1, lease_until = @lease_until,
  started_at = COALESCE(started_at, @now)
WHERE id = ANY (ARRAY(
  SELECT i.id FROM source_imports i WHERE i.state IN ('pending', 'running') AND i.lease_until <= @now
  ORDER BY i.created_at, i.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING id, state, file_name, tags, dry_run, total, processed, added, existing, failed, created_by, lease_owner, lease_token, lease_until,
  created_at, started_at, finished_at;

-- Postgres waits here for who cancels the import.
-- name: AdvanceSourceImport :execrows
UPDATE source_imports SET state = @state, processed = processed + @lines, added = added + @added, existing = existing + @existing,
  failed = failed + @failed, lease_until = @lease_until, finished_at = @finished_at
WHERE id = @id AND lease_owner = @lease_owner AND lease_token = @lease_token AND state = 'running';

-- name: ReleaseSourceImport :execrows
UPDATE source_imports SET lease_until = 0
WHERE id = @id AND lease_owner = @lease_owner AND lease_token = @lease_token AND state = 'running';

-- name: CancelSourceImport :execrows
UPDATE source_imports SET state = 'canceled', lease_owner = '', lease_until = 0, finished_at = CAST(@now AS BIGINT)
WHERE id = @id AND state IN ('pending', 'running');

-- name: DeleteSourceImports :execrows
DELETE FROM source_imports WHERE id IN (
  SELECT i.id FROM source_imports i WHERE i.created_at < @before AND i.state IN ('done', 'canceled')
  ORDER BY i.created_at, i.id LIMIT CAST(@row_limit AS BIGINT));
