package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// operateGraph walks from a relationship of the sample feeds, and compares what
// it sees with the lists.
func operateGraph(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleUser)
	b.samples(t)
	relationships, err := c.ListRelationshipsWithResponse(ctx, &client.ListRelationshipsParams{Limit: ptr(1)})
	ok(t, err, relationships, http.StatusOK)
	edge := relationships.JSON200.Data[0]

	around, err := c.GetNeighborhoodWithResponse(ctx, &client.GetNeighborhoodParams{
		ID: []string{edge.From.ID}, MaxNodes: ptr(1000), MaxEdges: ptr(5000), Fanout: ptr(200),
	})
	ok(t, err, around, http.StatusOK)
	n := around.JSON200
	if n.Truncated || n.Nodes[0].ID != edge.From.ID || n.Nodes[0].Name != edge.From.Name || n.Nodes[0].HiddenDegree != 0 {
		t.Errorf("neighborhood of %+v: truncated %v, %+v", edge.From, n.Truncated, n.Nodes[0])
	}
	all := walk(t, c, "/api/v1/entities/"+edge.From.ID+"/relationships", "", 100)
	if n.Nodes[0].Degree != len(all) {
		t.Errorf("the degree is %d, and there are %d relationships", n.Nodes[0].Degree, len(all))
	}
	for _, id := range all {
		if !slices.ContainsFunc(n.Edges, func(e client.GraphEdge) bool { return e.ID == id }) {
			t.Errorf("the relationship %s is not in the neighborhood", id)
		}
	}
	small, err := c.GetNeighborhoodWithResponse(ctx, &client.GetNeighborhoodParams{
		ID: []string{edge.From.ID, edge.To.ID}, Depth: ptr(3), MaxNodes: ptr(2), Type: &[]string{edge.Type}, MinConfidence: ptr(edge.Confidence),
	})
	ok(t, err, small, http.StatusOK)
	if s := small.JSON200; len(s.Nodes) != 2 || !slices.ContainsFunc(s.Edges, func(e client.GraphEdge) bool { return e.ID == edge.ID }) {
		t.Errorf("neighborhood of two nodes: %+v", s)
	}
	direct, err := c.GetPathWithResponse(ctx, &client.GetPathParams{From: edge.To.ID, To: edge.From.ID})
	ok(t, err, direct, http.StatusOK)
	if p := direct.JSON200; p.Status != client.GraphPathStatusFound || !p.Exact || p.Length.MustGet() != 1 || p.Nodes[0].ID != edge.To.ID || p.Nodes[1].ID != edge.From.ID {
		t.Errorf("path along one relationship: %+v", p)
	}
	operateLongPath(t, c, n)
}

// operateLongPath goes between entities of a neighborhood, and to one that has no
// relationship.
func operateLongPath(t *testing.T, c *caller, n *client.Neighborhood) {
	ctx := t.Context()
	from, to := n.Nodes[1].ID, n.Nodes[len(n.Nodes)-1].ID
	path, err := c.GetPathWithResponse(ctx, &client.GetPathParams{From: from, To: to, MaxLength: ptr(2), Fanout: ptr(200), Budget: ptr(10)})
	ok(t, err, path, http.StatusOK)
	if p := path.JSON200; p.Status != client.GraphPathStatusFound || !p.Exact || p.Length.MustGet() > 2 || len(p.Nodes) != len(p.Edges)+1 {
		t.Errorf("path between two neighbors of one entity: %+v", p)
	}
	alone := c.b.as(t, client.RoleModerator)
	created, err := alone.CreateEntityWithResponse(ctx, nil, client.EntityCreate{Name: "Alone " + newPassword(), Type: "grant"})
	ok(t, err, created, http.StatusCreated)
	none, err := c.GetPathWithResponse(ctx, &client.GetPathParams{From: from, To: created.JSON201.ID})
	ok(t, err, none, http.StatusOK)
	if p := none.JSON200; p.Status != client.GraphPathStatusNone || !p.Exact || !p.Length.IsNull() || len(p.Nodes)+len(p.Edges) != 0 {
		t.Errorf("path to an entity without relationships: %+v", p)
	}
	const unknown = "0198c6f0-0000-7000-8000-00000000dead"
	if p := c.do("GET", "/api/v1/graph/neighborhood?id="+from+"&id="+unknown, "").want(t, http.StatusNotFound).problem(t); !strings.Contains(p.Detail, unknown) {
		t.Errorf("an unknown entity is not named: %+v", p)
	}
	c.do("GET", "/api/v1/graph/neighborhood?max_nodes=1&id="+from+"&id="+to, "").want(t, http.StatusBadRequest)
}

// testGraphChanges builds a chain of four entities, and looks at it after a
// merge, its undo and a rejection.
func testGraphChanges(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	one, two, three, four := c.newEntity(t, "person"), c.newEntity(t, "grant"), c.newEntity(t, "platform"), c.newEntity(t, "person")
	c.relate(t, one.ID, two.ID, "receives")
	c.relate(t, three.ID, two.ID, "offers")
	c.relate(t, three.ID, four.ID, "employs")
	c.wantPath(t, one.ID, four.ID, one.ID, two.ID, three.ID, four.ID)
	c.wantAround(t, one.ID, 2, one.ID, two.ID, three.ID)

	// The second and the third are the same: the chain is shorter, and an id that
	// was merged stands for the other one.
	merge := c.mergeOf(t, two.ID, three.ID)
	c.wantPath(t, one.ID, four.ID, one.ID, two.ID, four.ID)
	c.wantPath(t, three.ID, one.ID, two.ID, one.ID)
	c.wantAround(t, three.ID, 1, two.ID, one.ID, four.ID)
	undone, err := c.UndoEntityMergeWithResponse(t.Context(), two.ID, merge.ID)
	ok(t, err, undone, http.StatusOK)
	c.wantPath(t, one.ID, four.ID, one.ID, two.ID, three.ID, four.ID)

	rejected, err := c.UpdateEntityWithResponse(t.Context(), three.ID, nil, client.EntityUpdate{Status: ptr(client.EntityUpdateStatusRejected)})
	ok(t, err, rejected, http.StatusOK)
	c.wantPath(t, one.ID, four.ID)
	c.wantAround(t, one.ID, 3, one.ID, two.ID)
}

// wantPath expects the shortest path through these entities, or none.
func (c *caller) wantPath(t *testing.T, from, to string, want ...string) {
	t.Helper()
	res, err := c.GetPathWithResponse(t.Context(), &client.GetPathParams{From: from, To: to})
	ok(t, err, res, http.StatusOK)
	if p := res.JSON200; !p.Exact || !slices.Equal(nodeIDs(p.Nodes), want) {
		t.Errorf("path %+v, want %v", p, want)
	}
}

// wantAround expects these entities within some steps, the first one first.
func (c *caller) wantAround(t *testing.T, id string, depth int, want ...string) {
	t.Helper()
	res, err := c.GetNeighborhoodWithResponse(t.Context(), &client.GetNeighborhoodParams{ID: []string{id}, Depth: &depth})
	ok(t, err, res, http.StatusOK)
	n := res.JSON200
	have := nodeIDs(n.Nodes)
	first := have[0]
	slices.Sort(have)
	start := want[0]
	slices.Sort(want)
	if n.Truncated || first != start || !slices.Equal(have, want) || n.Nodes[0].HiddenDegree != 0 {
		t.Errorf("neighborhood %+v, want %v", n, want)
	}
}

func nodeIDs(nodes []client.GraphNode) []string {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}
