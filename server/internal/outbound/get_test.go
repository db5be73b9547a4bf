package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestGet(t *testing.T) {
	var seen http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = io.WriteString(w, "body of "+r.RequestURI)
	})
	c := newClient(t, open)
	resp, err := c.Get(t.Context(), Request{
		URL:    s.URL + "/feed?a=b%20c#frag",
		Accept: "application/rss+xml",
		Header: Conditional(`"v0"`, "Mon, 02 Jan 2006 15:04:05 GMT"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 200 || string(resp.Body) != "body of /feed?a=b%20c" || resp.FinalURL != s.URL+"/feed?a=b%20c" ||
		resp.WireBytes != int64(len(resp.Body)) || resp.RemoteAddr.String() != s.Listener.Addr().String() || resp.Redirects != nil {
		t.Errorf("got %+v", resp)
	}
	if resp.Header.Get("Etag") != `"v1"` || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("headers: %v", resp.Header)
	}
	want := http.Header{
		"Accept": {"application/rss+xml"}, "Accept-Encoding": {"gzip"}, "User-Agent": {testAgent},
		"If-None-Match": {`"v0"`}, "If-Modified-Since": {"Mon, 02 Jan 2006 15:04:05 GMT"},
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the server saw %v, want %v", seen, want)
	}
}

// One request only, however the path is spelled.
func TestEncodedLineBreakStaysEncoded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI+" "+r.Host)
	})
	resp := mustGet(t, newClient(t, open), s.URL+"/%0d%0aHost:%20evil")
	if want := "/%0d%0aHost:%20evil " + s.Listener.Addr().String(); string(resp.Body) != want {
		t.Errorf("the server saw %q, want %q", resp.Body, want)
	}
}

func TestStatusesAreAnswers(t *testing.T) {
	c := newClient(t, open)
	for _, status := range []int{204, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503, 300, 305} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Content-Encoding", "br") // the body of an error is not worth one
			w.WriteHeader(status)
		})
		resp := mustGet(t, c, s.URL)
		if resp.Status != status || resp.Body != nil || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("%d: got %+v", status, resp)
		}
	}
}

func TestReservedHeaders(t *testing.T) {
	c := newClient(t, open)
	for _, h := range []http.Header{
		{"Cookie": {"a=b"}}, {"cookie": {"a=b"}}, {"Host": {"evil"}}, {"Accept-Encoding": {"br"}}, {"Range": {"bytes=0-1"}},
		{"Transfer-Encoding": {"chunked"}}, {"Proxy-Authorization": {"x"}}, {"X-Bad": {"a\r\nb: c"}}, {"Bad Name": {"x"}},
	} {
		if _, err := c.Get(t.Context(), Request{URL: "http://127.0.0.1:1/", Header: h}); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%v: %v", h, err)
		}
	}
}

// Case 10: the port list holds at dial time, too, where an allowed network
// has made names on any port possible.
func TestCase10PortsAtDial(t *testing.T) {
	dns := zone(map[string][]string{"public.example": {"8.8.4.4"}})
	c := newClient(t, open, withDNS(dns))
	start := time.Now()
	_, err := get(t, c, "http://public.example:22/")
	wantReason(t, err, ReasonBlocked)
	_, err = get(t, c, "http://8.8.4.4:22/")
	wantReason(t, err, ReasonBlocked)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %s, as if something had been dialled", d)
	}
}

// Case 11: a password is refused and appears in no error, nor do the path and
// the query of a URL that failed.
func TestCase11NothingSecretInErrors(t *testing.T) {
	c := newClient(t, open)
	for _, raw := range []string{
		"http://user:hunter2@127.0.0.1:1/", "http://127.0.0.1:1/hunter2?token=hunter2", "http://example.org:hunter2/",
		"http://10.0.0.1/hunter2", "ftp://user:hunter2@example.org/", "http://exa mple.org/hunter2",
	} {
		_, err := get(t, c, raw)
		if err == nil {
			t.Fatalf("%s: no error", raw)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "hunter2") {
				t.Errorf("%s: %v", raw, e)
			}
		}
	}
}

