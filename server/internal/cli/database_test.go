package cli

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const goodPassword = "Glass-Harbour-41-Otter"

// withApp opens the application as a command does.
func (s *shell) withApp(fn func(ctx context.Context, a *app.App)) {
	s.t.Helper()
	env := Env{Environ: s.environ, Stderr: &strings.Builder{}, Clock: kgl.ClockFunc(now), Random: random, Jitter: func() float64 { return 0 }}
	if err := env.withApp(s.t.Context(), func(ctx context.Context, a *app.App) error { fn(ctx, a); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

// keyID returns the id of a published signing key.
func (s *shell) keyID() string {
	s.t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	s.withApp(func(ctx context.Context, a *app.App) {
		keys, err := a.Keyring(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := keys.JWKS()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) == 0 {
			s.t.Fatalf("key set %s: %v", text, err)
		}
	})
	return set.Keys[0].Kid
}

func TestUsers(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		s.stdin = goodPassword + "\n"
		s.want(0, line("user create ada@example.org --role moderator"), "created ", "ada@example.org (moderator)")
		s.want(1, line("user create Ada@Example.org"), "a user with the email Ada@Example.org exists already")
		s.want(1, line("user create nobody"), "must be an email address")
		s.want(1, line("user create eve@example.org --role king"), "role", "user, moderator or admin")
		s.stdin = ""
		s.want(1, line("user create eve@example.org"), "no password on standard input")
		s.stdin = "12345678\n"
		s.want(1, line("user create eve@example.org"), "password")

		s.stdin = "Quiet-Meadow-77-Heron"
		s.want(0, line("user set-password ADA@example.org"), "the password of ada@example.org was replaced")
		s.want(1, line("user set-password eve@example.org"), "no such user")
		s.want(0, line("user set-role ada@example.org user"), "ada@example.org is user, active")
		s.want(1, line("user set-role ada@example.org king"), "role")
		s.want(2, line("user set-role ada@example.org"), "accepts 2 arg(s)")
		s.want(0, line("user disable ada@example.org"), "ada@example.org is user, disabled")
		s.want(0, line("user enable ada@example.org"), "ada@example.org is user, active")
		s.want(1, line("user disable eve@example.org"), "no such user")

		s.want(0, append(line("user create bob@example.org --role admin --name"), "Bob\u202e Müller-Łęcki"), "created ")
		s.want(1, line("user disable bob@example.org"), "last")
		r := s.want(0, line("user list"), "EMAIL", "ada@example.org", "bob@example.org", "never", "admin")
		wantAligned(s.t, r.stdout, 6)
		if strings.Contains(r.stdout, "argon2") || strings.ContainsRune(r.stdout, '\u202e') {
			s.t.Errorf("the list holds what it must not:\n%s", r.stdout)
		}
	})
}

func TestSources(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		r := s.want(0, line("source add https://a.example/feed --tag film,money --interval 2h"), "added ", "https://a.example/feed")
		id := strings.Fields(r.stdout)[1]
		s.want(1, line("source add https://www.a.example/feed"), "a source with this URL exists already")
		s.want(1, line("source add http://192.168.1.1/feed"), "private")
		s.want(1, line("source add https://b.example/feed --interval 1s"), "fetch_interval_seconds")
		s.want(0, []string{"source", "add", "https://b.example/feed", "--title", "Grants für Künstler:innen"})

		list := filepath.Join(s.dir, "list.opml")
		text := `<opml version="2.0"><body><outline text="x" xmlUrl="https://a.example/feed"/><outline text="` + "C\x07" + `" xmlUrl="https://c.example/feed"/>
		  <outline text="bad" xmlUrl="http://10.0.0.1/feed"/><outline text="worse" xmlUrl="http://10.0.0.2/feed"/></body></opml>`
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		r = s.want(0, line("source import "+list), "added 1 of 4 feeds; 1 are watched already, 2 cannot be watched")
		if !strings.Contains(r.stderr, "line 2: http://10.0.0.1/feed: ") || !strings.Contains(r.stderr, "line 2: http://10.0.0.2/feed: ") {
			s.t.Errorf("stderr: %s", r.stderr)
		}
		s.stdin = `<opml version="2.0"><body><outline xmlUrl="https://d.example/feed"/></body></opml>`
		s.want(0, line("source import -"), "added 1 of 1 feeds; 0 are watched already, 0 cannot be watched")
		s.want(1, line("source import /does/not/exist"), "/does/not/exist")
		s.stdin = "no list"
		s.want(1, line("source import -"), "OPML")

		exported := s.want(0, line("source export"), "https://a.example/feed", "https://d.example/feed", "Grants für Künstler:innen", `text="film"`, `category="money"`)
		s.stdin = exported.stdout
		s.want(0, line("source import -"), "added 0 of 4 feeds; 4 are watched already")
		fresh := newShell(s.t, "")
		fresh.stdin = exported.stdout
		fresh.want(0, line("migrate up"))
		fresh.want(0, line("source import -"), "added 4 of 4 feeds")

		s.want(0, line("source refresh "+id), "due now")
		s.want(1, line("source refresh nothing"), "no such source")
		r = s.want(0, line("source list"), "STATUS", id, "https://d.example/feed", "Grants für Künstler:innen", "active", "never")
		wantAligned(s.t, r.stdout, 5)
		s.want(0, line("source delete "+id), "deleted")
		s.want(1, line("source delete "+id), "no such source")
		s.want(0, line("audit verify"), "audit log is intact")
	})
}

