-- A task of a source that does not allow it begins withheld.
-- name: CreateTasks :exec
INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
  last_error, created_at, updated_at, kind, source_id, priority, turn)
SELECT n.id, n.content_id, n.revision, n.extractor,
  CASE WHEN n.state = 'pending' AND NOT COALESCE((SELECT a.allowed FROM source_consents a WHERE a.source_id = n.source_id AND a.purpose = 'ai_processing'), TRUE) THEN 'withheld' ELSE n.state END,
  n.attempts, n.available_at, n.lease_owner, n.lease_token, n.lease_until, n.last_error, n.created_at, n.updated_at, n.kind, n.source_id,
  n.priority, n.turn
FROM (SELECT json_extract(n.value, '$.id') AS id, json_extract(n.value, '$.content_id') AS content_id, json_extract(n.value, '$.revision') AS revision,
    json_extract(n.value, '$.extractor') AS extractor, json_extract(n.value, '$.state') AS state, json_extract(n.value, '$.attempts') AS attempts,
    json_extract(n.value, '$.available_at') AS available_at, json_extract(n.value, '$.lease_owner') AS lease_owner, json_extract(n.value, '$.lease_token') AS lease_token,
    json_extract(n.value, '$.lease_until') AS lease_until, json_extract(n.value, '$.last_error') AS last_error, json_extract(n.value, '$.created_at') AS created_at,
    json_extract(n.value, '$.updated_at') AS updated_at, json_extract(n.value, '$.kind') AS kind, json_extract(n.value, '$.source_id') AS source_id,
    json_extract(n.value, '$.priority') AS priority, json_extract(n.value, '$.turn') AS turn
  FROM json_each(CAST(@rows_json AS TEXT)) AS n) AS n WHERE TRUE
ON CONFLICT (content_id, revision, extractor) DO NOTHING;

-- What the next turn of sources follows from: the first one of the lane's pending tasks of a priority, and the last one
-- of each source. -1 stands for none.
-- name: Turns :many
SELECT CAST(s.value AS TEXT) AS source_id,
  CAST(COALESCE((SELECT t.turn FROM enrichment_tasks t WHERE t.extractor = @extractor AND t.priority = @priority AND t.state = 'pending'
    ORDER BY t.turn LIMIT 1), -1) AS INTEGER) AS first_turn,
  CAST(COALESCE((SELECT t.turn FROM enrichment_tasks t WHERE t.extractor = @extractor AND t.source_id = s.value
    AND t.priority = @priority AND t.state = 'pending' ORDER BY t.turn DESC LIMIT 1), -1) AS INTEGER) AS last_turn
FROM json_each(CAST(@source_ids AS TEXT)) AS s;

-- Tasks whose time has come, or whose lease has ended. On Postgres those that another transaction changes are passed over.
-- name: DueTasks :many
SELECT t.id, t.source_id, t.priority, t.attempts FROM enrichment_tasks t
WHERE t.extractor = @extractor AND t.state IN ('waiting', 'leased') AND t.available_at <= @now
ORDER BY t.available_at, t.id LIMIT 256;

-- name: ReadyTask :exec
UPDATE enrichment_tasks SET
  state = CASE WHEN COALESCE((SELECT a.allowed FROM source_consents a WHERE a.source_id = enrichment_tasks.source_id AND a.purpose = 'ai_processing'), TRUE)
    THEN 'pending' ELSE 'withheld' END,
  lease_owner = '', lease_until = NULL, available_at = @now, updated_at = @now, attempts = @attempts, priority = @priority, turn = @turn
WHERE id = @id;

