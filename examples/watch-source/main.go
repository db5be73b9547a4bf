// Command watch-source adds a source, waits until it was fetched once, and
// prints what came of it.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: watch-source URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kgl, err := examples.Login(ctx)
	if err != nil {
		log.Fatal(err)
	}
	created, err := kgl.CreateSourceWithResponse(ctx, nil, client.CreateSourceJSONRequestBody{URL: os.Args[1]})
	if err != nil {
		log.Fatal(err)
	}
	if created.StatusCode() != http.StatusCreated {
		log.Fatalf("create source: %s: %s", created.Status(), created.Body)
	}
	id := created.JSON201.ID
	for {
		fetches, err := kgl.ListSourceFetchesWithResponse(ctx, id, nil)
		if err != nil {
			log.Fatal(err)
		}
		if fetches.JSON200 != nil && len(fetches.JSON200.Data) > 0 {
			f := fetches.JSON200.Data[0]
			fmt.Printf("source %s: %s, %d items created\n", id, f.Outcome, f.ItemsCreated)
			return
		}
		time.Sleep(time.Second)
	}
}
