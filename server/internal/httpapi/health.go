package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// readyTimeout bounds each check, so that readiness turns red while a
// dependency hangs.
const readyTimeout = 2 * time.Second

// Check tells whether a dependency works.
type Check struct {
	Name string // such as "database"
	Run  func(ctx context.Context) error
}

// GetHealth answers as long as the process does.
func (s *server) GetHealth(context.Context, api.GetHealthRequestObject) (api.GetHealthResponseObject, error) {
	return api.GetHealth200JSONResponse{Status: api.HealthStatusOK}, nil
}

// GetReadiness runs all checks at once and reports each.
func (s *server) GetReadiness(ctx context.Context, _ api.GetReadinessRequestObject) (api.GetReadinessResponseObject, error) {
	results := make([]api.ReadinessCheck, len(s.checks))
	var running sync.WaitGroup
	for i, check := range s.checks {
		running.Go(func() { results[i] = s.runCheck(ctx, check) })
	}
	running.Wait()
	for _, result := range results {
		if result.Status == api.ReadinessCheckStatusFailed {
			return api.GetReadiness503JSONResponse{Status: api.ReadinessStatusNotReady, Checks: results}, nil
		}
	}
	return api.GetReadiness200JSONResponse{Status: api.ReadinessStatusReady, Checks: results}, nil
}

// runCheck runs one check under readyTimeout. A check that does not listen to
// its context counts as failed when the time is over.
func (s *server) runCheck(ctx context.Context, check Check) api.ReadinessCheck {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	start := s.clock.Now()
	done := make(chan error, 1)
	go func() { done <- check.Run(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = kgl.Wrap(ctx.Err(), kgl.CodeTimeout, "the check did not end in time")
	}
	result := api.ReadinessCheck{
		Name: check.Name, Status: api.ReadinessCheckStatusOK,
		LatencyMs: max(0, float64(s.clock.Now().Sub(start).Microseconds())/1000),
	}
	if err != nil {
		code := string(kgl.ErrorCode(err))
		result.Status, result.ErrorCode = api.ReadinessCheckStatusFailed, &code
		s.log.WarnContext(ctx, "readiness check failed", "check", check.Name, "error", err.Error())
	}
	return result
}
