package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runGraph(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"neighbors come heaviest first, from both directions", neighborsOrder},
		{"neighbors of several entities stand in the order asked", neighborsOfSeveral},
		{"neighbors are those that the filter selects", neighborsFiltered},
		{"neighbors among given entities", neighborsAmong},
		{"of a hub no more is looked at than was said", neighborsScan},
		{"neighbors of a random graph are right", neighborsRandom},
		{"edges between two entities", edgesBetween},
		{"briefs of entities", entityBriefs},
	})
}

// people stores n entities with the ids 1 to n.
func people(t *testing.T, db *store.DB, n int) []kgl.Entity {
	t.Helper()
	es := make([]kgl.Entity, n)
	for i := range es {
		es[i] = newEntity(i+1, "person", fmt.Sprint("Person ", i+1))
	}
	_, _, err := db.UpsertEntities(ctx(t), es)
	must(t, err)
	return es
}

// weighed returns a relationship with a confidence, which is also its weight.
func weighed(n int, from, to kgl.Entity, typ string, confidence float64) kgl.Relationship {
	r := newRelationship(n, from, to, typ)
	r.Confidence = confidence
	return r
}

func edgeOf(r kgl.Relationship) kgl.GraphEdge {
	return kgl.GraphEdge{ID: r.ID, FromID: r.From.ID, ToID: r.To.ID, Type: r.Type, Weight: r.Confidence, Confidence: r.Confidence}
}

func edgesOf(rs ...kgl.Relationship) []kgl.GraphEdge {
	var out []kgl.GraphEdge
	for _, r := range rs {
		out = append(out, edgeOf(r))
	}
	return out
}

// neighbors asks for the edges of one entity.
func neighbors(t *testing.T, db *store.DB, q kgl.NeighborQuery) kgl.EntityEdges {
	t.Helper()
	found := got(db.Neighbors(ctx(t), q))(t)
	if len(found) != len(q.IDs) {
		t.Fatalf("neighbors of %d entities, asked for %d", len(found), len(q.IDs))
	}
	return found[0]
}

func neighborsOrder(t *testing.T, db *store.DB) {
	p := people(t, db, 5)
	light := weighed(11, p[0], p[4], "knows", 0.25)
	heavy := weighed(12, p[1], p[0], "knows", 0.75)
	// Of the same weight: by the other end, then by id.
	second := weighed(13, p[3], p[0], "knows", 0.5)
	first := weighed(14, p[0], p[2], "owns", 0.5)
	before := weighed(10, p[2], p[0], "knows", 0.5)
	addRelationships(t, db, light, heavy, second, first, before, weighed(15, p[1], p[2], "knows", 1))
	all := edgesOf(heavy, before, first, second, light)
	for most := 1; most <= 6; most++ {
		found := neighbors(t, db, kgl.NeighborQuery{IDs: []string{p[0].ID}, PerEntity: most})
		same(t, found, kgl.EntityEdges{Edges: all[:min(most, 5)], Cut: most < 5})
	}
}

func neighborsOfSeveral(t *testing.T, db *store.DB) {
	p := people(t, db, 4)
	a, b := weighed(11, p[0], p[1], "knows", 0.5), weighed(12, p[2], p[0], "knows", 0.75)
	addRelationships(t, db, a, b)
	found := got(db.Neighbors(ctx(t), kgl.NeighborQuery{IDs: []string{p[2].ID, id(999), p[0].ID, p[3].ID}, PerEntity: 1}))(t)
	same(t, found, []kgl.EntityEdges{{Edges: edgesOf(b)}, {}, {Edges: edgesOf(b), Cut: true}, {}})
	same(t, got(db.Neighbors(ctx(t), kgl.NeighborQuery{PerEntity: 1}))(t), []kgl.EntityEdges{})
}

