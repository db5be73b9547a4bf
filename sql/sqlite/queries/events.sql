-- name: AppendEvents :exec
INSERT INTO events (tx_id, id, type, subject_type, subject_id, data, occurred_at)
SELECT (SELECT k.tx_offset FROM event_clock k), json_extract(n.value, '$.id'), json_extract(n.value, '$.type'), json_extract(n.value,
  '$.subject_type'), json_extract(n.value, '$.subject_id'), json_extract(n.value, '$.data'), json_extract(n.value, '$.occurred_at')
FROM json_each(CAST(@rows_json AS TEXT)) AS n
ORDER BY json_extract(n.value, '$.n');

-- name: EventsAfter :many
SELECT seq, tx_id, id, type, subject_type, subject_id, data, occurred_at FROM events
WHERE (tx_id, seq) > (CAST(@tx_id AS BIGINT), CAST(@seq AS BIGINT))
ORDER BY tx_id, seq LIMIT @row_limit;
