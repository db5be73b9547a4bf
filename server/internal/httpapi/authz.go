package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Authenticator finds out who presents an access token.
type Authenticator interface {
	// Authenticate returns the principal of a valid token. CodeUnauthenticated:
	// the token is not valid, or its session has ended.
	Authenticate(ctx context.Context, token string) (kgl.Principal, error)
}

// errNoToken marks requests without credentials: RFC 6750 section 3.1 wants no
// error code in their challenge.
var errNoToken = errors.New("no access token")

// authorize lets a request through when its operation is open, or when its
// bearer token is valid and grants every scope of the operation. A token counts
// in the Authorization header only, never in the query string or a body.
func (s *server) authorize(c echo.Context, op *operation, next echo.HandlerFunc) error {
	if op.open {
		return next(c)
	}
	req := c.Request()
	principal, err := s.principal(req.Context(), req.Header.Values("Authorization"))
	if err != nil {
		s.refused(req.Context(), op, kgl.ErrorCode(err))
		return err
	}
	ctx := kgl.WithPrincipal(req.Context(), principal)
	c.SetRequest(req.WithContext(ctx))
	for _, scope := range op.scopes {
		if !principal.HasScope(scope) {
			s.refused(ctx, op, kgl.CodeInsufficientScope)
			return kgl.Errorf(kgl.CodeInsufficientScope, "The token lacks the scope %s.", scope)
		}
	}
	return next(c)
}

func (s *server) principal(ctx context.Context, headers []string) (kgl.Principal, error) {
	switch len(headers) {
	case 0:
		return kgl.Principal{}, kgl.Wrap(errNoToken, kgl.CodeUnauthenticated, "A valid access token is required.")
	case 1:
	default:
		return kgl.Principal{}, kgl.Errorf(kgl.CodeUnauthenticated, "More than one Authorization header was sent.")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if token = strings.TrimLeft(token, " "); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return kgl.Principal{}, kgl.Wrap(errNoToken, kgl.CodeUnauthenticated, "A bearer token is required.")
	}
	return s.auth.Authenticate(ctx, token)
}

// limit asks the configured limiter whether the request may go on.
func (s *server) limit(c echo.Context, op *operation, next echo.HandlerFunc) error {
	if s.limiter != nil {
		if err := s.limiter(c.Request().Context(), op.id); err != nil {
			return err
		}
	}
	return next(c)
}
