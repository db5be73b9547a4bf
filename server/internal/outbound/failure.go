package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Reason says why a request failed, for logs and metrics. It must not reach
// users: it tells what is blocked from what is down.
type Reason string

// The reasons. The first three look the same to users.
const (
	ReasonBlocked     Reason = "blocked"     // the policy refuses the address or the port
	ReasonDNS         Reason = "dns"         // the name does not resolve
	ReasonUnreachable Reason = "unreachable" // no connection, or none in time
	ReasonTLS         Reason = "tls"         // handshake or certificate
	ReasonTimeout     Reason = "timeout"     // connected, but not done in time
	ReasonTooLarge    Reason = "too_large"   // headers or body over the limit
	ReasonRedirect    Reason = "redirect"    // too many, or to where no request may go
	ReasonEncoding    Reason = "encoding"    // a content encoding that was not asked for, or damaged
	ReasonTruncated   Reason = "truncated"   // the connection ended before the answer did
	ReasonProtocol    Reason = "protocol"    // not valid HTTP
	ReasonCanceled    Reason = "canceled"    // the caller gave up, the host is not to blame
)

// unreachableText is what users read for every host that cannot be reached,
// whatever the reason.
const unreachableText = "the server could not be reached"

// Failure is the cause inside the *kgl.Error of a failed request. It is for
// the log; only the host of the URL is kept, because paths and queries of
// feeds hold secrets.
type Failure struct {
	Reason Reason
	Host   string // host and port of the request that failed, after redirects
	Err    error  // what the network said; nil when the reason says it all
}

// maxCauseText bounds how much of a cause is logged: some errors of net/http
// quote what the server sent.
const maxCauseText = 300

// Error implements error, on one line and of bounded length.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%s (host %s)", f.Reason, f.Host)
	if f.Err == nil {
		return text
	}
	cause := strconv.QuoteToGraphic(f.Err.Error())
	cause = cause[1 : len(cause)-1]
	if len(cause) > maxCauseText {
		cause = strings.ToValidUTF8(cause[:maxCauseText], "") + "..."
	}
	return text + ": " + cause
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// ReasonOf returns why a request failed, or the empty reason when err is not
// about a request that was tried.
func ReasonOf(err error) Reason {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Reason
	}
	return ""
}

// fail makes the error of a failed request: the code and the text for users
// follow from the reason alone.
func fail(reason Reason, host string, cause error) *kgl.Error {
	code, text := kgl.CodeFetchFailed, ""
	switch reason {
	case ReasonBlocked, ReasonDNS, ReasonUnreachable:
		text = unreachableText
	case ReasonTLS:
		text = "no secure connection to the server could be made"
	case ReasonTimeout:
		code, text = kgl.CodeTimeout, "the server did not answer in time"
	case ReasonTooLarge:
		code, text = kgl.CodeTooLarge, "the server's answer is too large"
	case ReasonRedirect:
		text = "the server's redirects cannot be followed"
	case ReasonEncoding:
		text = "the server's answer has an encoding that cannot be read"
	case ReasonTruncated:
		text = "the server's answer broke off"
	case ReasonCanceled:
		code, text = kgl.CodeUnavailable, "the request was stopped"
	case ReasonProtocol:
		text = "the server's answer is not valid HTTP"
	}
	return kgl.Wrap(&Failure{Reason: reason, Host: host, Err: cause}, code, "%s", text)
}

// explain makes the error of a request that the transport gave up, or whose
// body it could not read. Errors about invalid HTTP quote what the server
// sent, which may hold secrets such as those of a redirect: the quotation is
// left out.
func explain(parent context.Context, p *progress, host string, err error) error {
	reason := classify(parent, p, err)
	if text, _, quotes := strings.Cut(err.Error(), `"`); reason == ReasonProtocol || reason == ReasonTruncated && quotes {
		err = errors.New(strings.TrimRight(text, " :"))
	}
	return fail(reason, host, err)
}

// classify finds the reason for an error of the transport or of a body.
// parent is the caller's context, without our own deadline.
func classify(parent context.Context, p *progress, err error) Reason {
	if _, ok := errors.AsType[*blockedError](err); ok {
		return ReasonBlocked
	}
	if errors.Is(parent.Err(), context.Canceled) {
		return ReasonCanceled
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return ReasonDNS
	}
	switch {
	case p.started.Load() && !p.connected.Load(), isDial(err):
		return ReasonUnreachable
	case isTimeout(err):
		return ReasonTimeout
	case isTLS(err) || p.handshaking.Load():
		return ReasonTLS
	case isHeaderLimit(err) || errors.Is(err, errBodyLimit):
		return ReasonTooLarge
	case isBroken(err):
		return ReasonTruncated
	}
	return ReasonProtocol
}

// isDial knows a failed dial by its error, too: a request that was retried
// after its kept-alive connection broke had been connected before.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.AlertError](err)
	return ok
}

// isHeaderLimit knows the errors of net/http for too many header bytes, over
// HTTP/1 and HTTP/2, by their text: they have no type of their own.
func isHeaderLimit(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit") ||
		strings.Contains(text, "header list too large")
}

// isBroken knows a reset stream, a connection of HTTP/2 that its server gave up
// and an end inside of the trailer by their text, because net/http keeps their
// types to itself.
func isBroken(err error) bool {
	text := err.Error()
	return strings.HasSuffix(text, "; received from peer") || strings.HasPrefix(text, "http2: server sent GOAWAY") ||
		strings.HasPrefix(text, "http2: client connection") || strings.HasSuffix(text, "unexpected EOF reading trailer") ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed)
}
