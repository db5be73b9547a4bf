-- Takes a token, or a place in the queue: one statement, so that replicas cannot take the same token. What it needs to
-- know comes in the columns of the row that a first request makes, because parameters of the update would be lost on
-- SQLite: arrival_at is now and the interval between two tokens, queued_until is less than 0 by the tolerance of the bucket.
-- An arrival further ahead than tolerance and interval can lead to means that the clock was set back. A place is at most
-- an hour ahead.
-- name: TakeToken :one
INSERT INTO domains (domain, arrival_at, queued_until, granted, updated_at)
VALUES (@domain, @arrival_at, @queued_until, TRUE, @updated_at)
ON CONFLICT (domain) DO UPDATE SET updated_at = excluded.updated_at,
  granted = NOT (domains.arrival_at > excluded.updated_at - excluded.queued_until
    AND domains.arrival_at <= excluded.arrival_at - excluded.queued_until + 60000000),
  arrival_at = CASE
    WHEN domains.arrival_at > excluded.arrival_at - excluded.queued_until + 60000000 THEN excluded.arrival_at
    WHEN domains.arrival_at > excluded.updated_at - excluded.queued_until THEN domains.arrival_at
    WHEN domains.arrival_at > excluded.updated_at THEN domains.arrival_at + (excluded.arrival_at - excluded.updated_at)
    ELSE excluded.arrival_at END,
  queued_until = CASE
    WHEN domains.arrival_at <= excluded.updated_at - excluded.queued_until
      OR domains.arrival_at > excluded.arrival_at - excluded.queued_until + 60000000 THEN domains.queued_until
    WHEN domains.queued_until > excluded.updated_at + 3600000000
      THEN excluded.updated_at + 3600000000 + (excluded.arrival_at - excluded.updated_at)
    WHEN domains.queued_until > domains.arrival_at + excluded.queued_until
      THEN domains.queued_until + (excluded.arrival_at - excluded.updated_at)
    ELSE domains.arrival_at + excluded.queued_until + (excluded.arrival_at - excluded.updated_at) END
RETURNING domain, arrival_at, queued_until, granted, updated_at;

-- name: DomainBucket :one
SELECT domain, arrival_at, queued_until, granted, updated_at FROM domains WHERE domain = @domain;

-- name: DeleteStaleDomains :execrows
DELETE FROM domains WHERE domain IN (
  SELECT d.domain FROM domains d WHERE d.updated_at < @before AND d.arrival_at < @before AND d.queued_until < @before
  ORDER BY d.updated_at LIMIT CAST(@row_limit AS BIGINT));
