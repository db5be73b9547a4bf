package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// statusClientClosed is what the log shows when the caller went away before the
// answer; nobody receives it.
const statusClientClosed = 499

// statusOf is the one table from error codes to HTTP statuses.
func statusOf(code kgl.Code) int {
	switch code {
	case kgl.CodeInvalid:
		return http.StatusBadRequest
	case kgl.CodeUnauthenticated, kgl.CodeInvalidCredentials:
		return http.StatusUnauthorized
	case kgl.CodeForbidden, kgl.CodeInsufficientScope:
		return http.StatusForbidden
	case kgl.CodeNotFound:
		return http.StatusNotFound
	case kgl.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case kgl.CodeNotAcceptable:
		return http.StatusNotAcceptable
	case kgl.CodeConflict, kgl.CodeIdempotencyInFlight, kgl.CodeLeaseLost, kgl.CodeConsentDenied:
		return http.StatusConflict
	case kgl.CodePreconditionFailed:
		return http.StatusPreconditionFailed
	case kgl.CodeCursorExpired:
		return http.StatusGone
	case kgl.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case kgl.CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case kgl.CodeIdempotencyMismatch, kgl.CodeFeedInvalid, kgl.CodeResultInvalid:
		return http.StatusUnprocessableEntity
	case kgl.CodeRateLimited:
		return http.StatusTooManyRequests
	case kgl.CodeFetchFailed:
		return http.StatusBadGateway
	case kgl.CodeUnavailable, kgl.CodeStorageFull, kgl.CodeTimeout:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// defaultRetryAfter is told where the service does not know better.
const defaultRetryAfter = 5 * time.Second

// asDomainError returns err as a domain error. What comes from the router and
// the body reader gets its code here; everything unknown is CodeInternal.
func asDomainError(err error) *kgl.Error {
	if e, ok := errors.AsType[*kgl.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return kgl.Wrap(err, kgl.CodeTooLarge, "The body is larger than %d bytes.", e.Limit)
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return kgl.Wrap(err, kgl.CodeNotFound, "There is nothing at this path.")
		case http.StatusMethodNotAllowed:
			return kgl.Wrap(err, kgl.CodeMethodNotAllowed, "This path does not have that method; see the Allow header.")
		case http.StatusBadRequest:
			return kgl.Wrap(err, kgl.CodeInvalid, "The request is not valid.")
		case http.StatusUnsupportedMediaType:
			return kgl.Wrap(err, kgl.CodeUnsupportedMediaType, "The content type of the body is not accepted.")
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return kgl.Wrap(err, kgl.CodeTimeout, "The work did not end in time. Try again.")
	}
	return kgl.Wrap(err, kgl.CodeInternal, "The service failed to answer. The fault was logged under the request id.")
}

// writeError answers err: as a problem document, or in the shape of RFC 6749
// where the operation asks for that.
func (s *server) writeError(c echo.Context, err error) {
	ctx := c.Request().Context()
	op := operationFrom(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		c.Response().Status = statusClientClosed
		return
	}
	e := asDomainError(err)
	status := statusOf(e.Code)
	if status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error(), "code", string(e.Code), "request_id", kgl.RequestFrom(ctx).ID)
	}
	if c.Response().Committed {
		// Half an answer is out: break the connection rather than end it as if
		// it were whole.
		panic(http.ErrAbortHandler)
	}
	setErrorHeaders(c.Response().Header(), op, e, status)
	var body any
	contentType := "application/problem+json"
	if op != nil && op.oauthErrors {
		contentType = echo.MIMEApplicationJSON
		body, status = oauthBody(err, e, status)
	} else {
		body = problem(ctx, c.Request().URL.Path, e, status)
	}
	data, err := json.Marshal(body)
	if err != nil {
		s.log.ErrorContext(ctx, "encode error", "error", err.Error())
		status = http.StatusInternalServerError
	}
	if err := c.Blob(status, contentType, data); err != nil {
		s.log.DebugContext(ctx, "write error", "error", err.Error())
	}
}

// setErrorHeaders sets what goes with a status: the challenge of RFC 6750 with
// 401 and 403, Retry-After with 429 and 503.
func setErrorHeaders(h http.Header, op *operation, e *kgl.Error, status int) {
	h.Del("ETag")
	h.Del("Location")
	h.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="kgl"`
		if e.Code == kgl.CodeUnauthenticated && !errors.Is(e, errNoToken) && op != nil && !op.open {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	case http.StatusForbidden:
		if e.Code == kgl.CodeInsufficientScope && op != nil {
			h.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="kgl", error="insufficient_scope", scope=%q`, strings.Join(op.scopes, " ")))
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		wait := e.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	}
}

// problem returns the problem document of RFC 9457 for e. The text of a fault
// of ours stays in the log.
func problem(ctx context.Context, path string, e *kgl.Error, status int) api.Problem {
	p := api.Problem{
		Type:      "urn:kgl:problem:" + string(e.Code),
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    sentence(e.Message),
		Instance:  path,
		Code:      string(e.Code),
		RequestID: kgl.RequestFrom(ctx).ID,
	}
	if status == http.StatusInternalServerError {
		p.Code = string(kgl.CodeInternal)
		p.Type = "urn:kgl:problem:" + p.Code
		p.Detail = "The service failed to answer. The fault was logged under the request id."
		return p
	}
	if len(e.Fields) > 0 {
		fields := make([]api.FieldProblem, len(e.Fields))
		for i, f := range e.Fields {
			fields[i] = api.FieldProblem{Field: f.Field, Message: f.Message}
		}
		p.Errors = &fields
	}
	return p
}

// sentence makes a sentence of a domain message: capital letter, full stop.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	if first := message[0]; first >= 'a' && first <= 'z' && !strings.Contains(strings.SplitN(message, " ", 2)[0], ":") {
		message = string(first-'a'+'A') + message[1:]
	}
	if !strings.ContainsAny(message[len(message)-1:], ".!?") {
		message += "."
	}
	return message
}

// oauthError is an error with a code of RFC 6749 section 5.2, for the token
// endpoint.
type oauthError struct {
	code        string
	description string
}

// Error implements error.
func (e *oauthError) Error() string { return e.code + ": " + e.description }

// Unwrap gives it its place among the domain's errors.
func (e *oauthError) Unwrap() error { return kgl.Errorf(kgl.CodeInvalid, "%s", e.description) }

// oauthBody returns the body of RFC 6749 section 5.2 and the status to go with
// it: wrong credentials are invalid_grant with 400 there, not 401.
func oauthBody(err error, e *kgl.Error, status int) (api.OAuthError, int) {
	if oe, ok := errors.AsType[*oauthError](err); ok {
		return api.OAuthError{Error: oe.code, ErrorDescription: &oe.description}, http.StatusBadRequest
	}
	code, description := "invalid_request", sentence(e.Message)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		code, status = "invalid_grant", http.StatusBadRequest
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		code = "temporarily_unavailable"
	case status >= http.StatusInternalServerError:
		code, description = "server_error", "The service failed to answer."
	}
	return api.OAuthError{Error: code, ErrorDescription: &description}, status
}
