package store

import "github.com/peermesh/kgl-backend/server/internal/kgl"

// RunsQuery is the query of the list of extraction runs.
func RunsQuery(e Engine, f kgl.ExtractionRunFilter, p kgl.Page) ListQuery { return runsQuery(e, f, p) }
