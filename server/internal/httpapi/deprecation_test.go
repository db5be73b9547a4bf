package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// deprecatedContract has one operation on its way out beside one that stays.
// Both have ids of operations that are open.
const deprecatedContract = `
openapi: 3.0.3
info: {title: fixture, version: 1.0.0}
paths:
  /old:
    get:
      operationId: getHealth
      deprecated: true
      x-deprecated-at: "2027-01-15"
      x-sunset: "2027-09-01"
      x-successor: /new
      externalDocs: {url: "https://kgl.example.org/versioning"}
      security: []
      responses: {"200": {description: Answer}}
  /new:
    get:
      operationId: getReadiness
      security: []
      responses: {"200": {description: Answer}}
`

func loadFixture(t *testing.T, contract string) (map[string]*operation, error) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	if err != nil {
		t.Fatalf("load the fixture: %v", err)
	}
	return loadOperations(doc)
}

// askDeprecated serves the fixture with the middleware of the API that concerns
// it, and a handler that ends as given.
func askDeprecated(t *testing.T, path string, handler echo.HandlerFunc) *http.Response {
	t.Helper()
	operations, err := loadFixture(t, deprecatedContract)
	if err != nil {
		t.Fatalf("load the operations: %v", err)
	}
	s := &server{operations: operations}
	e := echo.New()
	e.Use(s.matchOperation, onOperation(s.announceEnd))
	e.GET("/old", handler)
	e.GET("/new", handler)
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec.Result()
}

func TestDeprecatedOperationsAnnounceTheirEnd(t *testing.T) {
	answers := map[string]echo.HandlerFunc{
		"success": func(c echo.Context) error { return c.NoContent(http.StatusOK) },
		"refusal": func(echo.Context) error { return kgl.Errorf(kgl.CodeForbidden, "No.") },
	}
	for name, handler := range answers {
		t.Run(name, func(t *testing.T) {
			h := askDeprecated(t, "/old", handler).Header
			// date -u -d 2027-01-15 +%s
			if got := h.Get("Deprecation"); got != "@1799971200" {
				t.Errorf("Deprecation = %q", got)
			}
			if got := h.Get("Sunset"); got != "Wed, 01 Sep 2027 00:00:00 GMT" {
				t.Errorf("Sunset = %q", got)
			}
			want := `<https://kgl.example.org/versioning>; rel="deprecation", </new>; rel="successor-version"`
			if got := strings.Join(h.Values("Link"), ", "); got != want {
				t.Errorf("Link = %q, want %q", got, want)
			}
		})
	}
}

func TestOtherOperationsAnnounceNothing(t *testing.T) {
	h := askDeprecated(t, "/new", func(c echo.Context) error { return c.NoContent(http.StatusOK) }).Header
	for _, name := range []string{"Deprecation", "Sunset", "Link"} {
		if got := h.Values(name); len(got) != 0 {
			t.Errorf("%s = %q", name, got)
		}
	}
}

// TestEveryAnswerOfADeprecatedOperationSaysSo asks the whole server, in which
// two operations are on their way out.
func TestEveryAnswerOfADeprecatedOperationSaysSo(t *testing.T) {
	d := newHarness(t).deps
	d.Registry = prometheus.NewRegistry()
	s, err := newServer(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"GET /health", "GET /api/v1/sources"} {
		s.operations[key].deprecation = &deprecation{deprecation: "@1", sunset: "then", links: []string{"</new>"}}
	}
	handler, err := s.handler(d.Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/health", "", http.StatusOK},
		{"/api/v1/sources", adminToken, http.StatusOK},
		{"/api/v1/sources?limit=0", adminToken, http.StatusBadRequest},
		{"/api/v1/sources", "", http.StatusUnauthorized},
	} {
		req := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		h := rec.Header()
		if rec.Code != c.want || h.Get("Deprecation") != "@1" || h.Get("Sunset") != "then" || h.Get("Link") != "</new>" {
			t.Errorf("%s: %d with %v, want %d with the end of the operation", c.path, rec.Code, h, c.want)
		}
	}
}

func TestDeprecationNeedsItsDays(t *testing.T) {
	for name, change := range map[string][2]string{
		"no announcement":           {`x-deprecated-at: "2027-01-15"`, `x-other: 1`},
		"no end":                    {`x-sunset: "2027-09-01"`, `x-other: 1`},
		"an end that is not a day":  {`"2027-09-01"`, `soon`},
		"an end before the warning": {`"2027-09-01"`, `"2026-09-01"`},
	} {
		t.Run(name, func(t *testing.T) {
			contract := strings.Replace(deprecatedContract, change[0], change[1], 1)
			if contract == deprecatedContract {
				t.Fatalf("the fixture has no %s", change[0])
			}
			if _, err := loadFixture(t, contract); err == nil || !strings.Contains(err.Error(), "x-") {
				t.Errorf("error = %v, want one that names the extension", err)
			}
		})
	}
}
