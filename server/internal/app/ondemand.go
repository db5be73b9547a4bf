package app

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
)

// demandSpare is what an extraction on demand may take beside the extraction
// itself, before another process may take it up.
const demandSpare = 2 * time.Minute

// newOnDemand makes what extracts on demand. In processes that enrich it also takes
// up what others left.
func (a *App) newOnDemand() (*enrich.OnDemand, func(context.Context)) {
	cfg := enrich.OnDemandConfig{Pull: a.cfg.Enrich.Extractor == config.ExtractorPull}
	if timeout := a.enrichConfig().ExtractTimeout; timeout > 0 {
		cfg.ExtractTimeout, cfg.Lease = timeout, timeout+demandSpare
	}
	demand := enrich.NewOnDemand(a.Store, a.Recorder, a.extractor(), a.env.Clock, a.IDs, a.env.Log, cfg)
	return demand, func(ctx context.Context) {
		if a.cfg.HTTP.Roles.Has(config.RoleEnrich) {
			demand.Run(ctx)
		} else {
			<-ctx.Done()
		}
		demand.Close()
	}
}
