// Command ai-module reads items that wait for processing, finds entities in
// them and puts those into the knowledge graph, as far as version 1 of the
// contract lets the AI module do so.
//
//	ai-module -ledger FILE [-status new,processed] [-max 20]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

func main() {
	ledgerFile := flag.String("ledger", "enriched.jsonl", "file that remembers what was done")
	status := flag.String("status", "new", "states of the items to read, with commas")
	most := flag.Int("max", 20, "items to work on at most")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ledgerFile, *status, *most); err != nil {
		log.Fatal(err)
	}
}

// region work

func run(ctx context.Context, ledgerFile, status string, most int) error {
	kgl, err := examples.Login(ctx)
	if err != nil {
		return err
	}
	ledger, err := examples.OpenLedger(ledgerFile)
	if err != nil {
		return err
	}
	defer ledger.Close()

	var states []client.ContentStatus
	for name := range strings.SplitSeq(status, ",") {
		states = append(states, client.ContentStatus(name))
	}
	params := client.ListContentParams{Status: &states, Limit: examples.Ptr(50)}
	for item, err := range examples.Content(ctx, kgl, params) {
		if err != nil {
			return err
		}
		if ledger.Handled(item) {
			continue
		}
		for _, found := range findEntities(item) {
			entity, err := putEntity(ctx, kgl, found)
			if err != nil {
				return err
			}
			fmt.Printf("%s %s %q in %q\n", entity.ID, entity.Type, entity.Name, item.Title)
		}
		// Only now: a kill before this line repeats the item, and what it
		// found is put to the same entities.
		if err := ledger.Done(item); err != nil {
			return err
		}
		if most--; most <= 0 {
			return nil
		}
	}
	return nil
}

// endregion work
