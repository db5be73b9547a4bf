package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
)

// PurgeService removes what was derived from items. An *enrich.Runs is one.
type PurgeService interface {
	Purge(ctx context.Context, sourceID string) (enrich.PurgeResult, error)
}

// consentsOf returns what is decided about the items of a source; nil: nothing.
func consentsOf(choice *api.SourceConsentChoice) *ingest.ConsentChoice {
	if choice == nil {
		return nil
	}
	return &ingest.ConsentChoice{AIProcessing: choice.AiProcessing, Publication: choice.Publication}
}
