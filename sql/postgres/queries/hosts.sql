-- name: CreateHost :exec
INSERT INTO hosts (host, due_at, updated_at) VALUES (@host, NULL, @updated_at)
ON CONFLICT (host) DO NOTHING;

-- A host is due when its first source is, but not before the time until which it asked to be left alone.
-- name: RefreshHost :exec
UPDATE hosts SET updated_at = @updated_at, due_at = (
  SELECT CASE WHEN MIN(s.next_fetch_at) < hosts.not_before THEN hosts.not_before ELSE MIN(s.next_fetch_at) END
  FROM sources s WHERE s.host = hosts.host AND s.next_fetch_at IS NOT NULL AND s.status <> 'paused')
WHERE hosts.host = @host;

-- Postgres locks the row, so that whoever changes a source of the host waits for who computes when it is due.
-- name: LockHost :one
SELECT host, due_at, not_before, lease_owner, lease_token, lease_until, updated_at
FROM hosts WHERE host = @host FOR NO KEY UPDATE;

-- On Postgres, hosts that another transaction is claiming are passed over, and the array makes sure that the
-- subquery, which locks, runs once.
-- name: ClaimHosts :many
UPDATE hosts SET lease_owner = @lease_owner, lease_token = lease_token + 1, lease_until = @lease_until, updated_at = @now
WHERE host = ANY(ARRAY(
  SELECT h.host FROM hosts h WHERE h.due_at <= @now AND h.lease_until <= @now
  ORDER BY h.due_at, h.host LIMIT CAST(@row_limit AS BIGINT) FOR NO KEY UPDATE SKIP LOCKED))
RETURNING host, lease_owner, lease_token, lease_until, due_at;

-- name: ExtendHost :execrows
UPDATE hosts SET lease_until = @lease_until WHERE host = @host AND lease_token = @lease_token AND lease_owner = @lease_owner;

-- name: ReleaseHost :execrows
UPDATE hosts SET lease_owner = '', lease_until = 0, not_before = CAST(@not_before AS BIGINT), due_at = (
  SELECT CASE WHEN MIN(s.next_fetch_at) < CAST(@not_before AS BIGINT) THEN CAST(@not_before AS BIGINT) ELSE MIN(s.next_fetch_at) END
  FROM sources s WHERE s.host = hosts.host AND s.next_fetch_at IS NOT NULL AND s.status <> 'paused')
WHERE hosts.host = @host AND hosts.lease_token = @lease_token AND hosts.lease_owner = @lease_owner;

-- name: NextFreeHost :many
SELECT h.due_at FROM hosts h WHERE h.due_at IS NOT NULL AND h.lease_until = 0 ORDER BY h.due_at LIMIT 1;

-- A leased host can be claimed when its lease has ended; there are as many as workers.
-- name: LeasedHosts :many
SELECT h.due_at, h.lease_until FROM hosts h WHERE h.due_at IS NOT NULL AND h.lease_until > 0;

-- name: HostState :one
SELECT host, due_at, not_before, lease_owner, lease_token, lease_until, updated_at FROM hosts WHERE host = @host;

-- How the last fetches of a host ended, each of another source.
-- name: HostFetches :many
SELECT s.id, s.health, s.last_fetched_at FROM sources s
WHERE s.host = @host AND s.last_fetched_at >= @since
ORDER BY s.last_fetched_at DESC, s.id DESC LIMIT CAST(@row_limit AS BIGINT);