// Case 12: a proxy of the environment is not used, so the policy holds. The
// test runs in a process of its own, because net/http reads the environment
// once.
func TestCase12ProxyIsIgnored(t *testing.T) {
	if os.Getenv("OUTBOUND_TEST_PROXY") == "" {
		t.Setenv("OUTBOUND_TEST_PROXY", "1")
		runAgain(t)
		return
	}
	var proxied atomic.Int32
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	s := respond(t, "direct")
	dns := zone(map[string][]string{"feeds.example": {"127.0.0.1"}, "evil.example": {"10.0.0.1"}})
	c := newClient(t, open, withDNS(dns))
	if resp := mustGet(t, c, "http://feeds.example:"+portOfServer(t, s.URL)+"/"); string(resp.Body) != "direct" {
		t.Errorf("got %q", resp.Body)
	}
	for _, raw := range []string{"http://evil.example/", "https://evil.example/", "http://10.0.0.1/"} {
		_, err := get(t, c, raw)
		wantReason(t, err, ReasonBlocked)
	}
	if proxied.Load() != 0 {
		t.Error("the proxy was used")
	}
}

// Case 22: whatever lies behind an address that cannot be used, users see the
// same; only the log tells.
func TestCase22NoPortOracle(t *testing.T) {
	private := respond(t, "private")
	redirecting := func(to string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }).URL
	}
	dns := zone(map[string][]string{"internal.example": {"10.0.0.1"}, "local.example": {"127.0.0.1"}, "down.example": {"127.0.0.1"}})
	opened := newClient(t, open, withDNS(dns))
	strict := newClient(t, withDNS(dns))
	tests := map[string]struct {
		client *Client
		url    string
		want   Reason
	}{
		"private address, open port":   {strict, private.URL, ReasonBlocked},
		"private address, closed port": {strict, "http://127.0.0.1/", ReasonBlocked},
		"private by name":              {strict, "http://internal.example/", ReasonBlocked},
		"port outside the list":        {strict, "http://local.example:22/", ReasonBlocked},
		"local by name":                {strict, "http://local.example/", ReasonBlocked},
		"redirect to private":          {opened, redirecting("http://10.0.0.1/"), ReasonBlocked},
		"redirect to private by name":  {opened, redirecting("http://internal.example/"), ReasonBlocked},
		"redirect to unreachable":      {opened, redirecting("http://127.0.0.1:1/"), ReasonUnreachable},
		"unreachable":                  {opened, "http://127.0.0.1:1/", ReasonUnreachable},
		"unreachable by name":          {opened, "http://down.example:1/", ReasonUnreachable},
		"no such name":                 {strict, "http://nobody.example/", ReasonDNS},
	}
	want := userView{Code: kgl.CodeFetchFailed, Message: unreachableText}
	for name, tt := range tests {
		_, err := get(t, tt.client, tt.url)
		if got := viewOf(t, err); got != want {
			t.Errorf("%s: users see %+v, want %+v", name, got, want)
		}
		if got := ReasonOf(err); got != tt.want {
			t.Errorf("%s: reason %q, want %q (%v)", name, got, tt.want, err)
		}
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	c := newClient(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Get(ctx, Request{URL: s.URL})
	wantReason(t, err, ReasonCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap context.Canceled", err)
	}
}

func TestLimitsOfARequestOnlyTighten(t *testing.T) {
	s := respond(t, strings.Repeat("x", 100))
	c := newClient(t, open, withLimits(Limits{MaxBody: 100}))
	for limit, ok := range map[int64]bool{0: true, 99: false, 100: true, 1 << 40: true} {
		_, err := c.Get(t.Context(), Request{URL: s.URL, MaxBody: limit})
		if (err == nil) != ok {
			t.Errorf("MaxBody %d: %v", limit, err)
		}
	}
	_, err := newClient(t, open, withLimits(Limits{MaxBody: 99})).Get(t.Context(), Request{URL: s.URL, MaxBody: 200})
	wantReason(t, err, ReasonTooLarge)
}

func TestNewRefusesWhatCannotBeUsed(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no user agent":   {},
		"two lines":       {UserAgent: "a\r\nb"},
		"negative limit":  {UserAgent: "a", Limits: Limits{Total: -1}},
		"invalid network": {UserAgent: "a", Policy: Policy{AllowedNetworks: make([]netip.Prefix, 1)}},
		"origin":          {UserAgent: "a", Policy: Policy{TrustedOrigins: []string{"127.0.0.1:8001"}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Case 2: the default resolver is that of Go, in every build.
func TestCase02DefaultResolver(t *testing.T) {
	cfg, err := Config{UserAgent: testAgent}.withDefaults()
	if err != nil || !cfg.Resolver.PreferGo {
		t.Errorf("resolver %+v, %v", cfg.Resolver, err)
	}
	if want := []uint16{80, 443}; !slices.Equal(cfg.Policy.AllowedPorts, want) {
		t.Errorf("ports %v, want %v", cfg.Policy.AllowedPorts, want)
	}
}
