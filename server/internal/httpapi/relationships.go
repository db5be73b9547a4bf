package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// RelationshipService keeps the relationships. A *graph.Relationships is one.
type RelationshipService interface {
	Create(ctx context.Context, n graph.NewRelationship) (kgl.Relationship, error)
	Get(ctx context.Context, id string) (graph.RelationshipDetail, error)
	List(ctx context.Context, f kgl.RelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error)
	Evidence(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.Evidence], error)
	Update(ctx context.Context, id string, p graph.RelationshipPatch) (kgl.Relationship, error)
	Delete(ctx context.Context, id string, ifVersion *int64) error
}

// CreateRelationship adds a relationship.
func (s *server) CreateRelationship(ctx context.Context, r api.CreateRelationshipRequestObject) (api.CreateRelationshipResponseObject, error) {
	relationship, err := s.Relationships.Create(ctx, graph.NewRelationship{
		FromEntityID: r.Body.FromEntityID, ToEntityID: r.Body.ToEntityID, Type: r.Body.Type, Fact: valueOr(r.Body.Fact, ""),
		Confidence: r.Body.Confidence, ValidFrom: valueOr(r.Body.ValidFrom, ""), ValidTo: valueOr(r.Body.ValidTo, ""),
	})
	if err != nil {
		return nil, err
	}
	return api.CreateRelationship201JSONResponse{
		Body: toRelationship(relationship),
		Headers: api.CreateRelationship201ResponseHeaders{
			Location: "/api/v1/relationships/" + relationship.ID, ETag: versionTag(relationship.Version),
		},
	}, nil
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
		Status: kgl.RelationshipStatus(valueOr(r.Params.Status, "")),
	}, kgl.RelationshipSort(valueOr(r.Params.Sort, "")), page)
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

// UpdateRelationship changes a relationship.
func (s *server) UpdateRelationship(ctx context.Context, r api.UpdateRelationshipRequestObject) (api.UpdateRelationshipResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	patch := graph.RelationshipPatch{
		Fact: cleared(r.Body.Fact), Confidence: r.Body.Confidence, ValidFrom: cleared(r.Body.ValidFrom), ValidTo: cleared(r.Body.ValidTo),
		IfVersion: version,
	}
	if r.Body.Status != nil {
		status := kgl.RelationshipStatus(*r.Body.Status)
		patch.Status = &status
	}
	relationship, err := s.Relationships.Update(ctx, r.RelationshipID, patch)
	if err != nil {
		return nil, err
	}
	return api.UpdateRelationship200JSONResponse{
		Body: toRelationship(relationship), Headers: api.UpdateRelationship200ResponseHeaders{ETag: versionTag(relationship.Version)},
	}, nil
}

// DeleteRelationship deletes a relationship with its evidence.
func (s *server) DeleteRelationship(ctx context.Context, r api.DeleteRelationshipRequestObject) (api.DeleteRelationshipResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.Relationships.Delete(ctx, r.RelationshipID, version); err != nil {
		return nil, err
	}
	return api.DeleteRelationship204Response{}, nil
}

// ListRelationshipEvidence lists the evidence of a relationship.
func (s *server) ListRelationshipEvidence(ctx context.Context, r api.ListRelationshipEvidenceRequestObject) (api.ListRelationshipEvidenceResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Relationships.Evidence(ctx, r.RelationshipID, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListRelationshipEvidence200JSONResponse{Body: api.EvidenceList{Data: convertAll(list.Rows, toEvidence), Pagination: pagination}}, nil
}

// ListEntityRelationships lists the relationships of an entity.
func (s *server) ListEntityRelationships(ctx context.Context, r api.ListEntityRelationshipsRequestObject) (api.ListEntityRelationshipsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Entities.Relationships(ctx, r.EntityID, kgl.EntityRelationshipFilter{
		Direction: kgl.Direction(valueOr(r.Params.Direction, api.ListEntityRelationshipsParamsDirectionAny)),
		Type:      valueOr(r.Params.Type, ""), MinConfidence: valueOr(r.Params.MinConfidence, 0),
	}, kgl.RelationshipSort(valueOr(r.Params.Sort, "")), page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntityRelationships200JSONResponse{Body: api.RelationshipList{Data: convertAll(list.Rows, toRelationship), Pagination: pagination}}, nil
}
