-- name: DropExpiredIdempotencyKey :exec
DELETE FROM idempotency_keys WHERE principal = @principal AND idempotency_key = @idempotency_key AND expires_at <= @now;

-- name: ReserveIdempotencyKey :execrows
INSERT INTO idempotency_keys (principal, idempotency_key, operation, request_hash, completed, status, header, body, created_at, expires_at)
VALUES (@principal, @idempotency_key, @operation, @request_hash, @completed, @status, @header, @body, @created_at, @expires_at)
ON CONFLICT (principal, idempotency_key) DO NOTHING;

-- name: IdempotencyKey :one
SELECT principal, idempotency_key, operation, request_hash, completed, status, header, body, created_at, expires_at
FROM idempotency_keys WHERE principal = @principal AND idempotency_key = @idempotency_key;

-- name: CompleteIdempotencyKey :execrows
UPDATE idempotency_keys SET completed = TRUE, status = @status, header = @header, body = @body
WHERE principal = @principal AND idempotency_key = @idempotency_key;

-- name: DeleteExpiredIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE (principal, idempotency_key) IN (
  SELECT k.principal, k.idempotency_key FROM idempotency_keys k WHERE k.expires_at < @before ORDER BY k.expires_at LIMIT @row_limit::bigint
);
