// Package farm serves a corpus of synthetic feeds over HTTP on loopback
// addresses, with validators, compression, faults and time that passes only
// when it is told to.
package farm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

// Options say how the farm behaves.
type Options struct {
	Corpus  corpus.Config
	Feeds   int
	Hosts   int  // virtual hosts, one loopback address each
	Port    int  // port of every host
	Gzip    bool // compress for clients that accept it
	Latency time.Duration
	// Mix gives shares of feeds to behaviours: see Behaviours.
	Mix map[string]float64
	// SlowBody is how long a "slow" feed takes to dribble its body.
	SlowBody time.Duration
}

// Behaviours are the kinds of feed a mix may name; a feed that no share falls
// on is plain.
var Behaviours = map[string]string{
	"404":       "answers 404",
	"410":       "answers 410",
	"429":       "answers 429 with Retry-After: 120",
	"500":       "answers 500",
	"503":       "answers 503 with Retry-After: 60",
	"flaky":     "answers 500 to every second request",
	"slow":      "dribbles its body over -slow-body",
	"stall":     "sends its headers and half of its body, then nothing for ten minutes",
	"moved":     "answers 301 to its new path, for good",
	"found":     "answers 302 to a temporary path",
	"loop":      "redirects to itself for ever",
	"nocond":    "sends no validators and ignores conditions",
	"etag":      "sends an ETag only",
	"lastmod":   "sends a Last-Modified only",
	"latin1":    "is encoded in ISO-8859-1, declared in the document",
	"cp1252":    "is encoded in windows-1252, declared in the header",
	"utf16":     "is encoded in UTF-16LE with a byte order mark",
	"truncated": "breaks off in the middle of the document",
	"badtype":   "is served as text/html",
	"html":      "serves a web page instead of a feed",
	"empty":     "serves an empty body",
}

// doc is a rendered feed document.
type doc struct {
	added   int
	plain   []byte
	zipped  []byte
	etag    string
	lastMod string
	ctype   string
}

type feed struct {
	corpus.Feed
	host      int
	site      corpus.Site
	behaviour string
	added     atomic.Int64
	hits      atomic.Int64
	doc       atomic.Pointer[doc]
	mu        sync.Mutex
}

// Farm is the server. It is an http.Handler.
type Farm struct {
	opt     Options
	feeds   []*feed
	ticks   atomic.Int64
	latency atomic.Int64
	counts  counters
}

// favicon is the icon of every host.
var favicon = func() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 7)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}()

type counters struct {
	requests, feeds, notModified, bytes, gzipped, faults, redirects, pages, favicons, notFound atomic.Int64
	inFlight, maxInFlight                                                                      atomic.Int64
}

// Stats is what the farm has counted since the last reset.
type Stats struct {
	Requests    int64 `json:"requests"`      // all but those to /_farm/
	Feeds       int64 `json:"feeds_200"`     // feed documents served whole
	NotModified int64 `json:"not_modified"`  // 304
	Bytes       int64 `json:"body_bytes"`    // bytes of feed bodies as sent
	Gzipped     int64 `json:"gzipped"`       // feed documents sent compressed
	Faults      int64 `json:"faults"`        // errors served on purpose
	Redirects   int64 `json:"redirects"`     // 301 and 302
	Pages       int64 `json:"pages"`         // home and item pages
	Favicons    int64 `json:"favicons"`      //
	NotFound    int64 `json:"not_found"`     // paths that do not exist
	MaxInFlight int64 `json:"max_in_flight"` // most requests at once
	Ticks       int64 `json:"ticks"`
	Items       int64 `json:"items_total"` // items that have ever been in a plain feed
}

// New builds a farm; it renders nothing yet.
func New(opt Options) (*Farm, error) {
	names := make([]string, 0, len(opt.Mix))
	for k := range opt.Mix {
		if _, ok := Behaviours[k]; !ok {
			return nil, fmt.Errorf("unknown behaviour %q in the mix", k)
		}
		names = append(names, k)
	}
	sort.Strings(names)
	fm := &Farm{opt: opt}
	fm.latency.Store(int64(opt.Latency))
	for i := range opt.Feeds {
		f := &feed{Feed: opt.Corpus.Feed(i), host: i % opt.Hosts}
		f.site = corpus.Site{Base: fmt.Sprintf("http://%s:%d", HostAddr(f.host), opt.Port)}
		u := opt.Corpus.Unit("behaviour", i)
		for _, k := range names {
			if u < opt.Mix[k] {
				f.behaviour = k
				break
			}
			u -= opt.Mix[k]
		}
		fm.feeds = append(fm.feeds, f)
	}
	return fm, nil
}

