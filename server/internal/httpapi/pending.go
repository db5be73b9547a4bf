package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What the contract has and the service does not have yet.
func pending() error { return kgl.Errorf(kgl.CodeInternal, "not built yet") }

func (s *server) CreateRelationship(context.Context, api.CreateRelationshipRequestObject) (api.CreateRelationshipResponseObject, error) {
	return nil, pending()
}

func (s *server) DeleteRelationship(context.Context, api.DeleteRelationshipRequestObject) (api.DeleteRelationshipResponseObject, error) {
	return nil, pending()
}

func (s *server) ListEntityMerges(context.Context, api.ListEntityMergesRequestObject) (api.ListEntityMergesResponseObject, error) {
	return nil, pending()
}

func (s *server) ListRelationshipEvidence(context.Context, api.ListRelationshipEvidenceRequestObject) (api.ListRelationshipEvidenceResponseObject, error) {
	return nil, pending()
}

func (s *server) MergeEntities(context.Context, api.MergeEntitiesRequestObject) (api.MergeEntitiesResponseObject, error) {
	return nil, pending()
}

func (s *server) UndoEntityMerge(context.Context, api.UndoEntityMergeRequestObject) (api.UndoEntityMergeResponseObject, error) {
	return nil, pending()
}

func (s *server) UpdateRelationship(context.Context, api.UpdateRelationshipRequestObject) (api.UpdateRelationshipResponseObject, error) {
	return nil, pending()
}
