-- name: AppendEvents :exec
INSERT INTO events (tx_id, id, type, subject_type, subject_id, data, occurred_at)
SELECT (SELECT k.tx_offset FROM event_clock k) + CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT), n.id, n.type, n.subject_type, n.subject_id,
  n.data, n.occurred_at
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (n BIGINT, id TEXT, type TEXT, subject_type TEXT, subject_id TEXT, data TEXT,
  occurred_at BIGINT)
ORDER BY n.n;

-- name: EventsAfter :many
SELECT seq, tx_id, id, type, subject_type, subject_id, data, occurred_at FROM events
WHERE (tx_id, seq) > (CAST(@tx_id AS BIGINT), CAST(@seq AS BIGINT))
  AND tx_id < (SELECT k.tx_offset FROM event_clock k) + CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)
ORDER BY tx_id, seq LIMIT CAST(@row_limit AS BIGINT);
