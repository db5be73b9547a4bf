package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// testHeaders holds what every answer tells a browser, and the request id.
func testHeaders(t *testing.T, b *backend) {
	c := b.as(t, client.RoleUser)
	for _, path := range []string{"/api/v1/dashboard", "/api/v1/nothing", "/api/v1/users", "/health", "/docs", "/metrics", "/api/v1/openapi.json"} {
		h := c.do("GET", path, "").header
		policy := h.Get("Content-Security-Policy")
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") == "" ||
			!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src 'unsafe-inline'") || h.Get("Server") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if path == "/docs" != strings.Contains(policy, "script-src 'self'") {
			t.Errorf("%s: policy = %s", path, policy)
		}
	}
	a := b.newAccount(t, client.RoleUser)
	if got := b.anonymous(t).do("POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: a.email, Password: a.password})).want(t, 200).header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("tokens may be stored: %q", got)
	}
	for id, keep := range map[string]bool{"abc-123_x.y": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, "a b": false, "<x>": false, "a;b": false} {
		got := c.do("GET", "/api/v1/dashboard", "", "X-Request-ID", id).header.Get("X-Request-Id")
		if (got == id) != keep || got == "" {
			t.Errorf("request id %q became %q", id, got)
		}
	}
	res := c.do("GET", "/api/v1/users", "", "X-Request-ID", "trace-me").want(t, 403)
	if p := res.problem(t); p.RequestID != "trace-me" {
		t.Errorf("request_id = %q", p.RequestID)
	}
	if !strings.Contains(b.log.String(), `"request_id":"trace-me"`) {
		t.Error("the log does not have the request id")
	}
}

// testCORS asks from web pages of several origins.
func testCORS(t *testing.T, b *backend) {
	c := b.as(t, client.RoleUser)
	for origin, granted := range map[string]bool{
		"http://localhost:3000": true, "http://127.0.0.1:3000": true, "http://localhost:3001": false, "null": false, "https://localhost:3000": false,
		"http://localhost:3000.evil.test": false, "http://evil.test": false, "": false,
	} {
		for _, res := range []answer{
			c.do("GET", "/api/v1/dashboard", "", "Origin", origin), c.do("GET", "/api/v1/nothing", "", "Origin", origin),
			b.anonymous(t).do("OPTIONS", "/api/v1/sources", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"),
		} {
			got := res.header.Get("Access-Control-Allow-Origin")
			if granted && got != origin || !granted && got != "" || res.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("origin %q: %d grants %q", origin, res.status, got)
			}
			if !strings.Contains(strings.Join(res.header.Values("Vary"), ","), "Origin") {
				t.Errorf("origin %q: Vary = %v", origin, res.header.Values("Vary"))
			}
		}
	}
}

// testHeadAndOptions asks every reading operation for its head only.
func testHeadAndOptions(t *testing.T, b *backend) {
	c, f := b.asAdmin(t), newFixture(t, b)
	for _, op := range contract.operations {
		if op.method == http.MethodGet {
			res := c.do(http.MethodHead, f.path(op), "")
			if res.status != 200 || len(res.body) > 0 || op.takes("If-None-Match") && res.header.Get("ETag") == "" {
				t.Errorf("HEAD %s: %d, %d bytes, ETag %q", op.path, res.status, len(res.body), res.header.Get("ETag"))
			}
		}
		res := b.anonymous(t).do(http.MethodOptions, f.path(op), "")
		if res.status != http.StatusNoContent || !strings.Contains(res.header.Get("Allow"), op.method) {
			t.Errorf("OPTIONS %s: %d, Allow %q", op.path, res.status, res.header.Get("Allow"))
		}
	}
	b.anonymous(t).do(http.MethodHead, "/api/v1/dashboard", "").want(t, http.StatusUnauthorized)
}
