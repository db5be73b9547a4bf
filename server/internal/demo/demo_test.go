package demo

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/builtin"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const base = "http://127.0.0.1:8090"

func start() time.Time { return time.Date(2026, 11, 22, 3, 17, 0, 0, time.UTC) }

func newServer(t *testing.T, clock kgl.Clock) *Server {
	t.Helper()
	s, err := New(base, clock)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, h http.Handler, address string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parseAll reads every feed as the service does.
func parseAll(t *testing.T, s *Server) map[string]*feed.Document {
	t.Helper()
	docs := map[string]*feed.Document{}
	for _, f := range s.Feeds() {
		res := get(t, s, f.URL)
		doc, err := feed.Parse(context.Background(), []byte(body(t, res)), feed.Options{
			ContentType: res.Header.Get("Content-Type"), BaseURL: f.URL, Now: start(),
		})
		if err != nil {
			t.Fatalf("%s: %v", f.Title, err)
		}
		docs[f.Title] = doc
	}
	return docs
}

func TestFeedsParseWithoutRepair(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	total := 0
	formats := map[feed.Format]bool{}
	for title, doc := range parseAll(t, s) {
		if doc.Repaired {
			t.Errorf("%s had to be repaired", title)
		}
		if doc.Feed.Title != title {
			t.Errorf("title %q, want %q", doc.Feed.Title, title)
		}
		formats[doc.Feed.Format] = true
		total += len(doc.Items)
		for _, it := range doc.Items {
			if it.Title == "" || it.ContentText == "" || it.URL == "" {
				t.Errorf("%s: an item lacks title, text or link: %+v", title, it)
			}
			if it.PublishedAt.After(start()) {
				t.Errorf("%s: %q is of the future: %s", title, it.Title, it.PublishedAt)
			}
		}
	}
	if total < 120 || len(formats) != 4 {
		t.Errorf("%d items in %d formats, want 120 and more in 4", total, len(formats))
	}
}

func TestFeedsHoldTheOdditiesOfRealOnes(t *testing.T) {
	var undated, withoutGUID, enclosures, foreign int
	urls, texts := map[string]map[string]bool{}, map[string]map[string]bool{}
	for title, doc := range parseAll(t, newServer(t, kgl.NewFakeClock(start()))) {
		for _, it := range doc.Items {
			if it.PublishedInferred {
				undated++
			}
			if it.GUID == "" && doc.Feed.Format == feed.FormatRSS {
				withoutGUID++
			}
			enclosures += len(it.Enclosures)
			if strings.ContainsAny(it.ContentText, "éøŁłńñãößıäê") {
				foreign++
			}
			note(urls, it.CanonicalURL, title)
			note(texts, it.TextHash, title)
		}
	}
	for _, c := range []struct {
		what        string
		count, want int
	}{
		{"items without date", undated, 1}, {"items without guid", withoutGUID, 1}, {"enclosures", enclosures, 20},
		{"items with letters beyond ASCII", foreign, 20},
		{"links in two feeds", shared(urls), 4}, {"texts in two feeds", shared(texts), 4},
	} {
		if c.count < c.want {
			t.Errorf("%d %s, want %d and more", c.count, c.what, c.want)
		}
	}
}

func note(seen map[string]map[string]bool, key, title string) {
	if seen[key] == nil {
		seen[key] = map[string]bool{}
	}
	seen[key][title] = true
}

func shared(seen map[string]map[string]bool) int {
	n := 0
	for _, titles := range seen {
		if len(titles) > 1 {
			n++
		}
	}
	return n
}

func TestStoriesAreVaried(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	titles, leads := map[string]int{}, map[string]int{}
	for _, c := range s.site.channels {
		for _, it := range s.site.items(c, s.now()) {
			if it.channel != c {
				continue // passed on
			}
			titles[it.title]++
			leads[it.lead]++
			if strings.ContainsAny(it.title+it.text(), "{}") {
				t.Errorf("a placeholder is left in %q: %s", it.title, it.text())
			}
		}
	}
	for title, n := range titles {
		if n > 2 {
			t.Errorf("the title %q stands over %d stories", title, n)
		}
	}
	for lead, n := range leads {
		if n > 1 {
			t.Errorf("%d stories begin with %q", n, lead)
		}
	}
}

func TestMockExtractorFindsAllTypesInTheFeeds(t *testing.T) {
	mock := enrich.NewMock()
	entities, relations := map[string]map[string]bool{}, map[string]int{}
	for _, doc := range parseAll(t, newServer(t, kgl.NewFakeClock(start()))) {
		for _, it := range doc.Items {
			x, err := mock.Extract(context.Background(), kgl.Content{ContentBody: kgl.ContentBody{Title: it.Title, Text: it.ContentText}})
			if err != nil {
				t.Fatal(err)
			}
			if err := enrich.Check(x, it.ContentText); err != nil {
				t.Errorf("%q: %v", it.Title, err)
			}
			for _, e := range x.Entities {
				note(entities, e.Type, e.Name)
			}
			for _, r := range x.Relationships {
				relations[r.Type]++
			}
		}
	}
	for typ, want := range map[string]int{
		"person": 25, "organization": 15, "platform": 8, "grant": 10, "program": 8, "location": 12, "event": 4, "concept": 10,
	} {
		if got := len(entities[typ]); got < want {
			t.Errorf("%d entities of type %s, want %d and more", got, typ, want)
		}
	}
	if len(relations) < 8 {
		t.Errorf("kinds of relationships: %v, want 8 and more", relations)
	}
	t.Logf("relationships: %v", relations)
	for typ, names := range entities {
		t.Logf("%s: %d %v", typ, len(names), names)
	}
}

// What the builtin extractor reads out of the feeds is what a new user sees first.
func TestBuiltinExtractorReadsTheFeeds(t *testing.T) {
	extractor := builtin.New()
	entities, relations := map[string]map[string]bool{}, map[string]int{}
	for _, doc := range parseAll(t, newServer(t, kgl.NewFakeClock(start()))) {
		for _, it := range doc.Items {
			x, err := extractor.Extract(context.Background(), kgl.Content{ContentBody: kgl.ContentBody{Title: it.Title, Text: it.ContentText}})
			if err != nil {
				t.Fatal(err)
			}
			x = builtin.WithCoOccurrences(x, it.ContentText)
			if err := enrich.Check(x, it.ContentText); err != nil {
				t.Errorf("%q: %v", it.Title, err)
			}
			for _, e := range x.Entities {
				note(entities, e.Type, e.Name)
			}
			for _, r := range x.Relationships {
				relations[r.Type]++
			}
		}
	}
	for typ, want := range map[string]int{
		"person": 40, "organization": 20, "platform": 10, "grant": 15, "program": 5, "location": 20, "event": 4, "concept": 15, "amount": 3,
	} {
		if got := len(entities[typ]); got < want {
			t.Errorf("%d entities of type %s, want %d and more: %v", got, typ, want, entities[typ])
		}
	}
	for relation, want := range map[string]int{"offers": 10, "works_for": 15, "located_in": 10, "received": 5, "funded_by": 3, builtin.CoOccursWith: 50} {
		if got := relations[relation]; got < want {
			t.Errorf("%d relationships %s, want %d and more", got, relation, want)
		}
	}
	// Everything in the feeds but platforms, places and the Commission is invented
	// (data/cast.json): a name without a type is a word that was taken for one.
	if misc := entities["misc"]; len(misc) > 0 {
		t.Errorf("names without a type: %v", misc)
	}
	t.Logf("relationships: %v", relations)
}

func TestFeedsAreDeterministicWithinTheHour(t *testing.T) {
	a := newServer(t, kgl.NewFakeClock(start()))
	b := newServer(t, kgl.NewFakeClock(start().Add(30*time.Minute)))
	for _, f := range a.Feeds() {
		if body(t, get(t, a, f.URL)) != body(t, get(t, b, f.URL)) {
			t.Errorf("%s differs within the hour", f.Title)
		}
	}
}

// A restart must not look like an edit of every item.
func TestItemsKeepTheirDatesAndTextsOverTime(t *testing.T) {
	clock := kgl.NewFakeClock(start())
	s := newServer(t, clock)
	before := map[string]string{}
	for _, doc := range parseAll(t, s) {
		for _, it := range doc.Items {
			before[it.GUID+it.URL] = fmt.Sprint(it.PublishedAt, it.Title, it.ContentText)
		}
	}
	clock.Advance(26 * time.Hour)
	kept, fresh := 0, 0
	for _, doc := range parseAll(t, s) {
		for _, it := range doc.Items {
			old, ok := before[it.GUID+it.URL]
			switch {
			case !ok:
				fresh++
			case old != fmt.Sprint(it.PublishedAt, it.Title, it.ContentText):
				t.Errorf("%q changed", it.Title)
			default:
				kept++
			}
		}
	}
	if kept < 100 || fresh < 5 {
		t.Errorf("after a day %d items stayed and %d came, want 100 and 5", kept, fresh)
	}
}

func TestConditionalGet(t *testing.T) {
	clock := kgl.NewFakeClock(start())
	s := newServer(t, clock)
	address := s.Feeds()[0].URL
	first := get(t, s, address)
	etag, modified := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if etag == "" || modified == "" {
		t.Fatalf("validators: %q, %q", etag, modified)
	}
	for name, value := range map[string]string{"If-None-Match": etag, "If-Modified-Since": modified} {
		if res := get(t, s, address, name, value); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s: status %d, want 304", name, res.StatusCode)
		}
	}
	clock.Advance(48 * time.Hour)
	if res := get(t, s, address, "If-None-Match", etag); res.StatusCode != http.StatusOK {
		t.Errorf("after two days: status %d, want 200", res.StatusCode)
	}
}

