package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// TestBackup backs an installation up while it is written to, restores it
// elsewhere, and goes on there: with what was acknowledged before, the same
// passwords, tokens and positions of readers. Then the restored installation
// passes the tests of the API.
func TestBackup(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		b := in.start(t)
		had := in.makeHistory(t, b)
		before, stop := b.changeSources(t)
		file := in.backUp(t)
		stop()
		lost := in.eventsAfter(t, had.events[len(had.events)-1].Position) // in part

		restored := in.restoreElsewhere(t, file)
		r := restored.start(t)
		had.check(t, r)
		r.asAdmin(t).checkSources(t, before)
		restored.checkEvents(t, had.events, r)
		restored.checkReader(t, lost[len(lost)-1].Position, r)
		restored.checkAuditChain(t)
		for _, test := range shared {
			if slices.Contains(dataTests, test.name) {
				t.Run(test.name, func(t *testing.T) { test.run(t, r) })
			}
		}
		restored.checkAuditChain(t)
	})
}

// dataTests are those of the shared tests that work with stored data.
var dataTests = []string{
	"operations", "key set", "source conditions", "source changes", "idempotency", "pages", "filters of content",
	"filters of entities", "feed not modified", "feed edited", "duplicates", "deleted content", "refresh", "enrichment", "dashboard",
	"metrics", "audit rows",
}

// changeSources changes the titles of two sources until stop is called. It
// returns the number in each title that was acknowledged when it had changed
// them some times, by the id of the source.
func (b *backend) changeSources(t *testing.T) (before map[string]int, stop func()) {
	t.Helper()
	f, c := newFeedServer(t), b.asAdmin(t)
	var mu sync.Mutex
	done := map[string]int{}
	end := make(chan struct{})
	var enough, writers sync.WaitGroup
	for writer := range 2 {
		id := c.createSource(t, f.url(fmt.Sprintf("/%d.xml", writer))).ID
		enough.Add(1)
		writers.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				if res := c.do("PATCH", "/api/v1/sources/"+id, fmt.Sprintf(`{"title":"number %d"}`, n)); res.status != http.StatusOK {
					t.Errorf("change %d got %d: %s", n, res.status, res.body)
					n = 20
				}
				mu.Lock()
				done[id] = n
				mu.Unlock()
				if n == 20 {
					enough.Done()
				}
			}
		})
	}
	enough.Wait()
	mu.Lock()
	defer mu.Unlock()
	return maps.Clone(done), func() { close(end); writers.Wait() }
}

// checkSources fails when a title is older than what was acknowledged.
func (c *caller) checkSources(t *testing.T, acknowledged map[string]int) {
	t.Helper()
	for id, want := range acknowledged {
		var n int
		if title := c.source(t, id).Title; want < 20 {
			t.Errorf("only %d changes were acknowledged", want)
		} else if _, err := fmt.Sscanf(title, "number %d", &n); err != nil || n < want {
			t.Errorf("the title is %q, and number %d was acknowledged before the backup", title, want)
		}
	}
}

