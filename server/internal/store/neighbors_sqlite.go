package store

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Between the fields of an edge, and between edges: characters that neither ids
// nor types have.
const (
	fieldMark = "\x1f"
	edgeMark  = "\x1e"
)

// neighborsSQLite reads the edges of all entities, of each one more than are
// asked for, and of hubs apart from the others. The subquery of an entity merges
// the two indexes only as far as its limit goes; a join with one limit for all
// entities would read all edges of a hub. The edges of an entity come as one
// text: each row, and more so each statement, costs several times as much as to
// read an edge from an index.
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

// unpackNeighbors reads the answer: the place of an entity in the list, and its
// edges.
func unpackNeighbors(rs rows, ids []string, places []int, out []kgl.EntityEdges) error {
	defer rs.Close()
	for rs.Next() {
		var i int64
		var packed *string
		if err := rs.Scan(&i, &packed); err != nil {
			return err
		}
		if packed == nil {
			continue
		}
		edges := make([]kgl.GraphEdge, 0, strings.Count(*packed, edgeMark)+1)
		for text := range strings.SplitSeq(*packed, edgeMark) {
			e, err := unpackEdge(ids[i], text)
			if err != nil {
				return err
			}
			edges = append(edges, e)
		}
		sortEdges(ids[i], edges)
		out[places[i]].Edges = edges
	}
	return rs.Err()
}

func unpackEdge(entity, text string) (kgl.GraphEdge, error) {
	var field [6]string
	rest, last := text, len(field)-1
	for i := range field[:last] {
		found := false
		if field[i], rest, found = strings.Cut(rest, fieldMark); !found {
			return kgl.GraphEdge{}, fmt.Errorf("an edge with %d fields", i+1)
		}
	}
	field[last] = rest
	weight, err1 := strconv.ParseFloat(field[4], 64)
	confidence, err2 := strconv.ParseFloat(field[5], 64)
	outgoing := int64(0)
	if field[2] == "1" {
		outgoing = 1
	}
	return edgeOf(entity, field[1], outgoing, kgl.GraphEdge{ID: field[0], Type: field[3], Weight: weight, Confidence: confidence}), cmp.Or(err1, err2)
}
