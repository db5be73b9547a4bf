package outbound

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const ok = "HTTP/1.1 200 OK\r\n"

// hostile limits are short, because each test waits for one of them. Total is
// longer than the others, so that it is seen which one ends the request.
func hostileLimits() Limits {
	return Limits{
		MaxBody: 64 << 10, Total: 2 * time.Second, Dial: 300 * time.Millisecond,
		TLS: 300 * time.Millisecond, Header: 300 * time.Millisecond,
	}
}

type hostileServer struct {
	script script
	want   Reason
}

// hostileServers are servers that do what no server should, under the names
// of the shared list, and the reason for which each must fail. An empty
// reason means that the answer is harmless and is taken.
func hostileServers() map[string]hostileServer {
	return map[string]hostileServer{
		"drip-body-1B-100ms":          {drip(ok+"Content-Length: 50000\r\n\r\n", "x"), ReasonTimeout},                            // case 14
		"drip-headers":                {drip(ok, "X-A: b\r\n"), ReasonTimeout},                                                   // case 14
		"accept-never-answer":         {hold, ReasonTimeout},                                                                     // case 15
		"endless-body":                {flood(ok+"\r\n", strings.Repeat("x", 4096)), ReasonTooLarge},                             // case 16
		"endless-chunked":             {flood(ok+"Transfer-Encoding: chunked\r\n\r\n", "4\r\nabcd\r\n"), ReasonTooLarge},         // case 16
		"announced-too-large":         {answer(ok + "Content-Length: 99999999999\r\n\r\nx"), ReasonTooLarge},                     // case 16
		"endless-headers":             {flood(ok, "X-A: "+strings.Repeat("b", 1000)+"\r\n"), ReasonTooLarge},                     // case 17
		"one-endless-header":          {flood(ok+"X-A: ", strings.Repeat("b", 1000)), ReasonTooLarge},                            // case 17
		"endless-status-line":         {flood("HTTP/1.1 200 ", strings.Repeat("b", 1000)), ReasonTooLarge},                       // case 17
		"set-cookie-10MB":             {answer(ok + headers("Set-Cookie: a=", 10<<20) + "\r\n"), ReasonTooLarge},                 // case 17
		"1xx-flood-100k":              {flood("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), ReasonTooLarge},             // bounded as headers
		"chunk-ext-flood":             {flood(ok+chunkedHead, "1;"+strings.Repeat("e", 2000)+"\r\nx\r\n"), ReasonProtocol},       // refused by net/http
		"truncated-cl":                {answer(ok + "Etag: \"1\"\r\nContent-Length: 100\r\n\r\nabc"), ReasonTruncated},           // case 20
		"truncated-chunked":           {answer(ok + chunkedHead + "5\r\nabc"), ReasonTruncated},                                  // case 20
		"unfinished-chunked":          {answer(ok + chunkedHead + "3\r\nabc\r\n"), ReasonTruncated},                              // case 20
		"truncated-headers":           {answer(ok + "Content-Type: te"), ReasonTruncated},                                        // case 20
		"instant-close":               {answer(""), ReasonTruncated},                                                             // nothing at all
		"rst-mid-body":                {reset(ok + "Content-Length: 100\r\n\r\nabc"), ReasonTruncated},                           //
		"dup-content-length":          {answer(ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), ReasonProtocol},        //
		"negative-content-length":     {answer(ok + "Content-Length: -1\r\n\r\nabc"), ReasonProtocol},                            //
		"cl-and-te":                   {answer(ok + "Content-Length: 9\r\n" + chunkedHead + "3\r\nabc\r\n0\r\n\r\n"), ""},        // read as chunked
		"http09":                      {answer("<rss/>"), ReasonProtocol},                                                        //
		"not-http":                    {answer("SSH-2.0-OpenSSH_9.9\r\n"), ReasonProtocol},                                       //
		"switching-protocols":         {answer("HTTP/1.1 101 Switching Protocols\r\n\r\nabc"), ReasonProtocol},                   // never asked for
		"double-gzip":                 {answer(ok + "Content-Encoding: gzip, gzip\r\n\r\nabc"), ReasonEncoding},                  // case 19
		"double-gzip-lines":           {answer(ok + "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"), ReasonEncoding}, // case 19
		"brotli-or-zstd-unasked":      {answer(ok + "Content-Encoding: br\r\n\r\nabc"), ReasonEncoding},                          // case 19
		"deflate-unasked":             {answer(ok + "Content-Encoding: deflate\r\n\r\nabc"), ReasonEncoding},                     // case 19
		"redirect-1MB-location":       {answer(redirectTo("http://example.org/" + strings.Repeat("a", 1<<20))), ReasonTooLarge},  // case 9: over the header limit already
		"redirect-to-private":         {answer(redirectTo("http://169.254.169.254/")), ReasonBlocked},                            // case 5
		"redirect-to-port-25":         {answer(redirectTo("http://8.8.4.4:25/")), ReasonBlocked},                                 // case 10
		"redirect-to-file":            {answer(redirectTo("file:///etc/passwd")), ReasonRedirect},                                // case 6
		"redirect-to-gopher-ftp-data": {answer(redirectTo("gopher://example.org/")), ReasonRedirect},                             // case 6
		"redirect-userinfo":           {answer(redirectTo("http://u:hunter2@example.org/")), ReasonRedirect},                     // case 11
		"redirect-loop":               {answer(redirectTo("/")), ReasonRedirect},                                                 // case 7
		"content-type-lies":           {answer(ok + "Content-Type: application/json\r\nContent-Length: 6\r\n\r\n<rss/>"), ""},    // the parser's to sniff
		"www-authenticate-401":        {answer("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"), ""},
		"etag-1MB":                    {answer(ok + headers("Etag: ", 60<<10) + "Content-Length: 0\r\n\r\n"), ""}, // Validators drops it
		"etag-crlf":                   {answer(ok + "Etag: \"a\x01b\"\r\nContent-Length: 0\r\n\r\n"), ReasonProtocol},
	}
}

const chunkedHead = "Transfer-Encoding: chunked\r\n\r\n"

func headers(prefix string, size int) string { return prefix + strings.Repeat("x", size) + "\r\n" }

func redirectTo(location string) string {
	return "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"
}

// reset writes text and then drops the connection without a farewell.
func reset(text string) script {
	return func(conn net.Conn, done <-chan struct{}) {
		answer(text)(conn, done)
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
}

// Cases 14 to 17, 19 and 20: each hostile server fails in its way, and in
// time, and leaves nothing behind that could be stored.
func TestHostileServers(t *testing.T) {
	for name, server := range hostileServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, open, withLimits(hostileLimits()))
			start := time.Now()
			resp, err := get(t, c, rawServer(t, server.script))
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %s", d)
			}
			if server.want == "" {
				if err != nil {
					t.Fatalf("harmless, but: %v", err)
				}
				return
			}
			wantReason(t, err, server.want)
			if resp != nil {
				t.Errorf("an answer beside the error, which could be stored: %+v", resp)
			}
			if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%d bytes for the log: %.700q", len(err.Error()), err)
			}
		})
	}
}

