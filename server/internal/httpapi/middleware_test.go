package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestRefusedRequests(t *testing.T) {
	big := `{"url":"https://e.example/` + strings.Repeat("x", DefaultMaxBodyBytes) + `"}`
	tests := []struct {
		name string
		request
		status int
		code   string
	}{
		{"unknown path", request{path: "/api/v1/nothing"}, 404, "not_found"},
		{"path below an operation", request{path: "/api/v1/relationships/" + testRelationID + "/x"}, 404, "not_found"},
		{"method", request{method: "PUT", path: "/api/v1/sources"}, 405, "method_not_allowed"},
		{"method of a path with an id", request{method: "POST", path: "/api/v1/sources/" + testSourceID}, 405, "method_not_allowed"},
		{"accept", request{path: "/api/v1/sources", header: http.Header{"Accept": {"text/html"}}}, 406, "not_acceptable"},
		{"accept excludes JSON", request{path: "/api/v1/sources", header: http.Header{"Accept": {"application/json;q=0, text/html"}}}, 406, "not_acceptable"},
		{"content type", request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Content-Type": {"text/plain"}}}, 415, "unsupported_media_type"},
		{"no content type", request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Content-Type": nil}}, 415, "unsupported_media_type"},
		{"charset", request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Content-Type": {"application/json; charset=latin1"}}}, 415, "unsupported_media_type"},
		{"content encoding", request{method: "POST", path: "/api/v1/sources", body: "x", header: http.Header{"Content-Encoding": {"gzip"}}}, 415, "unsupported_media_type"},
		{"merge patch", request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"title":"x"}`, header: http.Header{"Content-Type": {"application/merge-patch+json"}}}, 415, "unsupported_media_type"},
		{"large body", request{method: "POST", path: "/api/v1/sources", body: big}, 413, "too_large"},
		{"no body", request{method: "POST", path: "/api/v1/sources"}, 400, "invalid_request"},
		{"unknown id", request{path: "/api/v1/sources/" + testEntityID}, 404, "not_found"},
		{"token in the query", request{path: "/api/v1/sources?access_token=" + adminToken, token: "-"}, 401, "unauthenticated"},
		{"token in the query beside one", request{path: "/api/v1/sources?access_token=" + adminToken}, 400, "invalid_request"},
		{"unknown token", request{path: "/api/v1/sources", token: "nobody"}, 401, "unauthenticated"},
		{"basic", request{path: "/api/v1/sources", header: http.Header{"Authorization": {"Basic YTpi"}}}, 401, "unauthenticated"},
		{"two tokens", request{path: "/api/v1/sources", header: http.Header{"Authorization": {"Bearer " + adminToken, "Bearer " + adminToken}}}, 401, "unauthenticated"},
		{"empty bearer", request{path: "/api/v1/sources", header: http.Header{"Authorization": {"Bearer "}}}, 401, "unauthenticated"},
		{"stale", request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"title":"x"}`, header: http.Header{"If-Match": {`"v2"`}}}, 412, "precondition_failed"},
		{"foreign tag", request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"title":"x"}`, header: http.Header{"If-Match": {`"abc"`}}}, 412, "precondition_failed"},
		{"weak tag", request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"title":"x"}`, header: http.Header{"If-Match": {`W/"v3"`}}}, 412, "precondition_failed"},
		{"wrong password", request{method: "POST", path: "/api/v1/auth/login", token: "-", body: `{"email":"a@b.example","password":"wrong"}`}, 401, "invalid_credentials"},
	}
	h := newHarness(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.send(tt.request)
			if res.Code != tt.status {
				t.Fatalf("status = %d, want %d: %s", res.Code, tt.status, res.Body)
			}
			if p := problemOf(t, res); p.Code != tt.code {
				t.Errorf("code = %s, want %s", p.Code, tt.code)
			}
			if tt.status == 405 && res.Header().Get("Allow") == "" {
				t.Error("no Allow header")
			}
			if tt.status == 401 && !strings.HasPrefix(res.Header().Get("WWW-Authenticate"), "Bearer ") {
				t.Error("no challenge")
			}
		})
	}
	for _, secret := range []string{adminToken, "access_token"} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestChallengeOfInvalidToken(t *testing.T) {
	res := newHarness(t).send(request{path: "/api/v1/sources", token: "nobody"})
	if got := res.Header().Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("challenge = %s", got)
	}
}

