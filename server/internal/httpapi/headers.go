package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	// apiPolicy lets a browser do nothing with an answer but read it.
	apiPolicy = "default-src 'none'; frame-ancestors 'none'"
	// docsPolicy lets Swagger UI run its own files. It sets style attributes,
	// hence unsafe-inline for styles; scripts come from files only.
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// securityHeaders sets what browsers need to know on every answer. Answers are
// not stored unless a later step says otherwise.
func (s *server) securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		policy := apiPolicy
		if path := c.Request().URL.Path; path == docsPath || strings.HasPrefix(path, docsPath+"/") {
			policy = docsPolicy
		}
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if c.Request().TLS != nil || s.cfg.HSTS {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		return next(c)
	}
}

// checkOrigins returns an error that names the first entry which is not an
// origin (RFC 6454): scheme and host, no path.
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return fmt.Errorf("%q is not an origin such as http://localhost:3000", origin)
		}
	}
	return nil
}

// cors grants configured origins, compared as a whole, the right to read
// answers. Credentials are bearer tokens, so none are ever sent by the browser
// itself; every other origin, null included, is granted nothing.
func (s *server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req, h := c.Request(), c.Response().Header()
		h.Add("Vary", "Origin")
		origin := req.Header.Get("Origin")
		preflight := req.Method == http.MethodOptions && req.Header.Get("Access-Control-Request-Method") != ""
		if origin == "" || !slices.Contains(s.cfg.AllowedOrigins, origin) {
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if !preflight {
			h.Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, WWW-Authenticate, X-Request-ID, Idempotency-Replayed, Deprecation, Sunset, Link")
			return next(c)
		}
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, If-Match, If-None-Match, Idempotency-Key, X-Request-ID")
		h.Set("Access-Control-Max-Age", "600")
		return c.NoContent(http.StatusNoContent)
	}
}
