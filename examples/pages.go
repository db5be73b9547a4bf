package examples

import (
	"context"
	"iter"

	"github.com/peermesh/kgl-backend/gen/client"
)

// region pages

// Content reads a list to its end, page by page. A failed page ends the
// sequence with its error; to go on, begin again: nothing is lost by that but
// the reading.
func Content(ctx context.Context, kgl *client.ClientWithResponses, params client.ListContentParams) iter.Seq2[client.Content, error] {
	return func(yield func(client.Content, error) bool) {
		for {
			page, err := kgl.ListContentWithResponse(ctx, &params)
			if err == nil && page.JSON200 == nil {
				err = Failed("list content", page.StatusCode(), page.Body)
			}
			if err != nil {
				yield(client.Content{}, err)
				return
			}
			for _, item := range page.JSON200.Data {
				if !yield(item, nil) {
					return
				}
			}
			if !page.JSON200.Pagination.HasMore {
				return
			}
			next := page.JSON200.Pagination.NextCursor.MustGet()
			params.Cursor = &next
		}
	}
}

// endregion pages

// Ptr returns a pointer to v, as optional parameters want one.
func Ptr[T any](v T) *T { return &v }
