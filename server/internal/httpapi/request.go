package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	headerRequestID      = "X-Request-Id"
	headerIdempotencyKey = "Idempotency-Key"
	headerIfNoneMatch    = "If-None-Match"
	maxRequestIDLength   = 128
)

// headAsGet serves HEAD as GET. The HTTP server leaves the body out, because its
// own request still says HEAD. It stands outside of echo, whose router looks at
// the request that came in.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodHead {
			req = req.Clone(req.Context())
			req.Method = http.MethodGet
		}
		next.ServeHTTP(w, req)
	})
}

// requestTimeout bounds the work on one request; the time to read it and to
// write the answer is bounded by the HTTP server.
const requestTimeout = 30 * time.Second

// identify gives the request its id and its address, for logs, audit rows and
// error documents, and its deadline: CodeTimeout for what takes longer.
func (s *server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		id := req.Header.Get(headerRequestID)
		if !saneRequestID(id) {
			id = s.ids.NewID()
		}
		c.Response().Header().Set(headerRequestID, id)
		ctx := kgl.WithRequest(req.Context(), kgl.Request{ID: id, Address: s.clientAddress(req)})
		ctx = context.WithValue(ctx, userAgentKey{}, strings.ToValidUTF8(req.UserAgent(), "?"))
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		c.SetRequest(req.WithContext(ctx))
		return next(c)
	}
}

// saneRequestID reports whether a caller's request id may go into logs and
// headers: 1 to 128 letters, digits, dots, underscores and hyphens.
func saneRequestID(id string) bool {
	if id == "" || len(id) > maxRequestIDLength {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

// clientAddress returns the address of the caller. X-Forwarded-For counts only
// when the connection comes from a trusted proxy, and then from the right: the
// first address that is not a trusted proxy is the caller.
func (s *server) clientAddress(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		host = req.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap().WithZone("")
	hops := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trustedProxy(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap().WithZone("")
	}
	return addr.String()
}

func (s *server) trustedProxy(addr netip.Addr) bool {
	for _, prefix := range s.cfg.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
