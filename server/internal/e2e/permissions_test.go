package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// roleScopes is what each role may do, written down once more on purpose: a
// change of the policy has to be made in two places.
var roleScopes = map[client.Role][]string{
	client.RoleUser: {"profile", "sources:read", "content:read", "entities:read", "dashboard:read"},
	client.RoleModerator: {"profile", "sources:read", "content:read", "entities:read", "dashboard:read",
		"sources:write", "content:write", "entities:write", "enrichment:read", "enrichment:write"},
	client.RoleAdmin: {"profile", "sources:read", "content:read", "entities:read", "dashboard:read",
		"sources:write", "content:write", "entities:write", "enrichment:read", "enrichment:write", "users:read", "users:write", "audit:read"},
}

// openOperations are the operations that need no token.
var openOperations = []string{
	"getContractJson", "getContractYaml", "getDocs", "getHealth", "getJwks", "getMetrics", "getReadiness",
	"getWellKnownJwks", "issueToken", "login", "refreshTokens",
}

// withScope returns a caller whose token of the administrator is narrowed.
func (b *backend) withScope(t testing.TB, scope string) *caller {
	t.Helper()
	c := b.anonymous(t)
	res, err := c.IssueTokenWithFormdataBodyWithResponse(t.Context(), client.TokenRequest{
		GrantType: "password", Username: &b.admin.email, Password: &b.admin.password, Scope: &scope,
	})
	if err != nil || res.JSON200 == nil {
		t.Fatalf("a token with the scope %s: %v %s", scope, err, res.Body)
	}
	if got := sortedScope(res.JSON200.Scope); got != sortedScope(scope) {
		t.Fatalf("granted %q, asked for %q", got, scope)
	}
	return b.newCaller(t, res.JSON200.AccessToken)
}

func sortedScope(scope string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(scope))), " ")
}

// probe calls an operation in a way that changes nothing even where it is
// allowed: on a resource that does not exist, or with a body that is not valid.
// Permissions are looked at before either.
func probe(c *caller, op operation) answer {
	missing := fixture{}
	for name := range newIDs() {
		missing[name] = "0198c6f0-0000-7000-8000-00000000dead"
	}
	if op.RequestBody == nil {
		return c.do(op.method, missing.path(op), "")
	}
	for mediaType := range op.RequestBody.Value.Content {
		if mediaType == "application/xml" {
			return c.do(op.method, withQuery(missing.path(op), "nonsense=1"), "<nonsense/>", "Content-Type", mediaType)
		}
		if mediaType != "application/json" {
			return c.do(op.method, missing.path(op), "grant_type=nonsense", "Content-Type", mediaType)
		}
	}
	return c.do(op.method, missing.path(op), `{"nonsense":true}`)
}

// checkPermission probes an operation with what a token grants.
func checkPermission(t *testing.T, c *caller, op operation, who string, granted []string) {
	t.Helper()
	res := probe(c, op)
	allowed := !op.closed() || slices.Contains(granted, op.scope())
	switch {
	case !allowed && res.status != http.StatusForbidden:
		t.Errorf("%s as %s: %d, want 403: %s", op.id, who, res.status, res.body)
	case !allowed:
		if p := res.problem(t); p.Code != "insufficient_scope" || !strings.Contains(res.header.Get("WWW-Authenticate"), op.scope()) {
			t.Errorf("%s as %s: code %s, challenge %q", op.id, who, p.Code, res.header.Get("WWW-Authenticate"))
		}
	case !slices.Contains([]int{200, 400, 404}, res.status):
		t.Errorf("%s as %s: %d, want it to be allowed: %s", op.id, who, res.status, res.body)
	}
}

// testPermissions probes every operation as each role, as the contract's
// security says.
func testPermissions(t *testing.T, b *backend) {
	for _, op := range contract.operations {
		if op.closed() && op.scope() == "" {
			t.Fatalf("%s names no scope", op.id)
		}
	}
	for role, granted := range roleScopes {
		t.Run(string(role), func(t *testing.T) {
			c := b.as(t, role)
			for _, op := range contract.operations {
				checkPermission(t, c, op, string(role), granted)
			}
		})
	}
}

