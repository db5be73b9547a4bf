package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// AuditReader reads the audit log. A kgl.Store is one.
type AuditReader interface {
	AuditEvents(ctx context.Context, f kgl.AuditFilter, p kgl.Page) (kgl.List[kgl.AuditEvent], error)
}

// ListAuditEvents lists the audit log.
func (s *server) ListAuditEvents(ctx context.Context, r api.ListAuditEventsRequestObject) (api.ListAuditEventsResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	at, err := timeRange(r.Params.Since, r.Params.Until)
	if err != nil {
		return nil, err
	}
	list, err := s.Audit.AuditEvents(ctx, kgl.AuditFilter{
		ActorID: valueOr(r.Params.ActorID, ""), Action: valueOr(r.Params.Action, ""),
		SubjectType: valueOr(r.Params.SubjectType, ""), SubjectID: valueOr(r.Params.SubjectID, ""),
		Outcome: kgl.AuditOutcome(valueOr(r.Params.Outcome, "")), At: at,
	}, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListAuditEvents200JSONResponse{Body: api.AuditEventList{Data: convertAll(list.Rows, toAuditEvent), Pagination: pagination}}, nil
}
