package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ExtractionService extracts on demand. An *enrich.OnDemand is one.
type ExtractionService interface {
	Start(ctx context.Context, d enrich.Demand) (kgl.ExtractionRequest, error)
	Get(ctx context.Context, id string) (kgl.ExtractionRequest, error)
}

// RunService keeps the results of extractors. An *enrich.Runs is one.
type RunService interface {
	Get(ctx context.Context, id string) (kgl.ExtractionRun, error)
	List(ctx context.Context, f kgl.ExtractionRunFilter, p kgl.Page) (kgl.List[kgl.ExtractionRun], error)
	Retract(ctx context.Context, id string) (kgl.ExtractionRun, error)
	Purge(ctx context.Context, sourceID string) (enrich.PurgeResult, error)
}

const extractionsPath = "/api/v1/extractions/"

// CreateExtraction extracts from an item or from a text.
func (s *server) CreateExtraction(ctx context.Context, r api.CreateExtractionRequestObject) (api.CreateExtractionResponseObject, error) {
	request, err := s.Extractions.Start(ctx, enrich.Demand{
		ContentID: valueOr(r.Body.ContentID, ""), Text: valueOr(r.Body.Text, ""), Language: valueOr(r.Body.Language, ""),
	})
	if err != nil {
		return nil, err
	}
	body, err := toExtraction(request)
	if err != nil {
		return nil, err
	}
	if request.FinishedAt != nil {
		return api.CreateExtraction200JSONResponse(body), nil
	}
	return api.CreateExtraction202JSONResponse{
		Body: body, Headers: api.CreateExtraction202ResponseHeaders{Location: extractionsPath + request.ID},
	}, nil
}

// GetExtraction tells how far an extraction is.
func (s *server) GetExtraction(ctx context.Context, r api.GetExtractionRequestObject) (api.GetExtractionResponseObject, error) {
	request, err := s.Extractions.Get(ctx, r.ExtractionID)
	if err != nil {
		return nil, err
	}
	body, err := toExtraction(request)
	if err != nil {
		return nil, err
	}
	return api.GetExtraction200JSONResponse{Body: body, Headers: api.GetExtraction200ResponseHeaders{ETag: ptr(versionTag(request.Attempts))}}, nil
}

// ListExtractionRuns lists runs.
func (s *server) ListExtractionRuns(ctx context.Context, r api.ListExtractionRunsRequestObject) (api.ListExtractionRunsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Runs.List(ctx, kgl.ExtractionRunFilter{
		ContentID: valueOr(r.Params.ContentID, ""), Name: valueOr(r.Params.Extractor, ""), Status: kgl.RunStatus(valueOr(r.Params.Status, "")),
	}, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListExtractionRuns200JSONResponse{
		Body: api.ExtractionRunList{Data: convertAll(list.Rows, toExtractionRun), Pagination: pagination},
	}, nil
}

// GetExtractionRun returns a run.
func (s *server) GetExtractionRun(ctx context.Context, r api.GetExtractionRunRequestObject) (api.GetExtractionRunResponseObject, error) {
	run, err := s.Runs.Get(ctx, r.RunID)
	if err != nil {
		return nil, err
	}
	version := int64(1)
	if run.EndedAt != nil {
		version++
	}
	return api.GetExtractionRun200JSONResponse{
		Body: toExtractionRun(run), Headers: api.GetExtractionRun200ResponseHeaders{ETag: ptr(versionTag(version))},
	}, nil
}

// RetractExtractionRun takes back what a run found.
func (s *server) RetractExtractionRun(ctx context.Context, r api.RetractExtractionRunRequestObject) (api.RetractExtractionRunResponseObject, error) {
	run, err := s.Runs.Retract(ctx, r.RunID)
	if err != nil {
		return nil, err
	}
	return api.RetractExtractionRun200JSONResponse(toExtractionRun(run)), nil
}

// PurgeSourceDerived removes what was derived from the items of a source.
func (s *server) PurgeSourceDerived(ctx context.Context, r api.PurgeSourceDerivedRequestObject) (api.PurgeSourceDerivedResponseObject, error) {
	n, err := s.Runs.Purge(ctx, r.SourceID)
	if err != nil {
		return nil, err
	}
	return api.PurgeSourceDerived200JSONResponse{
		Contents: int(n.Contents), Runs: int(n.Runs), Mentions: int(n.Mentions), Relationships: int(n.Relationships), Entities: int(n.Entities),
	}, nil
}

func toExtractionRun(r kgl.ExtractionRun) api.ExtractionRun {
	return api.ExtractionRun{
		ID: r.ID, ContentID: r.ContentID, Revision: int(r.Revision), Extractor: r.Extractor, Model: textOrNull(r.Model),
		ConfigHash: textOrNull(r.ConfigHash), Actor: r.Actor, Status: api.ExtractionRunStatus(r.Status),
		EntityCount: int(r.Entities), MentionCount: int(r.Mentions), RelationshipCount: int(r.Relationships),
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, EndedAt: timeOrNull(r.EndedAt),
	}
}

func toExtraction(r kgl.ExtractionRequest) (api.Extraction, error) {
	out := api.Extraction{
		ID: r.ID, Status: api.ExtractionStatus(r.Status), ContentID: idOrNull(r.ContentID), RunID: idOrNull(r.RunID),
		Extractor: nullable.NewNullNullable[string](), Entities: []api.ExtractedEntity{}, Relationships: []api.ExtractedRelationship{},
		Failure: textOrNull(r.Failure), CreatedAt: r.CreatedAt, FinishedAt: timeOrNull(r.FinishedAt), ExpiresAt: r.ExpiresAt,
	}
	if len(r.Result) == 0 {
		return out, nil
	}
	x, err := enrich.DecodeExtraction(r.Result)
	if err != nil {
		return out, kgl.Wrap(err, kgl.CodeInternal, "a stored result cannot be read")
	}
	out.Extractor = textOrNull(x.Extractor)
	out.Entities = convertAll(x.Entities, toExtractedEntity)
	out.Relationships = convertAll(x.Relationships, toExtractedRelationship)
	return out, nil
}

func toExtractedEntity(e kgl.ExtractedEntity) api.ExtractedEntity {
	out := api.ExtractedEntity{Name: e.Name, Type: e.Type, Confidence: e.Confidence, Mentions: convertAll(e.Spans, toTextSpan)}
	if e.Salience > 0 {
		out.Salience = &e.Salience
	}
	if len(e.Aliases) > 0 {
		out.Aliases = &e.Aliases
	}
	if len(e.ExternalIDs) > 0 {
		out.ExternalIds = ptr(convertAll(e.ExternalIDs, toExternalID))
	}
	return out
}

func toExtractedRelationship(r kgl.ExtractedRelationship) api.ExtractedRelationship {
	return api.ExtractedRelationship{
		From: r.From, To: r.To, Type: r.Type, Fact: unlessEmpty(r.Fact), Confidence: r.Confidence,
		ValidFrom: unlessEmpty(r.ValidFrom), ValidTo: unlessEmpty(r.ValidTo), Evidence: toTextSpan(r.Evidence),
	}
}

func toTextSpan(s kgl.Span) api.TextSpan {
	return api.TextSpan{Start: int(s.Start), End: int(s.End), Quote: &s.Quote}
}

// unlessEmpty returns nil for an empty text, which leaves an optional field out.
func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
