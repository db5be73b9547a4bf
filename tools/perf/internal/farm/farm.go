// Package farm serves a corpus of synthetic feeds over HTTP on loopback
// addresses, with validators, compression, faults and time that passes only
// when it is told to.
package farm

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

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
