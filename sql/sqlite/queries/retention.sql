-- Sources by id; only those with a retention of their own, unless every one is asked for.
-- name: RetentionSources :many
SELECT s.id, s.settings FROM sources s
WHERE s.id > @after_id AND (CAST(@every_source AS BIGINT) = 1 OR s.settings LIKE '%"max_items":%' OR s.settings LIKE '%"max_age_days":%')
ORDER BY s.id LIMIT @row_limit;

-- The oldest of the newest items of a source.
-- name: OldestKept :one
SELECT h.published_at, h.id FROM (
  SELECT c.published_at, c.id FROM contents c WHERE c.source_id = @source_id
  ORDER BY c.published_at DESC, c.id DESC LIMIT @row_limit) AS h
ORDER BY h.published_at, h.id LIMIT 1;

-- Items before a place in the order of publication, oldest first, but those that are referred to: by items that are folded under them, by what
-- a person found in them, and by a relationship that a person made.
-- name: ExpiredContents :many
SELECT c.id FROM contents c
WHERE c.source_id = @source_id AND (c.published_at, c.id) < (CAST(@before_at AS BIGINT), CAST(@before_id AS TEXT))
  AND NOT EXISTS (SELECT 1 FROM contents d WHERE d.duplicate_of = c.id)
  AND NOT EXISTS (SELECT 1 FROM mentions m WHERE m.content_id = c.id AND m.extractor = 'manual')
  AND NOT EXISTS (SELECT 1 FROM relationship_evidence v JOIN relationships r ON r.id = v.relationship_id
    WHERE v.content_id = c.id AND (v.extractor = 'manual' OR r.extractor = 'manual'))
ORDER BY c.published_at, c.id LIMIT @row_limit;

-- The oldest events, as far as they are older than a time.
-- name: DropEvents :many
DELETE FROM events WHERE events.seq IN (SELECT e.seq FROM events e ORDER BY e.tx_id, e.seq LIMIT @row_limit)
  AND events.occurred_at < @before
RETURNING tx_id, seq;

-- name: ClaimSetting :execrows
UPDATE settings SET value = @value, updated_at = @until WHERE key = @key AND (updated_at <= @now OR value = @value);
