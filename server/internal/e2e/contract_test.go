package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/peermesh/kgl-backend/openapi"
)

// contract is openapi.yaml as the tests hold answers against it.
var contract = loadContract()

type contractChecker struct {
	doc        *openapi3.T
	router     routers.Router
	options    *openapi3filter.Options
	operations []operation
}

// operation is one operation of the contract.
type operation struct {
	id, method, path string
	*openapi3.Operation
}

func loadContract() *contractChecker {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.YAML)
	if err != nil {
		panic(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	c := &contractChecker{doc: doc, router: router, options: responseOptions()}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c.operations = append(c.operations, operation{id: op.OperationID, method: method, path: path, Operation: op})
		}
	}
	slices.SortFunc(c.operations, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return c
}

var uuidv7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// responseOptions are stricter than the contract's words: ids are UUIDs of
// version 7 and times are UTC.
func responseOptions() *openapi3filter.Options {
	return &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.EnableFormatValidation(),
			openapi3.WithStringFormatValidator("uuid", openapi3.NewCallbackValidator(func(value string) error {
				if !uuidv7.MatchString(value) {
					return errors.New("not a UUID of version 7")
				}
				return nil
			})),
			openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(value string) error {
				if _, err := time.Parse(time.RFC3339Nano, value); err != nil || !strings.HasSuffix(value, "Z") {
					return errors.New("not an RFC 3339 time in UTC")
				}
				return nil
			})),
		},
	}
}

// check holds an answer against the contract: its status, headers, content type
// and body, and that the body has no field that the contract does not know.
func (c *contractChecker) check(t testing.TB, seen *coverage, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	checkAnyAnswer(t, req, res, body)
	plain := req.Clone(context.Background())
	plain.Body, plain.GetBody = nil, nil
	route, params, err := c.router.FindRoute(plain)
	if err != nil {
		return // not an operation: the router's answers have tests of their own
	}
	id := route.Operation.OperationID
	seen.add(id, res.StatusCode)
	name := fmt.Sprintf("%s %s (%s)", req.Method, req.URL.Path, id)
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: c.options,
	})
	if err != nil {
		t.Errorf("%s: the answer %d breaks the contract: %v\n%.2000s", name, res.StatusCode, err, body)
		return
	}
	response := route.Operation.Responses.Value(strconv.Itoa(res.StatusCode))
	if response == nil {
		t.Errorf("%s: the status %d is not documented: %.500s", name, res.StatusCode, body)
		return
	}
	if len(response.Value.Content) == 0 && len(body) > 0 {
		t.Errorf("%s: %d has a body: %.500s", name, res.StatusCode, body)
	}
	for mediaType, media := range response.Value.Content {
		if !strings.HasSuffix(mediaType, "json") || len(media.Schema.Value.Properties) == 0 {
			continue
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		undeclared(t, name, media.Schema.Value, value)
	}
}

// checkAnyAnswer holds what is true of every answer.
func checkAnyAnswer(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	if res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: %d has no X-Request-ID", req.Method, req.URL.Path, res.StatusCode)
	}
	if res.StatusCode >= 400 && req.Method != http.MethodHead && !json.Valid(body) {
		t.Errorf("%s %s: %d is not JSON: %.500s", req.Method, req.URL.Path, res.StatusCode, body)
	}
	for _, inside := range []string{"goroutine ", "SQLSTATE", "sqlite", "pgx", "panic", ".go:", "SELECT ", "constraint"} {
		if res.StatusCode >= 400 && bytes.Contains(body, []byte(inside)) {
			t.Errorf("%s %s: the error tells of the inside: %s", req.Method, req.URL.Path, body)
		}
	}
}

// undeclared reports fields that the schema does not know.
func undeclared(t testing.TB, at string, schema *openapi3.Schema, value any) {
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
				t.Errorf("%s: the field %s is not in the contract", at, name)
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

// coverage counts which answers of which operations were seen.
type coverage struct {
	mu   sync.Mutex
	seen map[string]map[int]bool
}

func newCoverage() *coverage { return &coverage{seen: map[string]map[int]bool{}} }

func (c *coverage) add(id string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[id] == nil {
		c.seen[id] = map[int]bool{}
	}
	c.seen[id][status] = true
}

// unprovoked tells whether an answer cannot be provoked from outside on a
// server that is well. TestDocumentedFaults and TestReadiness of package httpapi
// give these answers, for every operation that has them; TestDatabaseAway and
// TestDatabaseBusy give some 503 here.
func unprovoked(id string, status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		return true // needs a fault of ours or of a dependency
	case http.StatusTooManyRequests:
		// There is no limit on requests yet; what guesses passwords is throttled.
		return !slices.Contains([]string{"login", "issueToken", "changePassword"}, id)
	case http.StatusConflict:
		return id == "createSourceImport" // only while the first request with an Idempotency-Key runs
	case http.StatusUnauthorized:
		return id == "issueToken" // RFC 6749 has it for clients that authenticate; ours are public
	}
	return false
}

// check fails for every documented answer that no test has seen.
func (c *coverage) check(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	documented, missed := 0, []string{}
	for _, op := range contract.operations {
		for _, text := range slices.Sorted(maps.Keys(op.Responses.Map())) {
			status, err := strconv.Atoi(text)
			if err != nil {
				t.Errorf("%s documents the answer %q, which is no status", op.id, text)
				continue
			}
			documented++
			if !c.seen[op.id][status] && !unprovoked(op.id, status) {
				missed = append(missed, op.id+" "+text)
			}
		}
	}
	if len(missed) > 0 {
		t.Errorf("%d of %d documented answers were not seen: %s", len(missed), documented, strings.Join(missed, ", "))
	}
}
