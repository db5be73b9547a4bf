package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func workHarness(t *testing.T) (*harness, *work) {
	t.Helper()
	var fake *work
	h := newHarness(t, func(d *Deps) { fake = d.Work.(*work) })
	return h, fake
}

func post(path, body string) request {
	return request{method: http.MethodPost, path: "/api/v1/work" + path, body: body}
}

func TestLeaseWorkPassesOnWhatIsAsked(t *testing.T) {
	h, fake := workHarness(t)
	for _, body := range []string{
		`{}`,
		`{"kinds":["extract","embed"],"max":3,"lease_seconds":60,"wait_seconds":10}`,
		`{"wait_seconds":30}`, // the deadline of the request comes first
	} {
		if res := h.send(post("/lease", body)); res.Code != http.StatusOK || !strings.Contains(res.Body.String(), `"lease_token":7`) {
			t.Errorf("%s: %d %s", body, res.Code, res.Body)
		}
	}
	want := []enrich.LeaseRequest{
		{Kinds: []string{"extract"}, Max: 10, For: 5 * time.Minute},
		{Kinds: []string{"extract", "embed"}, Max: 3, For: time.Minute, Wait: 10 * time.Second},
		{Kinds: []string{"extract"}, Max: 10, For: 5 * time.Minute, Wait: 25 * time.Second},
	}
	if !reflect.DeepEqual(fake.requests, want) {
		t.Errorf("asked for %+v, want %+v", fake.requests, want)
	}
	for _, body := range []string{`{"max":0}`, `{"max":101}`, `{"lease_seconds":9}`, `{"wait_seconds":31}`, `{"kinds":[]}`, `{"kinds":["A"]}`, `{"lane":"mock"}`} {
		if res := h.send(post("/lease", body)); res.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, res.Code)
		}
	}
}

func TestCompleteWorkPassesOnTheResult(t *testing.T) {
	h, fake := workHarness(t)
	body := `{"lease_token":7,"extractor":{"name":"ner","version":"3.1"},"model":"m","config_hash":"h",
		"entities":[{"name":"Ada","type":"person","confidence":0.9,"salience":0.5,"aliases":["A"],"external_ids":[{"scheme":"wikidata","value":"Q1"}],
		"mentions":[{"start":0,"end":3,"quote":"Ada"}]},{"name":"Bo","type":"person","confidence":0.8,"mentions":[{"start":8,"end":10}]}],
		"relationships":[{"from":0,"to":1,"type":"met","fact":"Ada met Bo.","confidence":0.7,"valid_from":"2026","valid_to":"2026-01",
		"evidence":{"start":0,"end":10}}]}`
	if res := h.send(post("/"+testTaskID+"/complete", body)); res.Code != http.StatusOK {
		t.Fatalf("%d %s", res.Code, res.Body)
	}
	want := kgl.Extraction{
		Extractor: "ner@3.1", Model: "m", ConfigHash: "h",
		Entities: []kgl.ExtractedEntity{
			{Name: "Ada", Type: "person", Confidence: .9, Salience: .5, Aliases: []string{"A"},
				ExternalIDs: []kgl.ExternalID{{Scheme: "wikidata", Value: "Q1"}}, Spans: []kgl.Span{{Start: 0, End: 3, Quote: "Ada"}}},
			{Name: "Bo", Type: "person", Confidence: .8, ExternalIDs: []kgl.ExternalID{}, Spans: []kgl.Span{{Start: 8, End: 10}}},
		},
		Relationships: []kgl.ExtractedRelationship{{
			From: 0, To: 1, Type: "met", Fact: "Ada met Bo.", Confidence: .7, ValidFrom: "2026", ValidTo: "2026-01", Evidence: kgl.Span{Start: 0, End: 10},
		}},
	}
	if len(fake.results) != 1 || !reflect.DeepEqual(fake.results[0], want) {
		t.Errorf("got  %+v\nwant %+v", fake.results, want)
	}
}

