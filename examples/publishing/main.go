// Command publishing hands on processed items, each revision once, as the
// Publishing module would. It ends when there is nothing new; run it again, or
// from a timer, for what came since.
//
//	publishing -ledger FILE [-all]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

// overlap is how long after its last change an item may be processed and still be
// found by the quick run; -all finds the others. Five minutes would be enough for
// items that are stored while others are read.
const overlap = 24 * time.Hour

func main() {
	ledgerFile := flag.String("ledger", "published.jsonl", "file that remembers what was handed on")
	all := flag.Bool("all", false, "read from the beginning: for items that were processed, or allowed to be published, very late; once a week")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ledgerFile, *all); err != nil {
		log.Fatal(err)
	}
}

// region publish

func run(ctx context.Context, ledgerFile string, all bool) error {
	kgl, err := examples.Login(ctx)
	if err != nil {
		return err
	}
	ledger, err := examples.OpenLedger(ledgerFile)
	if err != nil {
		return err
	}
	defer ledger.Close()

	params := client.ListContentParams{
		Status:      &[]client.ContentStatus{client.ContentStatusProcessed},
		Publishable: examples.Ptr(true),
		Sort:        examples.Ptr(client.ListContentParamsSortChangedAt), // the oldest change first
		View:        examples.Ptr(client.ListContentParamsViewSummary),
		Limit:       examples.Ptr(100),
	}
	if !all {
		params.ChangedAfter = ledger.ChangedAfter(overlap)
	}
	for item, err := range examples.Content(ctx, kgl, params) {
		if err != nil {
			return err
		}
		if ledger.Handled(item) {
			continue
		}
		if err := publish(item); err != nil {
			return err
		}
		if err := ledger.Done(item); err != nil {
			return err
		}
	}
	return nil
}

// endregion publish

// publish stands for what the module does with an item.
func publish(item client.Content) error {
	line, err := json.Marshal(map[string]any{
		"id": item.ID, "revision": item.Revision, "title": item.Title, "url": item.URL, "published_at": item.PublishedAt,
		"changed_at": item.ChangedAt,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(line))
	return err
}
