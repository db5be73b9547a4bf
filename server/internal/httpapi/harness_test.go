package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peermesh/kgl-backend/openapi"
	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestMain(m *testing.M) {
	// The validator of answers does not know these by itself.
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/xml", openapi3filter.PlainBodyDecoder)
	m.Run()
}

// harness is the API over fakes. Every answer is checked against the contract.
type harness struct {
	t       *testing.T
	deps    Deps
	handler http.Handler
	router  routers.Router
	doc     *openapi3.T

	fault    *fault
	logins   *logins
	users    *users
	sources  *sources
	imports  *imports
	probe    *probe
	contents *contents
	entities *entities
	reports  *reports

	relationships *relationships
	merges        *merges

	extractions *extractions
	runs        *runs

	keys  *keyStore
	clock *kgl.FakeClock
	log   *bytes.Buffer
}

// adminToken is a token with every scope.
const adminToken = "admin-token"

func newHarness(t *testing.T, change ...func(*Deps)) *harness {
	t.Helper()
	f := &fault{}
	h := &harness{
		t: t, fault: f, logins: &logins{fault: f}, users: &users{fault: f}, sources: &sources{fault: f},
		imports: &imports{fault: f}, probe: &probe{fault: f},
		contents: &contents{fault: f}, entities: &entities{fault: f}, relationships: &relationships{fault: f}, merges: &merges{fault: f}, reports: &reports{fault: f}, extractions: &extractions{fault: f}, runs: &runs{fault: f},
		keys: &keyStore{records: map[string]kgl.IdempotencyRecord{}}, clock: kgl.NewFakeClock(testTime), log: &bytes.Buffer{},
	}
	principals := tokens{adminToken: {Type: kgl.PrincipalUser, ID: testUserID, Role: kgl.RoleAdmin, Scopes: auth.AllScopes()}}
	for _, role := range []kgl.Role{kgl.RoleUser, kgl.RoleModerator, kgl.RoleAdmin} {
		principals["role:"+string(role)] = kgl.Principal{Type: kgl.PrincipalUser, ID: testUserID, Role: role, Scopes: auth.RoleScopes(role)}
	}
	for _, scope := range auth.AllScopes() {
		principals["scope:"+scope] = kgl.Principal{Type: kgl.PrincipalUser, ID: testUserID, Scopes: []string{scope}}
		// What begins with a scope is not that scope.
		principals["almost:"+scope] = kgl.Principal{Type: kgl.PrincipalUser, ID: testUserID, Scopes: []string{scope + "x"}}
	}
	h.deps = Deps{
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Clock: h.clock,
		IDs: kgl.NewUUIDv7(h.clock, rand.Reader), Registry: prometheus.NewRegistry(),
		Authenticator: principals, Tx: h.keys, Refusals: h.reports,
		Checks: []Check{{Name: "database", Run: func(context.Context) error { return f.err }}},
		Services: Services{
			Logins: h.logins, Keys: h.logins, Accounts: h.users, Sources: h.sources, Imports: h.imports, Probe: h.probe, Schedules: fakeSchedules{h.sources}, Content: h.contents, ContentDeleter: h.contents, Duplicates: h.contents,
			Entities: h.entities, Relationships: h.relationships, Merges: h.merges, Graph: &graphs{fault: f}, Extractions: h.extractions, Runs: h.runs, Work: &work{fault: f}, Dashboard: h.reports, Audit: h.reports,
		},
	}
	for _, c := range change {
		c(&h.deps)
	}
	var err error
	if h.handler, err = New(h.deps); err != nil {
		t.Fatalf("New: %v", err)
	}
	if h.doc, err = openapi3.NewLoader().LoadFromData(openapi.YAML); err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	if h.router, err = gorillamux.NewRouter(h.doc); err != nil {
		t.Fatalf("make the contract's router: %v", err)
	}
	return h
}

// request describes a call; "-" as token sends none.
type request struct {
	method, path, body string
	token              string
	header             http.Header
}

// send makes the call and checks the answer against the contract.
func (h *harness) send(r request) *httptest.ResponseRecorder {
	h.t.Helper()
	res := h.raw(r)
	h.checkAnswer(r, res)
	return res
}

