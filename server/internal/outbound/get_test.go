package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
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

// Case 5: a redirect to the metadata service, by address and by name.
func TestCase05RedirectToMetadata(t *testing.T) {
	dns := zone(map[string][]string{"metadata.example": {"169.254.169.254"}})
	c := newClient(t, open, withDNS(dns))
	for _, to := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://metadata.example/", "http://[fd00:ec2::254]/",
		"http://[::ffff:169.254.169.254]/", "//169.254.169.254/", "http://127.0.0.2/", "https://10.0.0.1/",
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		start := time.Now()
		_, err := get(t, c, s.URL)
		wantReason(t, err, ReasonBlocked)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s: took %s, as if something had been dialled", to, d)
		}
	}
}

// Cases 6, 9, 10 and 11: redirects to where no request may go.
func TestCase06RedirectRefused(t *testing.T) {
	c := newClient(t, open)
	for name, to := range map[string]string{
		"case 6: file":        "file:///etc/passwd",
		"case 6: gopher":      "gopher://example.org/",
		"case 6: ftp":         "ftp://example.org/",
		"case 6: data":        "data:text/xml,<rss/>",
		"case 6: feed":        "feed:http://example.org/",
		"case 9: too long":    "/" + strings.Repeat("a", MaxURLBytes),
		"case 11: userinfo":   "http://user:hunter2@example.org/",
		"case 2: hexadecimal": "http://0x7f.1/",
		"absent":              "",
		"no host":             "http:///a",
		"not a URL":           "http://hunter2:hunter2/",
		"bad punycode":        "http://xn--/",
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if to != "" {
				w.Header().Set("Location", to)
			}
			w.WriteHeader(http.StatusMovedPermanently)
		})
		_, err := get(t, c, s.URL)
		if ReasonOf(err) != ReasonRedirect || !kgl.Is(err, kgl.CodeFetchFailed) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the log repeats the password: %v", name, err)
		}
	}
}

// A header that net/http refuses is quoted in its error, password and all.
func TestCase11BrokenLocationIsNotLogged(t *testing.T) {
	c := newClient(t, open)
	for _, head := range []string{
		"HTTP/1.1 302 Found\r\nLocation: http://user:hunter2@example.org/\x01\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://user:hunter2@example.org/%zz\r\n\r\n",
		"hunter2 is no status line\r\n\r\n",
	} {
		_, err := get(t, c, rawServer(t, answer(head)))
		wantReason(t, err, ReasonProtocol, ReasonRedirect)
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "hunter2") {
				t.Errorf("the log repeats what the server sent: %v", e)
			}
		}
	}
}

// chain answers /n with a redirect to /n-1, and /0 with a body.
func chain(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if n == 0 {
		_, _ = io.WriteString(w, "arrived")
		return
	}
	w.Header().Set("Location", strconv.Itoa(n-1))
	w.WriteHeader(http.StatusFound)
}

// Case 7: five hops are followed, the sixth is not; nor does a loop go on.
func TestCase07RedirectLimit(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		chain(w, r)
	})
	c := newClient(t, open)
	resp := mustGet(t, c, s.URL+"/5")
	if string(resp.Body) != "arrived" || len(resp.Redirects) != 5 || resp.FinalURL != s.URL+"/0" {
		t.Errorf("five hops: %+v", resp)
	}
	if want := (Redirect{Status: 302, From: s.URL + "/5", To: s.URL + "/4"}); resp.Redirects[0] != want {
		t.Errorf("first hop: %+v", resp.Redirects[0])
	}
	for _, path := range []string{"/6", "/loop"} {
		requests.Store(0)
		_, err := get(t, c, s.URL+path)
		wantReason(t, err, ReasonRedirect)
		if n := requests.Load(); n != 6 {
			t.Errorf("%s: %d requests, want the first and five hops", path, n)
		}
	}
	none := newClient(t, open, withLimits(Limits{MaxRedirects: -1}))
	_, err := get(t, none, s.URL+"/1")
	wantReason(t, err, ReasonRedirect)
}

// Case 8: across hosts only headers that are known to be harmless go along.
func TestCase08CredentialsStayHome(t *testing.T) {
	var seen []http.Header
	record := func(w http.ResponseWriter, r *http.Request) { seen = append(seen, r.Header.Clone()) }
	other := serve(t, record)
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		record(w, r)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/leave", http.StatusFound)
		case "/leave":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}
	})
	_, err := newClient(t, open).Get(t.Context(), Request{URL: home.URL + "/same", Accept: "text/xml", Header: http.Header{
		"Authorization": {"Basic c2VjcmV0"}, "X-Api-Key": {"secret"}, "If-None-Match": {`"v1"`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 {
		t.Fatalf("%d requests, want 3", len(seen))
	}
	if seen[1].Get("Authorization") == "" || seen[1].Get("X-Api-Key") == "" {
		t.Error("credentials were dropped within one origin")
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "Referer"} {
		if v := seen[2].Get(name); v != "" {
			t.Errorf("%s %q went to another host", name, v)
		}
	}
	if seen[2].Get("If-None-Match") == "" || seen[2].Get("Accept") != "text/xml" || seen[2].Get("User-Agent") != testAgent {
		t.Errorf("harmless headers are missing: %v", seen[2])
	}
	if seen[1].Get("Cookie") != "" {
		t.Error("a cookie was kept")
	}
}

// Case 8: from https to http is another origin, even on the same host. The
// downgrade itself is visible in Redirects.
func TestCase08Downgrade(t *testing.T) {
	var authorization string
	plain := serve(t, func(_ http.ResponseWriter, r *http.Request) { authorization = r.Header.Get("Authorization") })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusMovedPermanently))
	defer secure.Close()
	c := newClient(t, open, trustCertificate(secure))
	resp, err := c.Get(t.Context(), Request{URL: secure.URL, Header: http.Header{"Authorization": {"Bearer x"}}})
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		t.Error("credentials went from https to http")
	}
	if len(resp.Redirects) != 1 || !strings.HasPrefix(resp.Redirects[0].From, "https:") || !strings.HasPrefix(resp.Redirects[0].To, "http:") {
		t.Errorf("redirects: %+v", resp.Redirects)
	}
}

func TestPermanentURL(t *testing.T) {
	hops := func(statuses ...int) *Response {
		r := &Response{}
		for i, s := range statuses {
			r.Redirects = append(r.Redirects, Redirect{Status: s, To: strconv.Itoa(i)})
		}
		return r
	}
	for _, tt := range []struct {
		resp *Response
		want string
	}{
		{hops(), ""},
		{hops(302), ""},
		{hops(302, 301), ""},
		{hops(301), "0"},
		{hops(308, 301), "1"},
		{hops(301, 307, 301), "0"},
	} {
		if got := tt.resp.PermanentURL(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.resp.Redirects, got, tt.want)
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
