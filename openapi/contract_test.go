package openapi_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/peermesh/kgl-backend/openapi"
)

// openOperations are the operations that need no token; nothing else may be open.
var openOperations = []string{
	"getContractJson", "getContractYaml", "getDocs", "getHealth", "getJwks", "getMetrics",
	"getReadiness", "getWellKnownJwks", "issueToken", "login", "refreshTokens",
}

func load(t *testing.T) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = false
	doc, err := loader.LoadFromData(openapi.YAML)
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	return doc
}

// each calls fn for every operation as a subtest.
func each(t *testing.T, fn func(t *testing.T, path, method string, item *openapi3.PathItem, op *openapi3.Operation)) {
	doc := load(t)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			t.Run(method+" "+path, func(t *testing.T) { fn(t, path, method, item, op) })
		}
	}
}

func TestContractIsValidWithItsExamples(t *testing.T) {
	doc := load(t)
	if doc.OpenAPI != "3.0.3" {
		t.Errorf("openapi = %q, want 3.0.3", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Errorf("validate: %v", err)
	}
}

func TestOperationsAreDescribed(t *testing.T) {
	idPattern := regexp.MustCompile(`^[a-z][A-Za-z]+$`)
	seen := map[string]string{}
	each(t, func(t *testing.T, path, method string, _ *openapi3.PathItem, op *openapi3.Operation) {
		if !idPattern.MatchString(op.OperationID) {
			t.Errorf("operationId %q is not camelCase", op.OperationID)
		}
		if other, ok := seen[op.OperationID]; ok {
			t.Errorf("operationId %q is used by %s too", op.OperationID, other)
		}
		seen[op.OperationID] = method + " " + path
		if op.Summary == "" {
			t.Error("no summary")
		}
		if len(op.Tags) != 1 {
			t.Errorf("tags = %v, want one", op.Tags)
		}
		if !hasExample(op) {
			t.Error("no example")
		}
		if strings.Contains(path, ":") {
			t.Error("a path with a colon cannot be routed")
		}
	})
}

func TestParametersAreDescribed(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, item *openapi3.PathItem, op *openapi3.Operation) {
		if len(item.Parameters) > 0 {
			t.Error("parameters belong to the operation, not to the path")
		}
		for _, p := range op.Parameters {
			if strings.TrimSpace(p.Value.Description) == "" {
				t.Errorf("the parameter %s has no description", p.Value.Name)
			}
		}
	})
}

// TestAnswersHaveExamples: whoever builds a fake of the service from the
// contract needs one for every answer with a body.
func TestAnswersHaveExamples(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		for status, response := range op.Responses.Map() {
			for mediaType, media := range response.Value.Content {
				if media.Example == nil && len(media.Examples) == 0 {
					t.Errorf("response %s has no example of %s", status, mediaType)
				}
			}
		}
		if op.RequestBody == nil {
			return
		}
		for mediaType, media := range op.RequestBody.Value.Content {
			if media.Example == nil && len(media.Examples) == 0 {
				t.Errorf("the body has no example of %s", mediaType)
			}
		}
	})
}

// TestDeprecationsGiveNotice: 180 days, as docs/versioning.md promises. What is
// missing altogether is refused by the server at its start.
func TestDeprecationsGiveNotice(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		if !op.Deprecated {
			return
		}
		days := [2]time.Time{}
		for i, name := range []string{"x-deprecated-at", "x-sunset"} {
			text, _ := op.Extensions[name].(string)
			day, err := time.Parse(time.DateOnly, text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			days[i] = day
		}
		if notice := days[1].Sub(days[0]); notice < 180*24*time.Hour {
			t.Errorf("the notice is %v, want 180 days", notice)
		}
	})
}

func hasExample(op *openapi3.Operation) bool {
	content := []openapi3.Content{}
	if op.RequestBody != nil {
		content = append(content, op.RequestBody.Value.Content)
	}
	for _, response := range op.Responses.Map() {
		content = append(content, response.Value.Content)
	}
	for _, c := range content {
		for _, media := range c {
			if media.Example != nil || len(media.Examples) > 0 {
				return true
			}
		}
	}
	return false
}

