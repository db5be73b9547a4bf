package app

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// probePause is how long a probe leaves a server alone between two requests,
// unless the configuration asks for less.
const probePause = 200 * time.Millisecond

// newProbe makes what looks at URLs for people.
func newProbe(cfg *config.Config, client *outbound.Client, db *store.DB, clock kgl.Clock) *ingest.Probe {
	return ingest.NewProbe(ingest.ProbeConfig{
		Each: min(cfg.Ingest.FetchTimeout, 8*time.Second), MaxBody: int64(cfg.Ingest.FetchMaxBody),
		Pause: min(cfg.Ingest.HostDelay, probePause), Schedule: fetchSchedule(cfg, Env{}), DomainRate: domainRate(cfg),
	}, client, client, db, clock)
}

// ImportWorker returns a worker of its own on the imports.
func (a *App) ImportWorker() *ingest.ImportWorker {
	return ingest.NewImportWorker(a.Imports, a.owner(), a.env.Log)
}

// newImportWorker makes what adds the feeds of imports.
func (a *App) newImportWorker() func(context.Context) {
	worker := a.ImportWorker()
	worker.Progress = func(i kgl.SourceImport) {
		if i.State == kgl.ImportDone {
			a.env.Log.Info("an import is done", "import_id", i.ID, "added", i.Added, "existing", i.Existing, "failed", i.Failed, "dry_run", i.DryRun)
		}
	}
	wake := worker.Wake
	a.wake.importWorker.Store(&wake)
	return worker.Run
}
