package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// graphs is a GraphService with one edge; it keeps what it was asked.
type graphs struct {
	*fault
	around graph.NeighborhoodQuery
	path   graph.PathQuery
	status graph.PathStatus
}

func testNodes() []kgl.EntityBrief {
	return []kgl.EntityBrief{
		{ID: testEntityID, Name: "Fund", Type: "grant", Confidence: .9, Degree: 3, Status: kgl.EntityActive},
		{ID: testUserID, Name: "b", Type: "person", Confidence: 1, Degree: 1, Status: kgl.EntityActive},
	}
}

func testEdge() kgl.GraphEdge {
	return kgl.GraphEdge{ID: testRelationID, FromID: testUserID, ToID: testEntityID, Type: "offers", Weight: 1.5, Confidence: .5}
}

func (g *graphs) Neighborhood(_ context.Context, q graph.NeighborhoodQuery) (graph.Neighborhood, error) {
	g.around = q
	nodes := testNodes()
	return result(g.fault, graph.Neighborhood{
		Nodes: []graph.Node{{EntityBrief: nodes[0], HiddenDegree: 2}, {EntityBrief: nodes[1], Depth: 1}},
		Edges: []kgl.GraphEdge{testEdge()}, Truncated: true,
	})
}

func (g *graphs) Path(_ context.Context, q graph.PathQuery) (graph.Path, error) {
	g.path = q
	if g.status != "" {
		return result(g.fault, graph.Path{Status: g.status, Expanded: 9})
	}
	return result(g.fault, graph.Path{Status: graph.PathFound, Exact: true, Nodes: testNodes(), Edges: []kgl.GraphEdge{testEdge()}, Expanded: 2})
}

func TestNeighborhoodPassesEverything(t *testing.T) {
	g := &graphs{fault: &fault{}}
	h := newHarness(t, func(d *Deps) { d.Graph = g })
	res := h.send(request{method: http.MethodGet, path: "/api/v1/graph/neighborhood?id=" + testEntityID + "&id=" + testUserID +
		"&depth=3&max_nodes=7&max_edges=8&fanout=9&min_confidence=0.25&type=offers&type=knows"})
	n := decodeAs[api.Neighborhood](t, res)
	if len(n.Nodes) != 2 || n.Nodes[0].HiddenDegree != 2 || n.Nodes[0].Degree != 3 || n.Nodes[1].Depth != 1 || !n.Truncated ||
		len(n.Edges) != 1 || n.Edges[0].From != testUserID || n.Edges[0].To != testEntityID || n.Edges[0].Weight != 1.5 {
		t.Errorf("neighborhood %+v", n)
	}
	q := g.around
	if len(q.IDs) != 2 || q.Depth != 3 || q.MaxNodes != 7 || q.MaxEdges != 8 || q.Fanout != 9 || q.Filter.MinConfidence != .25 || len(q.Filter.Types) != 2 {
		t.Errorf("asked for %+v", q)
	}
}

func TestPathPassesEverything(t *testing.T) {
	g := &graphs{fault: &fault{}}
	h := newHarness(t, func(d *Deps) { d.Graph = g })
	ends := "/api/v1/graph/path?from=" + testEntityID + "&to=" + testUserID
	p := decodeAs[api.GraphPath](t, h.send(request{method: http.MethodGet, path: ends + "&max_length=3&fanout=9&budget=11&min_confidence=0.25&type=offers"}))
	if p.Status != "found" || !p.Exact || p.Length.MustGet() != 1 || p.Expanded != 2 || len(p.Nodes) != 2 || p.Nodes[1].Depth != 1 || p.Nodes[0].HiddenDegree != 2 || len(p.Edges) != 1 {
		t.Errorf("path %+v", p)
	}
	q := g.path
	if q.From != testEntityID || q.To != testUserID || q.MaxLength != 3 || q.Fanout != 9 || q.Budget != 11 || q.Filter.MinConfidence != .25 || len(q.Filter.Types) != 1 {
		t.Errorf("asked for %+v", q)
	}
	g.status = graph.PathBudgetExhausted
	p = decodeAs[api.GraphPath](t, h.send(request{method: http.MethodGet, path: ends}))
	if p.Status != "budget_exhausted" || p.Exact || !p.Length.IsNull() || len(p.Nodes)+len(p.Edges) != 0 {
		t.Errorf("no path: %+v", p)
	}
}

func decodeAs[T any](t *testing.T, res *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(res.Body.Bytes(), &v); err != nil || res.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", res.Code, err, res.Body)
	}
	return v
}

// The service has the bounds and the defaults that the contract tells.
func TestBoundsOfTheGraphAreThoseOfTheContract(t *testing.T) {
	h := newHarness(t)
	for path, want := range map[string]map[string][2]float64{ // default and maximum
		"/api/v1/graph/neighborhood": {
			"depth": {graph.DefaultDepth, graph.MaxDepth}, "max_nodes": {graph.DefaultMaxNodes, graph.MaxNodes},
			"max_edges": {graph.DefaultMaxEdges, graph.MaxEdges}, "fanout": {graph.DefaultFanout, graph.MaxFanout},
		},
		"/api/v1/graph/path": {
			"max_length": {graph.DefaultMaxLength, graph.MaxLength}, "fanout": {graph.DefaultPathFanout, graph.MaxFanout},
			"budget": {graph.DefaultBudget, graph.MaxBudget},
		},
	} {
		for name, bounds := range want {
			p := h.doc.Paths.Find(path).Get.Parameters.GetByInAndName("query", name)
			if p == nil || p.Schema.Value.Default != bounds[0] || *p.Schema.Value.Max != bounds[1] {
				t.Errorf("%s of %s is not %v in the contract", name, path, bounds)
			}
		}
	}
}