// raw makes the call.
func (h *harness) raw(r request) *httptest.ResponseRecorder {
	h.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	switch r.token {
	case "-":
	case "":
		req.Header.Set("Authorization", "Bearer "+adminToken)
	default:
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	res := httptest.NewRecorder()
	h.handler.ServeHTTP(res, req)
	return res
}

// checkAnswer validates an answer against the contract, as strictly as it goes:
// only documented statuses, only declared fields.
func (h *harness) checkAnswer(r request, res *httptest.ResponseRecorder) {
	h.t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	req := httptest.NewRequest(method, r.path, nil)
	route, params, err := h.router.FindRoute(req)
	if err != nil {
		return // no operation: the generic errors are tested on their own
	}
	body := res.Body.Bytes()
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 res.Code, Header: res.Header(), Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		h.t.Errorf("%s %s: answer %d breaks the contract: %v\n%s", method, r.path, res.Code, err, body)
	}
	response := route.Operation.Responses.Value(fmt.Sprint(res.Code))
	if response == nil {
		return
	}
	if media := response.Value.Content.Get("application/json"); media != nil && len(body) > 0 {
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			h.t.Errorf("%s %s: %v", method, r.path, err)
			return
		}
		undeclared(h.t, r.path, media.Schema.Value, value)
	}
}

// undeclared reports fields that the schema does not know.
func undeclared(t *testing.T, at string, schema *openapi3.Schema, value any) {
	t.Helper()
	for _, part := range schema.AllOf {
		undeclared(t, at, part.Value, value)
	}
	switch v := value.(type) {
	case map[string]any:
		if len(schema.Properties) == 0 {
			return
		}
		for name, member := range v {
			property, ok := schema.Properties[name]
			if !ok {
				t.Errorf("%s: field %s is not in the contract", at, name)
				continue
			}
			undeclared(t, at+"."+name, property.Value, member)
		}
	case []any:
		for _, element := range v {
			undeclared(t, at+"[]", schema.Items.Value, element)
		}
	}
}

// each calls fn for every operation with a request made of the contract's
// examples.
func (h *harness) each(fn func(op *operation, r request)) {
	h.t.Helper()
	ops, err := loadOperations(h.doc)
	if err != nil {
		h.t.Fatalf("loadOperations: %v", err)
	}
	for _, op := range ops {
		fn(op, h.example(op))
	}
}

// requiredQuery returns the examples of the parameters that an operation needs
// in its query.
func requiredQuery(op *operation) string {
	query := url.Values{}
	for _, p := range op.route.Operation.Parameters {
		if p.Value.In != openapi3.ParameterInQuery || !p.Value.Required {
			continue
		}
		values, several := p.Value.Example.([]any)
		if !several {
			values = []any{p.Value.Example}
		}
		for _, v := range values {
			query.Add(p.Value.Name, fmt.Sprint(v))
		}
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// example returns a valid request for an operation.
func (h *harness) example(op *operation) request {
	r := request{method: op.method, path: op.path, header: http.Header{}}
	for _, p := range op.route.Operation.Parameters {
		if p.Value.In == openapi3.ParameterInPath {
			r.path = strings.ReplaceAll(r.path, "{"+p.Value.Name+"}", fmt.Sprint(p.Value.Example))
		}
	}
	r.path += requiredQuery(op)
	if op.consumes == "" {
		return r
	}
	example := op.route.Operation.RequestBody.Value.Content[op.consumes].Example
	if text, raw := example.(string); raw {
		r.body = text
	} else if op.consumes != "application/json" {
		form := []string{}
		for name, value := range example.(map[string]any) {
			form = append(form, name+"="+strings.ReplaceAll(fmt.Sprint(value), " ", "+"))
		}
		r.body = strings.Join(form, "&")
	} else {
		data, err := json.Marshal(example)
		if err != nil {
			h.t.Fatalf("encode the example: %v", err)
		}
		r.body = string(data)
	}
	r.header.Set("Content-Type", op.consumes)
	return r
}

// problemOf decodes a problem document and checks what all of them have.
func problemOf(t *testing.T, res *httptest.ResponseRecorder) (p struct {
	Type, Title, Detail, Instance, Code string
	Status                              int
	RequestID                           string `json:"request_id"`
	Errors                              []struct{ Field, Message string }
}) {
	t.Helper()
	if got := res.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type = %q, want application/problem+json", got)
	}
	if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, res.Body)
	}
	if p.Status != res.Code || p.RequestID == "" || p.RequestID != res.Header().Get("X-Request-ID") || p.Title == "" || p.Detail == "" {
		t.Errorf("incomplete problem: %s", res.Body)
	}
	return p
}
