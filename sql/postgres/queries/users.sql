-- name: CreateUser :execrows
INSERT INTO users (id, email, email_key, name, role, status, password_hash, version, last_login_at, created_at, updated_at)
VALUES (@id, @email, @email_key, @name, @role, @status, @password_hash, @version, @last_login_at, @created_at, @updated_at)
ON CONFLICT (email_key) DO NOTHING;

-- name: User :one
SELECT id, email, email_key, name, role, status, password_hash, version, last_login_at, created_at, updated_at
FROM users WHERE id = @id;

-- name: UserByEmail :one
SELECT id, email, email_key, name, role, status, password_hash, version, last_login_at, created_at, updated_at
FROM users WHERE email_key = @email_key;

-- name: UpdateUser :one
UPDATE users SET email = @email, email_key = @email_key, name = @name, role = @role, status = @status,
  password_hash = @password_hash, version = version + 1, updated_at = @updated_at
WHERE id = @id AND version = @version
RETURNING id, email, email_key, name, role, status, password_hash, version, last_login_at, created_at, updated_at;

-- name: RecordLogin :execrows
UPDATE users SET last_login_at = @last_login_at WHERE id = @id;

-- name: RecordLoginWithHash :execrows
UPDATE users SET last_login_at = @last_login_at, password_hash = @password_hash WHERE id = @id;

-- name: DeleteUser :execrows
DELETE FROM users WHERE id = @id;

-- Postgres locks the rows here, so that two transactions cannot each take the other's last admin.
-- name: LockActiveAdmins :many
SELECT id FROM users WHERE role = 'admin' AND status = 'active' ORDER BY id FOR UPDATE;

-- name: CountUsers :one
SELECT CAST(COUNT(*) AS BIGINT) AS n FROM users;
