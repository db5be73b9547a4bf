package outbound

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serveHTTP2 starts a server that speaks HTTP/2 over TLS, and returns it with
// a client that believes its certificate.
func serveHTTP2(t *testing.T, limits Limits, handler http.HandlerFunc) (*Client, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken: %s", r.Proto)
		}
		handler(w, r)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return newClient(t, open, trustCertificate(s), withLimits(limits)), s.URL
}

// write sends text at once.
func write(w http.ResponseWriter, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// HTTP/2 is spoken where TLS offers it, with gzip, redirects and one
// connection for all.
func TestHTTP2(t *testing.T) {
	page := strings.Repeat("<item/>", 1000)
	c, base := serveHTTP2(t, Limits{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != basic("u", "p") {
			t.Errorf("%s with %v", r.URL.Path, r.Header)
		}
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(gz(t, page))
	})
	for i := range 3 {
		resp, err := c.Get(t.Context(), Request{URL: base + "/old", Credentials: Credentials{User: "u", Password: "p"}})
		if err != nil {
			t.Fatal(err)
		}
		if resp.Proto != "HTTP/2.0" || string(resp.Body) != page || resp.WireBytes >= int64(len(page))/2 || resp.PermanentURL() != base+"/new" {
			t.Errorf("%d: %s, %d bytes for %d, %+v", i, resp.Proto, resp.WireBytes, len(resp.Body), resp.Redirects)
		}
		if !resp.Reused { // the second request of the first round, too
			t.Errorf("%d: another connection", i)
		}
	}
	if resp := mustGet(t, newClient(t, open), respond(t, "ok").URL); resp.Proto != "HTTP/1.1" || resp.Reused {
		t.Errorf("%s, reused=%t", resp.Proto, resp.Reused)
	}
}

// Cases 14, 15, 16, 18, 19 and 20 over HTTP/2, whose framing has its own ways
// to end a body early. The connection survives what one stream did.
func TestHostileHTTP2(t *testing.T) {
	big := gz(t, strings.Repeat("\x00", 64<<20))
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    []Reason
	}{
		"case 14: dripped body": {func(w http.ResponseWriter, r *http.Request) {
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for write(w, "x") == nil {
				select {
				case <-ticker.C:
				case <-r.Context().Done():
					return
				}
			}
		}, []Reason{ReasonTimeout}},
		"case 15: no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, []Reason{ReasonTimeout}},
		"case 16: endless body": {func(w http.ResponseWriter, _ *http.Request) {
			for write(w, strings.Repeat("x", 4096)) == nil {
			}
		}, []Reason{ReasonTooLarge}},
		"case 16: announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999999999")
			_ = write(w, "x")
		}, []Reason{ReasonTooLarge}},
		"case 18: bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(big)
		}, []Reason{ReasonTooLarge}},
		"case 19: brotli": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_ = write(w, "x")
		}, []Reason{ReasonEncoding}},
		"case 20: shorter than announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			w.Header().Set("Content-Length", "100")
			_ = write(w, "abc")
		}, []Reason{ReasonTruncated}},
		"case 20: reset in the body": {func(w http.ResponseWriter, _ *http.Request) {
			_ = write(w, "abc")
			panic(http.ErrAbortHandler)
		}, []Reason{ReasonTruncated}},
		"case 20: reset in gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_ = write(w, string(gz(t, "hello")[:20]))
			panic(http.ErrAbortHandler)
		}, []Reason{ReasonTruncated}},
		"case 20: gzip that ends early": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_ = write(w, string(gz(t, "hello")[:20]))
		}, []Reason{ReasonTruncated}},
		"case 20: reset before the headers": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []Reason{ReasonTruncated}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, base := serveHTTP2(t, hostileLimits(), func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/fine" {
					_, _ = io.WriteString(w, "fine")
					return
				}
				tt.handler(w, r)
			})
			start := time.Now()
			resp, err := get(t, c, base)
			wantReason(t, err, tt.want...)
			if resp != nil || time.Since(start) > 4*time.Second {
				t.Errorf("%v after %s", resp, time.Since(start))
			}
			if resp := mustGet(t, c, base+"/fine"); string(resp.Body) != "fine" || !resp.Reused {
				t.Errorf("afterwards: %q, reused=%t", resp.Body, resp.Reused)
			}
		})
	}
}

// Case 20: chunks around gzip, broken off in either layer.
func TestCase20TruncatedChunkedGzip(t *testing.T) {
	whole := string(gz(t, strings.Repeat("hello ", 1000)))
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	head := ok + "Etag: \"v1\"\r\nContent-Encoding: gzip\r\n" + chunkedHead
	c := newClient(t, open)
	for name, tt := range map[string]struct {
		answer string
		want   Reason
	}{
		"whole":                          {chunk(whole[:10]) + chunk(whole[10:]) + "0\r\n\r\n", ""},
		"no last chunk":                  {chunk(whole), ReasonTruncated},
		"last chunk without its end":     {chunk(whole) + "0\r\n", ReasonTruncated},
		"in a chunk":                     {chunk(whole)[:20], ReasonTruncated},
		"between chunks":                 {chunk(whole[:20]), ReasonTruncated},
		"gzip ends early, chunks do not": {chunk(whole[:20]) + "0\r\n\r\n", ReasonTruncated},
		"empty":                          {"0\r\n\r\n", ReasonTruncated},
	} {
		resp, err := get(t, c, rawServer(t, answer(head+tt.answer)))
		if tt.want == "" {
			if err != nil || len(resp.Body) != 6000 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if ReasonOf(err) != tt.want || resp != nil {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// Case 5: a redirect to a name that has a private address sends no packet: a
// listener behind that address sees nobody.
func TestCase05NoPacketLeaves(t *testing.T) {
	var to string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	port := portOfServer(t, s.URL)
	visits := trap(t, "127.0.0.2:"+port)
	c := newClient(t, open, withDNS(zone(map[string][]string{"inside.example": {"127.0.0.2"}})))
	for _, to = range []string{"http://127.0.0.2:" + port + "/", "http://inside.example:" + port + "/", "//inside.example:" + port + "/", "http://[::ffff:127.0.0.2]:" + port + "/"} {
		_, err := get(t, c, s.URL)
		wantReason(t, err, ReasonBlocked)
	}
	if visits.Load() != 0 {
		t.Error("the private address was dialled")
	}
}
