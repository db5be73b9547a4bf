package store

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// neighborsSQLite reads the edges of one entity after the other, one more than
// are asked for: a statement costs little there, and SQLite merges the two
// indexes as far as it is read. In one statement for all entities it would read
// all edges of a hub, because the limit counts only at the end.
func neighborsSQLite(ctx context.Context, c *conn, q kgl.NeighborQuery, hubs map[string]bool, out []kgl.EntityEdges) error {
	for i, id := range q.IDs {
		text, args := neighborsOf(id, q, hubs[id])
		rs, err := c.query(ctx, text, args)
		if err != nil {
			return err
		}
		if out[i].Edges, err = readEdges(rs, id, q.PerEntity+1); err != nil {
			return err
		}
	}
	return nil
}

func readEdges(rs rows, id string, most int) ([]kgl.GraphEdge, error) {
	defer rs.Close()
	var edges []kgl.GraphEdge
	for rs.Next() {
		var e kgl.GraphEdge
		var other string
		var outgoing int64
		if err := rs.Scan(&e.ID, &other, &outgoing, &e.Type, &e.Weight, &e.Confidence); err != nil {
			return nil, err
		}
		if edges == nil {
			edges = make([]kgl.GraphEdge, 0, min(most, 32))
		}
		edges = append(edges, edgeOf(id, other, outgoing, e))
	}
	return edges, rs.Err()
}

// neighborsOf returns the statement for one entity. That of a hub looks at no
// more than the heaviest edges of each direction for those of the filter.
func neighborsOf(id string, q kgl.NeighborQuery, hub bool) (string, []any) {
	l := newList(SQLite, "")
	entity, limit := l.bind(id), l.bind(int64(q.PerEntity)+1)
	half := func(h sqlText) string {
		if !hub {
			return string(h) + entity + filterEdges(l, " AND", q.Filter)
		}
		return "SELECT id, other, outgoing, type, weight, confidence FROM (" + string(h) + entity + string(edgeOrder) +
			l.bind(int64(q.Scan)) + ")" + filterEdges(l, " WHERE", q.Filter)
	}
	return half(edgesOut) + "\nUNION ALL\n" + half(edgesIn) + string(edgeOrder) + limit, l.args
}