// testScopes probes every operation with tokens of an administrator from which
// one scope is missing, and with tokens that have just one.
func testScopes(t *testing.T, b *backend) {
	all := roleScopes[client.RoleAdmin]
	for i, missing := range all {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		without, only := b.withScope(t, strings.Join(rest, " ")), b.withScope(t, missing)
		for _, op := range contract.operations {
			checkPermission(t, without, op, "all but "+missing, rest)
			checkPermission(t, only, op, "only "+missing, []string{missing})
		}
	}
	// No scope is another one's beginning, and none may be asked for that the
	// role lacks or that does not exist.
	user := b.newAccount(t, client.RoleUser)
	for _, scope := range []string{"users:write", "sources:readonly", "sources", "*", "profile users:read", "PROFILE"} {
		form := url.Values{"grant_type": {"password"}, "username": {user.email}, "password": {user.password}, "scope": {scope}}
		res := b.anonymous(t).do("POST", "/api/v1/auth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded").want(t, 400)
		if e := decode[client.OAuthError](t, res.body); e.Error != "invalid_scope" {
			t.Errorf("scope %q: %s", scope, e.Error)
		}
	}
}

// testOpenOperations probes every operation without a token: the listed ones
// are open, and no other.
func testOpenOperations(t *testing.T, b *backend) {
	c := b.anonymous(t)
	for _, op := range contract.operations {
		res := probe(c, op)
		open := slices.Contains(openOperations, op.id)
		if open == op.closed() {
			t.Errorf("%s: open in the contract = %t", op.id, !op.closed())
		}
		if op.id == "refreshTokens" || op.id == "login" || op.id == "issueToken" {
			if res.status != http.StatusBadRequest {
				t.Errorf("%s without a token: %d, want 400", op.id, res.status)
			}
			continue
		}
		if want := map[bool]int{true: 200, false: 401}[open]; res.status != want {
			t.Errorf("%s without a token: %d, want %d: %s", op.id, res.status, want, res.body)
		}
		if got := res.header.Get("WWW-Authenticate"); !open && got != `Bearer realm="kgl"` {
			t.Errorf("%s: challenge = %q", op.id, got)
		}
	}
}

// testBadTokens probes with what is no access token, and with one in the wrong
// place.
func testBadTokens(t *testing.T, b *backend) {
	tokens := b.login(t, b.newAccount(t, client.RoleAdmin))
	good := tokens.AccessToken
	parts := strings.Split(good, ".")
	flipped := []byte(parts[2])
	flipped[len(flipped)/2] ^= 1
	bad := map[string]string{
		"garbage":           "Bearer nonsense",
		"refresh token":     "Bearer " + tokens.RefreshToken,
		"no signature":      "Bearer " + parts[0] + "." + parts[1] + ".",
		"broken signature":  "Bearer " + parts[0] + "." + parts[1] + "." + string(flipped),
		"algorithm none":    "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + ".",
		"basic":             "Basic " + good,
		"token alone":       good,
		"two tokens":        "Bearer " + good + ", Bearer " + good,
		"truncated":         "Bearer " + good[:len(good)-4],
		"kid is a path":     "Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ii4uLy4uL2V0Yy9wYXNzd2QifQ." + parts[1] + "." + parts[2],
		"empty":             "Bearer ",
		"megabyte of dots":  "Bearer " + strings.Repeat(".", 20_000),
		"scheme in capital": "BEARER nonsense",
	}
	for name, header := range bad {
		t.Run(name, func(t *testing.T) {
			c := b.anonymous(t)
			c.do("GET", "/api/v1/dashboard", "", "Authorization", header).want(t, http.StatusUnauthorized)
		})
	}
	c := b.anonymous(t)
	c.do("GET", "/api/v1/dashboard?access_token="+good, "").want(t, http.StatusUnauthorized)
	c.do("POST", "/api/v1/sources?access_token="+good, fmt.Sprintf(`{"access_token":%q}`, good)).want(t, http.StatusUnauthorized)
	c.do("GET", "/api/v1/dashboard", "", "Cookie", "access_token="+good).want(t, http.StatusUnauthorized)
	c.do("GET", "/api/v1/dashboard", "", "Authorization", "bearer "+good).want(t, http.StatusOK)
}
