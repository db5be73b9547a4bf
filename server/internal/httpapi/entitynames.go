package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ListEntityAliases lists the aliases of an entity.
func (s *server) ListEntityAliases(ctx context.Context, r api.ListEntityAliasesRequestObject) (api.ListEntityAliasesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Entities.Aliases(ctx, r.EntityID, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntityAliases200JSONResponse{Body: api.AliasList{Data: convertAll(list.Rows, toAlias), Pagination: pagination}}, nil
}

// AddEntityAlias adds an alias to an entity.
func (s *server) AddEntityAlias(ctx context.Context, r api.AddEntityAliasRequestObject) (api.AddEntityAliasResponseObject, error) {
	alias, err := s.Entities.AddAlias(ctx, r.EntityID, r.Body.Alias, valueOr(r.Body.Language, ""))
	if err != nil {
		return nil, err
	}
	return api.AddEntityAlias201JSONResponse{
		Body:    toAlias(alias),
		Headers: api.AddEntityAlias201ResponseHeaders{Location: "/api/v1/entities/" + alias.EntityID + "/aliases"},
	}, nil
}

// RemoveEntityAlias removes an alias of an entity.
func (s *server) RemoveEntityAlias(ctx context.Context, r api.RemoveEntityAliasRequestObject) (api.RemoveEntityAliasResponseObject, error) {
	if err := s.Entities.RemoveAlias(ctx, r.EntityID, r.Params.Alias); err != nil {
		return nil, err
	}
	return api.RemoveEntityAlias204Response{}, nil
}

// ListEntityMentions lists the mentions of an entity with their items.
func (s *server) ListEntityMentions(ctx context.Context, r api.ListEntityMentionsRequestObject) (api.ListEntityMentionsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Entities.Mentions(ctx, r.EntityID, valueOr(r.Params.MinConfidence, 0), page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntityMentions200JSONResponse{
		Body: api.EntityMentionList{Data: convertAll(list.Rows, toEntityMention), Pagination: pagination},
	}, nil
}

// ListEntityContent lists the items that mention an entity.
func (s *server) ListEntityContent(ctx context.Context, r api.ListEntityContentRequestObject) (api.ListEntityContentResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Entities.Contents(ctx, r.EntityID, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListEntityContent200JSONResponse{
		Body: api.EntityContentList{Data: convertAll(list.Rows, toEntityContent), Pagination: pagination},
	}, nil
}

// SuggestEntities completes a name while it is typed.
func (s *server) SuggestEntities(ctx context.Context, r api.SuggestEntitiesRequestObject) (api.SuggestEntitiesResponseObject, error) {
	matches, err := s.Entities.Suggest(ctx, r.Params.Q, valueOr(r.Params.Type, nil), valueOr(r.Params.Limit, 0))
	if err != nil {
		return nil, err
	}
	return api.SuggestEntities200JSONResponse{Body: api.EntityMatchList{Data: convertAll(matches, toEntityMatch)}}, nil
}

// defaultMinScore is the contract's min_score of a resolution.
const defaultMinScore = 0.5

// ResolveEntities finds the entities that names stand for.
func (s *server) ResolveEntities(ctx context.Context, r api.ResolveEntitiesRequestObject) (api.ResolveEntitiesResponseObject, error) {
	names := convertAll(r.Body.Names, func(n api.EntityName) graph.Name {
		return graph.Name{Name: n.Name, Type: valueOr(n.Type, ""), ExternalIDs: fromExternalIDs(valueOr(n.ExternalIds, nil))}
	})
	found, err := s.Entities.Resolve(ctx, names, valueOr(r.Body.Limit, 0), valueOr(r.Body.MinScore, defaultMinScore))
	if err != nil {
		return nil, err
	}
	data := make([]api.ResolvedName, len(names))
	for i, n := range names {
		data[i] = api.ResolvedName{Name: n.Name, Type: textOrNull(n.Type), Candidates: convertAll(found[i], toEntityMatch)}
	}
	return api.ResolveEntities200JSONResponse{Data: data}, nil
}

func toAlias(a kgl.Alias) api.Alias {
	return api.Alias{Alias: a.Alias, Language: textOrNull(a.Language), Source: a.Source}
}

func toContentBrief(c kgl.ContentBrief) api.ContentBrief {
	return api.ContentBrief{
		ID: c.ID, SourceID: c.SourceID, Title: c.Title, URL: c.URL, Language: textOrNull(c.Language), PublishedAt: c.PublishedAt,
	}
}

func toEntityMention(m kgl.EntityMention) api.EntityMention {
	return api.EntityMention{Content: toContentBrief(m.Content), Mention: toMention(m.Mention)}
}

func toEntityContent(c kgl.EntityContent) api.EntityContent {
	return api.EntityContent{Content: toContentBrief(c.Content), MentionCount: int(c.MentionCount)}
}

func toEntityMatch(m graph.Match) api.EntityMatch {
	return api.EntityMatch{
		Entity: api.EntitySummary{
			ID: m.Entity.ID, Name: m.Entity.Name, Type: m.Entity.Type, Status: api.EntityStatus(m.Entity.Status),
			Confidence: m.Entity.Confidence, Degree: int(m.Entity.Degree), MentionCount: int(m.Entity.MentionCount),
			LastSeenAt: timeOrNull(m.Entity.LastSeenAt),
		},
		Score: m.Score, Match: api.EntityMatchMatch(m.Kind), Matched: m.Matched,
	}
}

func fromExternalIDs(ids []api.ExternalID) []kgl.ExternalID {
	return convertAll(ids, func(x api.ExternalID) kgl.ExternalID { return kgl.ExternalID{Scheme: x.Scheme, Value: x.Value} })
}

// clearedExternalIDs is cleared for external ids.
func clearedExternalIDs(field nullable.Nullable[[]api.ExternalID]) *[]kgl.ExternalID {
	given := cleared(field)
	if given == nil {
		return nil
	}
	ids := fromExternalIDs(*given)
	return &ids
}
