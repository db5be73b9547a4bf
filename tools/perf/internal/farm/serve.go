package farm

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

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
	if fm.misbehave(w, f, redirected) {
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
			fm.counts.notModified.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	body := d.plain
	if fm.opt.Gzip && d.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = d.zipped
		fm.counts.gzipped.Add(1)
	}
	fm.counts.feeds.Add(1)
	fm.send(w, r, f, body)
}

// misbehave answers for a feed whose behaviour needs no document, and reports
// whether it did.
func (fm *Farm) misbehave(w http.ResponseWriter, f *feed, redirected bool) bool {
	hits := f.hits.Add(1)
	switch f.behaviour {
	case "404", "410", "500":
		status, _ := strconv.Atoi(f.behaviour)
		fm.fault(w, status, "")
	case "429":
		fm.fault(w, http.StatusTooManyRequests, "120")
	case "503":
		fm.fault(w, http.StatusServiceUnavailable, "60")
	case "flaky":
		if hits%2 == 0 {
			return false
		}
		fm.fault(w, http.StatusInternalServerError, "")
	case "moved":
		if redirected {
			return false
		}
		fm.redirect(w, f, "/new", http.StatusMovedPermanently)
	case "found":
		if redirected {
			return false
		}
		fm.redirect(w, f, "/tmp", http.StatusFound)
	case "loop":
		fm.redirect(w, f, "/f", http.StatusFound)
	case "html":
		fm.counts.faults.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(corpus.Home(f.Feed, f.site))
	case "empty":
		fm.counts.faults.Add(1)
		w.Header().Set("Content-Type", "application/rss+xml")
	default:
		return false
	}
	return true
}

// send writes a body as the feed's behaviour says: at once, slowly, or in part.
func (fm *Farm) send(w http.ResponseWriter, r *http.Request, f *feed, body []byte) {
	c := &fm.counts
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
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		n, _ := w.Write(body[:len(body)/2])
		c.bytes.Add(int64(n))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Minute):
		}
	default:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
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