// eventsAfter returns the events after a position, in their order.
func (in *installation) eventsAfter(t *testing.T, after kgl.EventPosition) []kgl.Event {
	t.Helper()
	store := in.open(t).Store
	var all []kgl.Event
	for {
		events, err := store.EventsAfter(t.Context(), after, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
		after = events[len(events)-1].Position
	}
}

// checkEvents looks at the change feed of a restored installation: a reader
// that had read half of the old events gets the rest of them in the same
// order, and whoever has read all gets what happens from now on.
func (in *installation) checkEvents(t *testing.T, old []kgl.Event, b *backend) {
	t.Helper()
	half := len(old) / 2
	rest := in.eventsAfter(t, old[half-1].Position)
	if len(rest) < len(old)-half {
		t.Fatalf("%d events after the middle, and %d before the backup", len(rest), len(old)-half)
	}
	for i, e := range old[half:] {
		if rest[i].ID != e.ID || rest[i].Position != e.Position {
			t.Fatalf("event %d is %s at %v, and was %s at %v", half+i, rest[i].ID, rest[i].Position, e.ID, e.Position)
		}
	}
	in.checkReader(t, rest[len(rest)-1].Position, b)
}

// checkReader fails when someone who has read up to a position does not get
// what happens from now on.
func (in *installation) checkReader(t *testing.T, read kgl.EventPosition, b *backend) {
	t.Helper()
	f := newFeedServer(t)
	id := b.asAdmin(t).createSource(t, f.url("/new.xml")).ID
	eventually(t, "the event of the new source comes after all old ones", func() string {
		fresh := in.eventsAfter(t, read)
		if !slices.ContainsFunc(fresh, func(e kgl.Event) bool { return e.SubjectID == id }) {
			return fmt.Sprintf("%d new events", len(fresh))
		}
		return ""
	})
}

// backUp makes a backup as docs/operations.md says and returns its file.
func (in *installation) backUp(t *testing.T) string {
	t.Helper()
	file := filepath.Join(in.dir, "kgl.backup")
	if in.engine == "postgres" {
		in.useUpTransactions(t)
		in.runDocumented(t, "pg_dump", "KGL_PG="+in.setting("KGL_DATABASE_URL"))
		return filepath.Join(in.dir, "kgl.dump")
	}
	out := in.output(t, "backup", file)
	if !strings.Contains(out, "with signing-keys.json") {
		t.Error(out)
	}
	return file
}

// restoreElsewhere makes an installation of a backup, on another cluster on
// Postgres.
func (in *installation) restoreElsewhere(t *testing.T, file string) *installation {
	t.Helper()
	other := *in
	other.dir, other.log = t.TempDir(), &buffer{}
	other.environ = append(slices.Clone(in.environ), "KGL_DATA_DIR="+other.dir)
	if in.engine == "sqlite" {
		other.environ = append(other.environ, "KGL_DATABASE_URL=sqlite:///"+other.databaseFile())
		if out := other.output(t, "restore", file); !strings.Contains(out, "kgl serve") {
			t.Error(out)
		}
		return &other
	}
	cluster, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	other.environ = append(other.environ, "KGL_DATABASE_URL="+cluster.URL())
	in.runDocumented(t, "pg_restore", "KGL_PG="+cluster.URL())
	other.open(t) // which raises the clock of the events, see checkEvents
	in.runDocumented(t, `psql "$KGL_PG" -c 'UPDATE event_clock`, "KGL_PG="+cluster.URL())
	conn, err := pgx.Connect(t.Context(), cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var offset int64
	if err := conn.QueryRow(t.Context(), "SELECT tx_offset FROM event_clock").Scan(&offset); err != nil || offset < 1000 {
		t.Errorf("the new cluster is ahead of the old one by itself: the offset is %d, %v", offset, err)
	}
	return &other
}

// useUpTransactions takes more transaction numbers than a new cluster has given
// out, so that the restored events come from the future there.
func (in *installation) useUpTransactions(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), in.setting("KGL_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for range 3000 {
		if _, err := conn.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
			t.Fatal(err)
		}
	}
}

// runDocumented runs the line of docs/operations.md that begins so, with a
// program of Postgres, in the folder of the installation.
func (in *installation) runDocumented(t *testing.T, begin string, environ ...string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    (`+regexp.QuoteMeta(begin)+` .*)$`).FindAllSubmatch(text, -1)
	if len(lines) != 1 {
		t.Fatalf("docs/operations.md has %d lines with %s, want 1", len(lines), begin)
	}
	command := string(lines[0][1])
	program, _, _ := strings.Cut(command, " ")
	if advice, ok := map[string]string{"pg_dump": "backup", "pg_restore": "restore"}[program]; ok {
		options, _, _ := strings.Cut(command, `"$KGL_PG"`)
		if out, err := in.run(t, advice, "kgl.dump"); exitCode(t, err) != 1 || !strings.Contains(out, options) {
			t.Errorf("kgl %s does not advise %s:\n%s", advice, options, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-ec", command)
	cmd.Dir = in.dir
	cmd.Env = append([]string{"PATH=" + filepath.Dir(pgtest.Program(t, program)) + ":" + os.Getenv("PATH")}, environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestRestoreWhileServing leaves a running installation alone.
func TestRestoreWhileServing(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite")
	b := in.start(t)
	file := in.backUp(t)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if out, err := in.run(t, "restore", "--force", file); exitCode(t, err) != 1 || !strings.Contains(out, "in use") {
		t.Errorf("%v %s", err, out)
	}
	b.login(t, in.admin)
	in.checkAuditChain(t)
}
