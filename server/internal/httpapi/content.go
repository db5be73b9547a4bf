package httpapi

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ContentReader reads content. A kgl.Store is one; its comments name the error
// codes.
type ContentReader interface {
	Content(ctx context.Context, id string) (kgl.Content, error)
	Contents(ctx context.Context, f kgl.ContentFilter, sort kgl.ContentSort, withBody bool, p kgl.Page) (kgl.List[kgl.Content], error)
	ContentRevisions(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.ContentRevision], error)
	Duplicates(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.DuplicateLink], error)
}

// ContentDeleter removes items, with the event and the audit row of it.
type ContentDeleter interface {
	// DeleteContent removes an item. CodeNotFound; CodePreconditionFailed:
	// ifVersion is not its version.
	DeleteContent(ctx context.Context, id string, ifVersion *int64) error
}

// duplicatesOf returns the domain's filter; show is another word for all.
func duplicatesOf(param api.ListContentParamsDuplicates) kgl.DuplicateFilter {
	if param == api.ListContentParamsDuplicatesShow {
		return kgl.DuplicatesAll
	}
	return kgl.DuplicateFilter(param)
}

// ListContent lists items.
func (s *server) ListContent(ctx context.Context, r api.ListContentRequestObject) (api.ListContentResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	published, err := timeRange(r.Params.Since, r.Params.Until)
	if err != nil {
		return nil, err
	}
	changedAfter, sort, err := changesOf(r.Params.ChangedAfter, r.Params.Sort)
	if err != nil {
		return nil, err
	}
	filter := kgl.ContentFilter{
		SourceID: valueOr(r.Params.SourceID, ""), Published: published,
		Status:     convertAll(valueOr(r.Params.Status, nil), func(v api.ContentStatus) kgl.ContentStatus { return kgl.ContentStatus(v) }),
		Duplicates: duplicatesOf(valueOr(r.Params.Duplicates, api.ListContentParamsDuplicatesFold)),
		Language:   valueOr(r.Params.Language, ""), ChangedAfter: changedAfter, Publishable: r.Params.Publishable,
	}
	withBody := valueOr(r.Params.View, api.ListContentParamsViewFull) == api.ListContentParamsViewFull
	list, err := s.Content.Contents(ctx, filter, sort, withBody, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return contentPage{items: list.Rows, withBody: withBody, pagination: pagination}, nil
}

// changesOf returns the time after which items changed, zero for any, and the
// order of the list: that of the changes when they are asked for.
func changesOf(after *time.Time, sort *api.ListContentParamsSort) (time.Time, kgl.ContentSort, error) {
	if after == nil {
		return time.Time{}, kgl.ContentSort(valueOr(sort, api.ListContentParamsSortMinusPublishedAt)), nil
	}
	order := kgl.ContentSort(valueOr(sort, api.ListContentParamsSortChangedAt))
	if order != kgl.ContentByChange && order != kgl.ContentLastChanged {
		return time.Time{}, order, kgl.Invalid("sort", "must be changed_at or -changed_at with changed_after")
	}
	return after.UTC().Truncate(time.Microsecond), order, nil
}

// GetContent returns an item.
func (s *server) GetContent(ctx context.Context, r api.GetContentRequestObject) (api.GetContentResponseObject, error) {
	content, err := s.Content.Content(ctx, r.ContentID)
	if err != nil {
		return nil, err
	}
	return contentItem{content}, nil
}

// DeleteContent deletes an item.
func (s *server) DeleteContent(ctx context.Context, r api.DeleteContentRequestObject) (api.DeleteContentResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.ContentDeleter.DeleteContent(ctx, r.ContentID, version); err != nil {
		return nil, err
	}
	return api.DeleteContent204Response{}, nil
}

// partOf reads one page of what belongs to an item. CodeNotFound: no such item.
func partOf[T any](
	ctx context.Context, s *server, contentID string, limit *int, cursor *string,
	read func(ctx context.Context, contentID string, p kgl.Page) (kgl.List[T], error),
) ([]T, api.Pagination, error) {
	page, err := pageOf(ctx, limit, cursor)
	if err != nil {
		return nil, api.Pagination{}, err
	}
	if _, err := s.Content.Content(ctx, contentID); err != nil {
		return nil, api.Pagination{}, err
	}
	list, err := read(ctx, contentID, page)
	if err != nil {
		return nil, api.Pagination{}, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	return list.Rows, pagination, err
}

// ListContentEntities lists the entities that an item mentions.
func (s *server) ListContentEntities(ctx context.Context, r api.ListContentEntitiesRequestObject) (api.ListContentEntitiesResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Entities.OfContent(ctx, r.ContentID, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListContentEntities200JSONResponse{Body: api.ContentEntityList{Data: convertAll(list.Rows, toContentEntity), Pagination: pagination}}, nil
}

// ListContentRevisions lists the earlier states of an item.
func (s *server) ListContentRevisions(ctx context.Context, r api.ListContentRevisionsRequestObject) (api.ListContentRevisionsResponseObject, error) {
	rows, pagination, err := partOf(ctx, s, r.ContentID, r.Params.Limit, r.Params.Cursor, s.Content.ContentRevisions)
	if err != nil {
		return nil, err
	}
	return api.ListContentRevisions200JSONResponse{Body: api.RevisionList{Data: convertAll(rows, toRevision), Pagination: pagination}}, nil
}

// ListContentDuplicates lists the links of an item's group.
func (s *server) ListContentDuplicates(ctx context.Context, r api.ListContentDuplicatesRequestObject) (api.ListContentDuplicatesResponseObject, error) {
	rows, pagination, err := partOf(ctx, s, r.ContentID, r.Params.Limit, r.Params.Cursor, s.Content.Duplicates)
	if err != nil {
		return nil, err
	}
	return api.ListContentDuplicates200JSONResponse{Body: api.DuplicateList{Data: convertAll(rows, toDuplicate), Pagination: pagination}}, nil
}

// timeRange returns the range between two optional bounds.
func timeRange(since, until *time.Time) (kgl.TimeRange, error) {
	// Stored times have microseconds: a finer bound is rounded so that nothing
	// inside it gets lost.
	var r kgl.TimeRange
	if since != nil {
		r.Since = since.UTC().Truncate(time.Microsecond)
	}
	if until != nil {
		r.Until = until.UTC().Truncate(time.Microsecond)
	}
	if since != nil && until != nil && !r.Since.Before(r.Until) {
		return r, kgl.Invalid("until", "must be after since")
	}
	return r, nil
}
