package ingest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

var postgresTemplate = pgtest.NewTemplate(store.MigrateUp)

// onSQLite runs a test that is about time, and not about the database.
func onSQLite(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	if err := store.MigrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	test(t, newWorld(t, url))
}

// onEngines runs a test on a database of its own of either engine.
func onEngines(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { onSQLite(t, test) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, postgresTemplate.NewDatabase(t))) })
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a database, a clock, a web, and what the services need besides.
type world struct {
	t       testing.TB
	url     string
	db      *store.DB
	clock   *kgl.FakeClock
	ids     kgl.IDSource
	web     *web
	faults  *faults
	sources *Sources
	metrics *counts
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	clock := kgl.NewFakeClock(start)
	w := &world{
		t: t, url: url, clock: clock, ids: kgl.NewUUIDv7(clock, rand.Reader),
		web: newWeb(), faults: &faults{}, metrics: &counts{},
	}
	w.db = w.open()
	w.sources = NewSources(w.db, w.client(), clock, w.ids, nil)
	return w
}

// open opens the database once more, as another replica does.
func (w *world) open() *store.DB {
	w.t.Helper()
	db, err := store.Open(w.t.Context(), store.Config{URL: w.url, Random: rand.Reader})
	w.must(err)
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

// client checks URLs as the server does; it never sends anything here.
func (w *world) client() *outbound.Client {
	w.t.Helper()
	c, err := outbound.New(outbound.Config{UserAgent: "test"})
	w.must(err)
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// worker returns a worker on the web and on the store with its faults. Zero
// fields of cfg take what suits tests.
func (w *world) worker(cfg Config) *Worker {
	if cfg.Owner == "" {
		cfg.Owner = "worker"
	}
	if cfg.Extractors == nil {
		cfg.Extractors = []string{"mock"}
	}
	return NewWorker(cfg, faulty{w.db, w.faults}, w.web, w.clock, w.ids, slog.New(slog.DiscardHandler), w.metrics, nil)
}

// round has the worker claim what is due and work on it, host by host, and
// returns the number of hosts.
func (w *world) round(worker *Worker) int {
	w.t.Helper()
	leases := worker.claim(w.t.Context(), 100)
	for _, l := range leases {
		worker.workHost(w.t.Context(), l)
	}
	return len(leases)
}

// add watches a feed.
func (w *world) add(url string) kgl.Source {
	w.t.Helper()
	s, err := w.sources.Create(w.t.Context(), NewSource{URL: url})
	w.must(err)
	return s
}

func (w *world) source(id string) kgl.Source {
	w.t.Helper()
	s, err := w.db.Source(w.t.Context(), id)
	w.must(err)
	return s
}

// seen returns a source as the service shows it.
func (w *world) seen(id string) kgl.Source {
	w.t.Helper()
	s, err := w.sources.Get(w.t.Context(), id)
	w.must(err)
	return s
}

// due makes a source due now, as a request for a refresh does.
func (w *world) due(id string) {
	w.t.Helper()
	w.must(w.db.RequestFetch(w.t.Context(), id, w.clock.Now()))
}

// fetches returns the history of a source, newest first.
func (w *world) fetches(id string) []kgl.Fetch {
	w.t.Helper()
	l, err := w.db.Fetches(w.t.Context(), id, kgl.Page{Limit: 100})
	w.must(err)
	return l.Rows
}

// contents returns all items of a source by title, duplicates included.
func (w *world) contents(sourceID string) []kgl.Content {
	w.t.Helper()
	l, err := w.db.Contents(w.t.Context(), kgl.ContentFilter{SourceID: sourceID, Duplicates: kgl.DuplicatesAll}, kgl.ContentNewestFirst, true, kgl.Page{Limit: 100})
	w.must(err)
	slices.SortFunc(l.Rows, func(a, b kgl.Content) int { return strings.Compare(a.Title, b.Title) })
	return l.Rows
}

func (w *world) titles(sourceID string) string {
	var list []string
	for _, c := range w.contents(sourceID) {
		list = append(list, c.Title)
	}
	return strings.Join(list, ", ")
}

// events returns the types of all events, in order, without those of the kinds
// left out.
func (w *world) events(without ...kgl.EventType) string {
	w.t.Helper()
	es := storetest.Events(w.t, w.db)
	var list []string
	for _, e := range es {
		if !slices.Contains(without, e.Type) {
			list = append(list, string(e.Type))
		}
	}
	return strings.Join(list, " ")
}

func (w *world) want(what string, have, want any) {
	w.t.Helper()
	if fmt.Sprint(have) != fmt.Sprint(want) {
		w.t.Errorf("%s: %v, want %v", what, have, want)
	}
}

func (w *world) wantCode(err error, code kgl.Code) {
	w.t.Helper()
	if kgl.ErrorCode(err) != code {
		w.t.Errorf("error %v has the code %q, want %q", err, kgl.ErrorCode(err), code)
	}
}

// web answers requests from a script and watches who asks.
type web struct {
	mu       sync.Mutex
	pages    map[string]func(outbound.Request) (*outbound.Response, error)
	requests []outbound.Request
	byHost   map[string]int // requests in flight
	crowded  []string       // hosts that were asked while they answered another request
	enter    func(ctx context.Context, host string)
}

func newWeb() *web {
	return &web{pages: map[string]func(outbound.Request) (*outbound.Response, error){}, byHost: map[string]int{}}
}

// Get implements Fetcher.
func (w *web) Get(ctx context.Context, r outbound.Request) (*outbound.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.requests = append(w.requests, r)
	if w.byHost[u.Host]++; w.byHost[u.Host] > 1 {
		w.crowded = append(w.crowded, u.Host)
	}
	page, enter := w.pages[r.URL], w.enter
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.byHost[u.Host]--
		w.mu.Unlock()
	}()
	if enter != nil {
		enter(ctx, u.Host)
	}
	if err := ctx.Err(); err != nil {
		return nil, kgl.Wrap(err, kgl.CodeUnavailable, "the request was stopped")
	}
	if page == nil {
		return answer(404, ""), nil
	}
	return page(r)
}

// asked returns the number of requests so far.
func (w *web) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

func (w *web) last() outbound.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[len(w.requests)-1]
}

