package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// emptyURLs make the URL of an empty database on each engine.
var emptyURLs = map[string]func(t *testing.T) string{
	"sqlite": func(t *testing.T) string {
		t.Helper()
		return "sqlite:///" + filepath.Join(t.TempDir(), "sub", "kgl.db")
	},
	"postgres": func(t *testing.T) string {
		t.Helper()
		return pgtest.NewDatabase(t)
	},
}

func eachEmpty(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range emptyURLs {
		t.Run(name, func(t *testing.T) { f(t, url(t)) })
	}
}

func migrator(t *testing.T, url string) *store.Migrator {
	t.Helper()
	m, err := store.NewMigrator(url)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks that an error says what to do.
func wantError(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Fatalf("error %v, want one with %q", err, words)
	}
}

func TestMigrateUpAndDown(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		m := migrator(t, url)
		ctx := t.Context()
		wantError(t, m.Check(ctx), "kgl migrate up")
		noError(t, m.Up(ctx))
		noError(t, m.Check(ctx))
		noError(t, m.Up(ctx)) // nothing to do
		s, err := m.Status(ctx)
		noError(t, err)
		if s.Err() != nil || s.Version != s.Latest || s.Latest < 1 {
			t.Fatalf("status %+v", s)
		}
		populate(t, url)
		noError(t, m.Down(ctx, 1000))
		if s, err = m.Status(ctx); err != nil || s.Version != 0 || s.Dirty {
			t.Fatalf("after down: %+v, %v", s, err)
		}
		noError(t, m.Down(ctx, 1))
		noError(t, m.Up(ctx))
		populate(t, url)
		if err := m.Down(ctx, 0); err == nil {
			t.Fatal("took 0 migrations back")
		}
	})
}

// populate stores a row of several aggregates.
func populate(t *testing.T, url string) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url})
	noError(t, err)
	defer func() { noError(t, db.Close()) }()
	now := time.Unix(1, 0)
	src := kgl.Source{ID: "s", URL: "u", URLKey: "u", Host: "h", Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now}
	noError(t, db.CreateSource(t.Context(), src))
	_, err = db.CreateContents(t.Context(), []kgl.Content{
		{ID: "c", SourceID: "s", IdentityKind: kgl.IdentityGUID, IdentityKey: "g", Status: kgl.ContentNew, Revision: 1, Version: 1},
		{ID: "d", SourceID: "s", IdentityKind: kgl.IdentityGUID, IdentityKey: "h", Status: kgl.ContentNew, Revision: 1, Version: 1},
	})
	noError(t, err)
	_, err = db.LinkDuplicates(t.Context(), []kgl.DuplicateLink{{ContentID: "d", DuplicateOf: "c", Reason: kgl.DuplicateSameURL, Score: 1}})
	noError(t, err)
	_, err = db.AppendAudit(t.Context(), kgl.AuditEvent{ID: "a", At: now, ActorType: kgl.PrincipalUser, Action: "x", Outcome: kgl.AuditSuccess})
	noError(t, err)
}

// later are migrations of a future version: one that rebuilds the table that
// others refer to, and one that fails.
func later(t *testing.T, url string, failing bool) (fstest.MapFS, string) {
	t.Helper()
	engine, err := store.EngineOf(url)
	noError(t, err)
	dir := filepath.Join("..", "..", "..", "sql", string(engine), "migrations")
	files := fstest.MapFS{}
	entries, err := os.ReadDir(dir)
	noError(t, err)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		noError(t, err)
		files["m/"+e.Name()] = &fstest.MapFile{Data: text}
	}
	rebuild := "ALTER TABLE hosts ADD COLUMN note TEXT;"
	if engine == store.SQLite {
		rebuild = `CREATE TABLE hosts_new (host TEXT NOT NULL PRIMARY KEY, due_at BIGINT, not_before BIGINT NOT NULL DEFAULT 0,
  lease_owner TEXT NOT NULL DEFAULT '', lease_token BIGINT NOT NULL DEFAULT 0, lease_until BIGINT NOT NULL DEFAULT 0, updated_at BIGINT NOT NULL, note TEXT);
INSERT INTO hosts_new SELECT *, NULL FROM hosts; DROP TABLE hosts; ALTER TABLE hosts_new RENAME TO hosts;
CREATE TABLE contents_new AS SELECT * FROM contents; DROP TABLE contents; ALTER TABLE contents_new RENAME TO contents; CREATE UNIQUE INDEX contents_pk ON contents (id);`
	}
	rebuild += "\n" + fmt.Sprintf(says, 9001) // no binary of before fits
	if failing {
		rebuild += "\nINSERT INTO nowhere VALUES (1);"
	}
	files["m/9001_later.up.sql"] = &fstest.MapFile{Data: []byte(rebuild)}
	files["m/9001_later.down.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")}
	return files, "m"
}

