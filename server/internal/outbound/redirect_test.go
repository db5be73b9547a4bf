package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

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
