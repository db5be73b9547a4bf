//go:build container

package container

import (
	"context"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

const adminEmail = "admin@kgl.local"

// reachable are the settings with which containers fetch feeds of this machine
// and nothing else.
var reachable = []string{
	"KGL_SEED_OPML=none",
	"KGL_ALLOWED_NETWORKS=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
	"KGL_HOST_DELAY=0s",
	"KGL_FETCH_TIMEOUT=5s",
}

// runReachable returns the same as options of `docker run`.
func runReachable() []string {
	options := []string{"--add-host", feedHost + ":host-gateway"}
	for _, setting := range reachable {
		options = append(options, "--env", setting)
	}
	return options
}

// feedHost is the name under which containers know this machine.
const feedHost = "feeds.test"

// serveFeeds serves a feed with one item of its own below every path, and
// returns the URL of the server as containers see it.
func serveFeeds(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0") // containers do not reach the loopback address
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(serveFeed))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return fmt.Sprintf("http://%s:%d", feedHost, listener.Addr().(*net.TCPAddr).Port)
}

func serveFeed(w http.ResponseWriter, req *http.Request) {
	name := html.EscapeString(strings.TrimSuffix(path.Base(req.URL.Path), ".xml"))
	w.Header().Set("Content-Type", "application/rss+xml; charset=utf-8")
	fmt.Fprintf(w, `<?xml version="1.0"?><rss version="2.0"><channel><title>Feed %[1]s</title><link>https://blog.example.org/</link>`+
		`<description>A feed of a test</description><item><guid isPermaLink="false">urn:test:%[1]s</guid>`+
		`<link>https://blog.example.org/%[1]s</link><title>Acme Studio %[1]s opens a grant</title>`+
		`<description>Acme Studio %[1]s gives the Creator Fund %[1]s to Ada Lovelace of %[1]s.</description>`+
		`<pubDate>Sun, 01 Mar 2026 12:00:00 +0000</pubDate></item></channel></rss>`, name)
}

// session is the generated client with the token of a login.
type session struct {
	*client.ClientWithResponses
	t testing.TB
}

// login logs the first administrator in.
func login(t testing.TB, url, password string) session {
	t.Helper()
	anonymous, err := client.NewClientWithResponses(url)
	if err != nil {
		t.Fatal(err)
	}
	res, err := anonymous.LoginWithResponse(t.Context(), client.LoginRequest{Email: adminEmail, Password: password})
	if err != nil || res.JSON200 == nil {
		t.Fatalf("login: %v %s", err, bodyOf(res))
	}
	token := res.JSON200.AccessToken
	api, err := client.NewClientWithResponses(url,
		client.WithHTTPClient(&http.Client{Timeout: 20 * time.Second}),
		client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return session{api, t}
}

func bodyOf(res *client.LoginResponse) []byte {
	if res == nil {
		return nil
	}
	return res.Body
}

// addSource subscribes a feed and returns its id; ok says whether that was
// acknowledged. key makes it one source however often it is asked for.
func (s session) addSource(url, key string) (id string, ok bool, problem string) {
	res, err := s.CreateSourceWithResponse(context.Background(), &client.CreateSourceParams{IdempotencyKey: &key}, client.SourceCreate{URL: url})
	switch {
	case err != nil:
		return "", false, err.Error()
	case res.JSON201 == nil:
		return "", false, res.Status() + " " + string(res.Body)
	default:
		return res.JSON201.ID, true, ""
	}
}

// sources returns the ids of all sources and their URLs.
func (s session) sources() map[string]string {
	s.t.Helper()
	found, limit := map[string]string{}, client.Limit(100)
	var cursor *client.Cursor
	for {
		res, err := s.ListSourcesWithResponse(s.t.Context(), &client.ListSourcesParams{Limit: &limit, Cursor: cursor})
		if err != nil || res.JSON200 == nil {
			s.t.Fatalf("list sources: %v %v", err, res)
		}
		for _, source := range res.JSON200.Data {
			found[source.ID] = source.URL
		}
		if !res.JSON200.Pagination.HasMore {
			return found
		}
		next := res.JSON200.Pagination.NextCursor.MustGet()
		cursor = &next
	}
}

// waitFilled waits until each of n sources has had its item fetched and
// enriched, and checks that no item is there twice.
func (s session) waitFilled(limit time.Duration, n int) {
	s.t.Helper()
	var d client.Dashboard
	eventually(s.t, limit, fmt.Sprintf("%d items are processed", n), func() string {
		res, err := s.GetDashboardWithResponse(s.t.Context(), nil)
		if err != nil {
			return err.Error()
		}
		if res.JSON200 == nil {
			return res.Status()
		}
		if d = *res.JSON200; d.Content.Processed < int64(n) {
			return fmt.Sprintf("content %+v, sources %+v", d.Content, d.Sources)
		}
		return ""
	})
	if d.Content.Total != int64(n) || d.Entities.Total == 0 {
		s.t.Errorf("%d sources with one item each, and %d items, %d entities", n, d.Content.Total, d.Entities.Total)
	}
}

// ledger writes without a pause and holds what was acknowledged, outside of
// everything that is killed.
type ledger struct {
	s     session
	feeds string
	done  chan struct{}
	group sync.WaitGroup

	mu       sync.Mutex
	ids      map[string]string // of acknowledged sources, and their URLs
	failures int
}

// begin starts to add sources, one after the other, each until it is acknowledged.
func begin(s session, feeds string) *ledger {
	l := &ledger{s: s, feeds: feeds, done: make(chan struct{}), ids: map[string]string{}}
	l.group.Go(func() {
		for n := 0; l.add(n); n++ {
		}
	})
	return l
}

// add adds one source, and returns false when it is time to end.
func (l *ledger) add(n int) bool {
	url := fmt.Sprintf("%s/%d.xml", l.feeds, n)
	for {
		id, ok, _ := l.s.addSource(url, fmt.Sprintf("source-%d", n))
		l.mu.Lock()
		if ok {
			l.ids[id] = url
		} else {
			l.failures++
		}
		l.mu.Unlock()
		select {
		case <-l.done:
			if ok {
				return false
			}
		case <-time.After(200 * time.Millisecond): // a few a second are load enough for two containers
		}
		if ok {
			return true
		}
	}
}

// count returns how many writes were acknowledged so far.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids)
}

// waitMore waits until more writes are acknowledged.
func (l *ledger) waitMore(n int) {
	l.s.t.Helper()
	want := l.count() + n
	eventually(l.s.t, time.Minute, "writes are acknowledged again", func() string {
		if got := l.count(); got < want {
			return fmt.Sprintf("%d of %d", got, want)
		}
		return ""
	})
}

// finish ends the writing and checks that everything acknowledged is there, once.
func (l *ledger) finish(s session) {
	s.t.Helper()
	close(l.done)
	l.group.Wait()
	found := s.sources()
	for id, url := range l.ids {
		if found[id] != url {
			s.t.Errorf("source %s, %s was acknowledged and is not there: %q", id, url, found[id])
		}
	}
	if len(found) != len(l.ids) {
		s.t.Errorf("%d sources were acknowledged, %d are there", len(l.ids), len(found))
	}
	s.t.Logf("%d writes acknowledged, none lost; %d requests failed meanwhile", len(l.ids), l.failures)
}
