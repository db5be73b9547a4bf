package httpapi

import (
	"context"
	"encoding/json"

	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	testExtractionID = "0198c6f0-0000-7000-8000-00000000000f"
	testRunID        = "0198c6f0-0000-7000-8000-000000000010"
)

// extractions is a fake of the services of extractions and their runs.
type extractions struct {
	*fault
	slow    bool // the work takes longer than an answer waits
	demands []enrich.Demand
}

func (x *extractions) request() kgl.ExtractionRequest {
	id, run, finished := testContentID, testRunID, testTime
	return kgl.ExtractionRequest{
		ID: testExtractionID, Owner: "user:" + testUserID, ContentID: &id, Status: kgl.RequestSucceeded, RunID: &run,
		Result: json.RawMessage(`{"extractor":"example-ner@3.1","entities":[
			{"name":"Ada","type":"person","confidence":0.9,"salience":0.5,"aliases":["A"],"external_ids":[{"scheme":"wikidata","value":"Q1"}],
			"mentions":[{"start":0,"end":3,"quote":"Ada"}]},
			{"name":"Bo","type":"person","confidence":0.8,"mentions":[{"start":8,"end":10,"quote":"Bo"}]}],
			"relationships":[{"from":0,"to":1,"type":"knows","fact":"Ada knows Bo.","confidence":0.7,"valid_from":"2026-01","evidence":{"start":0,"end":10,"quote":"Ada knows Bo"}}]}`),
		CreatedAt: testTime, FinishedAt: &finished, ExpiresAt: testTime,
	}
}

func (x *extractions) Start(_ context.Context, d enrich.Demand) (kgl.ExtractionRequest, error) {
	x.demands = append(x.demands, d)
	r := x.request()
	if x.slow {
		r.Status, r.Result, r.RunID, r.FinishedAt = kgl.RequestRunning, nil, nil, nil
	}
	return result(x.fault, r)
}

func (x *extractions) Get(context.Context, string) (kgl.ExtractionRequest, error) {
	return result(x.fault, x.request())
}

type runs struct {
	*fault
	filters []kgl.ExtractionRunFilter
}

func testRun() kgl.ExtractionRun {
	return kgl.ExtractionRun{
		ID: testRunID, ContentID: testContentID, Revision: 1, Extractor: "example-ner@3.1", Model: "example-large", Actor: testUserID,
		Status: kgl.RunCurrent, Entities: 2, Mentions: 3, Relationships: 1, StartedAt: testTime, FinishedAt: testTime,
	}
}

func (r *runs) Get(context.Context, string) (kgl.ExtractionRun, error) {
	return result(r.fault, testRun())
}

func (r *runs) List(_ context.Context, f kgl.ExtractionRunFilter, _ kgl.Page) (kgl.List[kgl.ExtractionRun], error) {
	r.filters = append(r.filters, f)
	return result(r.fault, one(testRun()))
}

func (r *runs) Retract(context.Context, string) (kgl.ExtractionRun, error) {
	run := testRun()
	run.Status, run.EndedAt = kgl.RunRetracted, &run.FinishedAt
	return result(r.fault, run)
}

func (r *runs) Purge(context.Context, string) (enrich.PurgeResult, error) {
	return result(r.fault, enrich.PurgeResult{Contents: 1, Runs: 2, Mentions: 3, Relationships: 4, Entities: 5})
}
