// Command latest-content prints the newest items, page by page, as a module
// that processes content would read them.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

func main() {
	ctx := context.Background()
	kgl, err := examples.Login(ctx)
	if err != nil {
		log.Fatal(err)
	}
	limit, view := 50, client.ListContentParamsViewSummary
	params := &client.ListContentParams{Limit: &limit, View: &view}
	for page := 1; page <= 3; page++ {
		list, err := kgl.ListContentWithResponse(ctx, params)
		if err != nil {
			log.Fatal(err)
		}
		if list.JSON200 == nil {
			log.Fatalf("list content: %s: %s", list.Status(), list.Body)
		}
		for _, item := range list.JSON200.Data {
			fmt.Printf("%s  %-10s %s\n", item.PublishedAt.Format("2006-01-02 15:04"), item.Status, item.Title)
		}
		next := list.JSON200.Pagination.NextCursor
		if next.IsNull() || !next.IsSpecified() {
			return
		}
		cursor := next.MustGet()
		params.Cursor = &cursor
	}
}
