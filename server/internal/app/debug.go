package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/peermesh/kgl-backend/server/internal/httpapi"
)

// newDebugServer listens on addr, a loopback address, and returns what serves
// Go's profiles there until its context ends. A profile of the memory may hold
// anything that the process works on, hence the address, and hence a listener
// of its own, which no proxy in front of the API reaches.
func (a *App) newDebugServer(addr string) (func(context.Context), error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("KGL_DEBUG_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := httpapi.NewHTTPServer(localHost(mux), a.env.Log)
	server.WriteTimeout = 0 // a profile takes as long as it is asked to
	a.env.Log.Warn("profiles of this process are served", "address", listener.Addr().String())
	return func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = server.Close() })()
		if err := server.Serve(listener); err != nil && ctx.Err() == nil {
			a.env.Log.Error("profiles are no longer served", "error", err)
		}
	}, nil
}

// localHost refuses requests that name another host: a page in a browser of
// this machine could otherwise make its own name mean the loopback address.
func localHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		host, _, err := net.SplitHostPort(req.Host)
		if err != nil {
			host = req.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "profiles are for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, req)
	})
}
