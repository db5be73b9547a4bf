package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// RelationshipService reads relationships. A *graph.Relationships is one.
type RelationshipService interface {
	Get(ctx context.Context, id string) (graph.RelationshipDetail, error)
	List(ctx context.Context, f kgl.RelationshipFilter, p kgl.Page) (kgl.List[kgl.Relationship], error)
}

// ListRelationships lists relationships.
func (s *server) ListRelationships(ctx context.Context, r api.ListRelationshipsRequestObject) (api.ListRelationshipsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Relationships.List(ctx, kgl.RelationshipFilter{
		Type: valueOr(r.Params.Type, ""), FromEntityID: valueOr(r.Params.FromEntityID, ""),
		ToEntityID: valueOr(r.Params.ToEntityID, ""), MinConfidence: valueOr(r.Params.MinConfidence, 0),
	}, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListRelationships200JSONResponse{Body: api.RelationshipList{Data: convertAll(list.Rows, toRelationship), Pagination: pagination}}, nil
}

// GetRelationship returns a relationship with its evidence.
func (s *server) GetRelationship(ctx context.Context, r api.GetRelationshipRequestObject) (api.GetRelationshipResponseObject, error) {
	detail, err := s.Relationships.Get(ctx, r.RelationshipID)
	if err != nil {
		return nil, err
	}
	return api.GetRelationship200JSONResponse{
		Body:    toRelationshipDetail(detail.Relationship, detail.Evidence),
		Headers: api.GetRelationship200ResponseHeaders{ETag: versionTag(detail.Relationship.Version)},
	}, nil
}
