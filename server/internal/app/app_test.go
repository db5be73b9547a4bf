package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

const masterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 32 bytes, of this test only

// site is where a server of a test lives.
type site struct {
	t       *testing.T
	dir     string
	data    string // KGL_DATA_DIR
	environ []string
	log     *lockedBuffer
}

func onEngines(t *testing.T, test func(s *site)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(newSite(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(newSite(t, pgtest.NewDatabase(t))) })
}

// newSite returns a site with a database of its own, on SQLite when no URL is
// given.
func newSite(t *testing.T, databaseURL string) *site {
	dir := t.TempDir()
	data := filepath.Join(dir, "new", "data") // there is none yet
	if databaseURL == "" {
		databaseURL = "sqlite:///" + filepath.Join(dir, "kgl.db")
	}
	return &site{t: t, dir: dir, data: data, log: &lockedBuffer{}, environ: []string{
		"KGL_DATABASE_URL=" + databaseURL, "KGL_DATA_DIR=" + data, "KGL_MASTER_KEY=" + masterKey, "KGL_MIGRATE_ON_START=true",
		"KGL_SEED_OPML=none", "KGL_ADDR=127.0.0.1:0",
	}}
}

func (s *site) env() Env {
	return Env{
		Clock: kgl.ClockFunc(time.Now), Random: rand.Reader, Jitter: func() float64 { return 0 },
		Log: slog.New(slog.NewJSONHandler(s.log, nil)), Version: "test",
	}
}

// config loads the configuration; what is given here comes before the rest.
func (s *site) config(environ ...string) *config.Config {
	s.t.Helper()
	cfg, err := config.Load(append(append([]string(nil), s.environ...), environ...))
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// open opens the application beside a server.
func (s *site) open() *App {
	s.t.Helper()
	a, err := Open(s.t.Context(), s.config(), s.env())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(a.Close)
	return a
}

// serve starts a server and returns where it is and how to stop it.
func (s *site) serve(environ ...string) (Ready, func() error) {
	return s.serveWith(func(Ready) bool { return true }, environ...)
}

func (s *site) serveWith(shown func(Ready) bool, environ ...string) (Ready, func() error) {
	s.t.Helper()
	cfg, env := s.config(environ...), s.env()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan Ready, 1), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, cfg, env, ServeOptions{OnReady: func(r Ready) bool { ready <- r; return shown(r) }})
	}()
	stop := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			return fmt.Errorf("the server did not stop")
		}
	})
	s.t.Cleanup(func() { _ = stop() })
	select {
	case r := <-ready:
		return r, stop
	case err := <-ended:
		s.t.Fatalf("the server did not start: %v", err)
	case <-time.After(time.Minute):
		s.t.Fatal("the server did not start in time")
	}
	return Ready{}, nil
}

// lockedBuffer is a buffer for a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// call sends a request and returns the status and the body.
func (s *site) call(method, url, token, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// login returns an access token.
func (s *site) login(base, email, password string) string {
	s.t.Helper()
	status, body := s.call(http.MethodPost, base+"/api/v1/auth/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); status != http.StatusOK || err != nil || answer.AccessToken == "" {
		s.t.Fatalf("login: %d %s", status, body)
	}
	return answer.AccessToken
}

func TestGeneratedPasswordGoesToAFile(t *testing.T) {
	onEngines(t, func(s *site) {
		r, stop := s.serveWith(func(Ready) bool { return false })
		path := filepath.Join(s.data, "admin-password.txt")
		// The file is written right after nobody was there to see the password.
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(s.log.String(), "the password is in a file") && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		info, err := os.Stat(path)
		if err != nil {
			s.t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			s.t.Errorf("the file has the mode %v", info.Mode())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		password := strings.TrimSuffix(string(text), "\n")
		if password == "" || password != r.AdminPassword {
			s.t.Errorf("the file holds another password")
		}
		if strings.Contains(s.log.String(), password) {
			s.t.Error("the log holds the password")
		}
		s.login(r.URL, r.AdminEmail, password)
		if err := stop(); err != nil {
			s.t.Errorf("the server ended with %v", err)
		}
		if again, _ := s.serve(); again.AdminEmail != "" || again.AdminPassword != "" {
			s.t.Error("the second start made another administrator")
		}
	})
}

func TestFirstAdminFromTheEnvironment(t *testing.T) {
	onEngines(t, func(s *site) {
		file := filepath.Join(s.dir, "secret")
		if err := os.WriteFile(file, []byte("Glass-Harbour-41-Otter\n"), 0o600); err != nil {
			s.t.Fatal(err)
		}
		r, _ := s.serve("KGL_ADMIN_EMAIL=boss@example.org", "KGL_ADMIN_PASSWORD_FILE="+file)
		if r.AdminEmail != "boss@example.org" || r.AdminPassword != "" {
			s.t.Errorf("ready: %q, password shown: %t", r.AdminEmail, r.AdminPassword != "")
		}
		if _, err := os.Stat(filepath.Join(s.data, "admin-password.txt")); err == nil {
			s.t.Error("a password that is known was written to a file")
		}
		s.login(r.URL, "boss@example.org", "Glass-Harbour-41-Otter")
	})
}

// A start that fails must not use up the one chance to hand the password over.
func TestFailedStartMakesNoAdmin(t *testing.T) {
	onEngines(t, func(s *site) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = taken.Close() }()
		seeds := filepath.Join(s.dir, "seeds.opml")
		if err := os.WriteFile(seeds, []byte("no list"), 0o600); err != nil {
			s.t.Fatal(err)
		}
		for name, tc := range map[string]struct{ variable, value string }{
			"a taken address": {"KGL_ADDR", taken.Addr().String()},
			"bad seeds":       {"KGL_SEED_OPML", seeds},
		} {
			err := Serve(s.t.Context(), s.config(tc.variable+"="+tc.value), s.env(), ServeOptions{})
			if err == nil || !strings.Contains(err.Error(), tc.variable) {
				s.t.Errorf("%s: %v, want an error that names %s", name, err, tc.variable)
			}
		}
		if n, err := s.open().Store.CountUsers(s.t.Context()); err != nil || n != 0 {
			s.t.Errorf("%d users after starts that failed (%v)", n, err)
		}
		r, _ := s.serve()
		if r.AdminPassword == "" {
			s.t.Error("the first start that succeeds has no password to show")
		}
	})
}

