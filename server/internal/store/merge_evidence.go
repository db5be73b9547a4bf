package store

import (
	"cmp"
	"context"
	"slices"
)

// evidenceMove says that what is held by one relationship is to be held by another.
type evidenceMove struct {
	From string `json:"from_id"`
	To   string `json:"to_id"`
}

const (
	moveEvidenceSQLite sqlText = `UPDATE relationship_evidence SET origin_id = coalesce(origin_id, relationship_id), relationship_id = n.to_id
FROM (SELECT json_extract(value, '$.from_id') AS from_id, json_extract(value, '$.to_id') AS to_id FROM json_each(?1) LIMIT -1) AS n
WHERE relationship_evidence.relationship_id = n.from_id
  AND NOT EXISTS (SELECT 1 FROM relationship_evidence v WHERE v.relationship_id = n.to_id AND v.content_id = relationship_evidence.content_id
    AND v.extractor = relationship_evidence.extractor AND v.start_offset = relationship_evidence.start_offset
    AND v.end_offset = relationship_evidence.end_offset)`
	moveEvidencePostgres sqlText = `UPDATE relationship_evidence AS e SET origin_id = coalesce(e.origin_id, e.relationship_id), relationship_id = n.to_id
FROM jsonb_to_recordset(CAST($1 AS JSONB)) AS n (from_id TEXT, to_id TEXT)
WHERE e.relationship_id = n.from_id
  AND NOT EXISTS (SELECT 1 FROM relationship_evidence v WHERE v.relationship_id = n.to_id AND v.content_id = e.content_id
    AND v.extractor = e.extractor AND v.start_offset = e.start_offset AND v.end_offset = e.end_offset)`
)

// settleEvidence brings evidence to where it belongs after a settlement, and
// returns how many pieces came to another relationship than the one that they
// were found for. Of a place that several of them have from one extractor, the
// others stay with the relationship that they were found for.
func settleEvidence(ctx context.Context, c *conn, before, after map[string]edge) (int64, error) {
	touched := map[string]bool{} // holders of which the evidence changes
	for id := range after {
		if was, is := holder(before, id), holder(after, id); was != is {
			touched[was], touched[is] = true, true
		}
	}
	if len(touched) == 0 {
		return 0, nil
	}
	var members []string
	var moves []evidenceMove
	for id := range after {
		is := holder(after, id)
		if !touched[is] && !touched[holder(before, id)] {
			continue
		}
		members = append(members, id)
		if is != id {
			moves = append(moves, evidenceMove{From: id, To: is})
		}
	}
	list, err := listText(members)
	if err != nil {
		return 0, err
	}
	if err := c.HomeEvidence(ctx, list); err != nil {
		return 0, err
	}
	moved, err := moveEvidence(ctx, c, moves)
	if err != nil {
		return 0, err
	}
	if err := c.RecountEvidence(ctx, list); err != nil {
		return 0, err
	}
	return moved, c.Reweigh(ctx, list)
}

// moveEvidence makes the moves. Those to the same relationship go one after the
// other, so that none brings a place that another one brings.
func moveEvidence(ctx context.Context, c *conn, moves []evidenceMove) (int64, error) {
	slices.SortFunc(moves, func(a, b evidenceMove) int { return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.From, b.From)) })
	var rounds [][]evidenceMove
	turn := 0
	for i, m := range moves {
		if turn++; i == 0 || m.To != moves[i-1].To {
			turn = 0
		}
		if turn == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[turn] = append(rounds[turn], m)
	}
	statement := moveEvidenceSQLite
	if c.engine == Postgres {
		statement = moveEvidencePostgres
	}
	var moved int64
	for _, round := range rounds {
		for batch := range slices.Chunk(round, saveBatch) {
			text, err := jsonText(batch)
			if err != nil {
				return 0, err
			}
			n, err := c.exec(ctx, string(statement), []any{text})
			if err != nil {
				return 0, err
			}
			moved += n
		}
	}
	return moved, nil
}
