-- name: Setting :one
SELECT value FROM settings WHERE key = @key;

-- name: CreateSetting :execrows
INSERT INTO settings (key, value, updated_at) VALUES (@key, @value, @updated_at)
ON CONFLICT (key) DO NOTHING;

-- name: SetSetting :exec
INSERT INTO settings (key, value, updated_at) VALUES (@key, @value, @updated_at)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at;

-- name: PingWrite :exec
INSERT INTO settings (key, value, updated_at) VALUES ('ping', '', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