func TestFailWorkPassesOnThePause(t *testing.T) {
	h, fake := workHarness(t)
	for _, body := range []string{
		`{"lease_token":7,"reason":"busy","retriable":true}`, `{"lease_token":7,"reason":"busy","retriable":true,"retry_after_seconds":0}`,
		`{"lease_token":7,"reason":"poison","retriable":false}`,
	} {
		if res := h.send(post("/"+testTaskID+"/fail", body)); res.Code != http.StatusOK {
			t.Errorf("%s: %d %s", body, res.Code, res.Body)
		}
	}
	none := time.Duration(0)
	want := []enrich.FailureReport{{Reason: "busy", Retriable: true}, {Reason: "busy", Retriable: true, After: &none}, {Reason: "poison"}}
	if !reflect.DeepEqual(fake.failures, want) {
		t.Errorf("reported %+v", fake.failures)
	}
}

// TestLostLeasesAreTold: each way to lose a lease has a code of its own.
func TestLostLeasesAreTold(t *testing.T) {
	h, fake := workHarness(t)
	calls := []request{
		post("/"+testTaskID+"/extend", `{"lease_token":7,"lease_seconds":60}`),
		post("/"+testTaskID+"/complete", `{"lease_token":7,"extractor":{"name":"ner","version":"1"},"entities":[],"relationships":[]}`),
		post("/"+testTaskID+"/fail", `{"lease_token":7,"reason":"x","retriable":true}`),
		post("/"+testTaskID+"/release", `{"lease_token":7}`),
	}
	for _, code := range []kgl.Code{kgl.CodeLeaseLost, kgl.CodeConflict, kgl.CodeConsentDenied} {
		fake.fault.err = kgl.Errorf(code, "lost")
		for _, call := range calls {
			if res := h.send(call); res.Code != http.StatusConflict || !strings.Contains(res.Body.String(), `"code":"`+string(code)+`"`) {
				t.Errorf("%s: %s: %d %s", call.path, code, res.Code, res.Body)
			}
		}
	}
}

func TestBadResultNamesItsFields(t *testing.T) {
	h, fake := workHarness(t)
	fake.fault.err = &kgl.Error{Code: kgl.CodeResultInvalid, Message: "no", Fields: []kgl.FieldError{{Field: "entities[3].mentions[0].end", Message: "too large"}}}
	res := h.send(post("/"+testTaskID+"/complete", `{"lease_token":7,"extractor":{"name":"ner","version":"1"},"entities":[],"relationships":[]}`))
	var p api.Problem
	if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if res.Code != http.StatusUnprocessableEntity || p.Code != "result_invalid" || p.Errors == nil ||
		!slices.Equal(*p.Errors, []api.FieldProblem{{Field: "entities[3].mentions[0].end", Message: "too large"}}) {
		t.Errorf("%d %s", res.Code, res.Body)
	}
}

// TestWorkStatsAreShared: who polls does not count anew where counting is dear,
// and learns with an ETag that nothing changed.
func TestWorkStatsAreShared(t *testing.T) {
	h, fake := workHarness(t)
	slow := countWork(fake)
	counts := newSharedCounts(func(ctx context.Context, now time.Time) (workStats, error) {
		h.clock.Advance(100 * time.Millisecond)
		return slow(ctx, now)
	}, h.clock)
	for range 3 {
		if _, err := counts.get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if fake.stats != 1 {
		t.Errorf("counted %d times", fake.stats)
	}
	res := h.send(request{path: "/api/v1/work/stats"})
	h.clock.Advance(time.Minute)
	again := h.send(request{path: "/api/v1/work/stats", header: http.Header{"If-None-Match": {res.Header().Get("ETag")}}})
	if res.Code != http.StatusOK || again.Code != http.StatusNotModified {
		t.Errorf("%d, then %d", res.Code, again.Code)
	}
}
