package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// validatedBody is the body as the contract's validator saw it. The generated
// server binds the value, so that what was validated is what the handler gets.
type validatedBody struct {
	io.Reader
	data  []byte
	value any
}

// ValidatedValue returns the decoded body; of one that is not decoded, its
// hash.
func (b *validatedBody) ValidatedValue() any { return b.value }

// Close implements io.Closer.
func (b *validatedBody) Close() error { return nil }

// again returns the same body, unread.
func (b *validatedBody) again() *validatedBody {
	return &validatedBody{Reader: bytes.NewReader(b.data), data: b.data, value: b.value}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// validatorOptions are those of every request. Authentication is done before,
// and defaults are the handlers' business, because a validator that rewrites
// the request makes two truths.
func validatorOptions() *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
		MultiError:          true,
		SkipSettingDefaults: true,
		KeepValidatedValue:  true,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.EnableFormatValidation(),
			openapi3.WithStringFormatValidator("uuid", openapi3.NewCallbackValidator(func(value string) error {
				if !uuidForm.MatchString(value) {
					return errors.New("not a UUID")
				}
				return nil
			})),
			// The validator's own check is a pattern that lets 30 February pass.
			openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(value string) error {
				_, err := time.Parse(time.RFC3339Nano, value)
				return err
			})),
		},
	}
}

// validate checks path, query, headers and body against the contract.
func (s *server) validate(c echo.Context, op *operation, next echo.HandlerFunc) error {
	req := c.Request()
	query, err := checkQuery(op, req.URL.RawQuery)
	if err != nil {
		return err
	}
	body, err := readBody(op, req)
	if err != nil {
		return err
	}
	params := map[string]string{}
	for i, name := range c.ParamNames() {
		params[name] = c.ParamValues()[i]
		if strings.Contains(params[name], "/") {
			return kgl.Errorf(kgl.CodeNotFound, "There is nothing at this path.")
		}
	}
	checked := req
	if op.consumes != "" {
		checked = req.Clone(req.Context())
		checked.Body = io.NopCloser(bytes.NewReader(body))
		checked.GetBody = nil
		checked.ContentLength = int64(len(body))
	}
	options := s.validator
	if op.raw() {
		unread := *options
		unread.ExcludeRequestBody = true
		options = &unread
	}
	err = openapi3filter.ValidateRequest(req.Context(), &openapi3filter.RequestValidationInput{
		Request: checked, PathParams: params, QueryParams: query, Route: op.route, Options: options,
	})
	if err != nil {
		return requestError(err)
	}
	if op.raw() {
		sum := sha256.Sum256(body)
		req.Body = (&validatedBody{data: body, value: hex.EncodeToString(sum[:])}).again()
	} else if valued, ok := checked.Body.(interface{ ValidatedValue() any }); ok {
		req.Body = (&validatedBody{data: body, value: valued.ValidatedValue()}).again()
	} else if op.consumes != "" {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	ctx := context.WithValue(req.Context(), queryHashKey{}, hashQuery(op.id, params, query))
	c.SetRequest(req.WithContext(ctx))
	return next(c)
}

// checkQuery refuses what the contract's validator lets pass: unknown and
// repeated parameters, bad escapes, NUL and invalid UTF-8.
func checkQuery(op *operation, raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, kgl.Errorf(kgl.CodeInvalid, "The query string is not valid.")
	}
	var fields []kgl.FieldError
	for name, values := range query {
		parameter, known := op.query[name]
		switch {
		case !known:
			fields = append(fields, kgl.FieldError{Field: fieldName(name), Message: "is not a known parameter"})
		case len(values) > 1 && !parameter.array:
			fields = append(fields, kgl.FieldError{Field: name, Message: "is given more than once"})
		case slices.ContainsFunc(values, func(v string) bool { return !storable(v) }):
			fields = append(fields, kgl.FieldError{Field: name, Message: "is not valid text"})
		}
	}
	if len(fields) > 0 {
		return nil, invalidFields(fields)
	}
	return query, nil
}

// readBody returns the whole body, checked for its form.
func readBody(op *operation, req *http.Request) ([]byte, error) {
	if op.consumes == "" {
		return nil, nil
	}
	data, err := io.ReadAll(req.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, kgl.Wrap(err, kgl.CodeInvalid, "The body could not be read.")
	}
	switch {
	case len(data) == 0:
		if op.bodyMust {
			return nil, kgl.Errorf(kgl.CodeInvalid, "A body is required.")
		}
		return nil, nil
	case op.raw():
		return data, nil
	case op.consumes == echo.MIMEApplicationForm:
		return data, checkForm(data)
	default:
		return data, checkJSON(data)
	}
}

// checkForm refuses forms that repeat a parameter (RFC 6749 section 3.2) or
// cannot be read.
func checkForm(data []byte) error {
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return kgl.Errorf(kgl.CodeInvalid, "The form is not valid.")
	}
	for _, values := range form {
		if len(values) > 1 {
			return kgl.Errorf(kgl.CodeInvalid, "The form repeats a parameter.")
		}
		if !storable(values[0]) {
			return kgl.Errorf(kgl.CodeInvalid, "The form holds text that is not valid.")
		}
	}
	return nil
}

// storable reports whether text is valid UTF-8 without NUL.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