func TestGzip(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	address := s.Feeds()[1].URL
	plain := get(t, s, address)
	zipped := get(t, s, address, "Accept-Encoding", "br, gzip;q=0.8")
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Fatalf("header %v", zipped.Header)
	}
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || string(unpacked) != body(t, plain) {
		t.Errorf("the packed feed differs: %v", err)
	}
	if res := get(t, s, address, "Accept-Encoding", "gzip;q=0"); res.Header.Get("Content-Encoding") != "" {
		t.Error("gzip was refused by the client and sent")
	}
}

// Every link of every document leads to a page of the server.
func TestLinksResolve(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	link := regexp.MustCompile(base + `[^"'<>&\s\\]*`)
	seen := map[string]bool{}
	check := func(text string) {
		for _, address := range link.FindAllString(text, -1) {
			if _, err := url.Parse(address); err != nil {
				t.Errorf("%s: %v", address, err)
			}
			if seen[address] {
				continue
			}
			seen[address] = true
			if res := get(t, s, address); res.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", address, res.StatusCode)
			}
		}
	}
	check(body(t, get(t, s, base+"/")))
	for _, f := range s.Feeds() {
		check(body(t, get(t, s, f.URL)))
	}
	if len(seen) < 150 {
		t.Errorf("only %d links", len(seen))
	}
}

func TestUnknownPages(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	for _, path := range []string{
		"/nothing", "/feeds/none.xml", "/stories/ledger/x", "/stories/ledger/-1", "/stories/ledger/99999999", "/stories/none/1",
		"/organizations/none", "/media/x.exe",
	} {
		if res := get(t, s, base+path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, res.StatusCode)
		}
	}
}
