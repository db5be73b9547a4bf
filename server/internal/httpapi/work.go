package httpapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// WorkService hands tasks out by lease. An *enrich.Leases is one.
type WorkService interface {
	Lease(ctx context.Context, r enrich.LeaseRequest) ([]enrich.Leased, error)
	Extend(ctx context.Context, id string, token int64, by time.Duration) (kgl.EnrichmentTask, error)
	Complete(ctx context.Context, id string, token int64, x kgl.Extraction) (kgl.ExtractionRun, error)
	Fail(ctx context.Context, id string, token int64, f enrich.FailureReport) (kgl.EnrichmentTask, error)
	Release(ctx context.Context, id string, token int64) (kgl.EnrichmentTask, error)
	Task(ctx context.Context, id string) (kgl.EnrichmentTask, error)
	Tasks(ctx context.Context, f kgl.TaskFilter, p kgl.Page) (kgl.List[kgl.EnrichmentTask], error)
	Stats(ctx context.Context) ([]enrich.LaneStats, error)
	Requeue(ctx context.Context, f kgl.DeadTaskFilter, priority int64) (requeued, remaining int64, err error)
}

// The defaults of the contract, which the validator fills in.
const (
	defaultLeased       = 10
	defaultLeaseSeconds = 300
)

func inSeconds(n int) time.Duration { return time.Duration(n) * time.Second }

// longestWait ends a long poll in time before the deadline of the request, and
// before the connection may not be read any more.
const longestWait = requestTimeout - 5*time.Second

// LeaseWork hands out tasks.
func (s *server) LeaseWork(ctx context.Context, r api.LeaseWorkRequestObject) (api.LeaseWorkResponseObject, error) {
	leased, err := s.Work.Lease(ctx, enrich.LeaseRequest{
		Kinds: valueOr(r.Body.Kinds, []string{kgl.TaskKindExtract}), Max: valueOr(r.Body.Max, defaultLeased),
		For: inSeconds(valueOr(r.Body.LeaseSeconds, defaultLeaseSeconds)), Wait: min(inSeconds(valueOr(r.Body.WaitSeconds, 0)), longestWait),
	})
	if err != nil {
		return nil, err
	}
	return api.LeaseWork200JSONResponse{Data: convertAll(leased, toWorkItem)}, nil
}

// ExtendWork prolongs a lease.
func (s *server) ExtendWork(ctx context.Context, r api.ExtendWorkRequestObject) (api.ExtendWorkResponseObject, error) {
	t, err := s.Work.Extend(ctx, r.TaskID, r.Body.LeaseToken, inSeconds(r.Body.LeaseSeconds))
	if err != nil {
		return nil, err
	}
	return api.ExtendWork200JSONResponse{LeaseToken: t.LeaseToken, LeaseUntil: leaseEnd(t)}, nil
}

// CompleteWork stores the result of a task.
func (s *server) CompleteWork(ctx context.Context, r api.CompleteWorkRequestObject) (api.CompleteWorkResponseObject, error) {
	run, err := s.Work.Complete(ctx, r.TaskID, r.Body.LeaseToken, kgl.Extraction{
		Extractor: r.Body.Extractor.Name + "@" + r.Body.Extractor.Version,
		Model:     valueOr(r.Body.Model, ""), ConfigHash: valueOr(r.Body.ConfigHash, ""),
		Entities:      convertAll(r.Body.Entities, fromExtractedEntity),
		Relationships: convertAll(r.Body.Relationships, fromExtractedRelationship),
	})
	if err != nil {
		return nil, err
	}
	return api.CompleteWork200JSONResponse(toExtractionRun(run)), nil
}

// FailWork ends an attempt without a result.
func (s *server) FailWork(ctx context.Context, r api.FailWorkRequestObject) (api.FailWorkResponseObject, error) {
	report := enrich.FailureReport{Reason: r.Body.Reason, Retriable: r.Body.Retriable}
	if r.Body.RetryAfterSeconds != nil {
		report.After = ptr(inSeconds(*r.Body.RetryAfterSeconds))
	}
	t, err := s.Work.Fail(ctx, r.TaskID, r.Body.LeaseToken, report)
	if err != nil {
		return nil, err
	}
	return api.FailWork200JSONResponse(toWorkTask(t)), nil
}

// ReleaseWork gives a task back untried.
func (s *server) ReleaseWork(ctx context.Context, r api.ReleaseWorkRequestObject) (api.ReleaseWorkResponseObject, error) {
	t, err := s.Work.Release(ctx, r.TaskID, r.Body.LeaseToken)
	if err != nil {
		return nil, err
	}
	return api.ReleaseWork200JSONResponse(toWorkTask(t)), nil
}

// GetWork returns a task.
func (s *server) GetWork(ctx context.Context, r api.GetWorkRequestObject) (api.GetWorkResponseObject, error) {
	t, err := s.Work.Task(ctx, r.TaskID)
	if err != nil {
		return nil, err
	}
	return api.GetWork200JSONResponse{Body: toWorkTask(t)}, nil
}

