package outbound

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ledger records the headers that servers were sent.
type ledger struct {
	mu   sync.Mutex
	seen []http.Header
}

func (l *ledger) note(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, r.Header.Clone())
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func sourceCredentials() Credentials {
	return Credentials{
		Header: http.Header{"x-api-key": {"k3y"}, "Accept-Language": {"tlh"}, "Accept": {"text/plain"}},
		User:   "reader", Password: "pässword",
	}
}

func TestCredentialsAreSent(t *testing.T) {
	var seen http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() })
	request := Request{URL: s.URL, Accept: "text/xml", Header: Conditional(`"v1"`, ""), Credentials: sourceCredentials()}
	if _, err := newClient(t, open).Get(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept": {"text/plain"}, "Accept-Encoding": {"gzip"}, "Accept-Language": {"tlh"}, "User-Agent": {testAgent},
		"If-None-Match": {`"v1"`}, "X-Api-Key": {"k3y"}, "Authorization": {basic("reader", "pässword")},
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the server saw %v, want %v", seen, want)
	}
	if fmt.Sprint(request.Credentials.Header) != fmt.Sprint(sourceCredentials().Header) {
		t.Error("the caller's headers were changed")
	}
}

// Case 8: the credentials of a source stay with its host: another host,
// another port and plain HTTP do not get them, nor does the first host when
// the way leads back to it through another.
func TestCase08SourceCredentialsStayHome(t *testing.T) {
	var home, other *httptest.Server
	books := map[string]*ledger{"home": {}, "other": {}}
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		books["home"].note(r)
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/within", http.StatusMovedPermanently)
		case "/within":
			http.Redirect(w, r, other.URL+"/away", http.StatusFound)
		}
	})
	other = serve(t, func(w http.ResponseWriter, r *http.Request) {
		books["other"].note(r)
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	})
	resp, err := newClient(t, open).Get(t.Context(), Request{URL: home.URL, Accept: "text/xml", Credentials: sourceCredentials()})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Redirects) != 3 || len(books["home"].seen) != 3 || len(books["other"].seen) != 1 {
		t.Fatalf("%d hops, home %d, other %d", len(resp.Redirects), len(books["home"].seen), len(books["other"].seen))
	}
	for i, h := range append(books["home"].seen[:2:2], books["other"].seen[0], books["home"].seen[2]) {
		sent := h.Get("X-Api-Key") != "" && h.Get("Authorization") != "" && h.Get("Accept") == "text/plain"
		kept := h.Get("X-Api-Key") != "" || h.Get("Authorization") != "" || h.Get("Accept-Language") != "" || h.Get("Accept") != "text/xml"
		if i < 2 && !sent || i >= 2 && kept {
			t.Errorf("request %d: %v", i+1, h)
		}
	}
}

