package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// GraphService walks through the graph. A *graph.Traversals is one.
type GraphService interface {
	Neighborhood(ctx context.Context, q graph.NeighborhoodQuery) (graph.Neighborhood, error)
	Path(ctx context.Context, q graph.PathQuery) (graph.Path, error)
}

// GetNeighborhood returns what is around entities.
func (s *server) GetNeighborhood(ctx context.Context, r api.GetNeighborhoodRequestObject) (api.GetNeighborhoodResponseObject, error) {
	n, err := s.Graph.Neighborhood(ctx, graph.NeighborhoodQuery{
		IDs: r.Params.ID, Depth: valueOr(r.Params.Depth, 0), MaxNodes: valueOr(r.Params.MaxNodes, 0),
		MaxEdges: valueOr(r.Params.MaxEdges, 0), Fanout: valueOr(r.Params.Fanout, 0),
		Filter: kgl.EdgeFilter{Types: valueOr(r.Params.Type, nil), MinConfidence: valueOr(r.Params.MinConfidence, 0)},
	})
	if err != nil {
		return nil, err
	}
	return api.GetNeighborhood200JSONResponse{Body: api.Neighborhood{
		Nodes: convertAll(n.Nodes, toGraphNode), Edges: convertAll(n.Edges, toGraphEdge), Truncated: n.Truncated,
	}}, nil
}

// GetPath says how two entities are connected.
func (s *server) GetPath(ctx context.Context, r api.GetPathRequestObject) (api.GetPathResponseObject, error) {
	p, err := s.Graph.Path(ctx, graph.PathQuery{
		From: r.Params.From, To: r.Params.To, MaxLength: valueOr(r.Params.MaxLength, 0), Fanout: valueOr(r.Params.Fanout, 0),
		Budget: valueOr(r.Params.Budget, 0),
		Filter: kgl.EdgeFilter{Types: valueOr(r.Params.Type, nil), MinConfidence: valueOr(r.Params.MinConfidence, 0)},
	})
	if err != nil {
		return nil, err
	}
	length := nullable.NewNullNullable[int]()
	if p.Status == graph.PathFound {
		length = nullable.NewNullableWithValue(len(p.Edges))
	}
	return api.GetPath200JSONResponse{Body: api.GraphPath{
		Status: api.GraphPathStatus(p.Status), Exact: p.Exact, Length: length, Expanded: p.Expanded,
		Nodes: convertAll(p.Steps(), toGraphNode), Edges: convertAll(p.Edges, toGraphEdge),
	}}, nil
}

func toGraphNode(n graph.Node) api.GraphNode {
	return api.GraphNode{
		ID: n.ID, Name: n.Name, Type: n.Type, Confidence: n.Confidence, Depth: n.Depth, Degree: int(n.Degree), HiddenDegree: int(n.HiddenDegree),
	}
}

func toGraphEdge(e kgl.GraphEdge) api.GraphEdge {
	return api.GraphEdge{ID: e.ID, From: e.FromID, To: e.ToID, Type: e.Type, Weight: e.Weight, Confidence: e.Confidence}
}
