package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/peermesh/kgl-backend/openapi"
	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// successOf returns the first documented success of an operation.
func successOf(op *operation) int {
	for _, status := range []int{200, 201, 202, 204} {
		if op.route.Operation.Responses.Value(strconv.Itoa(status)) != nil {
			return status
		}
	}
	return 0
}

func TestEveryOperationSucceeds(t *testing.T) {
	h := newHarness(t)
	h.each(func(op *operation, r request) {
		if res := h.send(r); res.Code != successOf(op) {
			t.Errorf("%s: status = %d, want %d: %s", op.id, res.Code, successOf(op), res.Body)
		}
	})
}

// grantsAll compares scopes as whole words.
func grantsAll(granted, required []string) bool {
	return !slices.ContainsFunc(required, func(scope string) bool { return !slices.Contains(granted, scope) })
}

func TestPermissionMatrix(t *testing.T) {
	h := newHarness(t)
	check := func(op *operation, r request, token string, granted []string) {
		r.token = token
		res := h.send(r)
		want := successOf(op)
		if !op.open && !grantsAll(granted, op.scopes) {
			want = http.StatusForbidden
		}
		if res.Code != want {
			t.Errorf("%s with %s: status = %d, want %d: %s", op.id, token, res.Code, want, res.Body)
		}
		if want == http.StatusForbidden {
			if p := problemOf(t, res); p.Code != "insufficient_scope" {
				t.Errorf("%s with %s: code = %s", op.id, token, p.Code)
			}
			challenge := res.Header().Get("WWW-Authenticate")
			if !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, op.scopes[0]) {
				t.Errorf("%s: challenge = %s", op.id, challenge)
			}
		}
	}
	h.each(func(op *operation, r request) {
		for _, role := range []kgl.Role{kgl.RoleUser, kgl.RoleModerator, kgl.RoleAdmin} {
			check(op, r, "role:"+string(role), auth.RoleScopes(role))
		}
		for _, scope := range auth.AllScopes() {
			check(op, r, "scope:"+scope, []string{scope})
			check(op, r, "almost:"+scope, nil)
		}
	})
}

func TestOperationsWithoutToken(t *testing.T) {
	h := newHarness(t)
	var open []string
	h.each(func(op *operation, r request) {
		r.token = "-"
		res := h.send(r)
		if res.Code < 300 {
			open = append(open, op.id)
			return
		}
		if res.Code != http.StatusUnauthorized {
			t.Errorf("%s: status = %d, want 401", op.id, res.Code)
		}
		if got := res.Header().Get("WWW-Authenticate"); got != `Bearer realm="kgl"` {
			t.Errorf("%s: challenge = %s", op.id, got)
		}
	})
	slices.Sort(open)
	if !slices.Equal(open, openOperations()) {
		t.Errorf("open operations = %v, want %v", open, openOperations())
	}
}

func TestFaultsOfServices(t *testing.T) {
	unwell := kgl.Wrap(http.ErrBodyNotAllowed, kgl.CodeUnavailable, "the database is busy")
	unwell.RetryAfter = 1500 * time.Millisecond
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"unknown error", http.ErrNoLocation, 500},
		{"panic", errPanic, 500},
		{"unavailable", unwell, 503},
		{"full disk", kgl.Errorf(kgl.CodeStorageFull, "the disk is full"), 503},
		{"rate limited", kgl.Errorf(kgl.CodeRateLimited, "too many requests"), 429},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t)
			h.fault.err = tt.err
			h.each(func(op *operation, r request) {
				switch op.id {
				case "getHealth", "getReadiness", "getMetrics", "getDocs", "getContractJson", "getContractYaml":
					return
				}
				res := h.send(r)
				if res.Code != tt.want {
					t.Errorf("%s: status = %d, want %d: %s", op.id, res.Code, tt.want, res.Body)
				}
				for _, secret := range []string{"secret-in-panic", "BodyNotAllowed", "location"} {
					if strings.Contains(res.Body.String(), secret) {
						t.Errorf("%s: the answer tells of the inside: %s", op.id, res.Body)
					}
				}
				if tt.name == "unavailable" && res.Header().Get("Retry-After") != "2" {
					t.Errorf("%s: Retry-After = %q, want 2", op.id, res.Header().Get("Retry-After"))
				}
				if res.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: an error may be stored", op.id)
				}
			})
		})
	}
}

func TestUnknownParametersAreRefusedEverywhere(t *testing.T) {
	h := newHarness(t)
	h.each(func(op *operation, r request) {
		before := "?"
		if strings.Contains(r.path, before) {
			before = "&"
		}
		r.path += before + "unknown=1"
		if res := h.send(r); res.Code != http.StatusBadRequest {
			t.Errorf("%s: status = %d, want 400", op.id, res.Code)
		}
	})
}

func TestAccountThatIsGone(t *testing.T) {
	h := newHarness(t)
	h.fault.err = kgl.NotFound("user")
	h.each(func(op *operation, r request) {
		if !slices.Contains(op.scopes, auth.ScopeProfile) {
			return
		}
		if res := h.send(r); res.Code != http.StatusUnauthorized || !strings.Contains(res.Header().Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %d %s", op.id, res.Code, res.Body)
		}
	})
}

