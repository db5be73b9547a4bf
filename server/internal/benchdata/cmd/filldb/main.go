// Command filldb migrates a database, if it is not, and fills it with made-up
// items and what belongs to them:
//
//	go run ./server/internal/benchdata/cmd/filldb -db sqlite:///data/bench.db -items 100000
//
// The same -items, -seed and -until give the same rows on both engines. A fill
// that is broken off leaves a database to throw away.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/benchdata"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func main() {
	databaseURL := flag.String("db", os.Getenv("KGL_DATABASE_URL"), "database, as in KGL_DATABASE_URL; made and migrated when it is new")
	items := flag.Int("items", 10000, "content items")
	seed := flag.Uint64("seed", 1, "seed of everything")
	until := flag.String("until", "2026-11-01T00:00:00Z", "when the newest item was fetched (RFC 3339), or now")
	batch := flag.Int("batch", 0, "items in one transaction (0: 2000)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *databaseURL, *until, benchdata.Config{Items: *items, Seed: *seed, BatchItems: *batch}); err != nil {
		fmt.Fprintln(os.Stderr, "filldb:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, databaseURL, until string, cfg benchdata.Config) error {
	start := time.Now()
	cfg.Until = start.UTC()
	if until != "now" {
		t, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return fmt.Errorf("-until: %w", err)
		}
		cfg.Until = t
	}
	if err := store.MigrateUp(ctx, databaseURL); err != nil {
		return err
	}
	told := start
	cfg.Progress = func(items int) {
		if time.Since(told) > 2*time.Second || items == cfg.Items {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%d of %d items, %.0f a second\n", items, cfg.Items, float64(items)/time.Since(start).Seconds())
		}
	}
	stats, err := benchdata.Fill(ctx, databaseURL, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "filled in %v\n", time.Since(start).Round(time.Millisecond))
	return json.NewEncoder(os.Stdout).Encode(stats)
}