// The shared list of hostile behaviours is covered: here, by a test of its
// own, or by the package that uses the answer.
func TestHostileListIsCovered(t *testing.T) {
	var list []struct{ Name, Server, Expect string }
	if err := json.Unmarshal(shared(t, "vectors/hostile-http/cases.json"), &list); err != nil {
		t.Fatal(err)
	}
	elsewhere := map[string]string{
		"tls-handshake-stall":           "TestCase15TLSStall",
		"syn-blackhole":                 "TestCase15DroppedSYN",
		"gzip-bomb-64MiB":               "TestCase18GzipBomb",
		"gzip-truncated":                "TestCase20TruncatedGzip",
		"redirect-chain-6":              "TestCase07RedirectLimit",
		"redirect-https-to-http":        "TestCase08Downgrade",
		"redirect-cross-host-with-auth": "TestCase08CredentialsStayHome",
		"redirect-308-permanent":        "TestPermanentURL",
		"retry-after-1e9":               "TestCase21RetryAfter",
		"retry-after-garbage":           "TestCase21RetryAfter",
		"cache-max-age-huge":            "TestCase21Freshness",
		"100k-dns-answers":              "TestManyRecordsAreBounded",
		"dns-rebind":                    "TestCase03Rebinding",
		"dns-mixed":                     "TestCase04MixedRecords",
		"dns-slow":                      "TestSlowDNSEndsAtTheDeadline",
		"proxy-env":                     "TestCase12ProxyIsIgnored",
	}
	servers := hostileServers()
	for _, c := range list {
		if _, here := servers[c.Name]; !here && elsewhere[c.Name] == "" {
			t.Errorf("%s: %s: no test", c.Name, c.Server)
		}
	}
}

// Case 14: the total time covers all hops together.
func TestCase14TotalCoversRedirects(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		chain(w, r)
	})
	c := newClient(t, open, withLimits(Limits{Total: 250 * time.Millisecond}))
	_, err := get(t, c, s.URL+"/5")
	wantReason(t, err, ReasonTimeout)
	if resp := mustGet(t, c, s.URL+"/0"); string(resp.Body) != "arrived" {
		t.Errorf("got %q", resp.Body)
	}
}

// Case 14: a deadline of the caller or of the request counts as well.
func TestCase14ShorterDeadlines(t *testing.T) {
	c := newClient(t, open)
	target := rawServer(t, hold)
	_, err := c.Get(t.Context(), Request{URL: target, Timeout: 50 * time.Millisecond})
	wantReason(t, err, ReasonTimeout)
}

// Case 15: a server that accepts and never shakes hands.
func TestCase15TLSStall(t *testing.T) {
	c := newClient(t, open, withLimits(hostileLimits()))
	start := time.Now()
	_, err := get(t, c, strings.Replace(rawServer(t, hold), "http:", "https:", 1))
	wantReason(t, err, ReasonTimeout)
	if d := time.Since(start); d > 1500*time.Millisecond {
		t.Errorf("the handshake was given %s", d)
	}
}

