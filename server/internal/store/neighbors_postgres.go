package store

import (
	"context"
	"strconv"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// neighborsPostgres reads the edges of all entities in one journey, of each one
// more than are asked for.
func neighborsPostgres(ctx context.Context, c *conn, q kgl.NeighborQuery, out []kgl.EntityEdges) error {
	text, args := neighborsOfAll(q)
	rs, err := c.query(ctx, text, args)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var e kgl.GraphEdge
		var place, outgoing int64
		var other string
		if err := rs.Scan(&place, &e.ID, &other, &outgoing, &e.Type, &e.Weight, &e.Confidence); err != nil {
			return err
		}
		i := place - 1
		if out[i].Edges == nil {
			out[i].Edges = make([]kgl.GraphEdge, 0, min(q.PerEntity+1, 32))
		}
		out[i].Edges = append(out[i].Edges, edgeOf(q.IDs[i], other, outgoing, e))
	}
	for i, id := range q.IDs {
		sortEdges(id, out[i].Edges)
	}
	return rs.Err()
}

// neighborsOfAll returns the statement. Limits are written as numbers, see
// listQuery.text.
func neighborsOfAll(q kgl.NeighborQuery) (string, []any) {
	l := newList(Postgres, "")
	ids, limit := l.bind(q.IDs), strconv.Itoa(stepLimit(q))
	half := func(h sqlText) string {
		if q.Filter.Empty() {
			return "(" + string(h) + "s.id" + string(edgeOrder) + limit + ")"
		}
		return "(SELECT * FROM (" + string(h) + "s.id" + string(edgeOrder) + strconv.Itoa(q.Scan) + ") AS heaviest" +
			filterEdges(l, " WHERE", q.Filter) + string(edgeOrder) + limit + ")"
	}
	among := ""
	if q.Among != nil {
		among = "\nWHERE e.other = ANY (CAST(" + l.bind(q.Among) + " AS TEXT[]))"
	}
	return `SELECT s.place, e.id, e.other, e.outgoing, e.type, e.weight, e.confidence
FROM unnest(CAST(` + ids + ` AS TEXT[])) WITH ORDINALITY AS s (id, place)
CROSS JOIN LATERAL (
` + half(edgesOut) + "\nUNION ALL\n" + half(edgesIn) + string(edgeOrder) + limit + ") AS e" + among, l.args
}
