-- name: CreateTasks :exec
INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
  last_error, created_at, updated_at)
SELECT n.id, n.content_id, n.revision, n.extractor, n.state, n.attempts, n.available_at, n.lease_owner, n.lease_token, n.lease_until, n.last_error,
  n.created_at, n.updated_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (id TEXT, content_id TEXT, revision BIGINT, extractor TEXT, state TEXT,
  attempts BIGINT, available_at BIGINT, lease_owner TEXT, lease_token BIGINT, lease_until BIGINT, last_error TEXT, created_at BIGINT,
  updated_at BIGINT)
ON CONFLICT (content_id, revision, extractor) DO NOTHING;

-- A lease moves available_at to its own end, so that one range of the index holds all that can be claimed.
-- On Postgres, tasks that another transaction is claiming, or whose item it is changing, are passed over: a claim
-- waits for nobody. The array makes sure that the subquery, which locks, runs once.
-- name: ClaimTasks :many
UPDATE enrichment_tasks SET state = 'leased', attempts = attempts + 1, available_at = @lease_until, lease_owner = @lease_owner,
  lease_token = lease_token + 1, lease_until = @lease_until, updated_at = @now
WHERE id = ANY(ARRAY(
  SELECT t.id FROM enrichment_tasks t JOIN contents c ON c.id = t.content_id
  WHERE t.extractor = @extractor AND t.available_at <= @now AND t.state IN ('pending', 'leased')
  ORDER BY t.available_at, t.id LIMIT CAST(@row_limit AS BIGINT) FOR NO KEY UPDATE SKIP LOCKED))
RETURNING id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until, last_error, created_at,
  updated_at, kind, source_id, priority, turn;

-- name: EndTask :execrows
UPDATE enrichment_tasks SET state = @state, lease_owner = '', lease_until = NULL, last_error = @last_error,
  available_at = @available_at, updated_at = @updated_at
WHERE id = @id AND lease_token = @lease_token AND state = 'leased';

-- The attempt that the claim counted was none.
-- name: ReleaseTask :execrows
UPDATE enrichment_tasks SET state = 'pending', attempts = attempts - 1, lease_owner = '', lease_until = NULL, available_at = @now,
  updated_at = @now
WHERE id = @id AND lease_token = @lease_token AND state = 'leased';

-- Work on a body that was replaced is of no use: whoever holds a lease loses it.
-- name: DropOpenTasks :exec
DELETE FROM enrichment_tasks WHERE content_id = @content_id AND state IN ('pending', 'leased');

-- name: NextTask :many
SELECT t.available_at FROM enrichment_tasks t
WHERE t.extractor = @extractor AND t.state IN ('pending', 'leased')
ORDER BY t.available_at LIMIT 1;
