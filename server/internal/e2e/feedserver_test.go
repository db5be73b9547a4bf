package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// feedServer is a host of feeds that a test controls. Each has an address of
// its own, and so is a host of its own for the backend.
type feedServer struct {
	server *httptest.Server
	mu     sync.Mutex
	pages  map[string]http.HandlerFunc
	asked  map[string][]http.Header
}

func newFeedServer(t *testing.T) *feedServer {
	t.Helper()
	f := &feedServer{pages: map[string]http.HandlerFunc{}, asked: map[string][]http.Header{}}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *feedServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	page := f.pages[req.URL.Path]
	f.asked[req.URL.Path] = append(f.asked[req.URL.Path], req.Header.Clone())
	f.mu.Unlock()
	if page == nil {
		page = http.NotFound
	}
	page(w, req)
}

// handle sets what answers a path.
func (f *feedServer) handle(path string, page http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages[path] = page
}

// serve makes a path answer with a feed, and with 304 to whoever has it.
func (f *feedServer) serve(path, document string) {
	tag := fmt.Sprintf(`"%d-%x"`, len(document), []byte(document)[:min(8, len(document))])
	modified := time.Now().Add(time.Duration(len(document)) * time.Second)
	f.handle(path, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/rss+xml; charset=utf-8")
		http.ServeContent(w, req, "", modified, strings.NewReader(document))
	})
}

// url returns the URL of a path.
func (f *feedServer) url(path string) string { return f.server.URL + path }

// requests returns the headers of the requests of a path so far.
func (f *feedServer) requests(path string) []http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]http.Header(nil), f.asked[path]...)
}

// item is an item of a feed.
type item struct {
	guid, link, title, text string
	published               time.Time
}

// newItem returns an item that is like no other.
func newItem(title string) item {
	id := newPassword()
	return item{
		guid: "urn:test:" + id, link: "https://blog.example.org/" + id, title: title,
		text:      "Words of " + id + " that no other item has, and enough of them to count as a text of its own.",
		published: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// rssFeed writes an RSS document.
func rssFeed(title string, items ...item) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?><rss version="2.0"><channel><title>%s</title><link>https://blog.example.org/</link>`+
		`<description>A feed of a test</description><language>en</language>`, html.EscapeString(title))
	for _, i := range items {
		fmt.Fprintf(&b, `<item><guid isPermaLink="false">%s</guid><link>%s</link><title>%s</title><description>%s</description><pubDate>%s</pubDate></item>`,
			html.EscapeString(i.guid), html.EscapeString(i.link), html.EscapeString(i.title), html.EscapeString(i.text), i.published.Format(time.RFC1123Z))
	}
	return b.String() + `</channel></rss>`
}
