package httpapi

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DashboardReader counts. A kgl.Store is one.
type DashboardReader interface {
	Dashboard(ctx context.Context, now time.Time) (kgl.Dashboard, error)
}

// GetDashboard returns the installation in numbers.
func (s *server) GetDashboard(ctx context.Context, _ api.GetDashboardRequestObject) (api.GetDashboardResponseObject, error) {
	d, err := s.Dashboard.Dashboard(ctx, s.clock.Now())
	if err != nil {
		return nil, err
	}
	return api.GetDashboard200JSONResponse{Body: toDashboard(d)}, nil
}
