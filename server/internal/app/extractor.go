package app

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/builtin"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// spareConns are connections to the AI module beside those of its work: one asks
// for its health, and some are about to be closed.
const spareConns = 4

// lane returns whose work the tasks of new items are.
func lane(cfg *config.Config) string {
	switch cfg.Enrich.Extractor {
	case config.ExtractorPush, config.ExtractorPull:
		return kgl.LaneAI
	case config.ExtractorMock:
		return kgl.LaneMock
	default:
		return kgl.LaneBuiltin
	}
}

// extractor returns the extractor that this process runs.
func (a *App) extractor() enrich.Extractor { return a.finder }

// newExtractor makes the extractor that this process runs. Where the AI module
// comes for the work, it is the builtin one, for what is asked for on demand.
func (a *App) newExtractor(metrics *telemetry.Metrics) (enrich.Extractor, error) {
	switch a.cfg.Enrich.Extractor {
	case config.ExtractorPush:
		return a.newAIModule(metrics)
	case config.ExtractorMock:
		return enrich.NewMock(), nil
	default:
		return builtin.New(), nil
	}
}

// newAIModule returns the AI module's client. It has an HTTP client of its own,
// for which the configured address is the only one that may be private.
func (a *App) newAIModule(metrics *telemetry.Metrics) (*enrich.AIModule, error) {
	cfg := a.cfg.Enrich
	conns := cfg.AIConcurrency + spareConns
	client, err := outbound.New(outbound.Config{
		UserAgent: outbound.UserAgent(a.env.Version, a.cfg.Ingest.Contact),
		Policy:    outbound.Policy{TrustedOrigins: []string{string(cfg.AIURL)}},
		Limits: outbound.Limits{
			MaxBody: enrich.MaxAIAnswer, Total: cfg.AITimeout, Header: cfg.AITimeout,
			ConnsPerHost: conns, IdleConns: conns, IdlePerHost: conns,
		},
	})
	if err != nil {
		return nil, err
	}
	return enrich.NewAIModule(client, a.env.Clock, a.env.Log, aiMetrics{metrics.AI}, enrich.AIConfig{
		URL: string(cfg.AIURL), Token: cfg.AIToken.Reveal(), Timeout: cfg.AITimeout, Concurrency: cfg.AIConcurrency,
		Allowed: a.allowsAI,
	})
}

// allowsAI reports whether the items of a source may be handed to the AI module.
func (a *App) allowsAI(ctx context.Context, sourceID string) (bool, error) {
	consents, err := a.Store.Consents(ctx, []string{sourceID})
	if err != nil {
		return false, err
	}
	c, known := consents[sourceID]
	return known && c.AIProcessing.Allowed, nil
}

// enrichConfig says how the worker of an extractor works.
func (a *App) enrichConfig() enrich.Config {
	cfg := enrich.Config{Owner: a.owner()}
	if a.cfg.Enrich.Extractor != config.ExtractorPush {
		return cfg
	}
	// A batch is a few rounds of calls, so that its slowest call is waited for but
	// once in a while. A call may wait for a place as long as it may take, and no
	// task of a batch outlives its lease.
	cfg.Concurrency = a.cfg.Enrich.AIConcurrency
	cfg.Batch = 4 * cfg.Concurrency
	cfg.ExtractTimeout = 2*a.cfg.Enrich.AITimeout + 10*time.Second
	cfg.Lease = 5*a.cfg.Enrich.AITimeout + 2*time.Minute
	return cfg
}

// aiMetrics passes on what the AI module's client counts.
type aiMetrics struct{ metrics *telemetry.AIMetrics }

func (m aiMetrics) AIWork(operation, outcome string, took time.Duration) {
	m.metrics.WorkDone(operation, outcome, took)
}

func (m aiMetrics) AIBreaker(open bool) { m.metrics.Breaker(open) }

func (m aiMetrics) AICalls(busy, limit int) { m.metrics.InFlight(busy, limit) }

func (m aiMetrics) AIAdjusted(a enrich.AIAdjustments) {
	m.metrics.Adjusted(a.Moved, a.Places, a.Entities, a.Relationships)
}