-- As ReadyTask, for many at once.
-- name: ReadyTasks :exec
UPDATE enrichment_tasks SET
  state = CASE WHEN COALESCE((SELECT a.allowed FROM source_consents a WHERE a.source_id = enrichment_tasks.source_id AND a.purpose = 'ai_processing'), TRUE)
    THEN 'pending' ELSE 'withheld' END,
  lease_owner = '', lease_until = NULL, available_at = CAST(@now AS INTEGER), updated_at = CAST(@now AS INTEGER),
  attempts = (SELECT json_extract(n.value, '$.attempts') FROM json_each(CAST(@rows_json AS TEXT)) AS n
    WHERE json_extract(n.value, '$.id') = enrichment_tasks.id),
  priority = (SELECT json_extract(n.value, '$.priority') FROM json_each(CAST(@rows_json AS TEXT)) AS n
    WHERE json_extract(n.value, '$.id') = enrichment_tasks.id),
  turn = (SELECT json_extract(n.value, '$.turn') FROM json_each(CAST(@rows_json AS TEXT)) AS n
    WHERE json_extract(n.value, '$.id') = enrichment_tasks.id)
WHERE id IN (SELECT json_extract(n.value, '$.id') FROM json_each(CAST(@rows_json AS TEXT)) AS n);

-- A lease moves available_at to its own end, so that one range of the index holds all that comes back. The consent is
-- asked for once more: a task may have been made while it was withdrawn.
-- On Postgres, tasks that another transaction is claiming, or whose item it is changing, are passed over: a claim
-- waits for nobody. The array makes sure that the subquery, which locks, runs once.
-- name: ClaimTasks :many
UPDATE enrichment_tasks SET state = 'leased', attempts = attempts + 1, available_at = @lease_until, lease_owner = @lease_owner,
  lease_token = lease_token + 1, lease_until = @lease_until, updated_at = @now
WHERE id IN (
  SELECT t.id FROM enrichment_tasks t
  WHERE t.extractor = @extractor AND t.state = 'pending'
    AND COALESCE((SELECT a.allowed FROM source_consents a WHERE a.source_id = t.source_id AND a.purpose = 'ai_processing'), TRUE)
  ORDER BY t.priority DESC, t.turn, t.id LIMIT @row_limit)
RETURNING id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until, last_error, created_at,
  updated_at, kind, source_id, priority, turn;

-- Pending tasks that the claim passes over, because their source does not allow it.
-- name: WithholdStragglers :execrows
UPDATE enrichment_tasks SET state = 'withheld', updated_at = @now
WHERE extractor = @extractor AND state = 'pending'
  AND source_id IN (SELECT a.source_id FROM source_consents a WHERE a.purpose = 'ai_processing' AND NOT a.allowed);

-- name: EndTask :execrows
UPDATE enrichment_tasks SET state = @state, lease_owner = '', lease_until = NULL, last_error = @last_error,
  available_at = @available_at, updated_at = @updated_at
WHERE id = @id AND lease_token = @lease_token AND state = 'leased';

-- name: ExtendTask :execrows
UPDATE enrichment_tasks SET lease_until = @lease_until, available_at = @lease_until, updated_at = @updated_at
WHERE id = @id AND lease_token = @lease_token AND state = 'leased';

-- The attempt that the claim counted was none. The turn is not before that of any pending task, which new ones would begin at.
-- name: ReleaseTask :execrows
UPDATE enrichment_tasks SET state = 'pending', attempts = attempts - 1, lease_owner = '', lease_until = NULL, available_at = @now,
  updated_at = @now, turn = CASE WHEN turn < CAST(@first_turn AS INTEGER) THEN CAST(@first_turn AS INTEGER) ELSE turn END
WHERE id = @id AND lease_token = @lease_token AND state = 'leased';

-- Work on a body that was replaced is of no use.
-- name: DropOpenTasks :exec
DELETE FROM enrichment_tasks WHERE content_id = @content_id AND state IN ('pending', 'waiting', 'withheld', 'dead');

-- Whoever holds a lease on it loses it, and can be told why.
-- name: SupersedeTasks :exec
UPDATE enrichment_tasks SET state = 'done', lease_owner = '', lease_until = NULL, last_error = '', updated_at = @updated_at
WHERE content_id = @content_id AND state = 'leased';

