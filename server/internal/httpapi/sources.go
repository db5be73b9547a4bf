package httpapi

import (
	"context"
	"io"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// SourceService keeps the sources. An *ingest.Sources is one.
type SourceService interface {
	Create(ctx context.Context, n ingest.NewSource) (kgl.Source, error)
	Get(ctx context.Context, id string) (kgl.Source, error)
	List(ctx context.Context, f kgl.SourceFilter, sort kgl.SourceSort, p kgl.Page) (kgl.List[kgl.Source], error)
	ContentCounts(ctx context.Context, ids []string) (map[string]int64, error)
	Patch(ctx context.Context, id string, p ingest.SourcePatch) (kgl.Source, error)
	Delete(ctx context.Context, id string, ifVersion *int64) error
	Refresh(ctx context.Context, id string) (time.Time, error)
	Fetches(ctx context.Context, id string, p kgl.Page, outcomes ...kgl.FetchOutcome) (kgl.List[kgl.Fetch], error)
	Tags(ctx context.Context, p kgl.Page) (kgl.List[kgl.TagCount], error)
	Bulk(ctx context.Context, which ingest.BulkSelect, what ingest.BulkAction, dryRun bool) (ingest.BulkResult, error)
	Export(ctx context.Context, w io.Writer, f kgl.SourceFilter) error
}

const sourcesPath = "/api/v1/sources/"

// CreateSource adds a source.
func (s *server) CreateSource(ctx context.Context, r api.CreateSourceRequestObject) (api.CreateSourceResponseObject, error) {
	n := ingest.NewSource{
		URL: r.Body.URL, Title: valueOr(r.Body.Title, ""),
		Status: kgl.SourceStatus(valueOr(r.Body.Status, "")), Tags: valueOr(r.Body.Tags, nil),
		Credentials: credentialsOf(r.Body.RequestHeaders, r.Body.Authentication), Consents: consentsOf(r.Body.Consents),
	}
	maxItems, maxAgeDays := retentionOf(r.Body.Retention)
	n.MaxItems, n.MaxAgeDays = valueOr(maxItems, 0), valueOr(maxAgeDays, 0)
	if seconds, err := r.Body.FetchIntervalSeconds.Get(); err == nil {
		n.FetchInterval = time.Duration(seconds) * time.Second
	}
	source, err := s.Sources.Create(ctx, n)
	if err != nil {
		return nil, err
	}
	return api.CreateSource201JSONResponse{
		Body:    toSource(source, 0),
		Headers: api.CreateSource201ResponseHeaders{Location: sourcesPath + source.ID, ETag: versionTag(source.Version)},
	}, nil
}

// ListSources lists sources.
func (s *server) ListSources(ctx context.Context, r api.ListSourcesRequestObject) (api.ListSourcesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	filter := kgl.SourceFilter{
		Status: convertAll(valueOr(r.Params.Status, nil), func(v api.SourceStatus) kgl.SourceStatus { return kgl.SourceStatus(v) }),
		Health: convertAll(valueOr(r.Params.Health, nil), func(v api.SourceHealthState) kgl.SourceHealth { return kgl.SourceHealth(v) }),
		Host:   valueOr(r.Params.Host, ""), Tag: valueOr(r.Params.Tag, ""), TitlePrefix: valueOr(r.Params.Q, ""),
	}
	sort := kgl.SourceSort(valueOr(r.Params.Sort, api.ListSourcesParamsSortMinusCreatedAt))
	list, err := s.Sources.List(ctx, filter, sort, page)
	if err != nil {
		return nil, err
	}
	counts, err := s.Sources.ContentCounts(ctx, convertAll(list.Rows, func(row kgl.Source) string { return row.ID }))
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListSources200JSONResponse{Body: api.SourceList{
		Data:       convertAll(list.Rows, func(row kgl.Source) api.Source { return toSource(row, counts[row.ID]) }),
		Pagination: pagination,
	}}, nil
}

// GetSource returns a source.
func (s *server) GetSource(ctx context.Context, r api.GetSourceRequestObject) (api.GetSourceResponseObject, error) {
	source, err := s.Sources.Get(ctx, r.SourceID)
	if err != nil {
		return nil, err
	}
	body, err := s.sourceBody(ctx, source)
	if err != nil {
		return nil, err
	}
	return api.GetSource200JSONResponse{Body: body, Headers: api.GetSource200ResponseHeaders{ETag: versionTag(source.Version)}}, nil
}

// UpdateSource changes a source.
func (s *server) UpdateSource(ctx context.Context, r api.UpdateSourceRequestObject) (api.UpdateSourceResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	patch := ingest.SourcePatch{
		URL: r.Body.URL, Title: cleared(r.Body.Title), Tags: cleared(r.Body.Tags), IfVersion: version, Consents: consentsOf(r.Body.Consents),
	}
	if seconds := cleared(r.Body.FetchIntervalSeconds); seconds != nil {
		patch.FetchInterval = ptr(time.Duration(*seconds) * time.Second)
	}
	patch.MaxItems, patch.MaxAgeDays = retentionOf(r.Body.Retention)
	if headers := cleared(r.Body.RequestHeaders); headers != nil {
		patch.RequestHeader = ptr(ingest.Header(*headers))
	}
	if basic := cleared(r.Body.Authentication); basic != nil {
		patch.Authorization = &ingest.Authentication{Username: basic.Username, Password: basic.Password}
	}
	if r.Body.Status != nil {
		patch.Status = ptr(kgl.SourceStatus(*r.Body.Status))
	}
	source, err := s.Sources.Patch(ctx, r.SourceID, patch)
	if err != nil {
		return nil, err
	}
	body, err := s.sourceBody(ctx, source)
	if err != nil {
		return nil, err
	}
	return api.UpdateSource200JSONResponse{Body: body, Headers: api.UpdateSource200ResponseHeaders{ETag: versionTag(source.Version)}}, nil
}

// sourceBody returns a source with the number of its items.
func (s *server) sourceBody(ctx context.Context, source kgl.Source) (api.Source, error) {
	counts, err := s.Sources.ContentCounts(ctx, []string{source.ID})
	return toSource(source, counts[source.ID]), err
}

// DeleteSource deletes a source with its content.
func (s *server) DeleteSource(ctx context.Context, r api.DeleteSourceRequestObject) (api.DeleteSourceResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.Sources.Delete(ctx, r.SourceID, version); err != nil {
		return nil, err
	}
	return api.DeleteSource204Response{}, nil
}

// RefreshSource makes a source due now.
func (s *server) RefreshSource(ctx context.Context, r api.RefreshSourceRequestObject) (api.RefreshSourceResponseObject, error) {
	at, err := s.Sources.Refresh(ctx, r.SourceID)
	if err != nil {
		return nil, err
	}
	status := sourcesPath + r.SourceID + "/fetches"
	return api.RefreshSource202JSONResponse{
		Body:    api.RefreshAccepted{SourceID: r.SourceID, RequestedAt: at, StatusURL: status},
		Headers: api.RefreshSource202ResponseHeaders{Location: status},
	}, nil
}

// ListSourceFetches lists the fetch history of a source.
func (s *server) ListSourceFetches(ctx context.Context, r api.ListSourceFetchesRequestObject) (api.ListSourceFetchesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	outcomes := convertAll(valueOr(r.Params.Outcome, nil), func(o api.ListSourceFetchesParamsOutcome) kgl.FetchOutcome { return kgl.FetchOutcome(o) })
	list, err := s.Sources.Fetches(ctx, r.SourceID, page, outcomes...)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListSourceFetches200JSONResponse{Body: api.FetchList{Data: convertAll(list.Rows, toFetch), Pagination: pagination}}, nil
}
