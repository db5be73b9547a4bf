-- Postgres locks the row here: whoever appends holds the end of the chain until the transaction ends.
-- name: LockAuditHead :one
SELECT seq, hash FROM audit_head WHERE id = 1;

-- name: AuditHead :one
SELECT seq, hash FROM audit_head WHERE id = 1;

-- name: MoveAuditHead :exec
UPDATE audit_head SET seq = @seq, hash = @hash WHERE id = 1;

-- name: AppendAudit :exec
INSERT INTO audit_events (seq, id, at, actor_type, actor_id, action, subject_type, subject_id, outcome, request_id, address, details, prev_hash, hash)
VALUES (@seq, @id, @at, @actor_type, @actor_id, @action, @subject_type, @subject_id, @outcome, @request_id, @address, @details, @prev_hash, @hash);

-- name: AuditEventsFrom :many
SELECT seq, id, at, actor_type, actor_id, action, subject_type, subject_id, outcome, request_id, address, details, prev_hash, hash
FROM audit_events WHERE seq >= @seq ORDER BY seq LIMIT @row_limit;
