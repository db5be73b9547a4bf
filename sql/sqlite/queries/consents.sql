-- name: Consents :many
SELECT source_id, purpose, allowed, decided_at, decided_by FROM source_consents WHERE source_id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- Postgres keeps the consents of the source as they are until the transaction ends: whoever changes them locks the source.
-- name: HoldConsents :one
SELECT id FROM sources WHERE id = @id;

-- Postgres waits here for those who store items or results of the source.
-- name: LockConsents :one
SELECT id FROM sources WHERE id = @id;

-- name: SetConsent :exec
INSERT INTO source_consents (source_id, purpose, allowed, decided_at, decided_by)
VALUES (@source_id, @purpose, @allowed, @decided_at, @decided_by)
ON CONFLICT (source_id, purpose) DO UPDATE SET allowed = excluded.allowed, decided_at = excluded.decided_at, decided_by = excluded.decided_by;
