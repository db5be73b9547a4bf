package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

const writerURL = "KGL_TEST_WRITER_URL"

// TestCrashWriter is not a test of its own: it is what the process of
// TestKilledWriter runs. Each transaction writes a setting and an event; its
// number is printed when it was acknowledged.
func TestCrashWriter(t *testing.T) {
	url := os.Getenv(writerURL)
	if url == "" {
		return
	}
	db := open(t, url)
	for n := 0; ; n++ {
		noError(t, db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
			if err := tx.SetSetting(ctx, fmt.Sprint("n", n), "v", now); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, []kgl.Event{{ID: fmt.Sprint("n", n), Type: kgl.EventContentCreated, SubjectType: "content", OccurredAt: now}})
		}))
		fmt.Printf("acknowledged %d\n", n)
	}
}

// TestKilledWriter kills a process in the middle of its writes: what it was
// told is stored is there, whole, and the database goes on.
func TestKilledWriter(t *testing.T) {
	sqlite := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	noError(t, migrateUp(t.Context(), sqlite))
	for name, url := range map[string]string{"sqlite": sqlite, "postgres": postgresTemplate.NewDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			last := killWriter(t, url, 100)
			db := open(t, url)
			events := storetest.Events(t, db)
			if len(events) <= last {
				t.Fatalf("%d events, and %d was acknowledged", len(events), last)
			}
			for n, e := range events {
				if e.ID != fmt.Sprint("n", n) {
					t.Fatalf("event %d is %s", n, e.ID)
				}
				_, err := db.Setting(t.Context(), e.ID)
				noError(t, err)
			}
			noError(t, db.Ping(t.Context()))
			if db.Engine() == store.SQLite { // a server may still end what the dead process had asked for
				_, err := db.Setting(t.Context(), fmt.Sprint("n", len(events)))
				wantCode(t, err, kgl.CodeNotFound)
				if result, err := db.ScanRaw(t.Context(), true, "PRAGMA integrity_check"); err != nil || result != "ok" {
					t.Errorf("integrity check: %s, %v", result, err)
				}
			}
		})
	}
}

// killWriter kills the process after it has printed some acknowledgements, and
// returns the last number that it printed.
func killWriter(t *testing.T, url string, after int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashWriter$", "-test.count=1")
	cmd.Env = append(os.Environ(), writerURL+"="+url)
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	last := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &n); err != nil {
			continue
		}
		last = n
		if n == after {
			noError(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the writer ended with %v", err)
	}
	if last < after {
		t.Fatalf("the writer stopped after %d", last)
	}
	return last
}

// TestTransactionsOfTwoDatabases opens a transaction in each of two databases
// with one context, as a copy from one to the other does.
func TestTransactionsOfTwoDatabases(t *testing.T) {
	from, to := openSQLite(t), openPostgres(t)
	noError(t, from.InTx(t.Context(), func(ctx context.Context, source kgl.Store) error {
		noError(t, source.SetSetting(ctx, "k", "from", now))
		return to.InTx(ctx, func(ctx context.Context, target kgl.Store) error {
			v, err := source.Setting(ctx, "k")
			noError(t, err)
			_, err = target.Setting(ctx, "k")
			wantCode(t, err, kgl.CodeNotFound)
			return target.SetSetting(ctx, "k", v+" to", now)
		})
	}))
	for db, want := range map[*store.DB]string{from: "from", to: "from to"} {
		if v, err := db.Setting(t.Context(), "k"); err != nil || v != want {
			t.Errorf("%s: %q, %v", db.Engine(), v, err)
		}
	}
}
