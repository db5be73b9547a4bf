-- name: SigningKeys :many
SELECT id, algorithm, public_key, private_key, created_at, active_at, retired_at, expires_at
FROM signing_keys ORDER BY created_at, id;

-- name: CreateSigningKey :execrows
INSERT INTO signing_keys (id, algorithm, public_key, private_key, created_at, active_at, retired_at, expires_at)
VALUES (@id, @algorithm, @public_key, @private_key, @created_at, @active_at, @retired_at, @expires_at)
ON CONFLICT (id) DO NOTHING;

-- name: RetireSigningKey :execrows
UPDATE signing_keys SET retired_at = @retired_at, expires_at = @expires_at WHERE id = @id;

-- name: DeleteSigningKeys :exec
DELETE FROM signing_keys WHERE expires_at < @before;