-- When the first pending task became available, and when the next other one does.
-- name: NextTask :many
SELECT p.available_at FROM (SELECT t.available_at FROM enrichment_tasks t WHERE t.extractor = @extractor AND t.state = 'pending'
    AND COALESCE((SELECT a.allowed FROM source_consents a WHERE a.source_id = t.source_id AND a.purpose = 'ai_processing'), TRUE)
  ORDER BY t.priority DESC, t.turn, t.id LIMIT 1) AS p
UNION ALL
SELECT l.available_at FROM (SELECT t.available_at FROM enrichment_tasks t
  WHERE t.extractor = @extractor AND t.state IN ('waiting', 'leased') ORDER BY t.available_at LIMIT 1) AS l;

-- name: Task :one
SELECT id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until, last_error, created_at,
  updated_at, kind, source_id, priority, turn
FROM enrichment_tasks WHERE id = @id;

-- name: CountLeases :one
SELECT CAST(COUNT(*) AS INTEGER) AS leases FROM enrichment_tasks
WHERE lease_owner = @lease_owner AND state = 'leased' AND lease_until > CAST(@now AS INTEGER);

-- Items that are worked on wait again when their leases are lost.
-- name: SetLeasedContentsWaiting :exec
UPDATE contents SET status = 'new', version = version + 1, updated_at = @updated_at
WHERE status = 'processing'
  AND id IN (SELECT t.content_id FROM enrichment_tasks t WHERE t.source_id = @source_id AND t.state = 'leased');

-- The attempt of a lease that is lost so was none.
-- name: WithholdTasks :execrows
UPDATE enrichment_tasks SET state = 'withheld', lease_owner = '', lease_until = NULL, updated_at = @now,
  attempts = CASE WHEN state = 'leased' THEN attempts - 1 ELSE attempts END
WHERE source_id = @source_id AND state IN ('pending', 'waiting', 'leased');

-- name: WithheldTasks :many
SELECT id, extractor, priority, attempts FROM enrichment_tasks
WHERE source_id = @source_id AND state = 'withheld' ORDER BY turn, id;

-- On Postgres the tasks stay as they are until the end of the transaction.
-- name: LockDeadTasks :many
SELECT id, source_id, extractor FROM enrichment_tasks
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND state = 'dead' ORDER BY id;

-- name: SetDeadContentsWaiting :exec
UPDATE contents SET status = 'new', version = version + 1, updated_at = @updated_at
WHERE status = 'failed' AND id IN (SELECT t.content_id FROM enrichment_tasks t WHERE t.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND t.state = 'dead');

-- name: CountTasks :many
SELECT extractor, state, CAST(COUNT(*) AS INTEGER) AS total FROM enrichment_tasks GROUP BY extractor, state ORDER BY extractor, state;

-- Ids are in the order in which they were made.
-- name: OldestTasks :many
SELECT t.extractor, t.created_at FROM enrichment_tasks t JOIN (SELECT MIN(p.id) AS id FROM enrichment_tasks p WHERE p.state = 'pending'
  GROUP BY p.extractor) AS o ON o.id = t.id;

-- Tasks that wait in a lane, and are not in another one yet. On Postgres those that another transaction changes are passed over.
-- name: StrayTasks :many
SELECT t.id, t.source_id, t.priority FROM enrichment_tasks t
WHERE t.extractor = @from_extractor AND t.state IN ('pending', 'waiting', 'withheld') AND NOT EXISTS (
  SELECT 1 FROM enrichment_tasks o WHERE o.content_id = t.content_id AND o.revision = t.revision AND o.extractor = @extractor)
ORDER BY t.priority DESC, t.turn, t.id LIMIT 500;

-- name: MoveTask :exec
UPDATE enrichment_tasks SET extractor = @extractor, turn = @turn, attempts = 0, updated_at = @now WHERE id = @id;
