package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// EntityService keeps the entities. A *graph.Entities is one.
type EntityService interface {
	Create(ctx context.Context, n graph.NewEntity) (kgl.Entity, error)
	Get(ctx context.Context, id string, follow bool) (kgl.Entity, error)
	List(ctx context.Context, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) (kgl.List[kgl.Entity], error)
	Update(ctx context.Context, id string, p graph.EntityPatch) (kgl.Entity, error)
	Delete(ctx context.Context, id string, ifVersion *int64) error
	Relationships(ctx context.Context, id string, f kgl.EntityRelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error)
	OfContent(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.EntityMentions], error)
	Aliases(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.Alias], error)
	AddAlias(ctx context.Context, id, alias, language string) (kgl.Alias, error)
	RemoveAlias(ctx context.Context, id, alias string) error
	Mentions(ctx context.Context, id string, minConfidence float64, p kgl.Page) (kgl.List[kgl.EntityMention], error)
	Contents(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.EntityContent], error)
	Suggest(ctx context.Context, text string, types []string, limit int) ([]graph.Match, error)
	Resolve(ctx context.Context, names []graph.Name, limit int, minScore float64) ([][]graph.Match, error)
}

// CreateEntity adds an entity.
func (s *server) CreateEntity(ctx context.Context, r api.CreateEntityRequestObject) (api.CreateEntityResponseObject, error) {
	entity, err := s.Entities.Create(ctx, graph.NewEntity{
		Name: r.Body.Name, Type: r.Body.Type, Description: valueOr(r.Body.Description, ""),
		Aliases: valueOr(r.Body.Aliases, nil), ExternalIDs: fromExternalIDs(valueOr(r.Body.ExternalIds, nil)),
		Attributes: valueOr(r.Body.Attributes, nil), Confidence: r.Body.Confidence,
	})
	if err != nil {
		return nil, err
	}
	return api.CreateEntity201JSONResponse{
		Body:    toEntity(entity),
		Headers: api.CreateEntity201ResponseHeaders{Location: "/api/v1/entities/" + entity.ID, ETag: versionTag(entity.Version)},
	}, nil
}

// ListEntities lists entities.
func (s *server) ListEntities(ctx context.Context, r api.ListEntitiesRequestObject) (api.ListEntitiesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	filter := kgl.EntityFilter{
		Types: valueOr(r.Params.Type, nil), NamePrefix: valueOr(r.Params.Name, ""), MinConfidence: valueOr(r.Params.MinConfidence, 0),
		Statuses:  convertAll(valueOr(r.Params.Status, nil), func(s api.EntityStatus) kgl.EntityStatus { return kgl.EntityStatus(s) }),
		SeenSince: r.Params.SeenSince,
	}
	sort := kgl.EntitySort(valueOr(r.Params.Sort, api.ListEntitiesParamsSortName))
	list, err := s.Entities.List(ctx, filter, sort, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntities200JSONResponse{Body: api.EntityList{Data: convertAll(list.Rows, toEntity), Pagination: pagination}}, nil
}

// GetEntity returns an entity.
func (s *server) GetEntity(ctx context.Context, r api.GetEntityRequestObject) (api.GetEntityResponseObject, error) {
	entity, err := s.Entities.Get(ctx, r.EntityID, valueOr(r.Params.Follow, true))
	if err != nil {
		return nil, err
	}
	return api.GetEntity200JSONResponse{Body: toEntity(entity), Headers: api.GetEntity200ResponseHeaders{ETag: versionTag(entity.Version)}}, nil
}

// UpdateEntity changes an entity.
func (s *server) UpdateEntity(ctx context.Context, r api.UpdateEntityRequestObject) (api.UpdateEntityResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	entity, err := s.Entities.Update(ctx, r.EntityID, graph.EntityPatch{
		Name: r.Body.Name, Type: r.Body.Type, Description: cleared(r.Body.Description), Aliases: cleared(r.Body.Aliases),
		ExternalIDs: clearedExternalIDs(r.Body.ExternalIds), Attributes: cleared(r.Body.Attributes),
		Confidence: r.Body.Confidence, Status: (*kgl.EntityStatus)(r.Body.Status), IfVersion: version,
	})
	if err != nil {
		return nil, err
	}
	return api.UpdateEntity200JSONResponse{Body: toEntity(entity), Headers: api.UpdateEntity200ResponseHeaders{ETag: versionTag(entity.Version)}}, nil
}

// DeleteEntity deletes an entity with its mentions and relationships.
func (s *server) DeleteEntity(ctx context.Context, r api.DeleteEntityRequestObject) (api.DeleteEntityResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.Entities.Delete(ctx, r.EntityID, version); err != nil {
		return nil, err
	}
	return api.DeleteEntity204Response{}, nil
}