// Case 15: a stalled host holds no more than its own connections. Requests
// that wait for one of them end in time, too, and others go on.
func TestCase15StalledHostHoldsNobodyElse(t *testing.T) {
	limits := hostileLimits()
	limits.ConnsPerHost = 1
	limits.Total = 400 * time.Millisecond
	limits.Header = time.Minute
	c := newClient(t, open, withLimits(limits))
	stalled := rawServer(t, hold)
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := c.Get(t.Context(), Request{URL: stalled})
			errs <- err
		}()
	}
	if resp := mustGet(t, c, respond(t, "ok").URL); string(resp.Body) != "ok" {
		t.Errorf("got %q", resp.Body)
	}
	for range 3 {
		// Unreachable: one that got its turn in the last moment.
		wantReason(t, <-errs, ReasonTimeout, ReasonUnreachable)
	}
}

// Case 15: silence after the request is ended by the header time-out, long
// before the total.
func TestCase15HeaderTimeout(t *testing.T) {
	c := newClient(t, open, withLimits(Limits{Header: 200 * time.Millisecond}))
	start := time.Now()
	_, err := get(t, c, rawServer(t, hold))
	wantReason(t, err, ReasonTimeout)
	if d := time.Since(start); d > DefaultTotal/2 {
		t.Errorf("took %s", d)
	}
}

// A host gets no more connections at once than the limit, whatever waits.
func TestConnectionsPerHostAreBounded(t *testing.T) {
	const limit, requests = 2, 6
	entered, leave := make(chan struct{}, requests), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "ok")
	})
	c := newClient(t, open, withLimits(Limits{ConnsPerHost: limit}))
	errs := make(chan error, requests)
	for range requests {
		go func() {
			_, err := c.Get(t.Context(), Request{URL: s.URL})
			errs <- err
		}()
	}
	for range limit {
		<-entered
	}
	select {
	case <-entered:
		t.Errorf("more than %d requests at once", limit)
	case <-time.After(200 * time.Millisecond): // nothing tells that nobody comes
	}
	close(leave)
	for range requests {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Case 17 over HTTP/2, and what stays under the limit over both.
func TestCase17HeaderLimit(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%t", h2), func(t *testing.T) {
			var size int
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if (r.ProtoMajor == 2) != h2 {
					t.Errorf("protocol %s", r.Proto)
				}
				for i := range size >> 10 {
					w.Header().Set(fmt.Sprintf("X-Pad-%d", i), strings.Repeat("x", 1000))
				}
				_, _ = io.WriteString(w, "ok")
			}))
			s.EnableHTTP2 = h2
			s.StartTLS()
			defer s.Close()
			c := newClient(t, open, trustCertificate(s))
			size = 40 << 10
			if resp := mustGet(t, c, s.URL); string(resp.Body) != "ok" {
				t.Errorf("got %q", resp.Body)
			}
			for _, size = range []int{80 << 10, 9 << 20} {
				_, err := get(t, c, s.URL)
				if h2 { // net/http may end the whole connection instead
					wantReason(t, err, ReasonTooLarge, ReasonProtocol)
					continue
				}
				wantReason(t, err, ReasonTooLarge)
			}
		})
	}
}

// TLS is verified, and old versions are refused.
func TestTLS(t *testing.T) {
	start := func(version uint16) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	good, old := start(tls.VersionTLS12), start(tls.VersionTLS11)
	if resp := mustGet(t, newClient(t, open, trustCertificate(good)), good.URL); string(resp.Body) != "ok" {
		t.Errorf("got %q", resp.Body)
	}
	_, err := get(t, newClient(t, open), good.URL)
	wantReason(t, err, ReasonTLS)
	_, err = get(t, newClient(t, open, trustCertificate(old)), old.URL)
	wantReason(t, err, ReasonTLS)

	dns := zone(map[string][]string{"wrong.test": {"127.0.0.1"}})
	_, err = get(t, newClient(t, open, trustCertificate(good), withDNS(dns)), "https://wrong.test:"+portOfServer(t, good.URL)+"/")
	wantReason(t, err, ReasonTLS)

	plain := strings.Replace(respond(t, "ok").URL, "http:", "https:", 1)
	_, err = get(t, newClient(t, open), plain)
	wantReason(t, err, ReasonTLS)
}

// Kept-alive connections are used again, and one that broke meanwhile is
// replaced without an error.
func TestConnectionsAreReused(t *testing.T) {
	conns := make(map[string]bool)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conns[r.RemoteAddr] = true
		_, _ = io.WriteString(w, "ok")
	})
	c := newClient(t, open)
	for range 3 {
		mustGet(t, c, s.URL)
	}
	if len(conns) != 1 {
		t.Errorf("%d connections for three requests", len(conns))
	}
	s.CloseClientConnections()
	mustGet(t, c, s.URL)
	s.Close()
	_, err := get(t, c, s.URL)
	wantReason(t, err, ReasonUnreachable)
}