func neighborsFiltered(t *testing.T, db *store.DB) {
	p := people(t, db, 5)
	knows, owns := weighed(11, p[0], p[1], "knows", 0.5), weighed(12, p[2], p[0], "owns", 0.75)
	funds, weak := weighed(13, p[0], p[3], "funds", 1), weighed(14, p[4], p[0], "knows", 0.25)
	addRelationships(t, db, knows, owns, funds, weak)
	for _, tc := range []struct {
		filter kgl.EdgeFilter
		want   []kgl.GraphEdge
	}{
		{kgl.EdgeFilter{Types: []string{"knows"}}, edgesOf(knows, weak)},
		{kgl.EdgeFilter{Types: []string{"owns", "knows"}}, edgesOf(owns, knows, weak)},
		{kgl.EdgeFilter{Types: []string{"nothing"}}, nil},
		{kgl.EdgeFilter{MinConfidence: 0.5}, edgesOf(funds, owns, knows)},
		{kgl.EdgeFilter{Types: []string{"knows", "funds"}, MinConfidence: 0.5}, edgesOf(funds, knows)},
	} {
		q := kgl.NeighborQuery{IDs: []string{p[0].ID}, PerEntity: 9, Filter: tc.filter, Scan: 9}
		same(t, neighbors(t, db, q), kgl.EntityEdges{Edges: tc.want})
		if q.PerEntity = 1; len(tc.want) > 1 {
			same(t, neighbors(t, db, q), kgl.EntityEdges{Edges: tc.want[:1], Cut: true})
		}
	}
}

func neighborsAmong(t *testing.T, db *store.DB) {
	p := people(t, db, 5)
	a, b, c := weighed(11, p[0], p[1], "knows", 1), weighed(12, p[2], p[0], "owns", 0.75), weighed(13, p[0], p[3], "knows", 0.5)
	addRelationships(t, db, a, b, c, weighed(14, p[3], p[4], "knows", 1))
	for _, tc := range []struct {
		among  []string
		most   int
		filter kgl.EdgeFilter
		want   []kgl.GraphEdge
	}{
		{[]string{p[3].ID, p[1].ID, id(99)}, 3, kgl.EdgeFilter{}, edgesOf(a, c)},
		{[]string{p[3].ID, p[1].ID}, 2, kgl.EdgeFilter{}, edgesOf(a)}, // the third is not among the two heaviest
		{[]string{p[3].ID, p[2].ID}, 2, kgl.EdgeFilter{Types: []string{"knows"}}, edgesOf(c)},
		{[]string{}, 3, kgl.EdgeFilter{}, nil},
	} {
		q := kgl.NeighborQuery{IDs: []string{p[0].ID, p[4].ID}, PerEntity: tc.most, Among: tc.among, Filter: tc.filter, Scan: 9}
		same(t, got(db.Neighbors(ctx(t), q))(t)[0].Edges, tc.want)
	}
}

func neighborsScan(t *testing.T, db *store.DB) {
	p := people(t, db, 9)
	var rs []kgl.Relationship
	for i := 1; i < 9; i++ { // the heaviest first
		typ := "knows"
		if i%4 == 0 {
			typ = "owns"
		}
		rs = append(rs, weighed(10+i, p[0], p[i], typ, 1-float64(i)/16))
	}
	back := weighed(30, p[8], p[0], "owns", 0.125)
	addRelationships(t, db, append(rs, back)...)
	owns := kgl.NeighborQuery{IDs: []string{p[0].ID}, PerEntity: 5, Filter: kgl.EdgeFilter{Types: []string{"owns"}}, Scan: 9}
	same(t, neighbors(t, db, owns), kgl.EntityEdges{Edges: edgesOf(rs[3], rs[7], back)})
	owns.Scan = 8 // as many as there are of one direction
	same(t, neighbors(t, db, owns), kgl.EntityEdges{Edges: edgesOf(rs[3], rs[7], back)})
	owns.Scan = 7
	same(t, neighbors(t, db, owns), kgl.EntityEdges{Edges: edgesOf(rs[3], back), Cut: true})
	owns.Scan = 3
	same(t, neighbors(t, db, owns), kgl.EntityEdges{Edges: edgesOf(back), Cut: true})
}

