// Command latest-content prints the newest items, page by page.
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
	left := 150
	for item, err := range examples.Content(ctx, kgl, client.ListContentParams{
		Limit: examples.Ptr(50), View: examples.Ptr(client.ListContentParamsViewSummary),
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s  %-10s %s\n", item.PublishedAt.Format("2006-01-02 15:04"), item.Status, item.Title)
		if left--; left == 0 {
			return
		}
	}
}