// ListWork lists tasks.
func (s *server) ListWork(ctx context.Context, r api.ListWorkRequestObject) (api.ListWorkResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Work.Tasks(ctx, kgl.TaskFilter{
		State: kgl.TaskState(valueOr(r.Params.State, "")), SourceID: valueOr(r.Params.SourceID, ""), Lane: valueOr(r.Params.Lane, ""),
	}, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListWork200JSONResponse{Body: api.WorkTaskList{Data: convertAll(list.Rows, toWorkTask), Pagination: pagination}}, nil
}

// RequeueWork gives dead tasks another chance.
func (s *server) RequeueWork(ctx context.Context, r api.RequeueWorkRequestObject) (api.RequeueWorkResponseObject, error) {
	requeued, remaining, err := s.Work.Requeue(ctx, kgl.DeadTaskFilter{
		IDs: valueOr(r.Body.TaskIds, nil), SourceID: valueOr(r.Body.SourceID, ""), Lane: valueOr(r.Body.Lane, ""),
	}, int64(valueOr(r.Body.Priority, 0)))
	if err != nil {
		return nil, err
	}
	return api.RequeueWork200JSONResponse{Requeued: int(requeued), Remaining: int(remaining)}, nil
}

// workStats are the backlogs of the lanes at a time.
type workStats struct {
	at    time.Time
	lanes []enrich.LaneStats
}

// countWork returns a function that counts tasks.
func countWork(work WorkService) func(ctx context.Context, now time.Time) (workStats, error) {
	return func(ctx context.Context, now time.Time) (workStats, error) {
		lanes, err := work.Stats(ctx)
		return workStats{now, lanes}, err
	}
}

// GetWorkStats returns the backlog in numbers.
func (s *server) GetWorkStats(ctx context.Context, _ api.GetWorkStatsRequestObject) (api.GetWorkStatsResponseObject, error) {
	counts, err := s.backlog.get(ctx)
	if err != nil {
		return nil, err
	}
	stats := api.WorkStats{GeneratedAt: counts.at, Lanes: convertAll(counts.lanes, toWorkLaneStats)}
	// Without the time at which they were counted, or no two answers would ever be
	// the same.
	data, err := json.Marshal(stats.Lanes)
	if err != nil {
		return nil, kgl.Wrap(err, kgl.CodeInternal, "encode the statistics")
	}
	return api.GetWorkStats200JSONResponse{Body: stats, Headers: api.GetWorkStats200ResponseHeaders{ETag: ptr("W/" + contentTag(data))}}, nil
}

// leaseEnd returns when a lease ends.
func leaseEnd(t kgl.EnrichmentTask) time.Time {
	if t.LeaseUntil == nil {
		return t.AvailableAt
	}
	return t.LeaseUntil.UTC()
}

func toWorkItem(l enrich.Leased) api.WorkItem {
	c := l.Content
	return api.WorkItem{
		ID: l.Task.ID, Kind: l.Task.Kind, Priority: int(l.Task.Priority), Attempt: int(l.Task.Attempts),
		LeaseToken: l.Task.LeaseToken, LeaseUntil: leaseEnd(l.Task),
		Content: api.WorkContent{
			ID: c.ID, SourceID: c.SourceID, Revision: int(c.Revision), Title: c.Title, URL: c.URL,
			Language: textOrNull(c.Language), PublishedAt: c.PublishedAt, Text: c.Text,
		},
	}
}

func toWorkTask(t kgl.EnrichmentTask) api.WorkTask {
	return api.WorkTask{
		ID: t.ID, Kind: t.Kind, Lane: t.Extractor, State: api.WorkState(t.State), ContentID: t.ContentID, SourceID: textOrNull(t.SourceID),
		Revision: int(t.Revision), Priority: int(t.Priority), Attempts: int(t.Attempts), AvailableAt: t.AvailableAt,
		LeaseOwner: textOrNull(t.LeaseOwner), LeaseUntil: timeOrNull(t.LeaseUntil), LastError: textOrNull(t.LastError),
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
}

func toWorkLaneStats(n enrich.LaneStats) api.WorkLaneStats {
	return api.WorkLaneStats{
		Lane: n.Lane, Active: n.Active, Pending: int(n.Pending), Waiting: int(n.Waiting), Leased: int(n.Leased),
		Withheld: int(n.Withheld), Done: int(n.Done), Dead: int(n.Dead), OldestPendingAt: timeOrNull(n.OldestPendingAt),
	}
}

func fromExtractedEntity(e api.ExtractedEntity) kgl.ExtractedEntity {
	return kgl.ExtractedEntity{
		Name: e.Name, Type: e.Type, Confidence: e.Confidence, Salience: valueOr(e.Salience, 0), Aliases: valueOr(e.Aliases, nil),
		ExternalIDs: convertAll(valueOr(e.ExternalIds, nil), func(x api.ExternalID) kgl.ExternalID {
			return kgl.ExternalID{Scheme: x.Scheme, Value: x.Value}
		}),
		Spans: convertAll(e.Mentions, fromTextSpan),
	}
}

func fromExtractedRelationship(r api.ExtractedRelationship) kgl.ExtractedRelationship {
	return kgl.ExtractedRelationship{
		From: r.From, To: r.To, Type: r.Type, Fact: valueOr(r.Fact, ""), Confidence: r.Confidence,
		ValidFrom: valueOr(r.ValidFrom, ""), ValidTo: valueOr(r.ValidTo, ""), Evidence: fromTextSpan(r.Evidence),
	}
}

func fromTextSpan(s api.TextSpan) kgl.Span {
	return kgl.Span{Start: int64(s.Start), End: int64(s.End), Quote: valueOr(s.Quote, "")}
}
