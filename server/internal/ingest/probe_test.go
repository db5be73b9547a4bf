package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// page returns an answer with HTML.
func page(body string) *outbound.Response {
	resp := answer(200, "<!doctype html>"+body)
	resp.Header = http.Header{"Content-Type": {"text/html"}}
	return resp
}

const smallFeed = `<rss version="2.0"><channel><title>%s</title><item><title>One</title><guid>1</guid><pubDate>Sat, 28 Feb 2026 12:00:00 GMT</pubDate></item></channel></rss>`

func feedOf(title string) *outbound.Response { return answer(200, fmt.Sprintf(smallFeed, title)) }

func (w *world) probe(cfg ProbeConfig) *Probe {
	return NewProbe(cfg, w.web, w.client(), w.db, w.clock)
}

// site serves answers for URLs; FinalURL is the URL itself.
func (w *world) site(answers map[string]*outbound.Response) {
	for url, resp := range answers {
		resp.FinalURL = url
		w.web.serve(url, resp)
	}
}

func found(d Discovery) string {
	var b strings.Builder
	for _, f := range d.Feeds {
		fmt.Fprintf(&b, "%s %s %t %q\n", f.Method, f.URL, f.Verified, f.Title)
	}
	return b.String()
}

func TestDiscover(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.site(map[string]*outbound.Response{
			"https://a.example/":     page(`<title>A</title><link rel=alternate type=application/rss+xml href=/feed><a href=/rss>RSS</a>`),
			"https://a.example/feed": feedOf("A's feed"), "https://a.example/rss": feedOf("of a link"),
			"https://b.example/": page(`<a href=/rss>RSS</a>`), "https://b.example/rss": feedOf("B"), "https://b.example/feed": feedOf("not asked for"),
			"https://c.example/blog": page(``), "https://c.example/blog/feed.xml": feedOf("C"),
			"https://www.youtube.com/channel/UCct7QF2jcWRY6dhXWMSq9LQ":                     page(`<title>Y</title>`),
			"https://www.youtube.com/feeds/videos.xml?channel_id=UCct7QF2jcWRY6dhXWMSq9LQ": feedOf("Y"),
			"https://old.reddit.com/r/x":                                                   answer(403, ""),
			"https://www.reddit.com/r/x/.rss":                                              feedOf("R"),
			"https://d.example/":                                                           page(`<link rel=alternate type=application/rss+xml title=Old href=/old>`),
			"https://d.example/index.xml":                                                  feedOf("D"),
		})
		probe := w.probe(ProbeConfig{})
		for _, tt := range []struct {
			url, want string
			requests  int
		}{
			{"https://a.example/", "link https://a.example/feed true \"A's feed\"\n", 2},
			{"b.example", "anchor https://b.example/rss true \"B\"\n", 2},
			{"https://c.example/blog#top", "common_path https://c.example/blog/feed.xml true \"C\"\n", 4},
			{"https://www.youtube.com/channel/UCct7QF2jcWRY6dhXWMSq9LQ", "platform https://www.youtube.com/feeds/videos.xml?channel_id=UCct7QF2jcWRY6dhXWMSq9LQ true \"Y\"\n", 3},
			{"https://old.reddit.com/r/x", "platform https://www.reddit.com/r/x/.rss true \"R\"\n", 2},
			{"https://d.example/", "common_path https://d.example/index.xml true \"D\"\nlink https://d.example/old false \"Old\"\n", 8},
			{"https://a.example/feed", "self https://a.example/feed true \"A's feed\"\n", 1},
			{"https://e.example/", "", 1},
		} {
			d, err := probe.Discover(t.Context(), tt.url)
			w.must(err)
			if got := found(d); got != tt.want || d.Requests != tt.requests || !d.Complete {
				t.Errorf("%s: %d requests, complete %t:\n%swant %d:\n%s", tt.url, d.Requests, d.Complete, got, tt.requests, tt.want)
			}
		}
		if d, err := probe.Discover(t.Context(), "https://e.example/"); err != nil || d.Outcome.Code != kgl.CodeFetchFailed || d.HTTPStatus != 404 {
			t.Errorf("a page that is missing: %+v, %v", d, err)
		}
		s := w.add("https://www.a.example/feed?utm_source=x")
		if d, err := probe.Discover(t.Context(), "https://a.example/"); err != nil || d.Feeds[0].SourceID != s.ID {
			t.Errorf("what is watched in another spelling: %+v, %v", d.Feeds, err)
		}
		_, err := probe.Discover(t.Context(), "http://10.0.0.1/")
		w.wantCode(err, kgl.CodeInvalid)
	})
}

