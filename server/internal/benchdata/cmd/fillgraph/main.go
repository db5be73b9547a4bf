// Command fillgraph migrates a database, if it is not, and fills it with made-up
// entities and relationships between them, a few of which are large hubs:
//
//	go run ./server/internal/benchdata/cmd/fillgraph -db sqlite:///data/graph.db -entities 100000 -relationships 1000000
//
// The same numbers, -seed and -until give the same rows on both engines. A fill
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
	entities := flag.Int("entities", 100_000, "entities")
	relationships := flag.Int("relationships", 1_000_000, "relationships")
	seed := flag.Uint64("seed", 1, "seed of everything")
	until := flag.String("until", "2026-11-01T00:00:00Z", "when the newest row was written (RFC 3339)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *databaseURL, *until, benchdata.GraphConfig{Entities: *entities, Relationships: *relationships, Seed: *seed}); err != nil {
		fmt.Fprintln(os.Stderr, "fillgraph:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, databaseURL, until string, cfg benchdata.GraphConfig) (err error) {
	if cfg.Until, err = time.Parse(time.RFC3339, until); err != nil {
		return fmt.Errorf("-until: %w", err)
	}
	if err := store.MigrateUp(ctx, databaseURL); err != nil {
		return err
	}
	told := time.Now()
	cfg.Progress = func(rows int) {
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%d rows\n", rows)
		}
	}
	stats, err := benchdata.FillGraph(ctx, databaseURL, cfg, time.Now)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(stats)
}