func TestAuditVerifyNamesATamperedRow(t *testing.T) {
	s := newShell(t, "")
	s.environ = append(s.environ, "KGL_DATABASE_URL="+postgresURL(t))
	s.want(0, line("migrate up"))
	s.want(0, line("audit verify"), "0 rows")
	for _, url := range []string{"https://a.example/", "https://b.example/", "https://c.example/"} {
		s.want(0, line("source add "+url))
	}
	s.want(0, line("audit verify"), "audit log is intact: 3 rows, last hash ")
	s.tamper(`UPDATE audit_events SET details = '{"url":"https://evil.example/"}' WHERE seq = 2`)
	s.want(1, line("audit verify"), "row 2")
	s.tamper(`DELETE FROM audit_events WHERE seq = 2`)
	s.want(1, line("audit verify"), "row 3")
	s.tamper(`DELETE FROM audit_events WHERE seq > 1`)
	s.want(1, line("audit verify"), "ends at row 1", "its end was cut off")
}

// tamper changes the database as somebody does who owns it.
func (s *shell) tamper(statement string) {
	s.t.Helper()
	url := strings.TrimPrefix(s.environ[len(s.environ)-1], "KGL_DATABASE_URL=")
	db, err := pgx.Connect(s.t.Context(), url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close(s.t.Context()) }()
	for _, q := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", statement} {
		if _, err := db.Exec(s.t.Context(), q); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	s := newShell(t, "")
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"status":"unavailable"}`))
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "KGL_ADDR=0.0.0.0:"+port, "http_proxy=http://127.0.0.1:1")
	s.want(0, line("healthcheck"), "ready")
	s.want(0, line("healthcheck --url "+server.URL+"/"), "ready")
	status = http.StatusServiceUnavailable
	s.want(1, line("healthcheck"), "not ready (503)", "unavailable")
	s.want(2, line("healthcheck --url http://bad^host/"), "--url")
	server.Close()
	s.want(1, line("healthcheck"), "refused")
}

const sampleFeed = `<?xml version="1.0" encoding="windows-1252"?><rss version="2.0"><channel><title>Grants &amp; more</title><link>/</link>
<item><guid>1</guid><title>One</title><link>/one?utm_source=x</link><author>ada@example.org (Ada)</author><pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate>
<description>&lt;p onclick="x()"&gt;A &lt;b&gt;grant&lt;/b&gt;&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description></item>
<item><title>Two</title><description>No date, no link</description></item></channel></rss>`

func TestFeedInspect(t *testing.T) {
	s := newShell(t, "")
	s.environ = append(s.environ, "KGL_DATABASE_URL=nonsense://") // files need no configuration
	file := filepath.Join(s.dir, "feed.xml")
	if err := os.WriteFile(file, []byte(sampleFeed), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.want(0, line("feed inspect "+file+" --json --base-url https://example.org/ --content-type text/xml"))
	var have struct {
		Feed  struct{ Title, Link, Format *string }
		Items []struct {
			GUID        *string           `json:"guid"`
			URL         *string           `json:"url"`
			Title       *string           `json:"title"`
			PublishedAt *string           `json:"published_at"`
			Authors     []json.RawMessage `json:"authors"`
			Summary     *string           `json:"summary"`
			ContentHTML *string           `json:"content_html"`
		}
		Repaired *bool
		Warnings []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &have); err != nil {
		t.Fatalf("%v\n%s", err, r.stdout)
	}
	if len(have.Items) != 2 || have.Feed.Title == nil || have.Feed.Format == nil || have.Repaired == nil || have.Warnings == nil {
		t.Fatalf("fields are missing:\n%s", r.stdout)
	}
	one := have.Items[0]
	if *have.Feed.Title != "Grants & more" || *have.Feed.Link != "https://example.org/" || *have.Feed.Format != "rss" ||
		*one.GUID != "1" || *one.URL != "https://example.org/one?utm_source=x" || *one.PublishedAt != "2026-03-01T10:00:00Z" ||
		len(one.Authors) != 1 || !strings.Contains(*one.ContentHTML, "<b>grant</b>") || *have.Repaired {
		t.Errorf("read wrongly:\n%s", r.stdout)
	}
	if regexp.MustCompile(`onclick|<script|alert`).MatchString(r.stdout) {
		t.Errorf("not sanitised:\n%s", r.stdout)
	}
	if have.Items[1].PublishedAt != nil {
		t.Errorf("a date that was not published:\n%s", r.stdout)
	}
	s.stdin = strings.TrimSuffix(sampleFeed, "</item></channel></rss>")
	s.want(0, line("feed inspect - --json"), `"repaired": true`, `"code": "truncated"`, `"message": "`)

	s.want(0, line("feed inspect "+file), "Grants & more", "2026-03-01 10:00", "no date")
	s.stdin = sampleFeed
	s.want(0, line("feed inspect - --json"), `"One"`)
	s.stdin = `{"version":"https://jsonfeed.org/version/1.1","title":"Empty","items":[]}`
	r = s.want(1, line("feed inspect - --json"), "no items")
	if !json.Valid([]byte(r.stdout)) {
		t.Errorf("stdout is no JSON: %s", r.stdout)
	}
	s.stdin = "<html><body>Not a feed</body></html>"
	if r = s.want(1, line("feed inspect - --json"), "kgl feed inspect: "); r.stdout != "" || strings.Contains(r.stderr, "feed_invalid") {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
	s.want(1, line("feed inspect "+filepath.Join(s.dir, "nothing.xml")), "nothing.xml")
	s.want(2, line("feed inspect"), "accepts 1 arg(s)")
}

func TestFeedInspectOverHTTP(t *testing.T) {
	s := newShell(t, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/missing":
			http.NotFound(w, r)
		case !strings.Contains(r.Header.Get("Accept"), "application/rss+xml"):
			w.WriteHeader(http.StatusNotAcceptable)
		default:
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			_, _ = w.Write([]byte(sampleFeed))
		}
	}))
	defer server.Close()
	s.want(1, line("feed inspect "+server.URL+"/feed"), "could not be reached") // the guard is closed
	s.environ = append(s.environ, "KGL_ALLOWED_NETWORKS=127.0.0.0/8")
	s.want(0, line("feed inspect "+server.URL+"/feed --json"), server.URL+"/one?utm_source=x")
	s.want(1, line("feed inspect "+server.URL+"/missing"), "404")
}
