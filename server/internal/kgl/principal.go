package kgl

import (
	"context"
	"slices"
)

// PrincipalType says what kind of actor a Principal is.
type PrincipalType string

// The kinds of actors.
const (
	PrincipalAnonymous PrincipalType = "anonymous" // a request without valid credentials
	PrincipalUser      PrincipalType = "user"      // a person who logged in
	PrincipalSystem    PrincipalType = "system"    // the service itself: scheduler, enrichment, bootstrap
	PrincipalOperator  PrincipalType = "operator"  // a person at the command line of the server
)

// Principal is who acts. The zero value is the anonymous principal, which may
// do nothing.
type Principal struct {
	Type      PrincipalType
	ID        string // the user's id; for other kinds a name such as "ingest"
	Role      Role
	Scopes    []string
	SessionID string // the login session of a user; empty for other kinds
}

// HasScope reports whether the principal was granted exactly this scope.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the principal of ctx, the anonymous one when there is
// none.
func PrincipalFrom(ctx context.Context) Principal {
	p, ok := ctx.Value(principalKey{}).(Principal)
	if !ok {
		return Principal{Type: PrincipalAnonymous}
	}
	return p
}

// Request describes the API call in which something happens, for the audit
// log and the log lines.
type Request struct {
	ID      string // X-Request-ID
	Address string // the client's address, without port
}

type requestKey struct{}

// WithRequest returns a context that carries r.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom returns the request of ctx, the zero Request when there is none.
func RequestFrom(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
