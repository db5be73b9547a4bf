package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

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

type systemOnlyKey struct{}

// SystemOnly narrows a handler of New to what tells about the process: /health,
// /ready and /metrics. Everything else is not found. It is for processes that
// only work in the background.
func SystemOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		next.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), systemOnlyKey{}, true)))
	})
}

// systemOnly is the part of SystemOnly that answers like the rest of the API.
func systemOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Context().Value(systemOnlyKey{}) == nil {
			return next(c)
		}
		switch c.Request().URL.Path {
		case "/health", "/ready", "/metrics":
			return next(c)
		}
		return kgl.Errorf(kgl.CodeNotFound, "this process does not serve the API")
	}
}

// GetHealth answers as long as the process does.
func (s *server) GetHealth(context.Context, api.GetHealthRequestObject) (api.GetHealthResponseObject, error) {
	return api.GetHealth200JSONResponse{Status: api.HealthStatusOK}, nil
}

// readiness remembers the last results for a moment: the path is open, and must
// not become a way to keep the database busy.
type readiness struct {
	mu      sync.Mutex
	at      time.Time
	results []api.ReadinessCheck
}

// readyFor is how long results are told again without a new check.
const readyFor = time.Second

// GetReadiness reports on each dependency.
func (s *server) GetReadiness(ctx context.Context, _ api.GetReadinessRequestObject) (api.GetReadinessResponseObject, error) {
	results := s.readinessResults(ctx)
	for _, result := range results {
		if result.Status == api.ReadinessCheckStatusFailed {
			wait := int(defaultRetryAfter.Seconds())
			return api.GetReadiness503JSONResponse{
				Body:    api.Readiness{Status: api.ReadinessStatusNotReady, Checks: results},
				Headers: api.GetReadiness503ResponseHeaders{RetryAfter: &wait},
			}, nil
		}
	}
	return api.GetReadiness200JSONResponse{Status: api.ReadinessStatusReady, Checks: results}, nil
}

// readinessResults runs all checks at once, one caller at a time; those who
// waited get the results of the one before them.
func (s *server) readinessResults(ctx context.Context) []api.ReadinessCheck {
	s.ready.mu.Lock()
	defer s.ready.mu.Unlock()
	if age := s.clock.Now().Sub(s.ready.at); s.ready.results != nil && age >= 0 && age < readyFor {
		return s.ready.results
	}
	// A caller that goes away does not make the checks fail for the others.
	ctx = context.WithoutCancel(ctx)
	results := make([]api.ReadinessCheck, len(s.checks))
	var running sync.WaitGroup
	for i, check := range s.checks {
		running.Go(func() { results[i] = s.runCheck(ctx, check) })
	}
	running.Wait()
	s.ready.at, s.ready.results = s.clock.Now(), results
	return results
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