func TestMigrateRebuildLosesNothing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		old := migrator(t, url)
		noError(t, old.Up(t.Context()))
		populate(t, url)
		files, dir := later(t, url, false)
		newer, err := store.NewMigratorOf(url, files, dir)
		noError(t, err)
		noError(t, newer.Up(t.Context()))
		db := open(t, url)
		if _, err := db.Content(t.Context(), "d"); err != nil {
			t.Fatal(err)
		}
		links, err := db.Duplicates(t.Context(), "c", kgl.Page{Limit: 5})
		if err != nil || len(links.Rows) != 1 {
			t.Fatalf("links %v, %v", links, err)
		}
		// The older binary now meets a newer schema.
		wantError(t, old.Check(t.Context()), "newer kgl")
		wantError(t, old.Up(t.Context()), "newer kgl")
		wantError(t, old.Down(t.Context(), 1), "newer kgl")
	})
}

// TestMigrateFailureChangesNothing lets a migration fail at its end: the older
// binary goes on as before, and the newer one may try again.
func TestMigrateFailureChangesNothing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		old := migrator(t, url)
		noError(t, old.Up(t.Context()))
		populate(t, url)
		files, dir := later(t, url, true)
		newer, err := store.NewMigratorOf(url, files, dir)
		noError(t, err)
		for range 2 {
			wantError(t, newer.Up(t.Context()), "nowhere")
			wantError(t, newer.Check(t.Context()), "run `kgl migrate up`")
			noError(t, old.Check(t.Context()))
		}
		db := open(t, url)
		if _, err := db.Content(t.Context(), "d"); err != nil {
			t.Fatalf("the failed migration lost data: %v", err)
		}
		files, dir = later(t, url, false)
		repaired, err := store.NewMigratorOf(url, files, dir)
		noError(t, err)
		noError(t, repaired.Up(t.Context()))
		noError(t, repaired.Check(t.Context()))
	})
}

// TestMigrateOrphansAreReported removes what other rows refer to.
func TestMigrateOrphansAreReported(t *testing.T) {
	url := emptyURLs["sqlite"](t)
	noError(t, migrator(t, url).Up(t.Context()))
	populate(t, url)
	files, dir := later(t, url, false)
	files["m/9001_later.up.sql"] = &fstest.MapFile{Data: []byte("DELETE FROM sources;")}
	newer, err := store.NewMigratorOf(url, files, dir)
	noError(t, err)
	wantError(t, newer.Up(t.Context()), "2 rows of contents refer to rows of sources that do not exist")
}

const (
	starterURL = "KGL_TEST_STARTER_URL"
	starters   = 4
)

// TestMigrateStarter is not a test of its own: it is what the processes of
// TestMigrateConcurrently run.
func TestMigrateStarter(t *testing.T) {
	url := os.Getenv(starterURL)
	if url == "" {
		return
	}
	noError(t, migrateUp(t.Context(), url))
	db := open(t, url)
	noError(t, db.Ping(t.Context()))
	now := time.Unix(1, 0)
	if _, err := db.CreateSetting(t.Context(), "seeded", "yes", now); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateConcurrently(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		outputs := make(chan error, starters)
		for range starters {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateStarter$", "-test.count=1")
			cmd.Env = append(os.Environ(), starterURL+"="+url)
			go func() {
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Logf("%s", out)
				}
				outputs <- err
			}()
		}
		for range starters {
			if err := <-outputs; err != nil {
				t.Error(err)
			}
		}
		noError(t, migrator(t, url).Check(t.Context()))
	})
}

// TestMigrateWaitsAndGivesUp holds the lock while another migrator waits with
// a context that ends.
func TestMigrateWaitsAndGivesUp(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		unlock, err := migrator(t, url).Lock(t.Context())
		noError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		wantError(t, migrator(t, url).Up(ctx), "another process")
		unlock()
		noError(t, migrator(t, url).Up(t.Context()))
	})
}