// TestDiscoverMerges: one feed under several URLs is one.
func TestDiscoverMerges(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		moved := feedOf("F")
		w.site(map[string]*outbound.Response{
			"https://a.example/": page(`<link rel=alternate type=application/rss+xml href=/old><link rel=alternate type=application/rss+xml href=/new>` +
				`<link rel=alternate type=application/rss+xml href=https://www.a.example/new?utm_source=x><link rel=alternate type=application/rss+xml href=/empty>`),
			"https://a.example/old": moved, "https://a.example/new": feedOf("F"),
			"https://a.example/empty": answer(200, `<rss version="2.0"><channel><title>Empty</title></channel></rss>`),
		})
		moved.FinalURL = "https://a.example/new"
		moved.Redirects = []outbound.Redirect{{Status: 301, From: "https://a.example/old", To: "https://a.example/new"}}
		d, err := w.probe(ProbeConfig{}).Discover(t.Context(), "https://a.example/")
		w.must(err)
		want := "link https://a.example/new true \"F\"\nlink https://a.example/empty true \"Empty\"\n"
		if got := found(d); got != want || d.Requests != 3 {
			t.Errorf("%d requests:\n%s", d.Requests, got)
		}
	})
}

// TestProbeEnds: a site that never answers, and one that asks for patience, end
// the search; a caller who goes away ends it at once.
func TestProbeEnds(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		w.site(map[string]*outbound.Response{
			"https://slow.example/": page(`<link rel=alternate type=application/rss+xml title=Slow href=/feed>`),
			"https://busy.example/": page(``), "https://busy.example/rss": answer(429, ""), "https://busy.example/index.xml": feedOf("not reached"),
		})
		ctx, cancel := context.WithCancel(t.Context())
		w.web.pages["https://slow.example/feed"] = func(outbound.Request) (*outbound.Response, error) {
			cancel()
			return nil, kgl.Errorf(kgl.CodeUnavailable, "the request was stopped")
		}
		if _, err := w.probe(ProbeConfig{}).Discover(ctx, "https://slow.example/"); ctx.Err() == nil || err == nil {
			t.Errorf("after its caller went away: %v", err)
		}
		w.web.pages["https://slow.example/feed"] = func(outbound.Request) (*outbound.Response, error) {
			return nil, kgl.Errorf(kgl.CodeTimeout, "the server did not answer in time")
		}
		d, err := w.probe(ProbeConfig{}).Discover(t.Context(), "https://slow.example/")
		w.must(err)
		if len(d.Feeds) != 1 || d.Feeds[0].Verified || d.Feeds[0].Outcome.Code != kgl.CodeTimeout {
			t.Errorf("slow: %+v", d)
		}
		d, err = w.probe(ProbeConfig{}).Discover(t.Context(), "https://busy.example/")
		w.must(err)
		if len(d.Feeds) != 0 || d.Complete || d.Requests != 3 {
			t.Errorf("busy: %+v", d)
		}
		d, err = w.probe(ProbeConfig{Total: time.Nanosecond}).Discover(t.Context(), "https://slow.example/")
		if err == nil && d.Outcome.Code != kgl.CodeTimeout || err != nil && !kgl.Is(err, kgl.CodeRateLimited) {
			t.Errorf("without time: %+v, %v", d, err)
		}
	})
}

// TestProbesAtOnce: who comes while all places are taken is told so.
func TestProbesAtOnce(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		inside, leave := make(chan struct{}), make(chan struct{})
		w.web.pages["https://a.example/"] = func(outbound.Request) (*outbound.Response, error) {
			close(inside)
			<-leave
			return feedOf("A"), nil
		}
		probe := w.probe(ProbeConfig{AtOnce: 1, Total: 40 * time.Millisecond, Each: time.Hour})
		ended := make(chan error, 1)
		go func() {
			_, err := probe.Test(context.WithoutCancel(t.Context()), "https://a.example/", outbound.Credentials{})
			ended <- err
		}()
		<-inside
		_, err := probe.Test(t.Context(), "https://b.example/", outbound.Credentials{})
		w.wantCode(err, kgl.CodeRateLimited)
		close(leave)
		w.must(<-ended)
	})
}

// TestProbesTakeTokens: what people look at counts with what workers fetch, and
// waits as they do, for a while.
func TestProbesTakeTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		rate := kgl.DomainRate{Interval: time.Second, Burst: 2}
		var waits []time.Duration
		probe := w.probe(ProbeConfig{DomainRate: rate, Patience: 3 * time.Second})
		probe.sleep = func(_ context.Context, d time.Duration) bool {
			waits = append(waits, d)
			w.clock.Advance(d)
			return true
		}
		w.site(map[string]*outbound.Response{
			"https://www.a.example/": page(`<link rel=alternate type=application/rss+xml href=/1><link rel=alternate type=application/rss+xml href=//other.a.example/2>` +
				`<link rel=alternate type=application/rss+xml href=https://b.example/3>`),
			"https://www.a.example/1": feedOf("1"), "https://other.a.example/2": feedOf("2"), "https://b.example/3": feedOf("3"),
		})
		d, err := probe.Discover(t.Context(), "https://www.a.example/")
		w.must(err)
		w.want("found", fmt.Sprint(len(d.Feeds), d.Requests, d.Complete, waits), "3 4 true [1s]")

		// A worker finds the bucket as empty as the probe left it.
		src := w.add("https://feeds.a.example/feed")
		w.web.serve(src.URL, answer(200, rss("a", "one")))
		worker := w.worker(Config{DomainRate: rate})
		w.want("rounds", w.round(worker), 0)
		w.clock.Advance(time.Second)
		w.want("rounds a second later", w.round(worker), 1)

		waits = nil
		_, err = probe.Test(t.Context(), "https://a.example/", outbound.Credentials{})
		w.must(err)
		w.want("waits behind a worker", waits, "[1s]")
	})
}

