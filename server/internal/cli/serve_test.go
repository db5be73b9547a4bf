package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// What the process gives, for tests that call commands by their parts.
var (
	now    = time.Now
	random = io.Reader(rand.Reader)
)

func postgresURL(t *testing.T) string { return pgtest.NewDatabase(t) }

func TestGreeting(t *testing.T) {
	var out bytes.Buffer
	greet(&out, app.Ready{Version: "1.2.3", URL: "http://127.0.0.1:8000", Database: "sqlite:///data/kgl.db", AdminEmail: "a@example.org", AdminPassword: "generated"})
	want := `
  Knowledge Graph Lab backend 1.2.3

  API         http://127.0.0.1:8000/api/v1
  Swagger UI  http://127.0.0.1:8000/docs
  Database    sqlite:///data/kgl.db
  Admin       a@example.org
  Password    generated   (shown this once: note it down, or change it)

`
	if out.String() != want {
		t.Errorf("%s, want %s", out.String(), want)
	}
	out.Reset()
	greet(&out, app.Ready{Version: "1.2.3", URL: "http://127.0.0.1:8000"})
	if strings.Contains(out.String(), "Admin") || strings.Contains(out.String(), "Password") {
		t.Errorf("a later start shows an administrator: %s", out.String())
	}
}

// lockedBuffer is a log that is read while a server writes it.
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

// The sample feeds are ingested and enriched soon after the start, without any
// network but the loopback, whatever KGL_SEED_OPML says.
func TestDemo(t *testing.T) {
	s := newShell(t, "")
	log := &lockedBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, Env{
			Args:    []string{"demo", "--addr", "127.0.0.1:0", "--feeds-addr", "127.0.0.1:0"},
			Environ: append(s.environ, "KGL_SEED_OPML=none", "KGL_ADMIN_PASSWORD="+goodPassword),
			Stdin:   strings.NewReader(""), Stdout: io.Discard, Stderr: log,
			Clock: kgl.ClockFunc(time.Now), Random: rand.Reader, Jitter: func() float64 { return 0 }, Version: "test",
		})
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d\n%s", code, log)
		}
	}()
	address := regexp.MustCompile(`"message":"serving".*?"address":"([^"]+)"`)
	var base, token string
	eventually(t, log, "the server did not start", func() bool {
		m := address.FindStringSubmatch(log.String())
		if m == nil {
			return false
		}
		base = "http://" + m[1]
		return true
	})
	token = login(t, base)
	eventually(t, log, "the dashboard did not fill", func() bool {
		var d struct{ Sources, Content, Entities, Relationships struct{ Total int } }
		get(t, base+"/api/v1/dashboard", token, &d)
		return d.Sources.Total == 5 && d.Content.Total >= 100 && d.Entities.Total > 10 && d.Relationships.Total > 0
	})
}

func eventually(t *testing.T, log *lockedBuffer, otherwise string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s\n%s", otherwise, log)
		}
	}
}

func login(t *testing.T, base string) string {
	t.Helper()
	resp, err := http.Post(base+"/api/v1/auth/login", "application/json",
		strings.NewReader(`{"email":"admin@kgl.local","password":"`+goodPassword+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("login: %d, %v", resp.StatusCode, err)
	}
	return answer.AccessToken
}

func get(t *testing.T, url, token string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d, %v", url, resp.StatusCode, err)
	}
}