// serve answers requests for a URL with the same response every time.
func (w *web) serve(url string, resp *outbound.Response) {
	w.script(url, func(r outbound.Request) (*outbound.Response, error) {
		clone := *resp
		clone.FinalURL = r.URL
		return &clone, nil
	})
}

func (w *web) script(url string, page func(outbound.Request) (*outbound.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[url] = page
}

// answer returns a response with headers given as "Name: value".
func answer(status int, body string, headers ...string) *outbound.Response {
	r := &outbound.Response{Status: status, Header: http.Header{}}
	if status >= 200 && status <= 299 {
		r.Body = []byte(body)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// rss returns a feed. An item is its title; what follows a "|" is its text, and
// what follows another its link.
func rss(title string, items ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?><rss version="2.0"><channel><title>%s</title><link>https://site.example/</link>`, title)
	for _, item := range items {
		name, rest, _ := strings.Cut(item, "|")
		text, link, _ := strings.Cut(rest, "|")
		if link == "" {
			link = "https://" + strings.ReplaceAll(title, " ", "-") + ".example/" + name
		}
		fmt.Fprintf(&b, `<item><guid isPermaLink="false">%s</guid><title>%s</title><link>%s</link><description>%s</description><pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate></item>`,
			name, name, link, text)
	}
	return b.String() + `</channel></rss>`
}

// counts implements Metrics.
type counts struct {
	mu       sync.Mutex
	outcomes map[kgl.FetchOutcome]int
	items    stored
}

func (c *counts) FetchDone(outcome kgl.FetchOutcome, _ time.Duration, _ int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcomes == nil {
		c.outcomes = map[kgl.FetchOutcome]int{}
	}
	c.outcomes[outcome]++
}

func (c *counts) ItemsStored(created, updated, failed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items.created += created
	c.items.updated += updated
	c.items.failed += failed
}
