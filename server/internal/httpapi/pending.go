package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What the contract has and the service does not have yet.
func pending() error { return kgl.Errorf(kgl.CodeInternal, "not built yet") }

func (s *server) AddEntityAlias(context.Context, api.AddEntityAliasRequestObject) (api.AddEntityAliasResponseObject, error) {
	return nil, pending()
}

func (s *server) CompleteWork(context.Context, api.CompleteWorkRequestObject) (api.CompleteWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) CreateRelationship(context.Context, api.CreateRelationshipRequestObject) (api.CreateRelationshipResponseObject, error) {
	return nil, pending()
}

func (s *server) DeleteRelationship(context.Context, api.DeleteRelationshipRequestObject) (api.DeleteRelationshipResponseObject, error) {
	return nil, pending()
}

func (s *server) ExtendWork(context.Context, api.ExtendWorkRequestObject) (api.ExtendWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) FailWork(context.Context, api.FailWorkRequestObject) (api.FailWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) GetWork(context.Context, api.GetWorkRequestObject) (api.GetWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) GetWorkStats(context.Context, api.GetWorkStatsRequestObject) (api.GetWorkStatsResponseObject, error) {
	return nil, pending()
}

func (s *server) LeaseWork(context.Context, api.LeaseWorkRequestObject) (api.LeaseWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) ListEntityAliases(context.Context, api.ListEntityAliasesRequestObject) (api.ListEntityAliasesResponseObject, error) {
	return nil, pending()
}

func (s *server) ListEntityContent(context.Context, api.ListEntityContentRequestObject) (api.ListEntityContentResponseObject, error) {
	return nil, pending()
}

func (s *server) ListEntityMentions(context.Context, api.ListEntityMentionsRequestObject) (api.ListEntityMentionsResponseObject, error) {
	return nil, pending()
}

func (s *server) ListEntityMerges(context.Context, api.ListEntityMergesRequestObject) (api.ListEntityMergesResponseObject, error) {
	return nil, pending()
}

func (s *server) ListRelationshipEvidence(context.Context, api.ListRelationshipEvidenceRequestObject) (api.ListRelationshipEvidenceResponseObject, error) {
	return nil, pending()
}

func (s *server) ListWork(context.Context, api.ListWorkRequestObject) (api.ListWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) MergeEntities(context.Context, api.MergeEntitiesRequestObject) (api.MergeEntitiesResponseObject, error) {
	return nil, pending()
}

func (s *server) ReleaseWork(context.Context, api.ReleaseWorkRequestObject) (api.ReleaseWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) RemoveEntityAlias(context.Context, api.RemoveEntityAliasRequestObject) (api.RemoveEntityAliasResponseObject, error) {
	return nil, pending()
}

func (s *server) RequeueWork(context.Context, api.RequeueWorkRequestObject) (api.RequeueWorkResponseObject, error) {
	return nil, pending()
}

func (s *server) ResolveEntities(context.Context, api.ResolveEntitiesRequestObject) (api.ResolveEntitiesResponseObject, error) {
	return nil, pending()
}

func (s *server) SuggestEntities(context.Context, api.SuggestEntitiesRequestObject) (api.SuggestEntitiesResponseObject, error) {
	return nil, pending()
}

func (s *server) UndoEntityMerge(context.Context, api.UndoEntityMergeRequestObject) (api.UndoEntityMergeResponseObject, error) {
	return nil, pending()
}

func (s *server) UpdateRelationship(context.Context, api.UpdateRelationshipRequestObject) (api.UpdateRelationshipResponseObject, error) {
	return nil, pending()
}
