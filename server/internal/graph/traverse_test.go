package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fakeGraph is a kgl.GraphStore in memory.
type fakeGraph struct {
	entities map[string]kgl.EntityBrief
	edges    []kgl.GraphEdge
	asked    int // entities whose neighbors were read
}

func (g *fakeGraph) add(id string) {
	g.entities[id] = kgl.EntityBrief{ID: id, Name: "Name of " + id, Type: "person", Confidence: 0.5, Status: kgl.EntityActive}
}

func (g *fakeGraph) connect(from, to, typ string, weight, confidence float64) {
	g.edges = append(g.edges, kgl.GraphEdge{
		ID: fmt.Sprintf("edge%04d", len(g.edges)), FromID: from, ToID: to, Type: typ, Weight: weight, Confidence: confidence,
	})
	for _, id := range []string{from, to} {
		e := g.entities[id]
		e.Degree++
		g.entities[id] = e
	}
}

func selects(f kgl.EdgeFilter, e kgl.GraphEdge) bool {
	return e.Confidence >= f.MinConfidence && (len(f.Types) == 0 || slices.Contains(f.Types, e.Type))
}

// Neighbors implements kgl.GraphStore by looking at every edge.
func (g *fakeGraph) Neighbors(ctx context.Context, q kgl.NeighborQuery) ([]kgl.EntityEdges, error) {
	g.asked += len(q.IDs)
	out := make([]kgl.EntityEdges, len(q.IDs))
	for i, id := range q.IDs {
		for _, outgoing := range []bool{true, false} {
			var half []kgl.GraphEdge
			for _, e := range g.edges {
				if outgoing && e.FromID == id || !outgoing && e.ToID == id {
					half = append(half, e)
				}
			}
			slices.SortFunc(half, stored(id))
			if !q.Filter.Empty() && len(half) > q.Scan {
				half, out[i].Cut = half[:q.Scan], true
			}
			for _, e := range half {
				if selects(q.Filter, e) {
					out[i].Edges = append(out[i].Edges, e)
				}
			}
		}
		slices.SortFunc(out[i].Edges, stored(id))
		if len(out[i].Edges) > q.PerEntity {
			out[i] = kgl.EntityEdges{Edges: out[i].Edges[:q.PerEntity], Cut: true}
		}
		if q.Among != nil {
			out[i] = kgl.EntityEdges{Edges: slices.DeleteFunc(out[i].Edges, func(e kgl.GraphEdge) bool { return !slices.Contains(q.Among, e.Other(id)) })}
		}
	}
	return out, ctx.Err()
}

func stored(id string) func(a, b kgl.GraphEdge) int {
	return func(a, b kgl.GraphEdge) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Other(id), b.Other(id)), cmp.Compare(a.ID, b.ID))
	}
}

// EdgesBetween implements kgl.GraphStore.
func (g *fakeGraph) EdgesBetween(_ context.Context, a, b string, f kgl.EdgeFilter, limit int) ([]kgl.GraphEdge, error) {
	var out []kgl.GraphEdge
	for _, e := range g.edges {
		if (e.FromID == a && e.ToID == b || e.FromID == b && e.ToID == a) && selects(f, e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, byWeight)
	return out[:min(len(out), limit)], nil
}

// EntityBriefs implements kgl.GraphStore.
func (g *fakeGraph) EntityBriefs(_ context.Context, ids []string) ([]kgl.EntityBrief, error) {
	var out []kgl.EntityBrief
	for _, id := range ids {
		if e, ok := g.entities[id]; ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// randomGraph has some entities that most relationships touch, and parts that
// are not connected.
func randomGraph(r *rand.Rand) *fakeGraph {
	g := &fakeGraph{entities: map[string]kgl.EntityBrief{}}
	n := 2 + r.IntN(40)
	name := func(i int) string { return fmt.Sprintf("entity%02d", i) }
	for i := range n {
		g.add(name(i))
	}
	for range r.IntN(3 * n) {
		f := r.Float64()
		from, to := int(f*f*f*float64(n)), r.IntN(n)
		if from == to {
			continue
		}
		if r.IntN(2) == 0 {
			from, to = to, from
		}
		// Few weights, so that many are equal.
		g.connect(name(from), name(to), []string{"funds", "knows", "owns"}[r.IntN(3)], float64(1+r.IntN(4))/2, float64(r.IntN(5))/4)
	}
	return g
}

func (g *fakeGraph) ids() []string { return slices.Sorted(maps.Keys(g.entities)) }

// distances returns how far the entities are that a filter connects with the
// starts.
func (g *fakeGraph) distances(f kgl.EdgeFilter, starts ...string) map[string]int {
	far := map[string]int{}
	for _, id := range starts {
		far[id] = 0
	}
	for changed := true; changed; {
		changed = false
		for _, e := range g.edges {
			if !selects(f, e) {
				continue
			}
			for _, end := range []string{e.FromID, e.ToID} {
				d, ok := far[end]
				if o, known := far[e.Other(end)]; ok && (!known || o > d+1) {
					far[e.Other(end)], changed = d+1, true
				}
			}
		}
	}
	return far
}

func randomFilter(r *rand.Rand) kgl.EdgeFilter {
	var f kgl.EdgeFilter
	if r.IntN(3) == 0 {
		f.Types = []string{"funds", "owns"}[r.IntN(2):]
	}
	if r.IntN(3) == 0 {
		f.MinConfidence = 0.5
	}
	return f
}

// eachRandomGraph runs a check on many graphs and names the one that fails it.
func eachRandomGraph(t *testing.T, check func(t *testing.T, r *rand.Rand, g *fakeGraph)) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		check(t, r, randomGraph(r))
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

func TestResolveFollowsMerges(t *testing.T) {
	g := &fakeGraph{entities: map[string]kgl.EntityBrief{}}
	for _, id := range []string{"a", "b", "c", "d"} {
		g.add(id)
	}
	g.entities["a"] = kgl.EntityBrief{ID: "a", Status: kgl.EntityMerged, MergedInto: ptr("b")}
	g.entities["b"] = kgl.EntityBrief{ID: "b", Status: kgl.EntityMerged, MergedInto: ptr("c")}
	s := NewTraversals(g)
	got, err := s.resolve(t.Context(), []string{"d", "a", "c", "b", "d"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].ID != "d" || got[1].ID != "c" {
		t.Errorf("resolved to %+v, want d and c", got)
	}
	_, err = s.resolve(t.Context(), []string{"d", "nobody"})
	wantCode(t, err, kgl.CodeNotFound)
	g.entities["c"] = kgl.EntityBrief{ID: "c", Status: kgl.EntityMerged, MergedInto: ptr("a")}
	_, err = s.resolve(t.Context(), []string{"a"})
	wantCode(t, err, kgl.CodeInternal)
}

func TestTraversalsEndWithTheirContext(t *testing.T) {
	g := &fakeGraph{entities: map[string]kgl.EntityBrief{}}
	g.add("a")
	g.add("b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := NewTraversals(g)
	if _, err := s.Neighborhood(ctx, NeighborhoodQuery{IDs: []string{"a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("neighborhood: %v", err)
	}
	if _, err := s.Path(ctx, PathQuery{From: "a", To: "b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("path: %v", err)
	}
}
