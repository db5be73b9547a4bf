package store

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// neighborsSQLite reads the edges of all entities, those of hubs apart. The
// subquery of an entity merges the two indexes only as far as its limit goes; a
// join with one limit for all entities would read all edges of a hub.
func neighborsSQLite(ctx context.Context, c *conn, q kgl.NeighborQuery, hubs map[string]bool, out []kgl.EntityEdges) error {
	for _, hub := range []bool{false, true} {
		var ids []string
		var places []int
		for i, id := range q.IDs {
			if hubs[id] == hub {
				ids, places = append(ids, id), append(places, i)
			}
		}
		if len(ids) == 0 {
			continue
		}
		text, args, err := packedNeighbors(ids, q, hub)
		if err != nil {
			return err
		}
		rs, err := c.query(ctx, text, args)
		if err != nil {
			return err
		}
		if err := unpackNeighbors(rs, ids, places, out); err != nil {
			return err
		}
	}
	return nil
}

// packedNeighbors returns the statement. That of hubs looks at no more than the
// heaviest edges of each direction for those of the filter, and stops when it has
// enough: SQLite hands the rows of an ordered subquery with a limit on as they
// come. To be told the order again it would read all of them and sort.
func packedNeighbors(ids []string, q kgl.NeighborQuery, hub bool) (string, []any, error) {
	list, err := listText(ids)
	if err != nil {
		return "", nil, err
	}
	l := newList(SQLite, "")
	entities, limit := l.bind(list), l.bind(int64(stepLimit(q)))
	half := func(h sqlText) string {
		if !hub {
			return string(h) + "k.value" + filterEdges(l, " AND", q.Filter)
		}
		return "SELECT * FROM (SELECT id, other, outgoing, type, weight, confidence FROM (" + string(h) + "k.value" + string(edgeOrder) +
			l.bind(int64(q.Scan)) + ")" + filterEdges(l, " WHERE", q.Filter) + " LIMIT " + limit + ")"
	}
	among := ""
	if q.Among != nil {
		others, err := listText(q.Among)
		if err != nil {
			return "", nil, err
		}
		among = " WHERE other IN (SELECT value FROM json_each(" + l.bind(others) + "))"
	}
	// 17 digits tell every double from every other.
	return `SELECT k.key, (SELECT group_concat(id || char(31) || other || char(31) || outgoing || char(31) || type || char(31) ||
  printf('%!.17g', weight) || char(31) || printf('%!.17g', confidence), char(30)) FROM (
` + half(edgesOut) + "\nUNION ALL\n" + half(edgesIn) + string(edgeOrder) + limit + ")" + among + `)
FROM json_each(` + entities + `) AS k`, l.args, nil
}
