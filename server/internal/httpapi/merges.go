package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MergeService merges entities. A *graph.Merges is one.
type MergeService interface {
	Merge(ctx context.Context, winner string, losers []string, reason string) (kgl.EntityMerge, error)
	Undo(ctx context.Context, entityID, mergeID string) (kgl.EntityMerge, error)
	List(ctx context.Context, entityID string, p kgl.Page) (kgl.List[kgl.EntityMerge], error)
}

// MergeEntities merges other entities into one.
func (s *server) MergeEntities(ctx context.Context, r api.MergeEntitiesRequestObject) (api.MergeEntitiesResponseObject, error) {
	m, err := s.Merges.Merge(ctx, r.EntityID, r.Body.EntityIds, valueOr(r.Body.Reason, ""))
	if err != nil {
		return nil, err
	}
	return api.MergeEntities201JSONResponse{
		Body:    toEntityMerge(m),
		Headers: api.MergeEntities201ResponseHeaders{Location: "/api/v1/entities/" + m.Winner.ID},
	}, nil
}

// ListEntityMerges lists the merges that an entity took part in.
func (s *server) ListEntityMerges(ctx context.Context, r api.ListEntityMergesRequestObject) (api.ListEntityMergesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Merges.List(ctx, r.EntityID, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntityMerges200JSONResponse{Body: api.EntityMergeList{Data: convertAll(list.Rows, toEntityMerge), Pagination: pagination}}, nil
}

// UndoEntityMerge undoes a merge.
func (s *server) UndoEntityMerge(ctx context.Context, r api.UndoEntityMergeRequestObject) (api.UndoEntityMergeResponseObject, error) {
	m, err := s.Merges.Undo(ctx, r.EntityID, r.MergeID)
	if err != nil {
		return nil, err
	}
	return api.UndoEntityMerge200JSONResponse(toEntityMerge(m)), nil
}

func toEntityMerge(m kgl.EntityMerge) api.EntityMerge {
	return api.EntityMerge{
		ID: m.ID, Winner: toEntityRef(m.Winner), Losers: convertAll(m.Losers, toEntityRef), Reason: m.Reason, Actor: m.Actor,
		Moved: api.MovedRows{
			Mentions: int(m.Mentions), Relationships: int(m.Relationships), Evidence: int(m.Evidence), Aliases: int(m.Aliases),
		},
		CreatedAt: m.CreatedAt.UTC(), UndoneAt: timeOrNull(m.UndoneAt), UndoneBy: textOrNull(m.UndoneBy),
	}
}