// TestProbesOfADomainThatIsAskedTooOften: nobody waits for long, and none that
// is refused makes others wait longer.
func TestProbesOfADomainThatIsAskedTooOften(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		rate := kgl.DomainRate{Interval: 10 * time.Second, Burst: 1}
		probe := w.probe(ProbeConfig{DomainRate: rate, Patience: 3 * time.Second})
		probe.sleep = func(_ context.Context, d time.Duration) bool { w.clock.Advance(d); return true }
		w.site(map[string]*outbound.Response{
			"https://a.example/":  page(`<link rel=alternate type=application/rss+xml title=One href=/1><link rel=alternate type=application/rss+xml href=https://b.example/2>`),
			"https://a.example/1": feedOf("1"), "https://b.example/2": feedOf("2"),
		})
		d, err := probe.Discover(t.Context(), "https://a.example/")
		w.must(err)
		if d.Complete || len(d.Feeds) != 2 || !d.Feeds[0].Verified || d.Feeds[1].Title != "One" || d.Feeds[1].Outcome.Code != kgl.CodeRateLimited || d.Requests != 2 {
			t.Errorf("found %+v", d)
		}
		before, err := w.db.DomainBucket(t.Context(), "a.example")
		w.must(err)
		w.clock.Advance(time.Second)
		for range 5 {
			_, err := probe.Test(t.Context(), "https://a.example/1", outbound.Credentials{})
			w.wantCode(err, kgl.CodeRateLimited)
			if e, ok := errors.AsType[*kgl.Error](err); ok {
				w.want("try again after", e.RetryAfter, 9*time.Second)
			}
			_, err = probe.Discover(t.Context(), "https://a.example/")
			w.wantCode(err, kgl.CodeRateLimited)
		}
		after, err := w.db.DomainBucket(t.Context(), "a.example")
		w.must(err)
		w.want("bucket after refusals", after, before)
		w.want("requests", w.web.asked(), 2)
		w.clock.Advance(6 * time.Second)
		_, err = probe.Test(t.Context(), "https://a.example/1", outbound.Credentials{})
		w.must(err)

		// A clock that was set back does not shut the domain.
		w.clock.Advance(-48 * time.Hour)
		_, err = probe.Test(t.Context(), "https://a.example/1", outbound.Credentials{})
		w.must(err)
	})
}

func TestPreview(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		resp := feedOf("P")
		w.site(map[string]*outbound.Response{"https://a.example/f": resp})
		resp.Header = http.Header{"Cache-Control": {"max-age=7200"}, "Content-Type": {"text/xml\xff"}}
		credentials := outbound.Credentials{Header: http.Header{"X-Key": {"k"}}, User: "ada", Password: "pw"}
		p, err := w.probe(ProbeConfig{}).Test(t.Context(), "https://a.example/f", credentials)
		w.must(err)
		if p.Feed == nil || len(p.Items) != 1 || p.Next.Rule == "" || p.Next.Interval < 7200 || p.Next.Next.Before(start.Add(2*time.Hour)) || p.ContentType != "" {
			t.Errorf("preview = %+v, next %+v", p.ContentType, p.Next)
		}
		if sent := w.web.last().Credentials; sent.User != "ada" || sent.Header.Get("X-Key") != "k" {
			t.Errorf("sent %v", sent)
		}
		_, err = w.probe(ProbeConfig{}).Test(t.Context(), "https://a.example/f", outbound.Credentials{Header: http.Header{"Host": {"x"}}})
		w.wantCode(err, kgl.CodeInvalid)
		if p, err = w.probe(ProbeConfig{}).Test(t.Context(), "https://a.example/none", outbound.Credentials{}); err != nil || p.Outcome.Code != kgl.CodeFetchFailed || p.Next != nil {
			t.Errorf("missing: %+v, %v", p, err)
		}
		w.site(map[string]*outbound.Response{"https://a.example/page": page("<p>text")})
		if p, err = w.probe(ProbeConfig{}).Test(t.Context(), "https://a.example/page", outbound.Credentials{}); err != nil || p.Outcome.Code != kgl.CodeFeedInvalid {
			t.Errorf("a page: %+v, %v", p, err)
		}
	})
}
