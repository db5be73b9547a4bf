package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fieldName bounds a name that the caller made up, for an error message.
func fieldName(name string) string {
	const longest = 100
	name = strings.ToValidUTF8(name, "?")
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, name)
}

// invalidFields returns the error about several fields, in their order by name.
func invalidFields(fields []kgl.FieldError) error {
	slices.SortFunc(fields, func(a, b kgl.FieldError) int {
		return strings.Compare(a.Field+"\x00"+a.Message, b.Field+"\x00"+b.Message)
	})
	fields = slices.Compact(fields)
	const most = 20
	fields = fields[:min(len(fields), most)]
	return &kgl.Error{Code: kgl.CodeInvalid, Message: fmt.Sprintf("%s %s.", fields[0].Field, fields[0].Message), Fields: fields}
}

// requestError translates what the validator found. Its own texts are not used,
// because some repeat what was submitted.
func requestError(err error) error {
	fields := collectFields(err, "", nil)
	if len(fields) == 0 {
		return kgl.Errorf(kgl.CodeInvalid, "The request is not valid.")
	}
	return invalidFields(fields)
}

// collectFields walks the tree of the validator's errors.
func collectFields(err error, parameter string, fields []kgl.FieldError) []kgl.FieldError {
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, inner := range e {
			fields = collectFields(inner, parameter, fields)
		}
	case *openapi3filter.RequestError:
		if e.Parameter != nil {
			parameter = e.Parameter.Name
		}
		if inner := e.Err; inner != nil && isSchemaError(inner) {
			return collectFields(inner, parameter, fields)
		}
		message := "is not valid"
		if errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
			message = "is required"
		} else if e.Parameter != nil {
			message = mustBe(e.Parameter.Schema.Value)
		}
		if parameter == "" {
			parameter = "body"
		}
		fields = append(fields, kgl.FieldError{Field: parameter, Message: message})
	case *openapi3.SchemaError:
		if e.Origin != nil && isSchemaError(e.Origin) {
			return collectFields(e.Origin, parameter, fields)
		}
		if e.SchemaField == "properties" {
			return append(fields, unknownFields(parameter, e)...)
		}
		fields = append(fields, kgl.FieldError{Field: fieldPath(parameter, e.JSONPointer()), Message: schemaMessage(e)})
	}
	return fields
}

// unknownFields names the members of an object that its schema does not have.
func unknownFields(parameter string, e *openapi3.SchemaError) []kgl.FieldError {
	object, _ := e.Value.(map[string]any)
	var fields []kgl.FieldError
	for name := range object {
		if e.Schema.Properties[name] == nil {
			path := append(e.JSONPointer(), name)
			fields = append(fields, kgl.FieldError{Field: fieldPath(parameter, path), Message: "is not a known field"})
		}
	}
	return fields
}

func isSchemaError(err error) bool {
	if _, ok := err.(openapi3.MultiError); ok {
		return true
	}
	_, ok := err.(*openapi3.SchemaError)
	return ok
}

// fieldPath writes a JSON pointer as the API shows it: aliases[2].
func fieldPath(parameter string, pointer []string) string {
	var b strings.Builder
	b.WriteString(parameter)
	for _, part := range pointer {
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(fieldName(part))
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

// schemaMessage says what a schema asks for, never what was sent.
func schemaMessage(e *openapi3.SchemaError) string {
	schema := e.Schema
	if schema == nil {
		return "is not valid"
	}
	switch e.SchemaField {
	case "required":
		return "is required"
	case "nullable":
		return "must not be null"
	case "enum":
		allowed, err := json.Marshal(schema.Enum)
		if err != nil {
			return "is not one of the allowed values"
		}
		return "must be one of " + strings.Trim(string(allowed), "[]")
	case "minLength":
		return fmt.Sprintf("must have at least %d characters", schema.MinLength)
	case "maxLength":
		return fmt.Sprintf("must have at most %d characters", *schema.MaxLength)
	case "minimum":
		return fmt.Sprintf("must be at least %v", *schema.Min)
	case "maximum":
		return fmt.Sprintf("must be at most %v", *schema.Max)
	case "minItems":
		return fmt.Sprintf("must have at least %d elements", schema.MinItems)
	case "maxItems":
		return fmt.Sprintf("must have at most %d elements", *schema.MaxItems)
	case "uniqueItems":
		return "must not repeat an element"
	case "minProperties":
		return fmt.Sprintf("must have at least %d fields", schema.MinProps)
	case "maxProperties":
		return fmt.Sprintf("must have at most %d fields", *schema.MaxProps)
	case "pattern":
		return "must match " + schema.Pattern
	default:
		return mustBe(schema)
	}
}

// mustBe names the kind of value that a schema asks for.
func mustBe(schema *openapi3.Schema) string {
	switch {
	case schema.Format == "uuid":
		return "must be a UUID in its lower-case form"
	case schema.Format == "date-time":
		return "must be an RFC 3339 time"
	case schema.Type.Is("integer"):
		return "must be an integer"
	case schema.Type.Is("number"):
		return "must be a number"
	case schema.Type.Is("boolean"):
		return "must be true or false"
	case schema.Type.Is("string"):
		return "must be a string"
	case schema.Type.Is("array"):
		return "must be an array"
	case schema.Type.Is("object"):
		return "must be an object"
	}
	return "is not valid"
}