func neighborsRandom(t *testing.T, db *store.DB) {
	r := rand.New(rand.NewPCG(7, 7))
	p := people(t, db, 30)
	unique := map[string]bool{}
	var rs []kgl.Relationship
	for len(rs) < 300 {
		f := r.Float64()
		from, to, typ := int(f*f*30), r.IntN(30), []string{"knows", "owns", "funds"}[r.IntN(3)]
		if key := fmt.Sprint(from, to, typ); from != to && !unique[key] {
			unique[key] = true
			rs = append(rs, weighed(1000+len(rs), p[from], p[to], typ, float64(r.IntN(9))/8))
		}
	}
	addRelationships(t, db, rs...)
	ids := make([]string, len(p))
	for i, e := range p {
		ids[i] = e.ID
	}
	for range 40 {
		q := kgl.NeighborQuery{IDs: ids, PerEntity: 1 + r.IntN(40), Scan: []int{1000, 1 + r.IntN(30)}[r.IntN(2)]}
		if r.IntN(2) == 0 {
			q.Filter = kgl.EdgeFilter{Types: []string{"knows", "funds"}[:1+r.IntN(2)], MinConfidence: float64(r.IntN(9)) / 8}
		}
		found := got(db.Neighbors(ctx(t), q))(t)
		for i, entity := range ids {
			same(t, found[i], heaviestOf(entity, rs, q))
		}
	}
}

// heaviestOf is what Neighbors promises of one entity.
func heaviestOf(entity string, rs []kgl.Relationship, q kgl.NeighborQuery) kgl.EntityEdges {
	order := func(a, b kgl.GraphEdge) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Other(entity), b.Other(entity)), cmp.Compare(a.ID, b.ID))
	}
	var out kgl.EntityEdges
	for _, end := range []func(e kgl.GraphEdge) string{
		func(e kgl.GraphEdge) string { return e.FromID }, func(e kgl.GraphEdge) string { return e.ToID },
	} {
		half := slices.DeleteFunc(edgesOf(rs...), func(e kgl.GraphEdge) bool { return end(e) != entity })
		slices.SortFunc(half, order)
		if !q.Filter.Empty() && len(half) > q.Scan {
			half, out.Cut = half[:q.Scan], true
		}
		for _, e := range half {
			if e.Confidence >= q.Filter.MinConfidence && (len(q.Filter.Types) == 0 || slices.Contains(q.Filter.Types, e.Type)) {
				out.Edges = append(out.Edges, e)
			}
		}
	}
	slices.SortFunc(out.Edges, order)
	if len(out.Edges) > q.PerEntity {
		return kgl.EntityEdges{Edges: out.Edges[:q.PerEntity], Cut: true}
	}
	return out
}

func edgesBetween(t *testing.T, db *store.DB) {
	p := people(t, db, 3)
	a, b, c := weighed(11, p[0], p[1], "knows", 0.5), weighed(12, p[1], p[0], "knows", 0.75), weighed(13, p[0], p[1], "owns", 0.5)
	addRelationships(t, db, a, b, c, weighed(14, p[0], p[2], "knows", 1))
	between := func(f kgl.EdgeFilter, limit int) []kgl.GraphEdge {
		t.Helper()
		return got(db.EdgesBetween(ctx(t), p[0].ID, p[1].ID, f, limit))(t)
	}
	same(t, between(kgl.EdgeFilter{}, 9), edgesOf(b, a, c))
	same(t, between(kgl.EdgeFilter{}, 1), edgesOf(b))
	same(t, between(kgl.EdgeFilter{Types: []string{"owns"}}, 9), edgesOf(c))
	same(t, between(kgl.EdgeFilter{MinConfidence: 0.6}, 9), edgesOf(b))
	same(t, got(db.EdgesBetween(ctx(t), p[1].ID, p[2].ID, kgl.EdgeFilter{}, 9))(t), []kgl.GraphEdge{})
}

func entityBriefs(t *testing.T, db *store.DB) {
	p := people(t, db, 3)
	addRelationships(t, db, weighed(11, p[0], p[1], "knows", 0.5), weighed(12, p[1], p[0], "knows", 0.5), weighed(13, p[0], p[2], "knows", 0.5))
	brief := func(e kgl.Entity, degree int64) kgl.EntityBrief {
		return kgl.EntityBrief{ID: e.ID, Name: e.Name, Type: e.Type, Confidence: e.Confidence, Degree: degree, Status: kgl.EntityActive}
	}
	same(t, got(db.EntityBriefs(ctx(t), []string{p[2].ID, id(999), p[0].ID}))(t), []kgl.EntityBrief{brief(p[2], 1), brief(p[0], 3)})
	same(t, got(db.EntityBriefs(ctx(t), nil))(t), []kgl.EntityBrief{})
}
