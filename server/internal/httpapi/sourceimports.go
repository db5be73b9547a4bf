package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ImportService takes lists of feeds in. An *ingest.Imports is one.
type ImportService interface {
	Start(ctx context.Context, n ingest.NewImport) (kgl.SourceImport, error)
	Get(ctx context.Context, id string) (kgl.SourceImport, error)
	List(ctx context.Context, p kgl.Page) (kgl.List[kgl.SourceImport], error)
	Lines(ctx context.Context, id string, outcomes []kgl.LineOutcome, p kgl.Page) (kgl.List[kgl.ImportLine], error)
	Cancel(ctx context.Context, id string) error
}

const importsPath = "/api/v1/source-imports/"

// CreateSourceImport takes an OPML list in.
func (s *server) CreateSourceImport(ctx context.Context, r api.CreateSourceImportRequestObject) (api.CreateSourceImportResponseObject, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, kgl.Wrap(err, kgl.CodeInvalid, "The body could not be read.")
	}
	i, err := s.Imports.Start(ctx, ingest.NewImport{
		Body: body, FileName: valueOr(r.Params.FileName, ""), Tags: valueOr(r.Params.Tags, nil), DryRun: valueOr(r.Params.DryRun, false),
	})
	if err != nil {
		return nil, err
	}
	return api.CreateSourceImport202JSONResponse{
		Body: toSourceImport(i), Headers: api.CreateSourceImport202ResponseHeaders{Location: importsPath + i.ID},
	}, nil
}

// ListSourceImports lists imports.
func (s *server) ListSourceImports(ctx context.Context, r api.ListSourceImportsRequestObject) (api.ListSourceImportsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Imports.List(ctx, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListSourceImports200JSONResponse{Body: api.SourceImportList{Data: convertAll(list.Rows, toSourceImport), Pagination: pagination}}, nil
}

// GetSourceImport returns how far an import has come.
func (s *server) GetSourceImport(ctx context.Context, r api.GetSourceImportRequestObject) (api.GetSourceImportResponseObject, error) {
	i, err := s.Imports.Get(ctx, r.ImportID)
	if err != nil {
		return nil, err
	}
	// Its lines never lose their outcome, and an ended import never goes on.
	tag := fmt.Sprintf("%q", fmt.Sprintf("%s-%d", i.State, i.Processed))
	return api.GetSourceImport200JSONResponse{Body: toSourceImport(i), Headers: api.GetSourceImport200ResponseHeaders{ETag: tag}}, nil
}

// CancelSourceImport ends an import.
func (s *server) CancelSourceImport(ctx context.Context, r api.CancelSourceImportRequestObject) (api.CancelSourceImportResponseObject, error) {
	if err := s.Imports.Cancel(ctx, r.ImportID); err != nil {
		return nil, err
	}
	return api.CancelSourceImport204Response{}, nil
}

// ListSourceImportLines lists what became of the lines of an import.
func (s *server) ListSourceImportLines(ctx context.Context, r api.ListSourceImportLinesRequestObject) (api.ListSourceImportLinesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	outcomes := convertAll(valueOr(r.Params.Outcome, nil), func(o api.ImportLineOutcome) kgl.LineOutcome { return kgl.LineOutcome(o) })
	list, err := s.Imports.Lines(ctx, r.ImportID, outcomes, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListSourceImportLines200JSONResponse{Body: api.ImportLineList{Data: convertAll(list.Rows, toImportLine), Pagination: pagination}}, nil
}

// ExportSources writes sources as an OPML list.
func (s *server) ExportSources(ctx context.Context, r api.ExportSourcesRequestObject) (api.ExportSourcesResponseObject, error) {
	filter := kgl.SourceFilter{
		Status: convertAll(valueOr(r.Params.Status, nil), func(v api.SourceStatus) kgl.SourceStatus { return kgl.SourceStatus(v) }),
		Health: convertAll(valueOr(r.Params.Health, nil), func(v api.SourceHealthState) kgl.SourceHealth { return kgl.SourceHealth(v) }),
		Tag:    valueOr(r.Params.Tag, ""),
	}
	var list bytes.Buffer
	if err := s.Sources.Export(ctx, &list, filter); err != nil {
		return nil, err
	}
	return api.ExportSources200ApplicationXMLResponse{
		Body: &list, ContentLength: int64(list.Len()),
		Headers: api.ExportSources200ResponseHeaders{ContentDisposition: ptr(`attachment; filename="kgl-sources.opml"`)},
	}, nil
}

func toSourceImport(i kgl.SourceImport) api.SourceImport {
	return api.SourceImport{
		ID: i.ID, State: api.ImportState(i.State), FileName: i.FileName, Tags: notNil(i.Tags), DryRun: i.DryRun, Total: i.Total, Processed: i.Processed,
		Added: i.Added, Existing: i.Existing, Failed: i.Failed, CreatedBy: textOrNull(i.CreatedBy), CreatedAt: i.CreatedAt.UTC(),
		StartedAt: timeOrNull(i.StartedAt), FinishedAt: timeOrNull(i.FinishedAt), LinesURL: importsPath + i.ID + "/lines",
	}
}

func toImportLine(l kgl.ImportLine) api.ImportLine {
	return api.ImportLine{
		Position: l.Position, Line: l.Line, URL: l.URL, Title: l.Title, Tags: notNil(l.Tags), Outcome: api.ImportLineOutcome(l.Outcome),
		SourceID: textOrNull(l.SourceID), ErrorCode: textOrNull(l.ErrorCode), Message: textOrNull(l.Message),
	}
}