func TestAcceptedHeaders(t *testing.T) {
	h := newHarness(t)
	for _, accept := range []string{"", "*/*", "application/*", "application/json", "text/html, */*;q=0.1", "APPLICATION/JSON; charset=utf-8", "not a type, */*"} {
		if res := h.send(request{path: "/api/v1/dashboard", header: http.Header{"Accept": {accept}}}); res.Code != 200 {
			t.Errorf("Accept %q: %d", accept, res.Code)
		}
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		r := request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Content-Type": {contentType}}}
		if res := h.send(r); res.Code != 201 {
			t.Errorf("Content-Type %q: %d", contentType, res.Code)
		}
	}
}

func TestHeadAndOptions(t *testing.T) {
	h := newHarness(t)
	server := httptest.NewServer(h.handler)
	defer server.Close()
	req, err := http.NewRequest(http.MethodHead, server.URL+"/api/v1/sources/"+testSourceID, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("ETag") == "" || res.ContentLength < 100 {
		t.Errorf("HEAD = %d, ETag %q, length %d", res.StatusCode, res.Header.Get("ETag"), res.ContentLength)
	}
	options := h.raw(request{method: http.MethodOptions, path: "/api/v1/sources", token: "-"})
	if options.Code != http.StatusNoContent || !strings.Contains(options.Header().Get("Allow"), "POST") {
		t.Errorf("OPTIONS = %d, Allow %q", options.Code, options.Header().Get("Allow"))
	}
}

func TestRequestID(t *testing.T) {
	h := newHarness(t)
	for sent, kept := range map[string]bool{
		"abc-1_2.3": true, "": false, "with space": false, "line\nbreak": false, "quote\"": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		res := h.send(request{path: "/health", header: http.Header{"X-Request-Id": {sent}}})
		got := res.Header().Get("X-Request-ID")
		if (got == sent) != kept || got == "" {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := newHarness(t)
	for _, r := range []request{{path: "/api/v1/dashboard"}, {path: "/api/v1/nothing"}, {path: "/api/v1/sources", token: "-"}, {path: "/docs"}, {path: "/health"}} {
		res := h.send(r)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := res.Header().Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", r.path, name, got, want)
			}
		}
		policy := res.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy = %q", r.path, policy)
		}
		if strings.Contains(policy, "script-src") != (r.path == "/docs") || strings.Contains(policy, "script-src 'self' 'unsafe") {
			t.Errorf("%s: policy = %q", r.path, policy)
		}
		if res.Header().Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS without TLS", r.path)
		}
	}
	for _, r := range []request{
		{method: "POST", path: "/api/v1/auth/login", body: `{"email":"a@b.example","password":"x"}`, token: "-"},
		{method: "POST", path: "/api/v1/auth/refresh", body: `{"refresh_token":"x"}`, token: "-"},
	} {
		if got := h.send(r).Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q, want no-store", r.path, got)
		}
	}
}

