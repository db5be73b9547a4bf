package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/httpapi"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// server is the running part: the listener and the workers of the roles.
type server struct {
	app      *App
	http     *http.Server
	keys     *auth.Keyring
	logins   *auth.Logins
	demand   *enrich.OnDemand
	leases   *enrich.Leases
	workers  []func(context.Context)
	stopTime time.Duration
}

func (a *App) newServer(ctx context.Context) (*server, error) {
	cfg := a.cfg
	keys, err := a.Keyring(ctx)
	if err != nil {
		return nil, err
	}
	metrics := telemetry.NewMetrics(a.env.Version)
	if err := a.registerPools(metrics); err != nil {
		return nil, err
	}
	if a.finder, err = a.newExtractor(metrics); err != nil {
		return nil, err
	}
	s := &server{app: a, keys: keys, stopTime: cfg.HTTP.StopTimeout}
	demand, serveDemand := a.newOnDemand()
	s.demand = demand
	if s.leases, err = a.newLeases(metrics); err != nil {
		return nil, err
	}
	handler, err := a.newAPI(keys, metrics, s)
	if err != nil {
		return nil, err
	}
	s.http = httpapi.NewHTTPServer(handler, a.env.Log)
	s.workers = []func(context.Context){keys.Run, s.sweep, serveDemand, s.leases.Run}
	if a.clock != nil {
		s.workers = append(s.workers, a.clock.run)
	}
	if cfg.HTTP.DebugAddr != "" {
		serveProfiles, err := a.newDebugServer(cfg.HTTP.DebugAddr)
		if err != nil {
			return nil, err
		}
		s.workers = append(s.workers, serveProfiles)
	}
	if cfg.HTTP.Roles.Has(config.RoleIngest) {
		s.workers = append(s.workers, a.newIngestWorker(metrics), a.newImportWorker(), a.newKeeper(metrics))
	}
	if cfg.HTTP.Roles.Has(config.RoleEnrich) {
		s.workers = append(s.workers, a.adoptTasks)
	}
	if cfg.HTTP.Roles.Has(config.RoleEnrich) && cfg.Enrich.Extractor != config.ExtractorPull {
		s.workers = append(s.workers, a.newEnrichWorker(metrics))
	}
	return s, nil
}

// run serves until ctx ends or the listener fails, then stops everything within
// the configured time.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	// Reading the contract and building the lists of weak passwords leaves behind
	// several times what they keep, which the process would hold for minutes.
	debug.FreeOSMemory()
	working, stopWorkers := context.WithCancel(ctx)
	defer stopWorkers()
	var workers sync.WaitGroup
	for _, work := range s.workers {
		workers.Go(func() { work(working) })
	}
	listener = httpapi.LimitConnections(s.http, listener)
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(listener) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.app.env.Log.Info("stopping")
	}
	stopWorkers()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.stopTime)
	defer cancel()
	if shutdownErr := s.http.Shutdown(grace); shutdownErr != nil {
		s.app.env.Log.Warn("requests were broken off, because they did not end in time")
		_ = s.http.Close()
	}
	if !waitFor(grace, &workers) {
		s.app.env.Log.Warn("work was left to run out its lease, because it did not end in time")
	}
	if err == nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func waitFor(ctx context.Context, group *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// sweepEvery is how often what has outlived its use is removed.
const sweepEvery = 10 * time.Minute

// sweep removes expired sessions, counters, idempotency keys and old imports, a
// bounded number at a time.
func (s *server) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if _, err := s.logins.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.app.env.Log.Warn("expired sessions could not be removed", "error", err)
		}
		if _, err := s.app.Store.DeleteExpiredIdempotencyKeys(ctx, s.app.env.Clock.Now(), 1000); err != nil && ctx.Err() == nil {
			s.app.env.Log.Warn("expired idempotency keys could not be removed", "error", err)
		}
		if _, err := s.app.Imports.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.app.env.Log.Warn("old imports of sources could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
