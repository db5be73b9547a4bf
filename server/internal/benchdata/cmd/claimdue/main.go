// Command claimdue measures nothing by itself: it claims, reads and releases due
// hosts in an empty database that it migrates and fills with sources, when its
// input says so, so that another program can account what that costs.
//
// It writes "ready", and for each line of its input an object with the units of
// work that were done: prepare makes the hosts due again, claim claims them all,
// look asks when the next one is due.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
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

// looks is how often one line of input looks for due hosts.
const looks = 2000

// atOnce is how many hosts a worker with none claims at once.
const atOnce = 8

func main() {
	databaseURL := flag.String("db", os.Getenv("KGL_DATABASE_URL"), "database, as in KGL_DATABASE_URL; must be new")
	sources := flag.Int("sources", 1000, "sources in the table, each on a host of its own")
	due := flag.Int("due", 1000, "how many of them are due")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *databaseURL, *sources, *due); err != nil {
		fmt.Fprintln(os.Stderr, "claimdue:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, databaseURL string, sources, due int) error {
	if err := store.MigrateUp(ctx, databaseURL); err != nil {
		return err
	}
	now := time.Now()
	if err := benchdata.Claimable(ctx, databaseURL, sources, due, now); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: databaseURL, Random: rand.Reader})
	if err != nil {
		return err
	}
	defer db.Close()
	work := map[string]func() (int, error){
		"prepare": func() (int, error) { return 0, benchdata.MakeDue(ctx, databaseURL) },
		"claim":   func() (int, error) { return claimAll(ctx, db, now) },
		"look":    func() (int, error) { return lookOften(ctx, db) },
	}
	fmt.Println("ready")
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var done struct {
			Units int    `json:"units"`
			Error string `json:"error,omitempty"`
		}
		do, known := work[in.Text()]
		if !known {
			return fmt.Errorf("%q is no work", in.Text())
		}
		if done.Units, err = do(); err != nil {
			done.Error = err.Error()
		}
		if err := out.Encode(done); err != nil {
			return err
		}
	}
	return nil
}

// claimAll claims the hosts that are due, reads the due source of each, and
// releases it for a later time.
func claimAll(ctx context.Context, db *store.DB, now time.Time) (claimed int, err error) {
	for {
		leases, err := db.ClaimHosts(ctx, "claimdue", now, now.Add(time.Minute), atOnce)
		if err != nil || len(leases) == 0 {
			return claimed, err
		}
		for _, lease := range leases {
			sources, err := db.DueSources(ctx, lease.Host, now, 1)
			if err != nil {
				return claimed, err
			}
			if len(sources) != 1 {
				return claimed, fmt.Errorf("%s was claimed, but has %d due sources", lease.Host, len(sources))
			}
			if err := db.ReleaseHost(ctx, lease, now.Add(time.Hour)); err != nil {
				return claimed, err
			}
		}
		claimed += len(leases)
	}
}

func lookOften(ctx context.Context, db *store.DB) (int, error) {
	for range looks {
		if _, err := db.NextDueAt(ctx); err != nil {
			return 0, err
		}
	}
	return looks, nil
}
