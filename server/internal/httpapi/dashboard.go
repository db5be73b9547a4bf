package httpapi

import (
	"context"
	"encoding/json"
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
	d, err := s.counts.get(ctx)
	if err != nil {
		return nil, err
	}
	tag, err := dashboardTag(d)
	if err != nil {
		return nil, err
	}
	return api.GetDashboard200JSONResponse{Body: toDashboard(d), Headers: api.GetDashboard200ResponseHeaders{ETag: &tag}}, nil
}

// dashboardTag returns a weak validator of the counts. The time at which they
// were counted is left out, or no two answers would ever be the same.
func dashboardTag(d kgl.Dashboard) (string, error) {
	d.GeneratedAt = time.Time{}
	data, err := json.Marshal(toDashboard(d))
	if err != nil {
		return "", kgl.Wrap(err, kgl.CodeInternal, "encode the dashboard")
	}
	return "W/" + contentTag(data), nil
}
