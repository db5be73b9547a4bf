package httpapi

import (
	"net/http"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestExtractionsAnswerAtOnceOrLater(t *testing.T) {
	h := newHarness(t)
	res := h.send(request{method: http.MethodPost, path: "/api/v1/extractions", body: `{"text":"Ada knows Bo.","language":"en"}`})
	if res.Code != http.StatusOK || res.Header().Get("Location") != "" {
		t.Errorf("a quick one: %d, Location %q: %s", res.Code, res.Header().Get("Location"), res.Body)
	}
	h.extractions.slow = true
	res = h.send(request{method: http.MethodPost, path: "/api/v1/extractions", body: `{"content_id":"` + testContentID + `"}`})
	if res.Code != http.StatusAccepted || res.Header().Get("Location") != "/api/v1/extractions/"+testExtractionID {
		t.Errorf("a slow one: %d, Location %q: %s", res.Code, res.Header().Get("Location"), res.Body)
	}
	want := []enrich.Demand{{Text: "Ada knows Bo.", Language: "en"}, {ContentID: testContentID}}
	if !slices.Equal(h.extractions.demands, want) {
		t.Errorf("asked for %+v, want %+v", h.extractions.demands, want)
	}
}

func TestFaultsOfExtractions(t *testing.T) {
	for code, status := range map[kgl.Code]int{
		kgl.CodeConsentDenied: http.StatusConflict, kgl.CodeConflict: http.StatusConflict, kgl.CodeNotFound: http.StatusNotFound,
		kgl.CodeUnavailable: http.StatusServiceUnavailable,
	} {
		h := newHarness(t)
		h.fault.err = kgl.Errorf(code, "no")
		for _, r := range []request{
			{method: http.MethodPost, path: "/api/v1/extractions", body: `{"text":"a"}`},
			{method: http.MethodDelete, path: "/api/v1/extraction-runs/" + testRunID},
			{method: http.MethodDelete, path: "/api/v1/sources/" + testSourceID + "/derived"},
		} {
			res := h.send(r)
			if p := problemOf(t, res); res.Code != status || p.Code != string(code) {
				t.Errorf("%s %s with %s: %d %s", r.method, r.path, code, res.Code, p.Code)
			}
		}
	}
}

func TestRunsAreFiltered(t *testing.T) {
	h := newHarness(t)
	res := h.send(request{path: "/api/v1/extraction-runs?content_id=" + testContentID + "&extractor=builtin&status=superseded"})
	want := kgl.ExtractionRunFilter{ContentID: testContentID, Name: "builtin", Status: kgl.RunSuperseded}
	if res.Code != http.StatusOK || len(h.runs.filters) != 1 || h.runs.filters[0] != want {
		t.Errorf("%d: filters %+v, want %+v", res.Code, h.runs.filters, want)
	}
}

func TestConsentsReachTheService(t *testing.T) {
	h := newHarness(t)
	deny := `{"consents":{"ai_processing":false}}`
	if res := h.send(request{method: http.MethodPatch, path: "/api/v1/sources/" + testSourceID, body: deny}); res.Code != http.StatusOK {
		t.Fatalf("patch: %d: %s", res.Code, res.Body)
	}
	res := h.send(request{method: http.MethodPost, path: "/api/v1/sources", body: `{"url":"https://feed.example/","consents":{"publication":false,"ai_processing":true}}`})
	if res.Code != http.StatusCreated {
		t.Fatalf("create: %d: %s", res.Code, res.Body)
	}
	res = h.send(request{method: http.MethodPost, path: "/api/v1/sources/bulk", body: `{"select":{"ids":["` + testSourceID + `"]},"action":` + deny + `}`})
	if res.Code != http.StatusOK {
		t.Fatalf("bulk: %d: %s", res.Code, res.Body)
	}
	for name, c := range map[string]struct {
		got  *ingest.ConsentChoice
		want ingest.ConsentChoice
	}{
		"patch":  {h.sources.patch.Consents, ingest.ConsentChoice{AIProcessing: ptr(false)}},
		"create": {h.sources.created[0].Consents, ingest.ConsentChoice{AIProcessing: ptr(true), Publication: ptr(false)}},
		"bulk":   {h.sources.bulk[0].what.Consents, ingest.ConsentChoice{AIProcessing: ptr(false)}},
	} {
		if c.got == nil || !sameChoice(*c.got, c.want) {
			t.Errorf("%s decided %+v, want %+v", name, c.got, c.want)
		}
	}
}

func sameChoice(a, b ingest.ConsentChoice) bool {
	same := func(a, b *bool) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	return same(a.AIProcessing, b.AIProcessing) && same(a.Publication, b.Publication)
}
