package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

const otherMasterKey = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="

// set adds variables to the shell's environment.
func (s *shell) set(pairs ...string) { s.environ = append(s.environ, pairs...) }

// database returns the URL that the shell works on.
func (s *shell) database() string {
	return s.value("KGL_DATABASE_URL")
}

// without returns a shell that lacks a variable.
func (s *shell) without(name string) *shell {
	other := *s
	other.environ = slices.DeleteFunc(slices.Clone(s.environ), func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
	return &other
}

func (s *shell) value(name string) (value string) {
	for _, pair := range s.environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// newInstallation returns a shell on a database with an account, a source, and
// a signing key, whose id it returns.
func newInstallation(t *testing.T, databaseURL string) (*shell, string) {
	t.Helper()
	s := newShell(t, databaseURL)
	s.want(0, line("migrate up"))
	s.stdin = goodPassword + "\n"
	s.want(0, line("user create ada@example.org --role admin"), "created ")
	s.stdin = ""
	s.want(0, line("source add https://a.example/feed"), "added ")
	return s, s.keyID()
}

// TestCopyDatabase moves an installation of either engine to either engine:
// accounts, sources, the audit log and the signing keys are there.
func TestCopyDatabase(t *testing.T) {
	for _, to := range []string{"sqlite", "postgres"} {
		t.Run("to "+to, func(t *testing.T) {
			onEngines(t, func(from *shell) {
				from, _ = newInstallation(t, from.database())
				target := newShell(t, "")
				if to == "postgres" {
					target = newShell(t, pgtest.NewDatabase(t))
				}
				from, target = from.without("KGL_DATA_DIR"), target.without("KGL_DATA_DIR") // keys lie beside each database
				from.want(0, line("keys rotate"))
				kid := from.keyID()
				r := from.want(0, []string{"db", "copy", "--to", target.database()}, "contents", "2 signing keys", "the same")
				for _, words := range []string{"copying ", " to ", "locked until the copy ends", "comparing"} {
					if !strings.Contains(r.stderr, words) {
						t.Errorf("no %q in\n%s", words, r.stderr)
					}
				}
				target.want(0, line("user list"), "ada@example.org")
				target.want(0, line("source list"), "https://a.example/feed")
				target.want(0, line("audit verify"), "intact")
				if have := target.keyID(); have != kid {
					t.Errorf("the key is %s, want %s", have, kid)
				}
				if to == "sqlite" {
					info, err := os.Stat(filepath.Join(target.dir, "signing-keys.json"))
					if err != nil || info.Mode().Perm() != 0o600 {
						t.Errorf("the file of the keys: %v, %v", info, err)
					}
				}
				from.want(1, []string{"db", "copy", "--to", target.database()}, "the target: it is not empty", "--force")
				from.want(0, []string{"db", "copy", "--force", "--to", target.database()}, "the same")
			})
		})
	}
}

// TestCopyFindsKeys copies a database that has its keys beside it, though the
// configuration names another folder, and one that has none.
func TestCopyFindsKeys(t *testing.T) {
	s, _ := newInstallation(t, "")
	elsewhere := s.without("KGL_DATA_DIR")
	elsewhere.set("KGL_DATA_DIR=" + filepath.Join(t.TempDir(), "new", "folder"))
	elsewhere.want(0, []string{"db", "copy", "--to", s.database() + ".copy"}, "1 signing keys")
	if _, err := os.Stat(filepath.Join(elsewhere.value("KGL_DATA_DIR"), "signing-keys.json")); err != nil {
		t.Error(err)
	}
	empty := newShell(t, "")
	empty.want(0, line("migrate up"))
	r := empty.want(0, []string{"db", "copy", "--to", pgtest.NewDatabase(t)}, "0 signing keys")
	if !strings.Contains(r.stderr, "the source has no signing keys") {
		t.Error(r.stderr)
	}
}

func TestCopyDatabaseRefusals(t *testing.T) {
	s, _ := newInstallation(t, "")
	to := pgtest.NewDatabase(t)
	s.want(2, line("db copy"), "--to", "Run 'kgl db copy --help'")
	s.want(2, []string{"db", "copy", "--to", to, "--to-file", "x"}, "--to and --to-file exclude each other")
	s.want(2, []string{"db", "copy", "--from", "mysql://h/n", "--to", to}, "--from: must be sqlite:///")
	s.want(1, line("db copy --to-file /does/not/exist"), "--to-file", "/does/not/exist")
	s.want(1, []string{"db", "copy", "--to", s.database()}, "the same database")
	s.want(1, line("db copy --from sqlite:///does/not/exist.db --to sqlite:////tmp/x.db"), "the source: there is no database")

	// Nothing is copied when the keys cannot go along.
	unset := s.without("KGL_MASTER_KEY")
	unset.want(1, []string{"db", "copy", "--to", to}, "KGL_MASTER_KEY", "openssl rand")
	s.want(0, []string{"db", "copy", "--to", to, "--quiet"})
	wrong := unset.without("KGL_DATA_DIR")
	wrong.set("KGL_MASTER_KEY=" + otherMasterKey)
	back := "sqlite:///" + filepath.Join(t.TempDir(), "back.db")
	wrong.want(1, []string{"db", "copy", "--from", to, "--to", back}, "KGL_MASTER_KEY is not the key")
	if _, err := os.Stat(strings.TrimPrefix(back, "sqlite:///")); err == nil {
		t.Error("the target was touched")
	}

	// The keys of another installation lie where those of the copy belong.
	other, _ := newInstallation(t, "")
	other.want(1, []string{"db", "copy", "--from", to, "--to", "sqlite:///" + filepath.Join(other.dir, "new.db")}, "signing-keys.json", "another installation", "--force")
}

// TestCopyDatabaseHidesPasswords gives the URLs as files and as words: no
// password is printed, and whoever types one is told.
func TestCopyDatabaseHidesPasswords(t *testing.T) {
	s, _ := newInstallation(t, "")
	bad := "postgres://kgl:geheim-1234@127.0.0.1:1/none?connect_timeout=1"
	file := filepath.Join(s.dir, "url")
	if err := os.WriteFile(file, []byte(bad+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"db", "copy", "--to", bad}, {"db", "copy", "--to-file", file}, {"db", "copy", "--to", s.database() + "x", "--from", bad}} {
		r := s.want(1, args, "127.0.0.1")
		if strings.Contains(r.stderr+r.stdout, "geheim") {
			t.Errorf("%q shows the password:\n%s", args, r.stderr)
		}
		if told := strings.Contains(r.stderr, "others on this machine can see the password"); told != strings.Contains(strings.Join(args, " "), "geheim") {
			t.Errorf("%q: told %t", args, told)
		}
	}
	s.stdin = "sqlite:///" + filepath.Join(s.dir, "by-stdin.db")
	s.want(0, line("db copy --to-file -"), "the same")
}

func TestCopyDatabaseAsJSON(t *testing.T) {
	s, _ := newInstallation(t, "")
	r := s.want(0, []string{"db", "copy", "--json", "--quiet", "--to", s.database() + ".copy"})
	var report struct {
		Rows    int64
		Seconds *float64
		Keys    int `json:"signing_keys"`
		Tables  []struct {
			Name     string
			Rows     int64
			Checksum string
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.stderr != "" {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	var rows int64
	for _, table := range report.Tables {
		rows += table.Rows
		if len(table.Checksum) != 64 {
			t.Errorf("%+v", table)
		}
	}
	if report.Rows != rows || rows < 5 || report.Keys != 1 || report.Seconds == nil || len(report.Tables) < 20 {
		t.Errorf("%+v", report)
	}
}

// TestInterruptedCopy stops a copy before it copies anything, with a word that
// says how to go on.
func TestInterruptedCopy(t *testing.T) {
	s, _ := newInstallation(t, "")
	ctx, stop := context.WithCancel(t.Context())
	target := s.database() + ".copy"
	stderr := &stopper{after: "locked until the copy ends", stop: stop}
	code := Run(ctx, Env{
		Args: []string{"db", "copy", "--to", target}, Environ: s.environ, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr,
		Clock: kgl.ClockFunc(time.Now), Random: random, Jitter: func() float64 { return 0 },
	})
	if code != 1 || !strings.Contains(stderr.text.String(), "interrupted") && !strings.Contains(stderr.text.String(), "run the same command again") {
		t.Errorf("exit code %d:\n%s", code, &stderr.text)
	}
	s.want(0, []string{"db", "copy", "--to", target}, "the same")
}

// stopper calls stop when a text is written to it.
type stopper struct {
	text  strings.Builder
	after string
	stop  func()
}

// Write implements io.Writer.
func (w *stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.after) {
		w.stop()
	}
	return w.text.Write(p)
}

// TestCopyBar draws a copy, elsewhere than on a terminal and on one.
func TestCopyBar(t *testing.T) {
	clock := kgl.NewFakeClock(time.Unix(0, 0))
	var out strings.Builder
	bar := newCopyBar(&out, clock)
	step := func(p app.CopyProgress) {
		bar.show(p)
		clock.Advance(2 * time.Second)
	}
	for rows := int64(0); rows <= 6000; rows += 1000 {
		step(app.CopyProgress{Phase: transfer.PhaseCopy, Table: "contents", Rows: rows, Of: 8000, Done: rows, Total: 1_008_000})
	}
	step(app.CopyProgress{Phase: transfer.PhaseCopy, Table: "contents", Rows: 8000, Of: 8000, Done: 8000, Total: 1_008_000})
	step(app.CopyProgress{Phase: transfer.PhaseIndex, Table: "CREATE INDEX a", Rows: 1, Of: 1, Done: 1, Total: 1})
	bar.note("a note")
	want := `copying contents: 3,000 of 8,000 rows; 0 % of all  500/s  33m30s left
copying contents: 6,000 of 8,000 rows; 0 % of all  500/s  33m24s left
copying contents: 8,000 of 8,000 rows; 0 % of all  571/s  29m10s left
indexing: 1 of 1 indexes and foreign keys
a note
`
	if out.String() != want {
		t.Errorf("have\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	bar = &copyBar{w: &out, clock: clock, terminal: true}
	step(app.CopyProgress{Phase: transfer.PhaseVerify, Table: "contents", Rows: 10, Of: 20, Done: 50, Total: 100})
	bar.note("a note")
	if want := "\r\033[Kcomparing  [############............]  50 %  50 of 100  contents\r\033[Ka note\n"; out.String() != want {
		t.Errorf("have %q, want %q", &out, want)
	}
}
