package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// The whole way of a request, from the API to the socket and back. One address
// of this machine is allowed; 127.0.0.2 stands for a private network.
func TestFetchSafety(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		b := newInstallation(t, engine, "KGL_ALLOWED_NETWORKS=127.0.0.1/32", "KGL_FETCH_TIMEOUT=3s").start(t)
		t.Run("one policy, one answer", func(t *testing.T) { testOnePolicy(t, b) })
		t.Run("nothing of a broken answer is kept", func(t *testing.T) { testBrokenAnswers(t, b) })
		t.Run("a part is asked for again", func(t *testing.T) { testUnframedAnswer(t, b) })
		t.Run("credentials stay home", func(t *testing.T) { testSourceCredentials(t, b) })
		t.Run("drips do not hold the others", func(t *testing.T) { testDrips(t, b) })
	})
}

// lookAt is what a user learns about a URL by one of the ways that lead out.
func lookAt(t *testing.T, c *caller, target string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	s := c.createSource(t, target)
	fetch := c.waitForFetches(t, s.ID, 1)[0]
	seen["feed"] = fmt.Sprint(fetch.Outcome, fetch.ErrorCode.MustGet(), fetch.Error.MustGet(), fetch.HTTPStatus.IsNull(), fetch.FinalURL.IsNull(), fetch.Redirects)
	seen["source"] = fmt.Sprint(c.source(t, s.ID).LastError.MustGet().Message)
	for way, path := range map[string]string{"test": "/api/v1/sources/test", "discovery": "/api/v1/sources/discover"} {
		answer := decode[map[string]any](t, c.do("POST", path, encode(t, map[string]string{"url": target})).want(t, 200).body)
		for _, field := range []string{"url", "duration_ms", "source_id", "next_fetch_at", "next", "requests"} {
			delete(answer, field)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		seen[way] = string(text)
	}
	list := `<opml version="2.0"><body><outline xmlUrl="` + target + `?by=list"/></body></opml>`
	c.do("POST", "/api/v1/source-imports", list, "Content-Type", "application/xml").want(t, http.StatusAccepted)
	var imported client.Source
	eventually(t, "the list was imported", func() string {
		for _, s := range decode[client.SourceList](t, c.do("GET", "/api/v1/sources?limit=100", "").want(t, 200).body).Data {
			if s.URL == target+"?by=list" {
				imported = s
				return ""
			}
		}
		return "no source yet"
	})
	seen["list"] = c.waitForFetches(t, imported.ID, 1)[0].Error.MustGet()
	return seen
}

// testOnePolicy leads every way out to a private address, with and without
// somebody behind it, and to one where nobody listens (cases 5, 13 and 22):
// nothing is dialled, and users see the same.
func testOnePolicy(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	var visits atomic.Int32
	trap, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Fatalf("127.0.0.2 cannot stand for a private network: %v", err)
	}
	t.Cleanup(func() { _ = trap.Close() })
	go func() {
		for {
			conn, err := trap.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = conn.Close()
		}
	}()
	var want map[string]string
	for name, to := range map[string]string{
		"unreachable":              "http://127.0.0.1:1/feed",
		"private, open":            "http://" + trap.Addr().String() + "/feed",
		"private, closed":          "http://127.0.0.2:1/feed",
		"metadata":                 "http://169.254.169.254/latest/meta-data/",
		"private in another guise": "http://[::ffff:127.0.0.2]:" + strings.Split(trap.Addr().String(), ":")[1] + "/",
	} {
		path := "/" + url.PathEscape(name)
		f.handle("/"+name, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		got := lookAt(t, c, f.url(path))
		if want == nil {
			want = got
		}
		for way, text := range got {
			if text != want[way] || !strings.Contains(text, "could not be reached") {
				t.Errorf("%s by %s: users see\n%s\nand of another\n%s", name, way, text, want[way])
			}
			if strings.Contains(text, "127.0.0.2") || strings.Contains(text, "169.254") {
				t.Errorf("%s by %s: users see where it led: %s", name, way, text)
			}
		}
	}
	for _, path := range []string{"/api/v1/sources", "/api/v1/sources/test", "/api/v1/sources/discover"} {
		c.do("POST", path, encode(t, map[string]string{"url": "http://" + trap.Addr().String() + "/feed"})).want(t, 400)
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("the private address was dialled %d times", n)
	}
}

// testBrokenAnswers holds that an answer that breaks off, or never ends, is
// stored in no part, and that its validators are not sent back (cases 16 and
// 20). The feed recovers with the first whole answer.
func testBrokenAnswers(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	whole := rssFeed("Whole", newItem("one"), newItem("two"))
	for name, answer := range map[string]http.HandlerFunc{
		"truncated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)+10))
			_, _ = io.WriteString(w, whole)
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, whole)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4a})
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, strings.TrimSuffix(whole, "</channel></rss>"))
			for filler := strings.Repeat("<item><title>more</title></item>", 1000); err == nil; {
				_, err = io.WriteString(w, filler)
			}
		},
	} {
		path := "/" + name
		f.handle(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"broken"`)
			w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 08:00:00 GMT")
			w.Header().Set("Content-Type", "application/rss+xml")
			answer(w, r)
		})
		s := c.createSource(t, f.url(path))
		if fetch := c.waitForFetches(t, s.ID, 1)[0]; fetch.Outcome != client.FetchOutcomeFailed || fetch.ItemsCreated != 0 {
			t.Errorf("%s: %+v", name, fetch)
		}
		if items := c.content(t, s.ID); len(items) != 0 {
			t.Errorf("%s: %d items of a broken answer", name, len(items))
		}
		f.serve(path, whole)
		if fetch := c.refetch(t, s.ID); fetch.Outcome != client.FetchOutcomeNewContent || fetch.ItemsSeen != 2 {
			t.Errorf("%s: afterwards %+v", name, fetch)
		}
		asked := f.requests(path)
		if last := asked[len(asked)-1]; last.Get("If-None-Match") != "" || last.Get("If-Modified-Since") != "" {
			t.Errorf("%s: the validators of a broken answer were kept: %v", name, last)
		}
	}
}

// testUnframedAnswer holds that a document which just ends with its connection
// is asked for again in whole: what stood before the end is kept, its validators
// are not (case 20).
func testUnframedAnswer(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	whole := rssFeed("Whole", newItem("one"), newItem("two"))
	f.handle("/feed.xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity") // no length, no chunks
		w.Header().Set("ETag", `"part"`)
		_, _ = io.WriteString(w, whole[:strings.LastIndex(whole, "<description>")+20])
	})
	s := c.createSource(t, f.url("/feed.xml"))
	if fetch := c.waitForFetches(t, s.ID, 1)[0]; fetch.ItemsCreated == 0 || len(fetch.Warnings) == 0 {
		t.Errorf("a part: %+v", fetch)
	}
	f.serve("/feed.xml", whole)
	c.refetch(t, s.ID)
	if last := f.requests("/feed.xml")[1]; last.Get("If-None-Match") != "" {
		t.Errorf("the validators of a part were kept: %v", last)
	}
	if items := c.content(t, s.ID); len(items) != 2 {
		t.Errorf("%d items", len(items))
	}
	c.refetch(t, s.ID)
	if last := f.requests("/feed.xml")[2]; last.Get("If-None-Match") == "" {
		t.Errorf("the validators of the whole were not kept: %v", last)
	}
}

// testSourceCredentials holds that what a source was given goes to its server
// alone, and into no log and no answer (cases 8 and 11).
func testSourceCredentials(t *testing.T, b *backend) {
	c, home, other := b.as(t, client.RoleModerator), newFeedServer(t), newFeedServer(t)
	password, key := b.secrets.add(newPassword()), b.secrets.add(newPassword())
	other.serve("/feed.xml", rssFeed("Elsewhere", newItem("one")))
	home.handle("/feed.xml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.url("/feed.xml"), http.StatusFound)
	})
	body := encode(t, map[string]any{
		"url": home.url("/feed.xml"), "request_headers": map[string]string{"X-Api-Key": key},
		"authentication": map[string]string{"type": "basic", "username": "reader", "password": password},
	})
	created := c.do("POST", "/api/v1/sources", body).want(t, 201)
	s := decode[client.Source](t, created.body)
	if fetch := c.waitForFetches(t, s.ID, 1)[0]; fetch.Outcome != client.FetchOutcomeNewContent {
		t.Errorf("fetch = %+v", fetch)
	}
	if h := home.requests("/feed.xml")[0]; h.Get("X-Api-Key") != key || !strings.HasPrefix(h.Get("Authorization"), "Basic ") {
		t.Errorf("the source's own server was sent %v", h)
	}
	if h := other.requests("/feed.xml")[0]; h.Get("X-Api-Key") != "" || h.Get("Authorization") != "" {
		t.Errorf("another server was sent %v", h)
	}
	for _, text := range []string{string(created.body), string(c.do("GET", "/api/v1/sources/"+s.ID, "").want(t, 200).body), b.log.String()} {
		if strings.Contains(text, password) || strings.Contains(text, key) {
			t.Error("a credential is shown")
		}
	}
	for _, name := range []string{"Host", "Cookie", "Connection", "Accept-Encoding", "X-Forwarded-For", "Proxy-Authorization", "User-Agent", "Metadata-Flavor"} {
		body := encode(t, map[string]any{"url": home.url("/refused"), "request_headers": map[string]string{name: "x"}})
		if p := c.do("POST", "/api/v1/sources", body).want(t, 400).problem(t); p.Errors == nil || !strings.HasPrefix((*p.Errors)[0].Field, "request_headers") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// testDrips has servers that answer a byte at a time. Each ends at the total
// time, and another feed is fetched meanwhile (cases 14 and 15).
func testDrips(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	var dripping []string
	for range 4 {
		f := newFeedServer(t)
		f.handle("/feed.xml", func(w http.ResponseWriter, r *http.Request) {
			ticker := time.NewTicker(50 * time.Millisecond)
			defer ticker.Stop()
			for {
				_, _ = io.WriteString(w, "<")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-ticker.C:
				case <-r.Context().Done():
					return
				}
			}
		})
		dripping = append(dripping, c.createSource(t, f.url("/feed.xml")).ID)
	}
	quick := newFeedServer(t)
	quick.serve("/feed.xml", rssFeed("Quick", newItem("one")))
	if fetch := c.waitForFetches(t, c.createSource(t, quick.url("/feed.xml")).ID, 1)[0]; fetch.Outcome != client.FetchOutcomeNewContent {
		t.Errorf("beside the drips: %+v", fetch)
	}
	for _, id := range dripping {
		fetch := c.waitForFetches(t, id, 1)[0]
		if fetch.Outcome != client.FetchOutcomeFailed || fetch.ErrorCode.MustGet() != "timeout" || fetch.DurationMs < 2900 || fetch.DurationMs > 4500 {
			t.Errorf("a drip: %+v", fetch)
		}
	}
}
