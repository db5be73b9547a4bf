// Reference is the least that a service with echo, jwx and a database driver
// does for three requests of the API: it checks the token (RS256, as the
// service issues it), runs the one statement that the request needs on the
// service's own database, scans the rows and encodes them with encoding/json.
// It validates nothing else, logs nothing, counts nothing and sends no ETag. The
// service's cost is measured beside it.
//
//	GET /api/v1/content?limit=20&until=TIME             (and &view=summary)
//	GET /api/v1/content/{id}
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9801", "address to listen on")
	database := flag.String("db", os.Getenv("KGL_DATABASE_URL"), "database, as in KGL_DATABASE_URL")
	conns := flag.Int("conns", 10, "connections to the database at most")
	jwks := flag.String("jwks", "http://127.0.0.1:8000/.well-known/jwks.json", "the service's keys")
	issuer := flag.String("issuer", "kgl-backend", "issuer that a token must name")
	audience := flag.String("audience", "kgl", "audience that a token must name")
	tokens := flag.String("tokens", "each", "each: check every request's token; once: remember a token that was checked until it ends")
	flag.Parse()
	if err := run(*addr, *database, *conns, *tokens, &tokenCheck{url: *jwks, issuer: *issuer, audience: *audience}); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(addr, database string, conns int, tokens string, check *tokenCheck) error {
	if tokens != "each" && tokens != "once" {
		return fmt.Errorf("-tokens is each or once, not %q", tokens)
	}
	check.remember = tokens == "once"
	if err := check.loadKeys(); err != nil {
		return err
	}
	r, err := openReader(database, conns)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Server.ReadHeaderTimeout = 10 * time.Second
	e.GET("/ready", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	api := e.Group("/api/v1", check.middleware)
	api.GET("/content", listContent(r))
	api.GET("/content/:id", getContent(r))
	return e.Start(addr)
}