// Case 8: which origins may see what another one may.
func TestCase08KeepCredentials(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		keep     bool
	}{
		{"http://a.example/x", "http://a.example/y", true},
		{"http://a.example/", "http://a.example:80/", true},
		{"http://a.example/", "https://a.example/", true},
		{"http://A.example:80/", "https://a.example:443/", true},
		{"https://a.example/", "http://a.example/", false},
		{"http://a.example/", "https://a.example:8443/", false},
		{"http://a.example:8080/", "https://a.example/", false},
		{"http://a.example:8080/", "https://a.example:8080/", false},
		{"https://a.example/", "https://a.example:444/", false},
		{"https://a.example/", "https://b.example/", false},
		{"https://a.example/", "https://www.a.example/", false},
		{"https://www.a.example/", "https://a.example/", false},
		{"http://a.example/", "https://www.a.example/", false},
		{"https://a.example/", "https://a.example.evil.test/", false},
	} {
		from, err := parseURL(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := parseURL(tt.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := keepCredentials(originOf(from), originOf(to)); got != tt.keep {
			t.Errorf("%s to %s: kept=%t, want %t", tt.from, tt.to, got, tt.keep)
		}
	}
}

// Case 8: over the network, from http to https on one host. The ports of a
// test are not the default ones, so the transport is told where they lie.
func TestCase08UpgradeKeepsCredentials(t *testing.T) {
	plain, secure := &ledger{}, &ledger{}
	upgraded := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure.note(r)
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://source.example/plain", http.StatusFound)
		}
	}))
	defer upgraded.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		plain.note(r)
		if r.URL.Path == "/" {
			http.Redirect(w, r, "https://source.example/down", http.StatusMovedPermanently)
		}
	})
	c := newClient(t, open, trustCertificate(upgraded), withDNS(zone(map[string][]string{"source.example": {"127.0.0.1"}})))
	c.transport.TLSClientConfig.ServerName = "example.com" // the name in the certificate of httptest
	ports := map[string]string{"80": portOfServer(t, s.URL), "443": portOfServer(t, upgraded.URL)}
	redirectPorts(c, ports)
	resp, err := c.Get(t.Context(), Request{URL: "http://source.example/", Credentials: sourceCredentials()})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Redirects) != 2 || len(secure.seen) != 1 || len(plain.seen) != 2 {
		t.Fatalf("%+v", resp.Redirects)
	}
	if secure.seen[0].Get("Authorization") == "" || secure.seen[0].Get("X-Api-Key") == "" {
		t.Error("the upgrade to https lost the credentials")
	}
	if plain.seen[1].Get("Authorization") != "" || plain.seen[1].Get("X-Api-Key") != "" {
		t.Error("credentials went from https to http")
	}
}

func TestCredentialsThatCannotBeSent(t *testing.T) {
	many := make(http.Header)
	for i := range MaxCredentialHeaders + 1 {
		many.Set(fmt.Sprintf("X-%d", i), "v")
	}
	tests := map[string]struct {
		credentials Credentials
		field       string
	}{
		"line break": {Credentials{Header: http.Header{"X-A": {"s3cret\r\nHost: evil"}}}, "headers"},
		"NUL":        {Credentials{Header: http.Header{"X-A": {"s3cret\x00"}}}, "headers"},
		"no value":   {Credentials{Header: http.Header{"X-A": {" "}}}, "headers"},
		"no name":    {Credentials{Header: http.Header{"": {"s3cret"}}}, "headers"},
		"name":       {Credentials{Header: http.Header{"X A": {"s3cret"}}}, "headers"},
		"pseudo":     {Credentials{Header: http.Header{":authority": {"s3cret"}}}, "headers"},
		"too many":   {Credentials{Header: many}, "headers"},
		"too long":   {Credentials{Header: http.Header{"X-A": {strings.Repeat("s3cret", 2000)}}}, "headers"},
		"both ways":  {Credentials{Header: http.Header{"authorization": {"s3cret"}}, User: "u"}, "headers"},
		"colon":      {Credentials{User: "a:b", Password: "s3cret"}, "login"},
		"control":    {Credentials{User: "a", Password: "s3cret\n"}, "login"},
		"long":       {Credentials{User: "a", Password: strings.Repeat("s3cret", 2000)}, "login"},
	}
	for _, name := range []string{
		"Host", "Cookie", "Connection", "Keep-Alive", "Content-Length", "Content-Type", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
		"Accept-Encoding", "Range", "Forwarded", "Via", "Proxy-Authorization", "Proxy-Connection", "proxy-anything", "X-Forwarded-For",
		"x-forwarded-host", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "User-Agent", "If-None-Match", "If-Modified-Since",
		"Expect", "Origin", "Sec-Fetch-Site", "Metadata-Flavor", "Metadata", "X-aws-ec2-metadata-token", "X-HTTP-Method-Override", "HTTP2-Settings",
	} {
		tests[name] = struct {
			credentials Credentials
			field       string
		}{Credentials{Header: http.Header{name: {"s3cret"}}}, "headers"}
	}
	c := newClient(t, open)
	for name, tt := range tests {
		err := tt.credentials.Check("headers", "login")
		if !kgl.Is(err, kgl.CodeInvalid) || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(viewOf(t, err).Message, tt.field+":") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Get(t.Context(), Request{URL: "http://127.0.0.1:1/", Credentials: tt.credentials}); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: sent: %v", name, err)
		}
	}
	for _, good := range []Credentials{
		{}, sourceCredentials(), {User: "token"}, {Password: "only"}, {Header: http.Header{"Authorization": {"Bearer x"}}},
		{Header: http.Header{"Referer": {"https://example.org/"}, "X-Token": {"a", "b"}}},
	} {
		if err := good.Check("headers", "login"); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
}

