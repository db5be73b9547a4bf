package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

const masterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 32 bytes, of this test only

// shell runs commands on one database, as an operator does.
type shell struct {
	t       *testing.T
	dir     string
	environ []string
	stdin   string
}

// onEngines runs a test on an empty database of either engine.
func onEngines(t *testing.T, test func(s *shell)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(newShell(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(newShell(t, pgtest.NewDatabase(t))) })
}

func newShell(t *testing.T, databaseURL string) *shell {
	dir := t.TempDir()
	if databaseURL == "" {
		databaseURL = "sqlite:///" + filepath.Join(dir, "kgl.db")
	}
	return &shell{t: t, dir: dir, environ: []string{
		"KGL_DATABASE_URL=" + databaseURL, "KGL_DATA_DIR=" + dir, "KGL_MASTER_KEY=" + masterKey, "HOME=" + dir,
	}}
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

func (s *shell) run(args ...string) result {
	s.t.Helper()
	return s.runContext(s.t.Context(), args...)
}

func (s *shell) runContext(ctx context.Context, args ...string) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(ctx, Env{
		Args: args, Environ: s.environ, Stdin: strings.NewReader(s.stdin), Stdout: &stdout, Stderr: &stderr,
		Clock: kgl.ClockFunc(time.Now), Random: rand.Reader, Jitter: func() float64 { return 0 }, Version: "1.2.3-test",
	})
	return result{code, stdout.String(), stderr.String()}
}

// want runs a command that must end with the code and print all of the words:
// on stdout when it succeeds, else on stderr.
func (s *shell) want(code int, args []string, words ...string) result {
	s.t.Helper()
	r := s.run(args...)
	out := r.stdout
	if code != 0 {
		out = r.stderr
	}
	if r.code != code {
		s.t.Errorf("kgl %s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("kgl %s: no %q in\n%s", strings.Join(args, " "), w, out)
		}
	}
	return r
}

func line(text string) []string { return strings.Fields(text) }

func TestExitCodes(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("version"), "kgl 1.2.3-test", "go1.")
	s.want(0, nil, "Available Commands", "kgl source add")
	s.want(0, line("--help"), "Available Commands")
	s.want(0, line("source"), "Available Commands", "import")
	s.want(2, line("sing"), `unknown command "sing"`, "Run 'kgl --help' for usage.")
	s.want(2, line("source sing"), `unknown command "sing"`)
	s.want(2, line("serve --loud"), "unknown flag: --loud", "Run 'kgl serve --help' for usage.")
	s.want(2, line("version now"), "accepts 0 arg(s)")
	s.want(2, line("source add"), "accepts 1 arg(s), received 0")
	s.want(2, line("source add https://a.example/ --interval soon"), "soon")
	s.want(1, line("source list"), "kgl source list: ", "kgl migrate up")
	s.environ = append(s.environ, "KGL_ADDR=nowhere", "KGL_WORKERS=0")
	s.want(1, line("serve"), "KGL_ADDR: ", "KGL_WORKERS: ")
	s.want(1, line("migrate status"), "KGL_ADDR: ")
}

func TestInterruptedCommandFails(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("migrate up"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.runContext(ctx, "source", "list"); r.code != 1 || !strings.Contains(r.stderr, "interrupted") {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	if r := s.runContext(ctx, "serve"); r.code != 0 {
		t.Errorf("a server that is told to stop while it starts: exit code %d, stderr %q", r.code, r.stderr)
	}
}

// Every command can be learned from its own help.
func TestHelpHasExamples(t *testing.T) {
	s := newShell(t, "")
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		if cmd.Short == "" {
			t.Errorf("kgl %s has no description", strings.Join(path, " "))
		}
		if !cmd.HasSubCommands() && !strings.HasPrefix(cmd.Example, "  ") {
			t.Errorf("kgl %s has no example", strings.Join(path, " "))
		}
		for _, example := range strings.Split(cmd.Example, "\n") {
			if example != "" && !strings.Contains(example, "kgl "+strings.Join(path, " ")) && len(path) > 0 {
				t.Errorf("an example of kgl %s is about something else: %s", strings.Join(path, " "), example)
			}
		}
		s.want(0, append(slices.Clone(path), "--help"), "Usage:\n  kgl")
		for _, child := range cmd.Commands() {
			visit(child, append(slices.Clone(path), child.Name()))
		}
	}
	visit(newRoot(&Env{}), nil)
}

func TestConfigShowsNoSecret(t *testing.T) {
	s := newShell(t, "")
	s.environ = []string{
		"KGL_DATABASE_URL=postgres://kgl:hunter2-db@db.example/kgl", "KGL_MASTER_KEY=" + masterKey,
		"KGL_ADMIN_PASSWORD=hunter2-admin", "KGL_WORKRES=3", "HOME=/nowhere",
	}
	r := s.want(0, line("config"), "KGL_ADDR", "127.0.0.1:8000", "(default)", "db.example", "(environment)")
	if !strings.Contains(r.stderr, "KGL_WORKRES: there is no such variable, did you mean KGL_WORKERS?") {
		t.Errorf("stderr: %s", r.stderr)
	}
	for _, secret := range []string{"hunter2", masterKey, "nowhere"} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("the output holds %q", secret)
		}
	}
	wantAligned(t, r.stdout, 3)
}

