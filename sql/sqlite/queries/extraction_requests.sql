-- name: CreateExtractionRequest :exec
INSERT INTO extraction_requests (id, owner, content_id, text, language, status, attempts, lease_until, result, run_id, failure, created_at,
  finished_at, expires_at)
VALUES (@id, @owner, @content_id, @text, @language, @status, @attempts, @lease_until, @result, @run_id, @failure, @created_at, @finished_at,
  @expires_at);

-- name: ExtractionRequest :one
SELECT id, owner, content_id, text, language, status, attempts, lease_until, result, run_id, failure, created_at, finished_at, expires_at
FROM extraction_requests WHERE id = @id;

-- On Postgres, requests that another transaction is claiming are passed over, and the array makes sure that the subquery,
-- which locks, runs once.
-- name: ClaimExtractionRequests :many
UPDATE extraction_requests SET status = 'running', attempts = attempts + 1, lease_until = @lease_until
WHERE id IN (
  SELECT r.id FROM extraction_requests r WHERE r.status IN ('pending', 'running') AND (r.lease_until IS NULL OR r.lease_until <= @now)
  ORDER BY r.created_at, r.id LIMIT @row_limit)
RETURNING id, owner, content_id, text, language, status, attempts, lease_until, result, run_id, failure, created_at, finished_at, expires_at;

-- The number of the attempt fences the lease.
-- name: FinishExtractionRequest :execrows
UPDATE extraction_requests SET status = @status, lease_until = @lease_until, text = @text, result = @result, run_id = @run_id, failure = @failure,
  finished_at = @finished_at, expires_at = @expires_at
WHERE id = @id AND status = 'running' AND attempts = @attempts;

-- name: FinishContentRequests :execrows
UPDATE extraction_requests SET status = 'succeeded', lease_until = NULL, result = @result, run_id = @run_id, failure = '',
  finished_at = @finished_at, expires_at = @expires_at
WHERE content_id = @content_id AND status IN ('pending', 'running');

-- name: FailStrandedRequests :execrows
UPDATE extraction_requests SET status = 'failed', lease_until = NULL, failure = @failure, finished_at = @finished_at
WHERE status IN ('pending', 'running') AND content_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM enrichment_tasks t WHERE t.content_id = extraction_requests.content_id AND t.extractor = @lane
    AND t.state IN ('pending', 'waiting', 'leased'));

-- A task of an item that somebody waits for: before the others, and once more if it was done.
-- name: DemandTask :execrows
UPDATE enrichment_tasks SET priority = @priority, updated_at = @now,
  attempts = CASE WHEN state IN ('done', 'dead') THEN 0 ELSE attempts END,
  available_at = CASE WHEN state = 'leased' THEN available_at ELSE CAST(@now AS BIGINT) END,
  state = CASE WHEN state = 'leased' THEN 'leased' ELSE 'pending' END
WHERE content_id = @content_id AND revision = @revision AND extractor = @lane AND state <> 'withheld';

-- name: DeleteExpiredExtractionRequests :execrows
DELETE FROM extraction_requests WHERE id IN (
  SELECT r.id FROM extraction_requests r WHERE r.expires_at < @before ORDER BY r.expires_at LIMIT @row_limit);
