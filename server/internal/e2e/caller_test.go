package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// caller is someone who uses the API from an address of their own, with a token
// or without one. Every answer is checked against the contract.
type caller struct {
	*client.ClientWithResponses
	b       *backend
	t       testing.TB
	token   string
	address string
}

// adminToken is a token that callers share while it is fresh.
type adminToken struct {
	token string
	until time.Time
}

// newCaller returns a caller with a token, or without one when it is empty.
func (b *backend) newCaller(t testing.TB, token string) *caller {
	t.Helper()
	n := b.callers.Add(1)
	c := &caller{b: b, t: t, token: token, address: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
	api, err := client.NewClientWithResponses(b.url, client.WithHTTPClient(&http.Client{
		Transport: c, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	if err != nil {
		t.Fatal(err)
	}
	c.ClientWithResponses = api
	return c
}

// anonymous returns a caller without a token.
func (b *backend) anonymous(t testing.TB) *caller { return b.newCaller(t, "") }

// asAdmin returns a caller with the token of the first administrator.
func (b *backend) asAdmin(t testing.TB) *caller {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.newCaller(t, b.adminTokenLocked(t))
}

func (b *backend) adminTokenLocked(t testing.TB) string {
	t.Helper()
	known := b.tokens["admin"]
	if b.clock.Now().After(known.until) {
		known = adminToken{token: b.login(t, b.admin).AccessToken, until: b.clock.Now().Add(5 * time.Minute)}
		b.tokens["admin"] = known
	}
	return known.token
}

// newAccount makes an account of a role.
func (b *backend) newAccount(t testing.TB, role client.Role) account {
	t.Helper()
	a := account{email: strings.ToLower(newPassword()) + "@kgl.test", password: b.secrets.add(newPassword()), role: string(role)}
	res, err := b.asAdmin(t).CreateUserWithResponse(t.Context(), nil, client.UserCreate{
		Email: a.email, Name: "Tester", Role: role, Password: a.password,
	})
	if err != nil || res.JSON201 == nil {
		t.Fatalf("create a user: %v %s", err, res.Body)
	}
	a.id = res.JSON201.ID
	return a
}

// login logs in from a new address.
func (b *backend) login(t testing.TB, a account) client.TokenSet {
	t.Helper()
	res, err := b.anonymous(t).LoginWithResponse(t.Context(), client.LoginRequest{Email: a.email, Password: a.password})
	if err != nil || res.JSON200 == nil {
		t.Fatalf("login of %s: %v %s", a.email, err, res.Body)
	}
	return *res.JSON200
}

// as returns a caller of a new account of a role.
func (b *backend) as(t testing.TB, role client.Role) *caller {
	t.Helper()
	return b.newCaller(t, b.login(t, b.newAccount(t, role)).AccessToken)
}

// RoundTrip implements http.RoundTripper: it adds who calls and from where, and
// checks the answer.
func (c *caller) RoundTrip(req *http.Request) (*http.Response, error) {
	c.t.Helper()
	req = req.Clone(req.Context())
	if c.token != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if req.Header.Get("X-Forwarded-For") == "" {
		req.Header.Set("X-Forwarded-For", c.address)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	contract.check(c.t, c.b.seen, req, res, body)
	c.b.secrets.collect(body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// answer is an answer that was read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes a call that the typed client would not make. headers are pairs of
// name and value; a body is sent as JSON unless they say otherwise.
func (c *caller) do(method, path, body string, headers ...string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.b.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body == "" {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.RoundTrip(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: data}
}

// want fails the test unless the answer has a status, and returns the answer.
func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status = %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// problem reads a problem document.
func (a answer) problem(t testing.TB) client.Problem {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("an error of type %q: %s", got, a.body)
	}
	return decode[client.Problem](t, a.body)
}

func decode[T any](t testing.TB, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func ptr[T any](v T) *T { return &v }

func (c *caller) createSource(t testing.TB, url string) client.Source {
	t.Helper()
	res, err := c.CreateSourceWithResponse(t.Context(), nil, client.SourceCreate{URL: url})
	if err != nil || res.JSON201 == nil {
		t.Fatalf("create the source %s: %v %s", url, err, res.Body)
	}
	return *res.JSON201
}

func (c *caller) source(t testing.TB, id string) client.Source {
	t.Helper()
	res, err := c.GetSourceWithResponse(t.Context(), id, nil)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("read the source %s: %v %s", id, err, res.Body)
	}
	return *res.JSON200
}

func (c *caller) dashboard(t testing.TB) client.Dashboard {
	t.Helper()
	res, err := c.GetDashboardWithResponse(t.Context(), nil)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("read the dashboard: %v %s", err, res.Body)
	}
	return *res.JSON200
}

// countedNow returns the dashboard with counts that were made after the call:
// where counting takes long, those of the last seconds are shown.
func (c *caller) countedNow(t testing.TB) client.Dashboard {
	t.Helper()
	asked := time.Now()
	var d client.Dashboard
	eventually(t, "the dashboard is counted anew", func() string {
		if d = c.dashboard(t); d.GeneratedAt.Before(asked) {
			return d.GeneratedAt.String()
		}
		return ""
	})
	return d
}

// fetches returns the history of a source, newest first.
func (c *caller) fetches(t testing.TB, sourceID string) []client.Fetch {
	t.Helper()
	res, err := c.ListSourceFetchesWithResponse(t.Context(), sourceID, nil)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("list the fetches of %s: %v %s", sourceID, err, res.Body)
	}
	return res.JSON200.Data
}

// content returns up to 100 items of a source, duplicates included, newest
// first.
func (c *caller) content(t testing.TB, sourceID string) []client.Content {
	t.Helper()
	res, err := c.ListContentWithResponse(t.Context(), &client.ListContentParams{
		SourceID: &sourceID, Duplicates: ptr(client.ListContentParamsDuplicatesAll), Limit: ptr(100),
	})
	if err != nil || res.JSON200 == nil {
		t.Fatalf("list the content of %s: %v %s", sourceID, err, res.Body)
	}
	return res.JSON200.Data
}
