package graph

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestNeighborhoodsOfRandomGraphs compares neighborhoods with what a search of
// the whole graph finds.
func TestNeighborhoodsOfRandomGraphs(t *testing.T) {
	whole, cut := 0, 0
	eachRandomGraph(t, func(t *testing.T, r *rand.Rand, g *fakeGraph) {
		q := NeighborhoodQuery{
			Depth: 1 + r.IntN(MaxDepth), MaxNodes: 4 + r.IntN(40), MaxEdges: 1 + r.IntN(80), Fanout: 1 + r.IntN(20), Filter: randomFilter(r),
		}
		ids := g.ids()
		for range 1 + r.IntN(3) {
			q.IDs = append(q.IDs, ids[r.IntN(len(ids))])
		}
		n, err := NewTraversals(g).Neighborhood(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, g, q, n)
		missing := missingOf(g, q, n)
		if n.Truncated {
			cut++
		} else {
			whole++
		}
		if n.Truncated != missing && (q.Filter.Empty() || missing) {
			t.Errorf("truncated is %v, and something is missing: %v\n%+v\n%+v", n.Truncated, missing, q, n)
		}
	})
	if whole < 200 || cut < 200 {
		t.Errorf("%d whole and %d truncated neighborhoods: the graphs test too little", whole, cut)
	}
}

// checkShape holds what is true of every neighborhood.
func checkShape(t *testing.T, g *fakeGraph, q NeighborhoodQuery, n Neighborhood) {
	t.Helper()
	if len(n.Nodes) > q.MaxNodes || len(n.Edges) > q.MaxEdges {
		t.Errorf("%d nodes and %d edges, more than %d and %d", len(n.Nodes), len(n.Edges), q.MaxNodes, q.MaxEdges)
	}
	if !slices.IsSortedFunc(n.Edges, byWeight) {
		t.Errorf("the edges are not sorted: %+v", n.Edges)
	}
	shown := &fakeGraph{entities: map[string]kgl.EntityBrief{}, edges: n.Edges}
	hidden, seen := map[string]int64{}, map[string]bool{}
	for _, node := range n.Nodes {
		if _, twice := hidden[node.ID]; twice {
			t.Errorf("%s is there twice", node.ID)
		}
		hidden[node.ID] = g.entities[node.ID].Degree
	}
	for _, e := range n.Edges {
		if seen[e.ID] || !selects(q.Filter, e) || !slices.Contains(g.edges, e) {
			t.Errorf("the edge %+v comes twice, is not selected or does not exist", e)
		}
		seen[e.ID] = true
		hidden[e.FromID]--
		hidden[e.ToID]--
	}
	if len(hidden) != len(n.Nodes) {
		t.Errorf("an edge leads to an entity that is not shown: %+v", n)
	}
	// Every node is as far away in what is shown as it says.
	far := shown.distances(kgl.EdgeFilter{}, q.IDs...)
	for _, node := range n.Nodes {
		if d, ok := far[node.ID]; !ok || d > node.Depth || node.Depth > q.Depth || node.HiddenDegree != hidden[node.ID] {
			t.Errorf("node %+v is %d steps away (connected: %v) and hides %d", node, d, ok, hidden[node.ID])
		}
	}
}

// missingOf reports whether something is missing that belongs to a
// neighborhood.
func missingOf(g *fakeGraph, q NeighborhoodQuery, n Neighborhood) bool {
	far := g.distances(q.Filter, q.IDs...)
	maps.DeleteFunc(far, func(_ string, d int) bool { return d > q.Depth })
	if len(far) != len(n.Nodes) {
		return true
	}
	for _, node := range n.Nodes {
		if d, ok := far[node.ID]; !ok || d != node.Depth {
			return true
		}
	}
	for _, e := range g.edges {
		from, ok := far[e.FromID]
		to, both := far[e.ToID]
		within := ok && from < q.Depth || both && to < q.Depth
		// Between two entities of the last step only the heaviest are promised.
		if ok && both && !within {
			within = heaviest(g, q, e, e.FromID) || heaviest(g, q, e, e.ToID)
		}
		if within && selects(q.Filter, e) && !slices.Contains(n.Edges, e) {
			return true
		}
	}
	return false
}

