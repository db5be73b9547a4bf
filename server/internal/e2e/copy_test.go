package e2e

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// TestCopy moves an installation to the other engine while a server reads it,
// and goes on there: with the same content, passwords, tokens, cursors and
// positions of readers. The move is killed once. Then the copy passes the tests
// of the API.
func TestCopy(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		b := in.start(t)
		had := in.makeHistory(t, b)
		halves := readHalves(t, b.asAdmin(t))
		in.addThrottles(t, 40_000)

		moved := in.elsewhere(t)
		in.killCopy(t, moved)
		if out, err := moved.run(t, "serve"); exitCode(t, err) != 1 || !strings.Contains(out, "kgl db copy") {
			t.Fatalf("half a copy is served: %v %s", err, out)
		}
		in.copyTo(t, moved)
		if got := walk(t, b.asAdmin(t), "/api/v1/content", "", 100); !slices.Equal(got, had.content) {
			t.Error("the copy changed the source")
		}

		r := moved.start(t)
		had.check(t, r)
		for _, h := range halves {
			h.check(t, r.asAdmin(t))
		}
		moved.checkEvents(t, had.events, r)
		moved.checkAuditChain(t)
		for _, test := range shared {
			t.Run(test.name, func(t *testing.T) { test.run(t, r) })
		}
		t.Run("log", func(t *testing.T) { moved.checkLog(t) })
		t.Run("audit chain", func(t *testing.T) { moved.checkAuditChain(t) })
	})
}

// half is a list that was read as far as a cursor.
type half struct {
	path, cursor string
	rest         []string // behind the cursor
}

const halfLimit = 3

// readHalves reads the first page of several lists.
func readHalves(t *testing.T, c *caller) []half {
	t.Helper()
	var halves []half
	for _, path := range []string{"/api/v1/content", "/api/v1/sources", "/api/v1/entities", "/api/v1/relationships", "/api/v1/audit"} {
		first := decode[page](t, c.do("GET", fmt.Sprintf("%s?limit=%d", path, halfLimit), "").want(t, 200).body)
		h := half{path: path, cursor: first.Pagination.NextCursor.MustGet()}
		h.rest = h.read(t, c)
		halves = append(halves, h)
	}
	return halves
}

// read returns the page behind the cursor.
func (h half) read(t *testing.T, c *caller) []string {
	t.Helper()
	path := fmt.Sprintf("%s?limit=%d&cursor=%s", h.path, halfLimit, url.QueryEscape(h.cursor))
	var rows []string
	for _, row := range decode[page](t, c.do("GET", path, "").want(t, 200).body).Data {
		rows = append(rows, rowKey(row))
	}
	return rows
}

// check goes on with a list where it was left.
func (h half) check(t *testing.T, c *caller) {
	t.Helper()
	if rows := h.read(t, c); len(rows) == 0 || !slices.Equal(rows, h.rest) {
		t.Errorf("%s goes on with %v, and before the move with %v", h.path, rows, h.rest)
	}
}

// addThrottles gives the copy something to do for a while.
func (in *installation) addThrottles(t *testing.T, rows int) {
	t.Helper()
	in.execute(t, fmt.Sprintf(`INSERT INTO login_throttles (throttle_key, failures, window_start, blocked_until, updated_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		SELECT 'address:old-' || i, 1, i, NULL, i FROM n`, rows))
}

// elsewhere returns the installation on an empty database of the other engine.
func (in *installation) elsewhere(t *testing.T) *installation {
	t.Helper()
	other := *in
	other.dir, other.log = t.TempDir(), &buffer{}
	other.environ = append(slices.Clone(in.environ), "KGL_DATA_DIR="+other.dir)
	if in.engine == "sqlite" {
		other.engine = "postgres"
		other.environ = append(other.environ, "KGL_DATABASE_URL="+pgtest.NewDatabase(t))
	} else {
		other.engine = "sqlite"
		other.environ = append(other.environ, "KGL_DATABASE_URL=sqlite:///"+other.databaseFile())
	}
	return &other
}

// copyArgs are the arguments of the command that copies to another
// installation, and the environment that says where signing keys lie.
func (in *installation) copyArgs(to *installation) (args []string, environ string) {
	files := in
	if to.engine == "sqlite" {
		files = to
	}
	return []string{"db", "copy", "--from", in.setting("KGL_DATABASE_URL"), "--to", to.setting("KGL_DATABASE_URL")}, "KGL_DATA_DIR=" + files.dir
}

// copyTo runs the move to its end.
func (in *installation) copyTo(t *testing.T, to *installation) {
	t.Helper()
	args, environ := in.copyArgs(to)
	cmd := in.command(t, args...)
	cmd.Env = append(cmd.Env, environ)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "source and target are the same") || !strings.Contains(string(out), "1 signing keys") {
		t.Fatalf("%v %s", err, out)
	}
	for _, secret := range []string{in.setting("KGL_MASTER_KEY"), in.admin.password, passwordOf(in.setting("KGL_DATABASE_URL")), passwordOf(to.setting("KGL_DATABASE_URL"))} {
		if secret != "" && strings.Contains(string(out), secret) {
			t.Error("the copy prints a secret")
		}
	}
}

func passwordOf(databaseURL string) string {
	u, err := url.Parse(databaseURL)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// killCopy kills the move when it has copied its first table.
func (in *installation) killCopy(t *testing.T, to *installation) {
	t.Helper()
	args, environ := in.copyArgs(to)
	cmd := in.command(t, args...)
	cmd.Env = append(cmd.Env, environ)
	words, told, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = told.Close()
	defer func() { _ = words.Close() }()
	var all []string
	for lines := bufio.NewScanner(words); lines.Scan(); {
		if all = append(all, lines.Text()); strings.HasPrefix(lines.Text(), "copying audit_events:") {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the copy was not killed in the middle: %v\n%s", err, strings.Join(all, "\n"))
	}
}