// wantAligned checks that the columns of a table begin at the same place in
// every line.
func wantAligned(t *testing.T, text string, columns int) {
	t.Helper()
	gap := regexp.MustCompile(` {2,}`)
	starts := map[int]bool{}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for _, gaps := range gap.FindAllStringIndex(lines[0], -1) {
		starts[len([]rune(lines[0][:gaps[1]]))] = true
	}
	if len(starts) < columns-1 {
		t.Fatalf("the header has %d columns, want %d: %q", len(starts)+1, columns, lines[0])
	}
	for _, l := range lines[1:] {
		for at := range starts {
			if r := []rune(l); len(r) > at && (r[at-1] != ' ' || r[at-2] != ' ') {
				t.Errorf("column %d does not begin at %d:\n%s\n%s", columns, at, lines[0], l)
			}
		}
	}
}

func TestMigrate(t *testing.T) {
	const latest = "version  3 of 3"
	onEngines(t, func(s *shell) {
		s.want(1, line("migrate status"), "kgl migrate up")
		s.want(0, line("migrate up"), latest)
		s.want(0, line("migrate up"), latest)
		if r := s.want(0, line("migrate status"), latest); strings.Contains(r.stdout, "dirty") {
			s.t.Error(r.stdout)
		}
		s.want(1, line("migrate down --steps 0"), "at least 1")
		s.want(0, line("migrate down --steps 5"), "version  0 of ")
		s.want(1, line("user list"), "kgl migrate up")
		s.want(0, line("migrate up"), latest)
	})
}

func TestKeys(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		s.want(0, line("keys rotate"), "a new key was made")
		r := s.want(1, line("keys revoke unknown"), "no such signing key")
		if strings.Contains(r.stderr, "not_found") {
			s.t.Errorf("the message speaks in codes: %s", r.stderr)
		}
		kid := s.keyID()
		s.want(0, line("keys revoke "+kid), "revoked "+kid)
		s.want(1, line("keys revoke "+kid), "no such signing key")
		r = s.want(0, line("keys list"), "KID", "signing", "announced")
		if strings.Contains(r.stdout, kid) || strings.Contains(r.stdout, "PRIVATE") {
			s.t.Errorf("the list shows a key that was revoked, or a private one:\n%s", r.stdout)
		}
		r = s.want(0, line("keys list --json"), `"state": "signing"`, `"expires_at": null`)
		if !json.Valid([]byte(r.stdout)) || strings.Contains(r.stdout, "rivate") {
			s.t.Errorf("%s", r.stdout)
		}
		s.withApp(func(ctx context.Context, a *app.App) {
			for action, actor := range map[string]kgl.PrincipalType{"signing_key.revoke": kgl.PrincipalOperator, "signing_key.create": ""} {
				rows, err := a.Store.AuditEvents(ctx, kgl.AuditFilter{Action: action}, kgl.Page{Limit: 10})
				if err != nil || len(rows.Rows) == 0 || actor != "" && (rows.Rows[0].ActorType != actor || rows.Rows[0].SubjectID != kid) {
					s.t.Errorf("audit rows of %s: %+v, %v", action, rows.Rows, err)
				}
			}
		})
		s.want(0, line("audit verify"), "intact")
	})
}

func TestAnnouncement(t *testing.T) {
	if announce(&bytes.Buffer{}) != nil {
		t.Error("a password would be shown where there is no terminal")
	}
}
