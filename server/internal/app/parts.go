package app

import (
	"context"
	"net/http"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/httpapi"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// newAPI makes the HTTP API. Without the role api only the paths that tell
// about the process answer.
func (a *App) newAPI(keys *auth.Keyring, metrics *telemetry.Metrics, s *server) (http.Handler, error) {
	cfg := a.cfg
	tokens, err := auth.NewTokens(keys, a.env.Clock, a.IDs, auth.TokenConfig{
		Issuer: cfg.Issuer(), Audience: cfg.Auth.Audience, TTL: cfg.Auth.AccessTokenTTL,
	})
	if err != nil {
		return nil, err
	}
	authenticator, err := auth.NewAuthenticator(a.Store, tokens, a.env.Clock, auth.AuthenticatorConfig{})
	if err != nil {
		return nil, err
	}
	deps := auth.Deps{
		Store: a.Store, Clock: a.env.Clock, IDs: a.IDs, Random: a.env.Random,
		Hasher: a.hasher, Tokens: tokens, Authenticator: authenticator,
	}
	if s.logins, err = auth.NewLogins(deps, auth.LoginConfig{RefreshTTL: cfg.Auth.RefreshTokenTTL}); err != nil {
		return nil, err
	}
	handler, err := httpapi.New(httpapi.Deps{
		Config: httpapi.Config{
			MaxBodyBytes: int64(cfg.HTTP.MaxBody), AllowedOrigins: cfg.HTTP.CORSOrigins, TrustedProxies: cfg.HTTP.TrustedProxies,
		},
		Log: a.env.Log, Clock: a.env.Clock, IDs: a.IDs, Registry: metrics.Registry(),
		Authenticator: authenticator, Tx: a.Store, Refusals: a.Store,
		Checks: []httpapi.Check{{Name: "database", Run: a.Store.Ping}},
		Services: httpapi.Services{
			Logins: s.logins, Keys: keys, Accounts: auth.NewAccounts(deps),
			Sources: a.Sources, Imports: a.Imports, Probe: a.Probe, Schedules: a.Explainer, Content: a.Store, ContentDeleter: a.Contents, Duplicates: a.Contents,
			Entities: a.Entities, Relationships: a.Relationships, Merges: a.Merges, Extractions: s.demand, Runs: a.Runs, Graph: a.Graph, Work: s.leases,
			Dashboard: a.Store, Audit: a.Store,
		},
	})
	if err != nil || cfg.HTTP.Roles.Has(config.RoleAPI) {
		return handler, err
	}
	return httpapi.SystemOnly(handler), nil
}

// storeTime is what reading and storing a document may take, generously, before
// another worker may take its host for abandoned.
const storeTime = 2 * time.Minute

func (a *App) newIngestWorker(metrics *telemetry.Metrics) func(context.Context) {
	worker := ingest.NewWorker(ingest.Config{
		Owner: a.owner(), Workers: a.cfg.Ingest.Workers, HostDelay: a.cfg.Ingest.HostDelay,
		Lease: a.cfg.Ingest.FetchTimeout + storeTime,
		// Text of a single-byte charset grows when it becomes UTF-8.
		MaxDocument: 2 * int64(a.cfg.Ingest.FetchMaxBody),
		Extractors:  []string{lane(a.cfg)}, Schedule: fetchSchedule(a.cfg, a.env),
		Vault: a.Vault, DomainRate: domainRate(a.cfg), Retention: retention(a.cfg), KeepFetches: a.cfg.Keep.Fetches,
	}, a.Store, a.Outbound, a.env.Clock, a.IDs, a.env.Log, metrics.Ingest, a.wake.enrich)
	wake := worker.Wake
	a.wake.ingestWorker.Store(&wake)
	return worker.Run
}

func (a *App) newKeeper(metrics *telemetry.Metrics) func(context.Context) {
	return ingest.NewKeeper(retention(a.cfg), a.owner(), a.Store, a.env.Clock, a.IDs, a.env.Log, metrics.Ingest).Run
}

// retention returns how much is kept as the configuration sets it.
func retention(cfg *config.Config) ingest.Retention {
	return ingest.Retention{
		MaxItems: int64(cfg.Keep.MaxItems), MaxAge: cfg.Keep.MaxAge, Revisions: int64(cfg.Keep.Revisions), Events: cfg.Keep.Events,
	}
}

func (a *App) newEnrichWorker(metrics *telemetry.Metrics) func(context.Context) {
	worker := enrich.NewWorker(a.Store, a.Recorder, a.extractor(), a.env.Clock, a.IDs, a.env.Log,
		enrichMetrics{metrics.Enrich}, a.enrichConfig())
	notify := worker.Notify
	a.wake.enrichWorker.Store(&notify)
	return func(ctx context.Context) {
		if err := worker.Run(ctx); err != nil && ctx.Err() == nil {
			a.env.Log.Error("enrichment stopped", "error", err)
		}
	}
}

// newLeases makes what hands tasks out to callers.
func (a *App) newLeases(metrics *telemetry.Metrics) (*enrich.Leases, error) {
	leases := a.leases(enrichMetrics{metrics.Enrich})
	notify := leases.Notify
	a.wake.leases.Store(&notify)
	queue := &backlog{leases: leases, clock: a.env.Clock}
	return leases, metrics.Registry().Register(telemetry.NewWorkCollector(queue.tasks, leases.Waiting))
}

// fetchSchedule returns the policy of fetching as the configuration sets it.
func fetchSchedule(cfg *config.Config, env Env) ingest.Schedule {
	s := ingest.DefaultSchedule(env.Jitter)
	s.Interval, s.Min, s.Max = cfg.Ingest.FetchInterval, cfg.Ingest.FetchMin, cfg.Ingest.FetchMax
	return s
}

// domainRate returns the rate of requests to the hosts of one domain.
func domainRate(cfg *config.Config) kgl.DomainRate {
	if cfg.Ingest.DomainRate <= 0 {
		return kgl.DomainRate{}
	}
	return kgl.DomainRate{
		Interval: time.Duration(float64(time.Second) / cfg.Ingest.DomainRate).Truncate(time.Microsecond),
		Burst:    cfg.Ingest.DomainBurst,
	}
}

// owner names this process in leases.
func (a *App) owner() string { return "kgl-" + a.IDs.NewID() }

// registerPools lets the metrics show the pools of the database.
func (a *App) registerPools(metrics *telemetry.Metrics) error {
	for i, pool := range a.Store.Stats() {
		collector := telemetry.NewPoolCollector(pool.Pool, func() telemetry.PoolStats {
			s := a.Store.Stats()[i]
			return telemetry.PoolStats{Max: s.Max, Open: s.Open, InUse: s.InUse, Waits: s.Waits, WaitTime: s.WaitTime}
		})
		if err := metrics.Registry().Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// enrichMetrics counts tasks by their outcome's word.
type enrichMetrics struct{ metrics *telemetry.EnrichMetrics }

func (m enrichMetrics) EnrichmentTask(extractor string, outcome enrich.Outcome, took time.Duration) {
	m.metrics.TaskDone(extractor, string(outcome), took)
}
