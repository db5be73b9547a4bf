package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DuplicateService is what people may do with groups of duplicates, with the
// event and the audit row of it.
type DuplicateService interface {
	// TakeApart takes an item out of its group. CodeNotFound; CodeConflict: it is
	// in no group.
	TakeApart(ctx context.Context, id string) error

	// LinkByHand says that an item repeats another one. CodeNotFound; CodeConflict:
	// they are in one group already.
	LinkByHand(ctx context.Context, id, duplicateOf string) (kgl.DuplicateLink, error)
}

// LinkContentDuplicate links two items by hand.
func (s *server) LinkContentDuplicate(ctx context.Context, r api.LinkContentDuplicateRequestObject) (api.LinkContentDuplicateResponseObject, error) {
	link, err := s.Duplicates.LinkByHand(ctx, r.ContentID, r.Body.DuplicateOf)
	if err != nil {
		return nil, err
	}
	return api.LinkContentDuplicate201JSONResponse{
		Body:    toDuplicate(link),
		Headers: api.LinkContentDuplicate201ResponseHeaders{Location: "/api/v1/content/" + r.ContentID + "/duplicates"},
	}, nil
}

// TakeContentApart takes an item out of its group of duplicates.
func (s *server) TakeContentApart(ctx context.Context, r api.TakeContentApartRequestObject) (api.TakeContentApartResponseObject, error) {
	if err := s.Duplicates.TakeApart(ctx, r.ContentID); err != nil {
		return nil, err
	}
	return api.TakeContentApart204Response{}, nil
}
