package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// tokenCheck checks bearer tokens with the keys of a JWKS document.
type tokenCheck struct {
	url, issuer, audience string
	remember              bool

	keys    jwk.Set
	checked sync.Map // token to the time.Time until which it holds
}

func (t *tokenCheck) loadKeys() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	keys, err := jwk.Fetch(ctx, t.url)
	if err != nil {
		return fmt.Errorf("read the service's keys: %w", err)
	}
	t.keys = keys
	return nil
}

func (t *tokenCheck) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		text, found := strings.CutPrefix(c.Request().Header.Get(echo.HeaderAuthorization), "Bearer ")
		if !found || !t.holds(text) {
			return echo.NewHTTPError(http.StatusUnauthorized)
		}
		return next(c)
	}
}

func (t *tokenCheck) holds(text string) bool {
	if t.remember {
		if until, ok := t.checked.Load(text); ok {
			return time.Now().Before(until.(time.Time))
		}
	}
	token, err := jwt.Parse([]byte(text), jwt.WithKeySet(t.keys), jwt.WithIssuer(t.issuer), jwt.WithAudience(t.audience))
	if err != nil {
		return false
	}
	if t.remember {
		t.checked.Store(text, token.Expiration())
	}
	return true
}
