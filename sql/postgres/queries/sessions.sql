-- name: CreateSession :exec
INSERT INTO sessions (id, user_id, scope, user_agent, address, created_at, expires_at, revoked_at, revoke_reason)
VALUES (@id, @user_id, @scope, @user_agent, @address, @created_at, @expires_at, @revoked_at, @revoke_reason);

-- name: Session :one
SELECT id, user_id, scope, user_agent, address, created_at, expires_at, revoked_at, revoke_reason
FROM sessions WHERE id = @id;

-- name: SessionState :one
SELECT s.id, s.revoked_at, s.expires_at, s.user_id, u.role, u.status
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = @id;

-- name: CreateRefreshToken :exec
INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at, used_at, successor_sealed)
VALUES (@id, @session_id, @token_hash, @created_at, @expires_at, @used_at, @successor_sealed);

-- Postgres locks the row here; on SQLite the writing transaction is the only one.
-- name: LockRefreshToken :one
SELECT id, session_id, token_hash, created_at, expires_at, used_at, successor_sealed
FROM refresh_tokens WHERE token_hash = @token_hash FOR UPDATE;

-- name: UseRefreshToken :execrows
UPDATE refresh_tokens SET used_at = @used_at, successor_sealed = @successor_sealed
WHERE id = @id AND used_at IS NULL;

-- name: RevokeSession :execrows
UPDATE sessions SET revoked_at = @revoked_at, revoke_reason = @revoke_reason
WHERE id = @id AND revoked_at IS NULL;

-- name: RevokeUserSessions :execrows
UPDATE sessions SET revoked_at = @revoked_at, revoke_reason = @revoke_reason
WHERE user_id = @user_id AND revoked_at IS NULL AND expires_at > @now;

-- name: DeleteExpiredSessions :execrows
DELETE FROM sessions WHERE id IN (
  SELECT s.id FROM sessions s WHERE s.expires_at < @before ORDER BY s.expires_at LIMIT @row_limit::bigint
);
