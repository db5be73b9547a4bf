package demo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Feed tells where one of the sample feeds is served.
type Feed struct {
	Title  string
	URL    string
	Format string // rss, atom, json or rdf
}

// site is all that the pages and feeds are rendered from.
type site struct {
	base     string // scheme, host and port, without a slash at the end
	library  *library
	channels []*channel
}

func (s *site) feedURL(c *channel) string { return s.base + "/feeds/" + c.file }

// Server serves the sample feeds, an index page, a page for each story, and a
// site that nobody subscribed. It is an http.Handler, safe for concurrent use.
type Server struct {
	site  *site
	clock kgl.Clock
	mux   *http.ServeMux

	mu    sync.Mutex
	hour  time.Time // of the rendered feeds
	feeds map[string]document
}

// document is a rendered feed.
type document struct {
	body, zipped []byte
	etag         string // without quotes
	modified     time.Time
	contentType  string
}

// New returns a server whose documents say that they are served at base, such
// as http://127.0.0.1:8090. What it serves depends on base and on the hour that
// the clock shows, and on nothing else.
func New(base string, clock kgl.Clock) (*Server, error) {
	library, err := loadLibrary()
	if err != nil {
		return nil, err
	}
	s := &Server{
		site:  &site{base: strings.TrimSuffix(base, "/"), library: library, channels: channels()},
		clock: clock, mux: http.NewServeMux(),
	}
	s.mux.HandleFunc("GET /{$}", s.index)
	s.mux.HandleFunc("GET /feeds/{file}", s.feed)
	s.mux.HandleFunc("GET /stories/{channel}/{number}", s.story)
	s.mux.HandleFunc("GET /organizations/{slug}", s.organization)
	s.mux.HandleFunc("GET /media/{file}", s.media)
	s.mux.HandleFunc("GET "+gazettePath+"{$}", s.gazette)
	s.mux.HandleFunc("GET "+gazettePath+"news.rss", s.gazetteFeed)
	s.mux.HandleFunc("GET "+gazettePath+"{page...}", s.gazettePage)
	return s, nil
}

// Feeds returns the sample feeds.
func (s *Server) Feeds() []Feed {
	feeds := make([]Feed, len(s.site.channels))
	for i, c := range s.site.channels {
		feeds[i] = Feed{Title: c.title, URL: s.site.feedURL(c), Format: c.format}
	}
	return feeds
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; media-src 'self'; form-action 'none'")
	s.mux.ServeHTTP(w, r)
}

// now is the hour that the feeds show: within an hour they stay as they are.
func (s *Server) now() time.Time { return s.clock.Now().Truncate(time.Hour) }

func (s *Server) feed(w http.ResponseWriter, r *http.Request) {
	doc, ok, err := s.document(r.PathValue("file"))
	if err != nil {
		http.Error(w, "the feed could not be rendered", http.StatusInternalServerError)
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", doc.contentType)
	h.Set("Cache-Control", "max-age=60")
	h.Set("Vary", "Accept-Encoding")
	body, etag := doc.body, doc.etag
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body, etag = doc.zipped, doc.etag+"-gzip"
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", doc.modified, bytes.NewReader(body))
}

// document returns a feed as it is in this hour.
func (s *Server) document(file string) (document, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); !s.hour.Equal(now) {
		feeds := map[string]document{}
		for _, c := range s.site.channels {
			doc, err := s.site.document(c, now)
			if err != nil {
				return document{}, false, err
			}
			feeds[c.file] = doc
		}
		s.hour, s.feeds = now, feeds
	}
	doc, ok := s.feeds[file]
	return doc, ok, nil
}

func (s *site) document(c *channel, now time.Time) (document, error) {
	items := s.items(c, now)
	body, err := c.render(s, c, items)
	if err != nil {
		return document{}, err
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		return document{}, fmt.Errorf("demo: %w", err)
	}
	if err := z.Close(); err != nil {
		return document{}, fmt.Errorf("demo: %w", err)
	}
	sum := sha256.Sum256(body)
	return document{
		body: body, zipped: zipped.Bytes(), etag: hex.EncodeToString(sum[:8]),
		modified: items[0].published, contentType: c.contentType,
	}, nil
}

// acceptsGzip reads Accept-Encoding as far as this server needs it.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.000") && weight != "q=0.0"
		}
	}
	return false
}
