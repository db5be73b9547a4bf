package httpapi

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const testTaskID = "0198c6f0-0000-7000-8000-000000000011"

// work is a fake of the service of leases.
type work struct {
	*fault
	requests []enrich.LeaseRequest
	results  []kgl.Extraction
	failures []enrich.FailureReport
	stats    int
}

func testTask() kgl.EnrichmentTask {
	until := testTime.Add(time.Minute)
	return kgl.EnrichmentTask{
		ID: testTaskID, Kind: kgl.TaskKindExtract, ContentID: testContentID, SourceID: testSourceID, Revision: 1, Extractor: kgl.LaneAI,
		State: kgl.TaskLeased, Attempts: 1, AvailableAt: until, LeaseOwner: "user:" + testUserID, LeaseToken: 7, LeaseUntil: &until,
		CreatedAt: testTime, UpdatedAt: testTime,
	}
}

func (w *work) Lease(_ context.Context, r enrich.LeaseRequest) ([]enrich.Leased, error) {
	w.requests = append(w.requests, r)
	c := kgl.Content{ID: testContentID, SourceID: testSourceID, Revision: 1}
	c.Title, c.Text, c.URL, c.PublishedAt = "A title", "Ada met Bo.", "https://e.example/1", testTime
	return result(w.fault, []enrich.Leased{{Task: testTask(), Content: c}})
}

func (w *work) Extend(context.Context, string, int64, time.Duration) (kgl.EnrichmentTask, error) {
	return result(w.fault, testTask())
}

func (w *work) Complete(_ context.Context, _ string, _ int64, x kgl.Extraction) (kgl.ExtractionRun, error) {
	w.results = append(w.results, x)
	return result(w.fault, testRun())
}

func (w *work) Fail(_ context.Context, _ string, _ int64, f enrich.FailureReport) (kgl.EnrichmentTask, error) {
	w.failures = append(w.failures, f)
	return result(w.fault, testTask())
}

func (w *work) Release(context.Context, string, int64) (kgl.EnrichmentTask, error) {
	return result(w.fault, testTask())
}

func (w *work) Task(context.Context, string) (kgl.EnrichmentTask, error) {
	return result(w.fault, testTask())
}

func (w *work) Tasks(context.Context, kgl.TaskFilter, kgl.Page) (kgl.List[kgl.EnrichmentTask], error) {
	return result(w.fault, one(testTask()))
}

func (w *work) Stats(context.Context) ([]enrich.LaneStats, error) {
	w.stats++
	return result(w.fault, []enrich.LaneStats{{TaskCounts: kgl.TaskCounts{Lane: kgl.LaneAI, Pending: 3, OldestPendingAt: &testTime}, Active: true}})
}

func (w *work) Requeue(context.Context, kgl.DeadTaskFilter, int64) (int64, int64, error) {
	return 2, 1, w.err
}