func TestOperationsDeclareTheirScopes(t *testing.T) {
	doc := load(t)
	known := doc.Components.SecuritySchemes["oauth2"].Value.Flows.Password.Scopes
	open := []string{}
	each(t, func(t *testing.T, _, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		if op.Security == nil {
			t.Fatal("no security of its own")
		}
		if len(*op.Security) == 0 {
			open = append(open, op.OperationID)
			return
		}
		scopes := []string{}
		schemes := []string{}
		for _, requirement := range *op.Security {
			for scheme, s := range requirement {
				schemes = append(schemes, scheme)
				scopes = append(scopes, s...)
			}
		}
		slices.Sort(schemes)
		if !slices.Equal(schemes, []string{"bearerAuth", "oauth2"}) {
			t.Errorf("schemes = %v, want bearerAuth and oauth2", schemes)
		}
		if len(scopes) == 0 {
			t.Error("no scope")
		}
		for _, scope := range scopes {
			if _, ok := known[scope]; !ok {
				t.Errorf("scope %q is not declared", scope)
			}
		}
	})
	slices.Sort(open)
	if !slices.Equal(open, openOperations) {
		t.Errorf("open operations = %v, want %v", open, openOperations)
	}
}

func TestOperationsDeclareTheirErrors(t *testing.T) {
	each(t, func(t *testing.T, path, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		want := []string{"400", "406", "500"}
		if len(*op.Security) > 0 {
			want = append(want, "401", "403", "429", "503")
		}
		if op.RequestBody != nil {
			want = append(want, "413", "415")
		}
		if strings.Contains(path, "{") {
			want = append(want, "404")
		}
		for _, p := range op.Parameters {
			switch p.Value.Name {
			case "If-None-Match":
				want = append(want, "304")
			case "If-Match":
				want = append(want, "412")
			case "Idempotency-Key":
				want = append(want, "409", "422")
			}
		}
		for _, status := range want {
			if op.Responses.Value(status) == nil {
				t.Errorf("response %s is missing", status)
			}
		}
		for status, response := range op.Responses.Map() {
			if status < "400" || op.OperationID == "issueToken" || op.OperationID == "getReadiness" {
				continue
			}
			if response.Value.Content.Get("application/problem+json") == nil {
				t.Errorf("response %s is not a problem document", status)
			}
		}
	})
}

func TestListsArePaged(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		if !strings.HasPrefix(op.OperationID, "list") {
			return
		}
		for _, name := range []string{"limit", "cursor"} {
			if op.Parameters.GetByInAndName("query", name) == nil {
				t.Errorf("no %s", name)
			}
		}
		schema := op.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		for _, name := range []string{"data", "pagination"} {
			if !slices.Contains(schema.Required, name) {
				t.Errorf("%s is not required", name)
			}
		}
	})
}

// TestRequestBodiesAreClosed keeps mass assignment out: a field that is not
// declared is refused.
func TestRequestBodiesAreClosed(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, _ *openapi3.PathItem, op *openapi3.Operation) {
		if op.RequestBody == nil {
			return
		}
		if n := len(op.RequestBody.Value.Content); n != 1 {
			t.Errorf("%d content types, want one", n)
		}
		for name, media := range op.RequestBody.Value.Content {
			if s := media.Schema.Value; s.Type.Is("string") && s.Format == "binary" {
				if _, bounded := op.Extensions["x-max-body-bytes"]; !bounded {
					t.Errorf("%s: the document is not bounded", name)
				}
				continue
			}
			extra := media.Schema.Value.AdditionalProperties.Has
			// RFC 6749 section 3.2: unknown parameters are ignored.
			if op.OperationID != "issueToken" && (extra == nil || *extra) {
				t.Errorf("%s: additionalProperties is not false", name)
			}
			for field, schema := range media.Schema.Value.Properties {
				s := schema.Value
				if s.Type.Is("string") && s.MaxLength == nil && s.Enum == nil && s.Pattern == "" && s.Format != "uuid" {
					t.Errorf("%s: the string %s is not bounded", name, field)
				}
				if s.Type.Is("array") && s.MaxItems == nil {
					t.Errorf("%s: the array %s is not bounded", name, field)
				}
			}
		}
	})
}
