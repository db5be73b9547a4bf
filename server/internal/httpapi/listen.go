package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// The bounds of connections. A request that takes longer to arrive, or an
// answer that takes longer to read, loses its connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	// MaxConnections is how many connections a listener of LimitConnections
	// serves at once; more wait in the system's backlog.
	MaxConnections = 2048
)

// NewHTTPServer returns a server for handler with bounds on everything that a
// slow or greedy peer could stretch.
func NewHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// LimitConnections returns a listener that accepts at most MaxConnections
// connections at once.
func LimitConnections(l net.Listener) net.Listener { return limitConnections(l, MaxConnections) }

func limitConnections(l net.Listener, most int) net.Listener { return netutil.LimitListener(l, most) }
