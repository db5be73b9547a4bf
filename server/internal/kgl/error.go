package kgl

import (
	"errors"
	"fmt"
	"time"
)

// Code is a stable, documented error code. The API publishes it in the `code`
// field of a problem document, so a published code never changes its meaning.
type Code string

// The codes of the domain. Their HTTP statuses are assigned in one place, in
// package httpapi.
const (
	CodeInvalid              Code = "invalid_request"         // the input breaks a documented rule
	CodeUnauthenticated      Code = "unauthenticated"         // no credentials, or credentials that are not valid
	CodeInvalidCredentials   Code = "invalid_credentials"     // wrong email or password
	CodeForbidden            Code = "forbidden"               // the principal may not do this
	CodeInsufficientScope    Code = "insufficient_scope"      // the token lacks a scope
	CodeNotFound             Code = "not_found"               // no such resource, or none that the principal may see
	CodeConflict             Code = "conflict"                // the resource exists already, or the state forbids it
	CodePreconditionFailed   Code = "precondition_failed"     // If-Match does not name the current version
	CodeIdempotencyMismatch  Code = "idempotency_key_reused"  // the same Idempotency-Key with another request
	CodeIdempotencyInFlight  Code = "idempotency_in_progress" // the first request with this key is still running
	CodeMethodNotAllowed     Code = "method_not_allowed"      // the path exists, the method does not
	CodeNotAcceptable        Code = "not_acceptable"          // no representation satisfies Accept
	CodeUnsupportedMediaType Code = "unsupported_media_type"  // the body's content type is not accepted
	CodeTooLarge             Code = "too_large"               // the input exceeds a size limit
	CodeRateLimited          Code = "rate_limited"            // too many requests; see RetryAfter
	CodeUnavailable          Code = "unavailable"             // a dependency is down or busy; try again
	CodeTimeout              Code = "timeout"                 // the work did not end within its deadline
	CodeStorageFull          Code = "storage_full"            // the disk of the database is full
	CodeLeaseLost            Code = "lease_lost"              // the work was claimed by another worker meanwhile
	CodeConsentDenied        Code = "consent_denied"          // the source does not allow this use of its items
	CodeResultInvalid        Code = "result_invalid"          // the result that was handed in breaks a rule; see the fields
	CodeFetchFailed          Code = "fetch_failed"            // an outgoing request failed or was refused
	CodeFeedInvalid          Code = "feed_invalid"            // the document is not a feed that can be read
	CodeCursorExpired        Code = "cursor_expired"          // what the cursor goes on from is not kept any more; begin anew
	CodeInternal             Code = "internal"                // a fault of ours
)

// FieldError names one field of the input and what is wrong with it. Field is
// a path in the request, such as "url" or "aliases[2]"; Message never repeats
// a secret.
type FieldError struct {
	Field   string
	Message string
}

// Error is the one error type of the domain. Message is written for the user
// of the API and leaks nothing of the inside; Err keeps the cause for the log.
type Error struct {
	Code       Code
	Message    string
	Fields     []FieldError
	RetryAfter time.Duration // for CodeRateLimited and CodeUnavailable; 0 when unknown
	Err        error
}

// Error implements error. The text is for logs: it includes the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error with a code and a message for the user. A %w verb
// is not interpreted: use Wrap to keep a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error with a code and a message for the user that keeps err
// as its cause for the log.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: err}
}

// Invalid returns a CodeInvalid error about one field.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{
		Code:    CodeInvalid,
		Message: field + ": " + msg,
		Fields:  []FieldError{{Field: field, Message: msg}},
	}
}

// NotFound returns a CodeNotFound error about a kind of resource, such as
// "source". It is the same whether the resource is missing or hidden.
func NotFound(kind string) *Error {
	return Errorf(CodeNotFound, "no such %s", kind)
}

// ErrorCode returns the code of err: the empty code for nil, CodeInternal for
// an error that is not a domain error.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Is reports whether err is a domain error with the given code.
func Is(err error, code Code) bool { return err != nil && ErrorCode(err) == code }
