package store

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The edges of an entity come from the database as one text: to hand on a row
// costs several times as much as to read an edge from an index. Between the
// fields of an edge, and between edges, stand characters that neither ids nor
// types have.
const (
	fieldMark = "\x1f"
	edgeMark  = "\x1e"
)

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
	e := kgl.GraphEdge{ID: field[0], FromID: field[1], ToID: entity, Type: field[3], Weight: weight, Confidence: confidence}
	if outgoing := field[2] == "1"; outgoing {
		e.FromID, e.ToID = e.ToID, e.FromID
	}
	return e, cmp.Or(err1, err2)
}

// sortEdges puts the edges of an entity into the order of Neighbors. They come in
// it, but an aggregate does not promise that.
func sortEdges(entity string, edges []kgl.GraphEdge) {
	order := func(a, b kgl.GraphEdge) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Other(entity), b.Other(entity)), cmp.Compare(a.ID, b.ID))
	}
	if !slices.IsSortedFunc(edges, order) {
		slices.SortFunc(edges, order)
	}
}