// TestDocumentedFaults gives every 429, 500 and 503 that the contract has, also
// those of operations that call no service.
func TestDocumentedFaults(t *testing.T) {
	for _, fault := range []*kgl.Error{
		kgl.Errorf(kgl.CodeRateLimited, "too many requests"), kgl.Errorf(kgl.CodeInternal, "a secret of the inside"), kgl.Errorf(kgl.CodeUnavailable, "busy"),
	} {
		h := newHarness(t, func(d *Deps) { d.Limiter = func(context.Context, string) error { return fault } })
		h.each(func(op *operation, r request) {
			status := statusOf(fault.Code)
			if op.route.Operation.Responses.Value(strconv.Itoa(status)) == nil || op.id == "getReadiness" && status == 503 {
				return // TestReadiness has the latter
			}
			res := h.send(r)
			if res.Code != status || strings.Contains(res.Body.String(), "inside") {
				t.Errorf("%s: status = %d, want %d: %s", op.id, res.Code, status, res.Body)
			}
			if needsWait := status != 500; needsWait != (res.Header().Get("Retry-After") != "") {
				t.Errorf("%s: %d with Retry-After %q", op.id, status, res.Header().Get("Retry-After"))
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	h := newHarness(t)
	h.fault.err = kgl.Errorf(kgl.CodeUnavailable, "no connection to 10.0.0.1")
	res := h.send(request{path: "/ready", token: "-"})
	if res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), `"error_code":"unavailable"`) {
		t.Errorf("%d %s", res.Code, res.Body)
	}
	if res.Header().Get("Retry-After") != "5" {
		t.Errorf("Retry-After = %q, want 5", res.Header().Get("Retry-After"))
	}
	if strings.Contains(res.Body.String(), "10.0.0.1") {
		t.Error("readiness tells of the inside")
	}
	if res := h.send(request{path: "/health", token: "-"}); res.Code != http.StatusOK {
		t.Errorf("health = %d while a dependency is down", res.Code)
	}
	h.fault.err = nil
	if res := h.send(request{path: "/ready", token: "-"}); res.Code != http.StatusServiceUnavailable {
		t.Errorf("ready = %d at once: a flood reaches the database", res.Code)
	}
	h.clock.Advance(readyFor)
	if res := h.send(request{path: "/ready", token: "-"}); res.Code != http.StatusOK {
		t.Errorf("ready = %d after recovery", res.Code)
	}
}

// TestReadinessOfAHangingDependency gives a check that ignores its deadline.
func TestReadinessOfAHangingDependency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		h := newHarness(t, func(d *Deps) {
			d.Checks = []Check{{Name: "pool", Run: func(context.Context) error { <-release; return nil }}}
		})
		res := h.send(request{path: "/ready", token: "-"})
		if res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), `"error_code":"timeout"`) {
			t.Errorf("%d %s", res.Code, res.Body)
		}
	})
}

// TestEndOfRequests lets a service wait until its context ends: by the deadline
// of the server, and because the caller went away.
func TestEndOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, func(d *Deps) {
			d.Limiter = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		})
		start := time.Now()
		res := h.send(request{path: "/api/v1/dashboard"})
		if res.Code != http.StatusServiceUnavailable || time.Since(start) != requestTimeout {
			t.Errorf("%d after %s: %s", res.Code, time.Since(start), res.Body)
		}
		h.log.Reset()
		ctx, leave := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, leave)
		req := httptest.NewRequest("GET", "/api/v1/dashboard", nil).WithContext(ctx)
		req.Header.Set("Authorization", "Bearer "+adminToken)
		h.handler.ServeHTTP(httptest.NewRecorder(), req)
		if log := h.log.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, "ERROR") {
			t.Errorf("log = %s", log)
		}
	})
}

func TestSystemOnly(t *testing.T) {
	h := newHarness(t)
	h.handler = SystemOnly(h.handler)
	for path, want := range map[string]int{
		"/health": 200, "/ready": 200, "/metrics": 200, "/docs": 404, "/docs/swagger-ui.css": 404, "/api/v1/sources": 404, "/api/v1/openapi.json": 404,
	} {
		if res := h.raw(request{path: path}); res.Code != want {
			t.Errorf("%s: %d, want %d", path, res.Code, want)
		}
	}
}

// TestContractsThatDoNotStart changes the contract in ways that must stop the
// server from starting.
func TestContractsThatDoNotStart(t *testing.T) {
	tests := []struct {
		name   string
		change func(op *openapi3.Operation)
		want   string
	}{
		{"security missing", func(op *openapi3.Operation) { op.Security = nil }, "no security of its own"},
		{"open but not listed", func(op *openapi3.Operation) { op.Security = &openapi3.SecurityRequirements{} }, "not as listed"},
		{"no scopes", func(op *openapi3.Operation) {
			op.Security = &openapi3.SecurityRequirements{{"bearerAuth": {}}}
		}, "no scopes"},
		{"open by an empty alternative", func(op *openapi3.Operation) {
			op.Security = &openapi3.SecurityRequirements{{"oauth2": {"sources:read"}}, {}}
		}, "must name one scheme"},
		{"unknown scheme", func(op *openapi3.Operation) {
			op.Security = &openapi3.SecurityRequirements{{"cookie": {"sources:read"}}}
		}, "unknown security scheme"},
		{"no operationId", func(op *openapi3.Operation) { op.OperationID = "" }, "no operationId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := openapi3.NewLoader().LoadFromData(openapi.YAML)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(doc.Paths.Value("/api/v1/sources").Get)
			if _, err := loadOperations(doc); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Deps{})
	for _, name := range []string{"Log", "Authenticator", "Tx", "Sources", "Logins", "Accounts"} {
		if err == nil || !strings.Contains(err.Error(), "Deps."+name+" ") {
			t.Errorf("error does not name %s: %v", name, err)
		}
	}
}
