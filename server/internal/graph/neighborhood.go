package graph

import (
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Bounds and defaults of a neighborhood.
const (
	MaxStarts = 20

	DefaultDepth = 1
	MaxDepth     = 3

	DefaultMaxNodes = 100
	MaxNodes        = 1000

	DefaultMaxEdges = 400
	MaxEdges        = 5000

	DefaultFanout = 25
	MaxFanout     = 200
)

// NeighborhoodQuery asks for what lies around entities. A number of 0 means its
// default.
type NeighborhoodQuery struct {
	IDs      []string // where to begin, at most MaxStarts
	Depth    int      // steps from there, at most
	MaxNodes int
	MaxEdges int
	Fanout   int // relationships of each entity that are followed, the heaviest
	Filter   kgl.EdgeFilter
}

// Node is an entity of a neighborhood.
type Node struct {
	kgl.EntityBrief
	Depth        int   // steps from the nearest start
	HiddenDegree int64 // its relationships that the neighborhood does not show, of any type
}

// Neighborhood is a part of the graph. Nodes are in the order in which they were
// found, edges are the heaviest first, and both ends of each are nodes.
//
// Truncated is false exactly when nothing was left out: every entity within
// Depth steps is there, and every selected relationship of those that are less
// than Depth steps away. Relationships between two entities of the last step are
// there as far as they are among the Fanout heaviest of one of them.
type Neighborhood struct {
	Nodes     []Node
	Edges     []kgl.GraphEdge
	Truncated bool
}

func (q *NeighborhoodQuery) normalize() error {
	var f faults
	if len(q.IDs) == 0 || len(q.IDs) > MaxStarts {
		f.between("id", len(q.IDs), 1, MaxStarts)
	}
	q.Depth, q.Fanout = orDefault(q.Depth, DefaultDepth), orDefault(q.Fanout, DefaultFanout)
	q.MaxNodes, q.MaxEdges = orDefault(q.MaxNodes, DefaultMaxNodes), orDefault(q.MaxEdges, DefaultMaxEdges)
	f.between("depth", q.Depth, 1, MaxDepth)
	f.between("max_nodes", q.MaxNodes, 1, MaxNodes)
	f.between("max_edges", q.MaxEdges, 1, MaxEdges)
	f.between("fanout", q.Fanout, 1, MaxFanout)
	f.edgeFilter(q.Filter)
	return f.err()
}

// Neighborhood returns the part of the graph around entities. It walks level by
// level and, when not all fits, keeps what the heaviest relationships lead to.
// CodeInvalid; CodeNotFound names a start that does not exist; CodeTimeout.
func (s *Traversals) Neighborhood(ctx context.Context, q NeighborhoodQuery) (Neighborhood, error) {
	if err := q.normalize(); err != nil {
		return Neighborhood{}, err
	}
	starts, err := s.resolve(ctx, q.IDs)
	if err != nil {
		return Neighborhood{}, err
	}
	if len(starts) > q.MaxNodes {
		return Neighborhood{}, kgl.Invalid("max_nodes", "must leave room for the entities to begin with")
	}
	w := newWalk(q, starts)
	for depth := 0; len(w.frontier) > 0; depth++ {
		found, err := s.neighbors(ctx, w.frontier, q.Fanout, q.Filter, w.among(depth))
		if err != nil {
			return Neighborhood{}, err
		}
		w.step(depth, found)
	}
	briefs, err := s.store.EntityBriefs(ctx, w.order)
	if err != nil {
		return Neighborhood{}, err
	}
	return w.result(briefs), nil
}

// walk is a neighborhood while it grows.
type walk struct {
	q         NeighborhoodQuery
	order     []string       // the entities as they were found
	depth     map[string]int // of these
	frontier  []string       // those that were found last
	seen      map[string]bool
	tree      []kgl.GraphEdge // by which each entity but the starts was found
	rest      []kgl.GraphEdge
	cut       []string // entities of which not all edges were read
	truncated bool
}

func newWalk(q NeighborhoodQuery, starts []kgl.EntityBrief) *walk {
	w := &walk{q: q, depth: make(map[string]int, q.MaxNodes), seen: make(map[string]bool, q.MaxEdges)}
	for _, b := range starts {
		w.add(b.ID, 0)
	}
	w.frontier = w.order
	return w
}

func (w *walk) add(id string, depth int) {
	w.depth[id] = depth
	w.order = append(w.order, id)
}

// step takes in the edges of the frontier, which is depth steps from the starts.
func (w *walk) step(depth int, found []kgl.EntityEdges) {
	last, first := depth == w.q.Depth, len(w.order)
	var leads []kgl.GraphEdge // to entities that are not known yet
	for i, f := range found {
		entity := w.frontier[i]
		if f.Cut && !last {
			w.cut = append(w.cut, entity)
		}
		for _, e := range f.Edges {
			if _, known := w.depth[e.Other(entity)]; known {
				w.keep(e)
			} else if !last {
				leads = append(leads, e)
			}
		}
	}
	w.follow(leads, depth+1)
	w.frontier = w.order[first:]
}

// among returns the entities of which edges matter, when no others can be added
// and it is known that some are missing: nil for all. That spares most of what a
// step reads.
func (w *walk) among(depth int) []string {
	if depth == w.q.Depth || w.truncated && w.full() {
		return w.order
	}
	return nil
}

// keep notes an edge between two entities that are known. It comes from either.
func (w *walk) keep(e kgl.GraphEdge) {
	if !w.seen[e.ID] {
		w.seen[e.ID] = true
		w.rest = append(w.rest, e)
	}
}

// full reports whether no entity can be added.
func (w *walk) full() bool { return len(w.order) >= w.q.MaxNodes || len(w.tree) >= w.q.MaxEdges }

// follow adds what edges lead to, the heaviest first, as far as there is room.
func (w *walk) follow(leads []kgl.GraphEdge, depth int) {
	if !w.full() {
		slices.SortFunc(leads, byWeight)
	}
	for _, e := range leads {
		_, from := w.depth[e.FromID]
		_, to := w.depth[e.ToID]
		switch {
		case from && to: // a heavier one led there, too
			w.keep(e)
		case w.full():
			w.truncated = true
		default:
			w.seen[e.ID] = true
			w.tree = append(w.tree, e)
			w.add(outside(e, from), depth)
		}
	}
}

// outside returns the end of an edge that is not known yet.
func outside(e kgl.GraphEdge, fromKnown bool) string {
	if fromKnown {
		return e.ToID
	}
	return e.FromID
}

// result puts the neighborhood together. Entities that were deleted while the
// walk went on are left out with their edges.
func (w *walk) result(briefs []kgl.EntityBrief) Neighborhood {
	out := Neighborhood{Nodes: make([]Node, len(briefs))}
	at := make(map[string]*Node, len(briefs))
	for i, b := range briefs {
		out.Nodes[i] = Node{EntityBrief: b, Depth: w.depth[b.ID], HiddenDegree: b.Degree}
		at[b.ID] = &out.Nodes[i]
	}
	gone := func(e kgl.GraphEdge) bool { return at[e.FromID] == nil || at[e.ToID] == nil }
	show := func(e kgl.GraphEdge, by int64) {
		at[e.FromID].HiddenDegree -= by
		at[e.ToID].HiddenDegree -= by
	}
	tree := slices.DeleteFunc(w.tree, gone)
	out.Edges = append(tree, slices.DeleteFunc(w.rest, gone)...)
	for _, e := range out.Edges {
		show(e, 1)
	}
	out.Truncated = w.truncated || w.missed(at, out.Edges)
	if room := w.q.MaxEdges; len(out.Edges) > room {
		slices.SortFunc(out.Edges[len(tree):], byWeight)
		for _, e := range out.Edges[room:] {
			show(e, -1)
		}
		out.Edges, out.Truncated = out.Edges[:room], true
	}
	for i := range out.Nodes {
		// The degree may be older than the edges.
		out.Nodes[i].HiddenDegree = max(out.Nodes[i].HiddenDegree, 0)
	}
	slices.SortFunc(out.Edges, byWeight)
	return out
}

// missed reports whether something is missing because not all edges of some
// entities were read. What was cut off one end may have been read at the other,
// unless that was found later than the edge would have told. With a filter nobody
// knows how many edges there are.
func (w *walk) missed(at map[string]*Node, edges []kgl.GraphEdge) bool {
	cut := make(map[string]bool, len(w.cut))
	for _, id := range w.cut {
		if n := at[id]; n != nil && (n.HiddenDegree > 0 || !w.q.Filter.Empty()) {
			return true
		}
		cut[id] = true
	}
	return slices.ContainsFunc(edges, func(e kgl.GraphEdge) bool {
		from, to := w.depth[e.FromID], w.depth[e.ToID]
		return cut[e.FromID] && to > from+1 || cut[e.ToID] && from > to+1
	})
}