func TestRolesWithoutAPI(t *testing.T) {
	s := newSite(t, "")
	r, stop := s.serve("KGL_ROLES=ingest,enrich")
	for path, want := range map[string]int{
		"/health": 200, "/ready": 200, "/metrics": 200,
		"/docs": 404, "/api/v1/sources": 404, "/api/v1/auth/login": 404, "/api/v1/openapi.json": 404, "/.well-known/jwks.json": 404, "/": 404,
	} {
		if status, _ := s.call(http.MethodGet, r.URL+path, "", ""); status != want {
			t.Errorf("GET %s: %d, want %d", path, status, want)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// Replicas that listen on different addresses trust each other's tokens.
func TestReplicasShareTokens(t *testing.T) {
	s := newSite(t, pgtest.NewDatabase(t))
	first, _ := s.serve("KGL_ADDR=127.0.0.1:0", "KGL_ADMIN_PASSWORD=Glass-Harbour-41-Otter", "KGL_ROLES=api")
	second, _ := s.serve("KGL_ADDR=[::1]:0", "KGL_ROLES=api")
	token := s.login(first.URL, "admin@kgl.local", "Glass-Harbour-41-Otter")
	for _, url := range []string{first.URL, second.URL} {
		if status, body := s.call(http.MethodGet, url+"/api/v1/auth/me", token, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", url, status, body)
		}
	}
}

func TestStaleSchema(t *testing.T) {
	onEngines(t, func(s *site) {
		err := Serve(s.t.Context(), s.config("KGL_MIGRATE_ON_START=false"), s.env(), ServeOptions{})
		if err == nil || !strings.Contains(err.Error(), "kgl migrate up") {
			s.t.Errorf("a start on an empty database: %v, want the command to run", err)
		}
	})
}

// One bad feed of an operator's list does not stop the start.
func TestBadSeedIsNamed(t *testing.T) {
	s := newSite(t, "")
	seeds := filepath.Join(s.dir, "seeds.opml")
	list := `<opml version="2.0"><body><outline xmlUrl="http://192.168.0.1/feed"/><outline xmlUrl="https://feed.example/rss"/></body></opml>`
	if err := os.WriteFile(seeds, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	s.serve("KGL_SEED_OPML="+seeds, "KGL_ROLES=api")
	if !strings.Contains(s.log.String(), "192.168.0.1") {
		t.Error("the log does not name the feed that cannot be watched")
	}
	l, err := s.open().Sources.List(t.Context(), kgl.SourceFilter{}, kgl.SourceByTitle, kgl.Page{Limit: 5})
	if err != nil || len(l.Rows) != 1 || l.Rows[0].URL != "https://feed.example/rss" {
		t.Errorf("sources %+v (%v)", l.Rows, err)
	}
}

func TestLocalURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8000": "http://127.0.0.1:8000",
		"0.0.0.0:8000":   "http://localhost:8000",
		"[::]:8000":      "http://localhost:8000",
		"[::1]:8000":     "http://[::1]:8000",
		"10.1.2.3:80":    "http://10.1.2.3:80",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if have := localURL(a); have != want {
			t.Errorf("localURL(%s) = %s, want %s", addr, have, want)
		}
	}
}
