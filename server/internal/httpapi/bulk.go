package httpapi

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// BulkEditSources edits many sources.
func (s *server) BulkEditSources(ctx context.Context, r api.BulkEditSourcesRequestObject) (api.BulkEditSourcesResponseObject, error) {
	query, err := bulkQuery(r.Body.Select)
	if err != nil {
		return nil, err
	}
	which, err := bulkSelection(r.Body.Select, query)
	if err != nil {
		return nil, err
	}
	dryRun := valueOr(r.Body.DryRun, false)
	done, err := s.Sources.Bulk(ctx, which, bulkAction(r.Body.Action), dryRun)
	if err != nil {
		return nil, err
	}
	out := api.BulkResult{
		DryRun: dryRun, Matched: done.Matched, Changed: done.Changed, NextCursor: nullable.NewNullNullable[string](),
		Failures: convertAll(done.Failures, func(f ingest.BulkFailure) api.BulkFailure {
			return api.BulkFailure{SourceID: f.SourceID, Code: string(f.Code), Message: f.Message}
		}),
	}
	if done.Next != nil {
		text, err := encodeCursor(query, *done.Next)
		if err != nil {
			return nil, err
		}
		out.NextCursor = nullable.NewNullableWithValue(text)
	}
	return api.BulkEditSources200JSONResponse(out), nil
}

// bulkQuery identifies what a filter finds, as queryHash does for lists.
func bulkQuery(selected api.BulkSelect) (string, error) {
	filter, err := json.Marshal(selected.Filter)
	if err != nil {
		return "", kgl.Wrap(err, kgl.CodeInternal, "encode a filter")
	}
	return hashQuery("bulkEditSources", nil, url.Values{"filter": {string(filter)}}), nil
}

func bulkSelection(selected api.BulkSelect, query string) (ingest.BulkSelect, error) {
	which := ingest.BulkSelect{IDs: valueOr(selected.Ids, nil), Limit: valueOr(selected.Limit, 0)}
	if f := selected.Filter; f != nil {
		which.Filter = &kgl.SourceFilter{
			Status: convertAll(valueOr(f.Status, nil), func(v api.SourceStatus) kgl.SourceStatus { return kgl.SourceStatus(v) }),
			Health: convertAll(valueOr(f.Health, nil), func(v api.SourceHealthState) kgl.SourceHealth { return kgl.SourceHealth(v) }),
			Host:   valueOr(f.Host, ""), Tag: valueOr(f.Tag, ""), TitlePrefix: valueOr(f.Q, ""),
		}
	}
	if selected.Cursor != nil {
		after, err := decodeCursor(query, *selected.Cursor)
		if err != nil {
			return which, kgl.Invalid("select.cursor", "is not a cursor of this filter")
		}
		which.After = &after
	}
	return which, nil
}

func bulkAction(a api.BulkAction) ingest.BulkAction {
	what := ingest.BulkAction{
		SetTags: a.SetTags, AddTags: valueOr(a.AddTags, nil), RemoveTags: valueOr(a.RemoveTags, nil),
		Refresh: valueOr(a.Refresh, false), Delete: valueOr(a.Delete, false), Consents: consentsOf(a.Consents),
	}
	if a.Status != nil {
		what.Status = ptr(kgl.SourceStatus(*a.Status))
	}
	if seconds := cleared(a.FetchIntervalSeconds); seconds != nil {
		what.FetchInterval = ptr(time.Duration(*seconds) * time.Second)
	}
	what.MaxItems, what.MaxAgeDays = retentionOf(a.Retention)
	return what
}

// retentionOf returns what is asked for of the retention: nil keeps a part, 0
// clears it.
func retentionOf(field nullable.Nullable[api.RetentionChoice]) (maxItems, maxAgeDays *int64) {
	choice := cleared(field)
	switch {
	case choice == nil:
		return nil, nil
	case field.IsNull():
		return ptr(int64(0)), ptr(int64(0))
	}
	return cleared(choice.MaxItems), cleared(choice.MaxAgeDays)
}

// ListSourceTags lists the tags of all sources.
func (s *server) ListSourceTags(ctx context.Context, r api.ListSourceTagsRequestObject) (api.ListSourceTagsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Sources.Tags(ctx, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListSourceTags200JSONResponse{Body: api.TagList{
		Data:       convertAll(list.Rows, func(t kgl.TagCount) api.TagCount { return api.TagCount{Tag: t.Tag, Sources: t.Count} }),
		Pagination: pagination,
	}}, nil
}
