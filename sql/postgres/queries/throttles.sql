-- name: LoginThrottles :many
SELECT throttle_key, failures, window_start, blocked_until, updated_at FROM login_throttles
WHERE throttle_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB))))
ORDER BY throttle_key;

-- Empties a counter whose window is over; a block that has not ended yet stays.
-- name: RestartLoginThrottle :exec
UPDATE login_throttles SET failures = 0, window_start = @now,
  blocked_until = CASE WHEN blocked_until <= @now THEN NULL ELSE blocked_until END
WHERE throttle_key = @throttle_key AND window_start < @window_start;

-- name: AddLoginFailure :one
INSERT INTO login_throttles (throttle_key, failures, window_start, blocked_until, updated_at)
VALUES (@throttle_key, 1, @now, NULL, @now)
ON CONFLICT (throttle_key) DO UPDATE SET failures = login_throttles.failures + 1, updated_at = excluded.updated_at
RETURNING throttle_key, failures, window_start, blocked_until, updated_at;

-- name: BlockLogin :execrows
UPDATE login_throttles SET blocked_until = @blocked_until, updated_at = @updated_at WHERE throttle_key = @throttle_key;

-- name: ClearLoginThrottles :exec
DELETE FROM login_throttles WHERE throttle_key = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@keys AS TEXT) AS JSONB))));

-- name: DeleteStaleThrottles :execrows
DELETE FROM login_throttles WHERE throttle_key IN (
  SELECT t.throttle_key FROM login_throttles t WHERE t.updated_at < @before ORDER BY t.updated_at LIMIT @row_limit::bigint
);
