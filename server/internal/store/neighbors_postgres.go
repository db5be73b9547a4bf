package store

import (
	"context"
	"strconv"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// neighborsPostgres reads the edges of all entities in one journey.
func neighborsPostgres(ctx context.Context, c *conn, q kgl.NeighborQuery, out []kgl.EntityEdges) error {
	text, args := neighborsOfAll(q)
	rs, err := c.query(ctx, text, args)
	if err != nil {
		return err
	}
	places := make([]int, len(q.IDs))
	for i := range places {
		places[i] = i
	}
	return unpackNeighbors(rs, q.IDs, places, out)
}

// neighborsOfAll returns the statement. Each half has a limit of its own, without
// which Postgres reads all of a hub before it merges. Limits are written as
// numbers, see listQuery.text. Texts of doubles are exact.
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
		among = "\nWHERE e.other IN (SELECT unnest(CAST(" + l.bind(q.Among) + " AS TEXT[])))"
	}
	return `SELECT s.place - 1, (SELECT string_agg(concat_ws(chr(31), e.id, e.other, e.outgoing, e.type, e.weight, e.confidence), chr(30)) FROM (
` + half(edgesOut) + "\nUNION ALL\n" + half(edgesIn) + string(edgeOrder) + limit + ") AS e" + among + `)
FROM unnest(CAST(` + ids + ` AS TEXT[])) WITH ORDINALITY AS s (id, place)`, l.args
}
