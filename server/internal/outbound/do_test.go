package outbound

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestDo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("X-Seen", r.Method+" "+r.Header.Get("User-Agent")+r.Header.Get("Cookie")+r.Header.Get("Accept-Encoding"))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})
	req := newRequest(t, http.MethodPost, s.URL, "payload")
	req.AddCookie(&http.Cookie{Name: "secret", Value: "x"})
	resp, err := newClient(t, open).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "payload" || resp.StatusCode != http.StatusCreated || resp.Request != req {
		t.Errorf("got %d %q, %v", resp.StatusCode, body, err)
	}
	if got := resp.Header.Get("X-Seen"); got != "POST "+testAgent {
		t.Errorf("the server saw %q", got)
	}
	if resp.Header.Get("Set-Cookie") != "" {
		t.Error("a cookie came through")
	}
	if len(req.Cookies()) != 1 {
		t.Error("the caller's request was changed")
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
	})
	c := newClient(t, open)
	for name, do := range map[string]func(*http.Request) (*http.Response, error){"Do": c.Do, "HTTPClient": c.HTTPClient().Do} {
		resp, err := do(newRequest(t, http.MethodGet, s.URL, ""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusFound {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
}

// Case 13: every way out is under the same policy.
func TestCase13OnePolicy(t *testing.T) {
	c := newClient(t, withDNS(zone(map[string][]string{"internal.example": {"10.0.0.1"}})))
	ways := map[string]func(string) error{
		"Get": func(target string) error {
			_, err := c.Get(t.Context(), Request{URL: target})
			return err
		},
		"Do": func(target string) error {
			resp, err := c.Do(newRequest(t, http.MethodPost, target, "x"))
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		},
		"HTTPClient": func(target string) error {
			resp, err := c.HTTPClient().Do(newRequest(t, http.MethodPost, target, "x"))
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		},
	}
	for name, send := range ways {
		for target, want := range map[string]Reason{
			"http://127.0.0.1/": ReasonBlocked, "http://localhost/": ReasonBlocked, "http://internal.example/": ReasonBlocked,
			"http://[::ffff:10.0.0.1]/": ReasonBlocked, "http://8.8.4.4:22/": ReasonBlocked,
			"http://2130706433/": "", "http://u:p@example.org/": "", "ftp://example.org/": "",
		} {
			err := send(target)
			if err == nil || ReasonOf(err) != want {
				t.Errorf("%s %s: %v, want reason %q", name, target, err, want)
			}
			if code := kgl.ErrorCode(err); want == "" && code != kgl.CodeInvalid {
				t.Errorf("%s %s: code %q", name, target, code)
			}
		}
	}
}

// Case 13: a trusted peer is reached by its exact origin, and by nothing else.
func TestCase13TrustedOrigins(t *testing.T) {
	var peerVisits atomic.Int32
	peer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peerVisits.Add(1)
		if r.URL.Path == "/self" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "peer")
	})
	var to string
	second := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	other := respond(t, "other")
	port := portOfServer(t, peer.URL)
	dns := zone(map[string][]string{"peer.internal": {"127.0.0.1"}, "alias.example": {"127.0.0.1"}})
	c := newClient(t, withDNS(dns), func(cfg *Config) {
		cfg.Policy.TrustedOrigins = []string{peer.URL, second.URL, "http://peer.internal:" + port}
	})
	for _, target := range []string{peer.URL, peer.URL + "/self", "http://peer.internal:" + port + "/", "http://PEER.internal:" + port} {
		if resp := mustGet(t, c, target); string(resp.Body) != "peer" {
			t.Errorf("%s: %q", target, resp.Body)
		}
	}
	resp, err := c.Do(newRequest(t, http.MethodPost, peer.URL, "x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()

	visits := peerVisits.Load()
	for _, target := range []string{
		other.URL, "http://alias.example:" + port + "/", strings.Replace(peer.URL, "http:", "https:", 1), "http://127.0.0.2:" + port + "/",
		"http://peer.internal/",
	} {
		_, err := get(t, c, target)
		if ReasonOf(err) != ReasonBlocked {
			t.Errorf("%s: %v", target, err)
		}
	}
	for _, to = range []string{peer.URL, "http://peer.internal:" + port + "/", other.URL} {
		_, err := get(t, c, second.URL)
		if ReasonOf(err) != ReasonBlocked {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	if peerVisits.Load() != visits {
		t.Error("the peer was reached by a way that is not trusted")
	}
}

// Cases 14, 16, 19 and 20 for streamed bodies: the errors come while reading.
func TestDoBodies(t *testing.T) {
	c := newClient(t, open, withLimits(Limits{MaxBody: 1000, Total: 300 * time.Millisecond, Header: 200 * time.Millisecond}))
	exact := strings.Repeat("x", 1000)
	for name, tt := range map[string]struct {
		script script
		want   Reason
		got    string
	}{
		"exactly the limit": {answer(ok + "\r\n" + exact), "", exact},
		"one too many":      {answer(ok + "\r\n" + exact + "y"), ReasonTooLarge, exact},
		"announced":         {answer(ok + "Content-Length: 1001\r\n\r\n" + exact + "y"), ReasonTooLarge, ""},
		"truncated":         {answer(ok + "Content-Length: 10\r\n\r\nabc"), ReasonTruncated, "abc"},
		"gzip":              {answer(ok + "Content-Encoding: gzip\r\n\r\nabc"), ReasonEncoding, ""},
		"upgrade":           {answer("HTTP/1.1 101 Switching Protocols\r\n\r\nabc"), ReasonProtocol, ""},
		"drip":              {drip(ok+"\r\n", "x"), ReasonTimeout, "*"},
		"no answer":         {hold, ReasonTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []byte
			resp, err := c.Do(newRequest(t, http.MethodGet, rawServer(t, tt.script), ""))
			if err == nil {
				got, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if tt.want != "" {
				wantReason(t, err, tt.want)
			} else if err != nil {
				t.Fatal(err)
			}
			if tt.got != "*" && string(got) != tt.got {
				t.Errorf("read %d bytes, want %d", len(got), len(tt.got))
			}
		})
	}
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

func TestDoClosesTheRequestBody(t *testing.T) {
	body := &closeCounter{Reader: strings.NewReader("x")}
	req := newRequest(t, http.MethodPost, "http://10.0.0.1/", "")
	req.Body = body
	if _, err := newClient(t).Do(req); ReasonOf(err) != ReasonBlocked {
		t.Errorf("got %v", err)
	}
	if body.closed != 1 {
		t.Errorf("closed %d times", body.closed)
	}
	if _, err := newClient(t).Do(&http.Request{}); !kgl.Is(err, kgl.CodeInvalid) {
		t.Errorf("no URL: %v", err)
	}
}

func TestFailureText(t *testing.T) {
	long := &Failure{Reason: ReasonProtocol, Host: "example.org", Err: errors.New("a\r\nb\x1b[31m" + strings.Repeat("ü", 500))}
	if text := long.Error(); len(text) > 400 || strings.ContainsAny(text, "\r\n\x1b") {
		t.Errorf("%q", text)
	}
	if text := (&Failure{Reason: ReasonDNS, Host: "example.org"}).Error(); text != "dns (host example.org)" {
		t.Errorf("%q", text)
	}
	if ReasonOf(errors.New("other")) != "" || ReasonOf(nil) != "" {
		t.Error("a reason without a request")
	}
}

func TestUserAgent(t *testing.T) {
	for want, got := range map[string]string{
		"KGL-Backend/1.2.0 (+https://example.org)": UserAgent("1.2.0", "https://example.org"),
		"KGL-Backend/1.2.0":                        UserAgent("1.2.0", ""),
		"KGL-Backend/dev":                          UserAgent("", ""),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
