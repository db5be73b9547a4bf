package openapi_test

import (
	"context"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/peermesh/kgl-backend/openapi"
)

func loadAI(t *testing.T) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = false
	doc, err := loader.LoadFromData(openapi.AIYAML)
	if err != nil {
		t.Fatalf("load the contract of the AI module: %v", err)
	}
	return doc
}

// eachAI calls fn for every operation of the AI module as a subtest.
func eachAI(t *testing.T, fn func(t *testing.T, path string, op *openapi3.Operation)) {
	for path, item := range loadAI(t).Paths.Map() {
		for method, op := range item.Operations() {
			t.Run(method+" "+path, func(t *testing.T) { fn(t, path, op) })
		}
	}
}

func TestAIContractIsValidWithItsExamples(t *testing.T) {
	doc := loadAI(t)
	if doc.OpenAPI != "3.0.3" {
		t.Errorf("openapi = %q, want 3.0.3", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Errorf("validate: %v", err)
	}
}

// TestAIWorkAnswersAtOnceOrWithAJob: 200 or 202 for each kind of work, and the
// errors that the backend tells apart, as problem documents, each with an
// example for those who build the module.
func TestAIWorkAnswersAtOnceOrWithAJob(t *testing.T) {
	work := []string{}
	eachAI(t, func(t *testing.T, _ string, op *openapi3.Operation) {
		for status, response := range op.Responses.Map() {
			for mediaType, media := range response.Value.Content {
				if media.Example == nil && len(media.Examples) == 0 {
					t.Errorf("response %s has no example of %s", status, mediaType)
				}
			}
			if status >= "400" && response.Value.Content.Get("application/problem+json") == nil {
				t.Errorf("response %s is not a problem document", status)
			}
		}
		if op.RequestBody == nil {
			return
		}
		work = append(work, op.OperationID)
		for _, status := range []string{"200", "202", "400", "401", "403", "413", "422", "429", "500", "503"} {
			if op.Responses.Value(status) == nil {
				t.Errorf("response %s is missing", status)
			}
		}
		for _, status := range []string{"202", "429", "503"} {
			if op.Responses.Value(status).Value.Headers["Retry-After"] == nil {
				t.Errorf("response %s does not say how long to wait", status)
			}
		}
		if op.Parameters.GetByInAndName("header", "Idempotency-Key") == nil {
			t.Error("attempts at the same work cannot be told from new work")
		}
	})
	slices.Sort(work)
	if want := []string{"embed", "extract", "summarize"}; !slices.Equal(work, want) {
		t.Errorf("work = %v, want %v", work, want)
	}
}

// TestAIAnswersAreBounded: the backend holds answers in memory.
func TestAIAnswersAreBounded(t *testing.T) {
	for name, schema := range loadAI(t).Components.Schemas {
		for field, property := range schema.Value.Properties {
			s := property.Value
			if s.Type.Is("array") && s.MaxItems == nil {
				t.Errorf("%s: the array %s is not bounded", name, field)
			}
			if s.Type.Is("object") && s.AdditionalProperties.Schema != nil && s.MaxProps == nil {
				t.Errorf("%s: the map %s is not bounded", name, field)
			}
		}
	}
}

// TestAIContractIsOpen: both sides may add fields.
func TestAIContractIsOpen(t *testing.T) {
	for name, schema := range loadAI(t).Components.Schemas {
		if extra := schema.Value.AdditionalProperties.Has; extra != nil && !*extra {
			t.Errorf("%s refuses fields that it does not know", name)
		}
	}
}
