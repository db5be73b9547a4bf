package examples

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// service answers with what a test tells it to, and remembers what was asked.
type service struct {
	mu    sync.Mutex
	asked []string // method, path and token
	serve func(w http.ResponseWriter, r *http.Request)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v1")+" "+r.Header.Get("Authorization")))
	s.serve(w, r)
}

func start(t *testing.T, serve func(w http.ResponseWriter, r *http.Request)) (*service, string) {
	s := &service{serve: serve}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write([]byte(body))
}

func tokens(access, refresh string) string {
	return `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"Bearer","expires_in":900,"scope":"profile","user":{}}`
}

func TestRetryingWaitsForBusyServices(t *testing.T) {
	busy := 2
	s, url := start(t, func(w http.ResponseWriter, _ *http.Request) {
		if busy--; busy >= 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	retrying := &Retrying{Next: http.DefaultClient, Tries: 3}
	for name, c := range map[string]struct {
		method, key string
		want        int // status
		asked       int
	}{
		"a read":              {"GET", "", 200, 3},
		"a creation with key": {"POST", "k", 200, 3},
		"a bare creation":     {"POST", "", 503, 1},
	} {
		t.Run(name, func(t *testing.T) {
			busy, s.asked = 2, nil
			req, err := http.NewRequestWithContext(t.Context(), c.method, url+"/api/v1/things", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if c.key != "" {
				req.Header.Set("Idempotency-Key", c.key)
			}
			res, err := retrying.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != c.want || len(s.asked) != c.asked {
				t.Errorf("status %d after %d requests, want %d after %d", res.StatusCode, len(s.asked), c.want, c.asked)
			}
		})
	}
}

func TestRetryingStopsWithItsContext(t *testing.T) {
	_, url := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Retrying{Next: http.DefaultClient, Tries: 2}).Do(req); err == nil {
		t.Error("it did not stop")
	}
}

// TestSessionRenewsItsTokens: a refused access token leads to the refresh token,
// a refused refresh token to the password.
func TestSessionRenewsItsTokens(t *testing.T) {
	good := "a2"
	s, url := start(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/auth/login":
			answer(w, 200, tokens(map[bool]string{true: "a1", false: "a3"}[good == "a2"], "r1"))
		case "/api/v1/auth/refresh":
			if good == "a3" {
				answer(w, 401, `{}`)
				return
			}
			answer(w, 200, tokens("a2", "r2"))
		default:
			if r.Header.Get("Authorization") != "Bearer "+good {
				answer(w, 401, `{}`)
			}
		}
	})
	session := &Session{Server: url, Email: "e", Password: "p", Next: http.DefaultClient}
	ask := func() {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/v1/things", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := session.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("status = %d", res.StatusCode)
		}
	}
	ask()
	ask()
	good = "a3" // the session was ended elsewhere
	ask()
	want := []string{
		"POST /auth/login", "GET /things Bearer a1", "POST /auth/refresh", "GET /things Bearer a2",
		"GET /things Bearer a2",
		"GET /things Bearer a2", "POST /auth/refresh", "POST /auth/login", "GET /things Bearer a3",
	}
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
}

// TestClientToleratesAdditions: what docs/versioning.md lets a later release add
// does not break a program that was built today.
func TestClientToleratesAdditions(t *testing.T) {
	_, url := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-New-Header", "1")
		answer(w, 200, `{"data":[{"id":"i","status":"on_hold","revision":2,"new_field":{"a":[1]}}],
			"pagination":{"limit":20,"has_more":false,"next_cursor":null,"total":7},"new_member":true}`)
	})
	kgl, err := client.NewClientWithResponses(url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := kgl.ListContentWithResponse(t.Context(), nil)
	if err != nil || page.JSON200 == nil {
		t.Fatalf("err %v, status %s", err, page.Status())
	}
	item := page.JSON200.Data[0]
	if item.ID != "i" || item.Revision != 2 || item.Status.Valid() {
		t.Errorf("item = %+v", item)
	}
}

func TestLedgerSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	open := func() *Ledger {
		t.Helper()
		l, err := OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	first := open()
	if first.ChangedAfter(time.Hour) != nil {
		t.Error("an empty ledger knows where to begin")
	}
	for _, item := range []client.Content{
		{ID: "a", Revision: 1, ChangedAt: day},
		{ID: "b", Revision: 2, ChangedAt: day.Add(time.Hour)},
		{ID: "c", Revision: 1, ChangedAt: day.Add(time.Minute), PublishedAt: time.Now().AddDate(1, 0, 0)},
	} {
		if err := first.Done(item); err != nil {
			t.Fatal(err)
		}
	}
	// The kill comes in the middle of a line.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"d","revi`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	second := open()
	if err := second.Done(client.Content{ID: "e", Revision: 1, ChangedAt: day}); err != nil {
		t.Fatal(err)
	}

	third := open()
	for id, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false, "e": true} {
		if got := third.Handled(client.Content{ID: id, Revision: 1}); got != want {
			t.Errorf("%s: handled = %t, want %t", id, got, want)
		}
	}
	if third.Handled(client.Content{ID: "b", Revision: 3}) {
		t.Error("an edited item counts as handled")
	}
	if after := third.ChangedAfter(time.Hour); after == nil || !after.Equal(day) {
		t.Errorf("changed after = %v, want %v", after, day)
	}
}