// HostAddr is the loopback address of a virtual host.
func HostAddr(host int) string { return fmt.Sprintf("127.1.%d.%d", host/250, host%250+1) }

func (fm *Farm) url(f *feed) string { return f.site.Base + corpus.FeedPath(f.Feed) }

// ServeHTTP serves feeds and pages to anybody and the controls under /_farm/.
func (fm *Farm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_farm/") {
		fm.control(w, r)
		return
	}
	c := &fm.counts
	c.requests.Add(1)
	n := c.inFlight.Add(1)
	for m := c.maxInFlight.Load(); n > m && !c.maxInFlight.CompareAndSwap(m, n); m = c.maxInFlight.Load() {
	}
	defer c.inFlight.Add(-1)
	if d := fm.latency.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) >= 2 {
		if id, err := strconv.Atoi(parts[1]); err == nil && id >= 0 && id < len(fm.feeds) {
			f := fm.feeds[id]
			switch {
			case (parts[0] == "f" || parts[0] == "new" || parts[0] == "tmp") && len(parts) == 3:
				fm.serveFeed(w, r, f, parts[0] != "f")
				return
			case parts[0] == "s" && len(parts) == 2:
				c.pages.Add(1)
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write(corpus.Home(f.Feed, f.site))
				return
			case parts[0] == "s" && len(parts) == 4 && parts[2] == "p":
				if n, err := strconv.Atoi(parts[3]); err == nil && n >= 0 && n < f.Items+int(f.added.Load()) {
					c.pages.Add(1)
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					_, _ = w.Write(fm.opt.Corpus.Page(f.Feed, n, f.site))
					return
				}
			}
		}
	}
	if r.URL.Path == "/favicon.ico" {
		c.favicons.Add(1)
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(favicon)
		return
	}
	c.notFound.Add(1)
	http.NotFound(w, r)
}

func (fm *Farm) fault(w http.ResponseWriter, status int, retryAfter string) {
	fm.counts.faults.Add(1)
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, http.StatusText(status), status)
}

func (fm *Farm) redirect(w http.ResponseWriter, f *feed, prefix string, status int) {
	fm.counts.redirects.Add(1)
	w.Header().Set("Location", f.site.Base+prefix+strings.TrimPrefix(corpus.FeedPath(f.Feed), "/f"))
	w.WriteHeader(status)
}

func (fm *Farm) serveFeed(w http.ResponseWriter, r *http.Request, f *feed, redirected bool) {
	c := &fm.counts
	hits := f.hits.Add(1)
	switch f.behaviour {
	case "404":
		fm.fault(w, 404, "")
		return
	case "410":
		fm.fault(w, 410, "")
		return
	case "429":
		fm.fault(w, 429, "120")
		return
	case "500":
		fm.fault(w, 500, "")
		return
	case "503":
		fm.fault(w, 503, "60")
		return
	case "flaky":
		if hits%2 == 1 {
			fm.fault(w, 500, "")
			return
		}
	case "moved":
		if !redirected {
			fm.redirect(w, f, "/new", http.StatusMovedPermanently)
			return
		}
	case "found":
		if !redirected {
			fm.redirect(w, f, "/tmp", http.StatusFound)
			return
		}
	case "loop":
		fm.redirect(w, f, "/f", http.StatusFound)
		return
	case "html":
		c.faults.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(corpus.Home(f.Feed, f.site))
		return
	case "empty":
		c.faults.Add(1)
		w.Header().Set("Content-Type", "application/rss+xml")
		return
	}
	d := fm.document(f)
	h := w.Header()
	h.Set("Content-Type", d.ctype)
	h.Set("Vary", "Accept-Encoding")
	if f.behaviour != "nocond" {
		if f.behaviour != "lastmod" {
			h.Set("ETag", d.etag)
		}
		if f.behaviour != "etag" {
			h.Set("Last-Modified", d.lastMod)
		}
		if notModified(r, d, f.behaviour) {
			c.notModified.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	body := d.plain
	if fm.opt.Gzip && d.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = d.zipped
		c.gzipped.Add(1)
	}
	c.feeds.Add(1)
	switch f.behaviour {
	case "slow":
		c.faults.Add(1)
		const chunks = 20
		for i := range chunks {
			n, err := w.Write(body[i*len(body)/chunks : (i+1)*len(body)/chunks])
			c.bytes.Add(int64(n))
			if err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(fm.opt.SlowBody / chunks):
			}
		}
	case "stall":
		c.faults.Add(1)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		n, _ := w.Write(body[:len(body)/2])
		c.bytes.Add(int64(n))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Minute):
		}
	default:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		n, _ := w.Write(body)
		c.bytes.Add(int64(n))
	}
}