func TestCORS(t *testing.T) {
	const friend = "http://localhost:3000"
	h := newHarness(t, func(d *Deps) { d.Config.AllowedOrigins = []string{friend} })
	for origin, granted := range map[string]bool{
		friend: true, "http://localhost:3001": false, "null": false, "https://localhost:3000": false,
		"http://localhost:3000.evil.example": false, "http://LOCALHOST:3000": false,
	} {
		for _, r := range []request{
			{path: "/api/v1/dashboard", header: http.Header{"Origin": {origin}}},
			{path: "/api/v1/nothing", header: http.Header{"Origin": {origin}}},
			{method: "OPTIONS", path: "/api/v1/sources", token: "-", header: http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}}},
		} {
			res := h.raw(r)
			got := res.Header().Get("Access-Control-Allow-Origin")
			if granted && got != origin || !granted && got != "" {
				t.Errorf("%s %s from %s: grant = %q", r.method, r.path, origin, got)
			}
			if res.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are granted")
			}
			if !strings.Contains(strings.Join(res.Header().Values("Vary"), ","), "Origin") {
				t.Errorf("%s %s: Vary lacks Origin", r.method, r.path)
			}
		}
	}
	for _, bad := range []string{"*", "null", "localhost:3000", "http://localhost:3000/", "ftp://x"} {
		if checkOrigins([]string{bad}) == nil {
			t.Errorf("origin %q is accepted in the configuration", bad)
		}
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name, peer, forwarded, want string
		trusted                     []netip.Prefix
	}{
		{"no proxy", "203.0.113.9:1", "198.51.100.1", "203.0.113.9", nil},
		{"forged past an untrusted peer", "203.0.113.9:1", "198.51.100.1", "203.0.113.9", trusted},
		{"through a proxy", "10.0.0.1:1", "198.51.100.1", "198.51.100.1", trusted},
		{"forged through a proxy", "10.0.0.1:1", "127.0.0.1, 198.51.100.1", "198.51.100.1", trusted},
		{"through two proxies", "10.0.0.1:1", "198.51.100.1, 10.0.0.2", "198.51.100.1", trusted},
		{"rubbish", "10.0.0.1:1", "rubbish", "10.0.0.1", trusted},
		{"mapped", "[::ffff:203.0.113.9]:1", "", "203.0.113.9", nil},
		{"IPv6", "[2001:db8::1%eth0]:1", "", "2001:db8::1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{cfg: Config{TrustedProxies: tt.trusted}}
			req := httptest.NewRequest("GET", "/", nil)
			req.RemoteAddr = tt.peer
			if tt.forwarded != "" {
				req.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			if got := s.clientAddress(req); got != tt.want {
				t.Errorf("address = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRefusalsAreAuditedWithinBounds(t *testing.T) {
	h := newHarness(t)
	for range refusalsPerWindow + 5 {
		h.send(request{path: "/api/v1/sources", token: "-"})
	}
	if got := len(h.reports.audit); got != refusalsPerWindow {
		t.Errorf("%d audit rows, want %d", got, refusalsPerWindow)
	}
	h.clock.Advance(refusalWindow)
	h.send(request{path: "/api/v1/users", token: "role:user"})
	if got := len(h.reports.audit); got != refusalsPerWindow+1 {
		t.Fatalf("%d audit rows after the window, want %d", got, refusalsPerWindow+1)
	}
	row := h.reports.audit[refusalsPerWindow]
	if row.Action != "request.refuse" || row.SubjectID != "listUsers" || row.Outcome != kgl.AuditRefused ||
		row.ActorID != testUserID || row.RequestID == "" || string(row.Details) != `{"code":"insufficient_scope"}` {
		t.Errorf("row = %+v", row)
	}
	if h.send(request{path: "/api/v1/sources"}); len(h.reports.audit) != refusalsPerWindow+1 {
		t.Error("a request that was let through is audited as refused")
	}
}

func TestRefusalBudgetCountsNetworks(t *testing.T) {
	b, err := newRefusalBudget()
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i := range 1000 {
		if b.take(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}).String(), testTime) {
			taken++
		}
	}
	if taken != refusalsPerWindow {
		t.Errorf("one /64 got %d rows, want %d", taken, refusalsPerWindow)
	}
	for i := range 5000 {
		if b.take(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), testTime.Add(time.Second)) {
			taken++
		}
	}
	if taken != refusalsTotal {
		t.Errorf("all addresses got %d rows, want %d", taken, refusalsTotal)
	}
}

func TestAccessLog(t *testing.T) {
	h := newHarness(t)
	h.send(request{path: "/api/v1/sources/" + testSourceID, header: http.Header{"X-Request-Id": {"r-1"}}})
	var line map[string]any
	if err := json.Unmarshal(h.log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"request_id": "r-1", "user_id": testUserID, "operation": "getSource", "status": 200.0, "method": "GET", "route": "/api/v1/sources/:source_id",
	} {
		if line[name] != want {
			t.Errorf("%s = %v, want %v", name, line[name], want)
		}
	}
}

func TestLimiter(t *testing.T) {
	refused := kgl.Errorf(kgl.CodeRateLimited, "too many requests")
	refused.RetryAfter = time.Minute
	h := newHarness(t, func(d *Deps) {
		d.Limiter = func(_ context.Context, operationID string) error {
			if operationID == "getDashboard" {
				return refused
			}
			return nil
		}
	})
	res := h.send(request{path: "/api/v1/dashboard"})
	if res.Code != 429 || res.Header().Get("Retry-After") != "60" {
		t.Errorf("%d, Retry-After %q", res.Code, res.Header().Get("Retry-After"))
	}
	if res := h.send(request{path: "/api/v1/sources"}); res.Code != 200 {
		t.Errorf("another operation: %d", res.Code)
	}
}
