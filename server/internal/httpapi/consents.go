package httpapi

import (
	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
)

// consentsOf returns what is decided about the items of a source; nil: nothing.
func consentsOf(choice *api.SourceConsentChoice) *ingest.ConsentChoice {
	if choice == nil {
		return nil
	}
	return &ingest.ConsentChoice{AIProcessing: choice.AiProcessing, Publication: choice.Publication}
}