func notModified(r *http.Request, d *doc, behaviour string) bool {
	if inm := r.Header.Get("If-None-Match"); inm != "" && behaviour != "lastmod" {
		for _, t := range strings.Split(inm, ",") {
			t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
			if t == d.etag || t == "*" {
				return true
			}
		}
		return false
	}
	if ims := r.Header.Get("If-Modified-Since"); ims != "" && behaviour != "etag" {
		since, err1 := http.ParseTime(ims)
		mod, err2 := http.ParseTime(d.lastMod)
		return err1 == nil && err2 == nil && !mod.After(since)
	}
	return false
}

// document renders a feed as it stands now, or takes it from memory.
func (fm *Farm) document(f *feed) *doc {
	added := int(f.added.Load())
	if d := f.doc.Load(); d != nil && d.added == added {
		return d
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.doc.Load(); d != nil && d.added == added {
		return d
	}
	cfg := &fm.opt.Corpus
	d := &doc{added: added, plain: cfg.Document(f.Feed, added, f.site)}
	d.etag = fmt.Sprintf(`"%x-%x-%x"`, cfg.Seed, f.ID, added)
	d.lastMod = cfg.Epoch.Add(time.Duration(added) * time.Minute).Format(http.TimeFormat)
	d.ctype = [...]string{"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"}[f.Format]
	if f.Style>>16%4 == 0 && f.Format != corpus.JSONFeed {
		d.ctype = "text/xml"
	}
	charset := "; charset=utf-8"
	switch f.behaviour {
	case "latin1":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = singleByte(redeclare(d.plain, "ISO-8859-1"), false), ""
		}
	case "cp1252":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = singleByte(redeclare(d.plain, "windows-1252"), true), "; charset=windows-1252"
		}
	case "utf16":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = toUTF16(redeclare(d.plain, "UTF-16")), ""
		}
	case "truncated":
		d.plain = d.plain[:len(d.plain)*3/5]
	case "badtype":
		d.ctype = "text/html"
	}
	d.ctype += charset
	if fm.opt.Gzip {
		var z bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&z, 5)
		_, _ = zw.Write(d.plain)
		_ = zw.Close()
		d.zipped = z.Bytes()
	}
	f.doc.Store(d)
	return d
}

func redeclare(doc []byte, enc string) []byte {
	doc = bytes.Replace(doc, []byte(`encoding="UTF-8"`), []byte(`encoding="`+enc+`"`), 1)
	return bytes.Replace(doc, []byte(`encoding="utf-8"`), []byte(`encoding="`+enc+`"`), 1)
}

var cp1252 = map[rune]byte{'€': 0x80, '‘': 0x91, '’': 0x92, '“': 0x93, '”': 0x94, '–': 0x96, '—': 0x97, '…': 0x85}

func singleByte(doc []byte, windows bool) []byte {
	out := make([]byte, 0, len(doc))
	for _, r := range string(doc) {
		switch b, ok := cp1252[r]; {
		case r < 256:
			out = append(out, byte(r))
		case windows && ok:
			out = append(out, b)
		case r == '“' || r == '”':
			out = append(out, '\'')
		default:
			out = append(out, '-')
		}
	}
	return out
}

func toUTF16(doc []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(doc))) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// Prewarm renders all documents, so that a measured run only writes bytes.
func (fm *Farm) Prewarm() (bytes int64) {
	var wg sync.WaitGroup
	var total atomic.Int64
	work := make(chan *feed)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for f := range work {
				total.Add(int64(len(fm.document(f).plain)))
			}
		})
	}
	for _, f := range fm.feeds {
		work <- f
	}
	close(work)
	wg.Wait()
	return total.Load()
}

// Tick adds items to a share of the feeds and returns how many items came up.
func (fm *Farm) Tick(share float64, items int) (fed, total int) {
	t := int(fm.ticks.Add(1))
	for _, f := range fm.feeds {
		if fm.opt.Corpus.Unit("tick", t, f.ID) < share {
			f.added.Add(int64(items))
			fed++
			total += items
		}
	}
	return fed, total
}

