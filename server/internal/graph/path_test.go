package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestPathsOfRandomGraphs compares paths with the distances that a search of the
// whole graph finds.
func TestPathsOfRandomGraphs(t *testing.T) {
	ends := map[string]int{}
	eachRandomGraph(t, func(t *testing.T, r *rand.Rand, g *fakeGraph) {
		ids := g.ids()
		q := PathQuery{
			From: ids[r.IntN(len(ids))], To: ids[r.IntN(len(ids))], MaxLength: 1 + r.IntN(MaxLength), Fanout: 1 + r.IntN(20),
			Budget: 1 + r.IntN(30), Filter: randomFilter(r),
		}
		if r.IntN(3) == 0 { // nothing is cut
			q.Fanout, q.Budget = MaxFanout, MaxBudget
		}
		p, err := NewTraversals(g).Path(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		distance, connected := g.distances(q.Filter, q.From)[q.To]
		connected = connected && distance <= q.MaxLength
		checkPath(t, g, q, p)
		switch {
		case p.Status == PathFound && (!connected || len(p.Edges) < distance || p.Exact && len(p.Edges) != distance),
			p.Status == PathNone && (connected || !p.Exact),
			p.Status == PathBudgetExhausted && p.Exact,
			q.Fanout == MaxFanout && !p.Exact,
			distance == 1 && connected && len(p.Edges) != 1:
			t.Errorf("%+v gave %+v, the distance is %d (%v)", q, p, distance, connected)
		}
		if p.Expanded > q.Budget {
			t.Errorf("%d entities were read, the budget is %d", p.Expanded, q.Budget)
		}
		ends[fmt.Sprint(p.Status, p.Exact)]++
	})
	for _, end := range []string{"foundtrue", "foundfalse", "nonetrue", "budget_exhaustedfalse"} {
		if ends[end] < 20 {
			t.Errorf("only %d searches ended as %s: the graphs test too little", ends[end], end)
		}
	}
}

// checkPath holds that the edges join the nodes from one end to the other.
func checkPath(t *testing.T, g *fakeGraph, q PathQuery, p Path) {
	t.Helper()
	if p.Status != PathFound {
		if len(p.Nodes)+len(p.Edges) > 0 {
			t.Errorf("a path without a path: %+v", p)
		}
		return
	}
	if len(p.Nodes) != len(p.Edges)+1 || p.Nodes[0].ID != q.From || p.Nodes[len(p.Edges)].ID != q.To || len(p.Edges) > q.MaxLength {
		t.Errorf("%+v gave %+v", q, p)
		return
	}
	seen := map[string]bool{q.From: true}
	for i, e := range p.Edges {
		next := p.Nodes[i+1].ID
		if e.Other(next) != p.Nodes[i].ID || e.Other(e.Other(next)) != next || seen[next] || !selects(q.Filter, e) || !slices.Contains(g.edges, e) {
			t.Errorf("edge %d of %+v does not lead on", i, p)
		}
		seen[next] = true
	}
}

func TestPathToItself(t *testing.T) {
	g := star(2)
	g.entities["old"] = kgl.EntityBrief{ID: "old", Status: kgl.EntityMerged, MergedInto: ptr("a")}
	for _, from := range []string{"a", "old"} {
		p, err := NewTraversals(g).Path(t.Context(), PathQuery{From: from, To: "a"})
		if err != nil || p.Status != PathFound || !p.Exact || len(p.Nodes) != 1 || p.Nodes[0].ID != "a" || len(p.Edges) != 0 {
			t.Errorf("from %s: %+v, %v", from, p, err)
		}
	}
}

// A hub's other relationships do not put the path through it in doubt.
func TestPathThroughAHubIsCertain(t *testing.T) {
	g := star(20)
	p, err := NewTraversals(g).Path(t.Context(), PathQuery{From: "a", To: "b", Fanout: 3})
	if err != nil || p.Status != PathFound || !p.Exact || len(p.Edges) != 2 || p.Expanded != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	for i, n := range p.Steps() {
		if n.Depth != i || n.HiddenDegree != []int64{0, 18, 0}[i] {
			t.Errorf("step %d is %+v", i, n)
		}
	}
}

func TestPathRefusals(t *testing.T) {
	s := NewTraversals(star(3))
	for name, q := range map[string]PathQuery{
		"too long":        {From: "a", To: "b", MaxLength: MaxLength + 1},
		"negative length": {From: "a", To: "b", MaxLength: -1},
		"too wide":        {From: "a", To: "b", Fanout: MaxFanout + 1},
		"too dear":        {From: "a", To: "b", Budget: MaxBudget + 1},
		"a bad type":      {From: "a", To: "b", Filter: kgl.EdgeFilter{Types: []string{"No Type"}}},
	} {
		if _, err := s.Path(t.Context(), q); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Path(t.Context(), PathQuery{From: "a", To: "nobody"})
	wantCode(t, err, kgl.CodeNotFound)
}