// Whatever prints credentials prints their names only.
func TestCredentialsAreNeverPrinted(t *testing.T) {
	r := Request{URL: "https://example.org/", Credentials: sourceCredentials()}
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "request", r, "credentials", r.Credentials)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "request", r, "credentials", r.Credentials)
	for _, text := range []string{
		fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", r, r, r, r.Credentials), fmt.Sprintf("%v %+v %#v", &r, &r, &r), string(encoded), log.String(),
	} {
		if strings.Contains(text, "k3y") || strings.Contains(text, "pässword") || strings.Contains(text, "reader") {
			t.Errorf("%s", text)
		}
	}
	if got := r.Credentials.String(); !strings.Contains(got, "x-api-key") || !strings.Contains(got, "basic") {
		t.Errorf("%s does not say what is there", got)
	}
}

// A page of which the beginning is enough is cut, decoded or not, and however
// long it says it is.
func TestCutBody(t *testing.T) {
	c := newClient(t, open, withLimits(Limits{MaxBody: 1000}))
	long := strings.Repeat("x", 1<<20)
	for name, body := range map[string]string{"announced": long, "gzip": string(gz(t, long)), "exact": long[:1000], "short": "x"} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if name == "gzip" {
				w.Header().Set("Content-Encoding", "gzip")
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = io.WriteString(w, body)
		})
		resp, err := c.Get(t.Context(), Request{URL: s.URL, CutBody: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cut := name == "announced" || name == "gzip"
		if want := min(len(long), 1000); cut && len(resp.Body) != want || resp.Cut != cut {
			t.Errorf("%s: %d bytes, cut=%t", name, len(resp.Body), resp.Cut)
		}
	}
	for name, run := range map[string]script{
		"endless":   flood(ok+"\r\n", strings.Repeat("x", 4096)),
		"bomb":      answer(ok + "Content-Encoding: gzip\r\n\r\n" + string(gz(t, strings.Repeat("\x00", 64<<20)))),
		"truncated": answer(ok + "Content-Length: 10\r\n\r\nabc"),
	} {
		resp, err := c.Get(t.Context(), Request{URL: rawServer(t, run), CutBody: true, MaxBody: 500})
		if name == "truncated" {
			wantReason(t, err, ReasonTruncated)
			continue
		}
		if err != nil || !resp.Cut || len(resp.Body) != 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Connections are kept over answers whose short bodies nobody reads.
func TestKeepAliveOverUnreadBodies(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusFound) // with a body of its own
		case "/missing":
			http.NotFound(w, r)
		default:
			_, _ = io.WriteString(w, "ok")
		}
	})
	c := newClient(t, open)
	for i, path := range []string{"/missing", "/moved", "/", "/missing"} {
		if resp := mustGet(t, c, s.URL+path); resp.Reused != (i > 0) {
			t.Errorf("%s: reused=%t", path, resp.Reused)
		}
	}
	// A long or endless one is not waited for.
	start := time.Now()
	resp := mustGet(t, c, rawServer(t, flood("HTTP/1.1 404 Not Found\r\n\r\n", strings.Repeat("x", 4096))))
	if resp.Status != http.StatusNotFound || time.Since(start) > 2*time.Second {
		t.Errorf("%d after %s", resp.Status, time.Since(start))
	}
}

// redirectPorts makes the dialler of c use other ports, behind the names and
// the policy of the request.
func redirectPorts(c *Client, ports map[string]string) {
	dial := c.transport.DialContext
	c.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		u := url.URL{Host: addr}
		return dial(ctx, network, u.Hostname()+":"+ports[u.Port()])
	}
}