// heaviest reports whether an edge is among the Fanout heaviest of one end.
func heaviest(g *fakeGraph, q NeighborhoodQuery, e kgl.GraphEdge, end string) bool {
	better := 0
	for _, o := range g.edges {
		if (o.FromID == end || o.ToID == end) && selects(q.Filter, o) && stored(end)(o, e) < 0 {
			better++
		}
	}
	return better < q.Fanout
}

func star(leaves int) *fakeGraph {
	g := &fakeGraph{entities: map[string]kgl.EntityBrief{}}
	g.add("hub")
	for i := range leaves {
		id := string(rune('a' + i))
		g.add(id)
		g.connect("hub", id, "funds", float64(i+1), 1)
	}
	return g
}

func TestNeighborhoodKeepsTheHeaviest(t *testing.T) {
	g := star(10)
	n, err := NewTraversals(g).Neighborhood(t.Context(), NeighborhoodQuery{IDs: []string{"hub"}, MaxNodes: 4})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, node := range n.Nodes {
		ids = append(ids, node.ID)
	}
	if want := []string{"hub", "j", "i", "h"}; !slices.Equal(ids, want) || !n.Truncated || n.Nodes[0].HiddenDegree != 7 {
		t.Errorf("nodes %v of %+v, want %v and 7 hidden", ids, n, want)
	}
}

// What one end leaves out for its fanout is no loss when the other end shows it.
func TestNeighborhoodIsWholeWhenTheOtherEndsShowIt(t *testing.T) {
	g := star(5)
	q := NeighborhoodQuery{IDs: []string{"hub", "a", "b", "c", "d", "e"}, Fanout: 1}
	n, err := NewTraversals(g).Neighborhood(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if n.Truncated || len(n.Edges) != 5 {
		t.Errorf("neighborhood %+v, want all five edges and nothing left out", n)
	}
}

func TestNeighborhoodOfADeletedEntity(t *testing.T) {
	g := star(3)
	delete(g.entities, "b") // after its edges were read
	n, err := NewTraversals(g).Neighborhood(t.Context(), NeighborhoodQuery{IDs: []string{"hub"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Nodes) != 3 || len(n.Edges) != 2 {
		t.Errorf("neighborhood %+v, want hub, a and c", n)
	}
}

func TestNeighborhoodRefusals(t *testing.T) {
	s := NewTraversals(star(3))
	for name, q := range map[string]NeighborhoodQuery{
		"no start":            {},
		"too many starts":     {IDs: make([]string, MaxStarts+1)},
		"too deep":            {IDs: []string{"hub"}, Depth: MaxDepth + 1},
		"negative depth":      {IDs: []string{"hub"}, Depth: -1},
		"too many nodes":      {IDs: []string{"hub"}, MaxNodes: MaxNodes + 1},
		"too many edges":      {IDs: []string{"hub"}, MaxEdges: MaxEdges + 1},
		"too wide":            {IDs: []string{"hub"}, Fanout: MaxFanout + 1},
		"a confidence over 1": {IDs: []string{"hub"}, Filter: kgl.EdgeFilter{MinConfidence: 1.1}},
		"a bad type":          {IDs: []string{"hub"}, Filter: kgl.EdgeFilter{Types: []string{"No Type"}}},
		"more starts than nodes": {
			IDs: []string{"hub", "a"}, MaxNodes: 1,
		},
	} {
		if _, err := s.Neighborhood(t.Context(), q); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Neighborhood(t.Context(), NeighborhoodQuery{IDs: []string{"hub", "nobody"}})
	wantCode(t, err, kgl.CodeNotFound)
}