// Stats returns the counters.
func (fm *Farm) Stats() Stats {
	c := &fm.counts
	s := Stats{
		Requests: c.requests.Load(), Feeds: c.feeds.Load(), NotModified: c.notModified.Load(), Bytes: c.bytes.Load(),
		Gzipped: c.gzipped.Load(), Faults: c.faults.Load(), Redirects: c.redirects.Load(), Pages: c.pages.Load(),
		Favicons: c.favicons.Load(), NotFound: c.notFound.Load(), MaxInFlight: c.maxInFlight.Load(), Ticks: fm.ticks.Load(),
	}
	for _, f := range fm.feeds {
		if f.behaviour == "" {
			s.Items += int64(f.Items) + f.added.Load()
		}
	}
	return s
}

func (fm *Farm) reset() {
	c := &fm.counts
	for _, v := range []*atomic.Int64{&c.requests, &c.feeds, &c.notModified, &c.bytes, &c.gzipped, &c.faults, &c.redirects, &c.pages, &c.favicons, &c.notFound, &c.maxInFlight} {
		v.Store(0)
	}
}

func intParam(r *http.Request, name string, def int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil {
		return n
	}
	return def
}

// span is the range of feeds a control request asks for with from= and n=.
func (fm *Farm) span(r *http.Request) []*feed {
	from := min(max(intParam(r, "from", 0), 0), len(fm.feeds))
	n := min(max(intParam(r, "n", len(fm.feeds)), 0), len(fm.feeds)-from)
	return fm.feeds[from : from+n]
}

// control answers the requests under /_farm/.
func (fm *Farm) control(w http.ResponseWriter, r *http.Request) {
	reply := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	switch cmd := strings.TrimPrefix(r.URL.Path, "/_farm/"); cmd {
	case "stats":
		reply(fm.Stats())
	case "reset":
		fm.reset()
		reply(fm.Stats())
	case "prewarm":
		reply(map[string]int64{"bytes": fm.Prewarm()})
	case "tick":
		share, err := strconv.ParseFloat(r.URL.Query().Get("feeds"), 64)
		if err != nil {
			share = 1
		}
		if r.Method != http.MethodPost {
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		fed, total := fm.Tick(share, intParam(r, "items", 1))
		reply(map[string]int{"feeds": fed, "items": total})
	case "latency":
		fm.latency.Store(int64(time.Duration(intParam(r, "ms", 0)) * time.Millisecond))
		reply(map[string]int64{"ms": fm.latency.Load() / 1e6})
	case "urls":
		for _, f := range fm.span(r) {
			fmt.Fprintln(w, fm.url(f))
		}
	case "feeds":
		type row struct {
			ID        int    `json:"id"`
			URL       string `json:"url"`
			Site      string `json:"site"`
			Format    string `json:"format"`
			Title     string `json:"title"`
			Items     int    `json:"items"`
			Added     int64  `json:"added"`
			Behaviour string `json:"behaviour"`
		}
		enc := json.NewEncoder(w)
		for _, f := range fm.span(r) {
			_ = enc.Encode(row{f.ID, fm.url(f), f.site.Base + corpus.SitePath(f.Feed), f.Format.String(), f.Title, f.Items, f.added.Load(), f.behaviour})
		}
	case "opml":
		w.Header().Set("Content-Type", "text/x-opml")
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><opml version="2.0"><head><title>feedfarm</title></head><body>`+"\n")
		for _, f := range fm.span(r) {
			fmt.Fprintf(w, `<outline type="rss" text="%s" title="%s" xmlUrl="%s" htmlUrl="%s"/>`+"\n", f.Title, f.Title, fm.url(f), f.site.Base+corpus.SitePath(f.Feed))
		}
		fmt.Fprint(w, "</body></opml>\n")
	case "truth":
		// Which items are there, and which retell the same story.
		enc := json.NewEncoder(w)
		for _, f := range fm.span(r) {
			for n := range f.Items + int(f.added.Load()) {
				it := fm.opt.Corpus.Item(f.Feed, n)
				_ = enc.Encode(map[string]any{"feed": f.ID, "n": n, "guid": it.GUID(), "url": it.ItemURL(f.site), "title": it.Title, "story": it.Story, "published": it.Published})
			}
		}
	case "terms":
		for _, t := range corpus.Terms(intParam(r, "from", 0), intParam(r, "to", 1000), intParam(r, "n", 100)) {
			fmt.Fprintln(w, t)
		}
	default:
		_, _ = io.WriteString(w, "stats reset prewarm tick latency urls feeds opml truth terms\n")
	}
}
