-- name: CreateTasks :exec
INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
  last_error, created_at, updated_at)
SELECT json_extract(n.value, '$.id'), json_extract(n.value, '$.content_id'), json_extract(n.value, '$.revision'), json_extract(n.value,
  '$.extractor'), json_extract(n.value, '$.state'), json_extract(n.value, '$.attempts'), json_extract(n.value, '$.available_at'),
  json_extract(n.value, '$.lease_owner'), json_extract(n.value, '$.lease_token'), json_extract(n.value, '$.lease_until'), json_extract(n.value,
  '$.last_error'), json_extract(n.value, '$.created_at'), json_extract(n.value, '$.updated_at')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
ON CONFLICT (content_id, revision, extractor) DO NOTHING;

-- A lease moves available_at to its own end, so that one range of the index holds all that can be claimed.
-- On Postgres, tasks that another transaction is claiming, or whose item it is changing, are passed over: a claim
-- waits for nobody. The array makes sure that the subquery, which locks, runs once.
-- name: ClaimTasks :many
UPDATE enrichment_tasks SET state = 'leased', attempts = attempts + 1, available_at = @lease_until, lease_owner = @lease_owner,
  lease_token = lease_token + 1, lease_until = @lease_until, updated_at = @now
WHERE id IN (
  SELECT t.id FROM enrichment_tasks t
  WHERE t.extractor = @extractor AND t.available_at <= @now AND t.state IN ('pending', 'leased')
  ORDER BY t.available_at, t.id LIMIT @row_limit)
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
