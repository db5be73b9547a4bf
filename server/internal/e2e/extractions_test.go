package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// acquisition is a sentence in which the mock extractor finds two organizations
// and a relationship.
const acquisition = "Polar Press acquired Pictura Studios."

// ownItems returns a source with two items that were enriched, and the items.
func (c *caller) ownItems(t *testing.T) (client.Source, []client.Content) {
	t.Helper()
	f := newFeedServer(t)
	one, two := newItem("one"), newItem("two")
	one.text, two.text = acquisition+" "+one.text, "Polar Press is based in Oslo. "+two.text
	f.serve("/feed.xml", rssFeed("Own", one, two))
	source := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, source.ID, 1)
	var items []client.Content
	eventually(t, "the items are processed", func() string {
		items = c.content(t, source.ID)
		for _, item := range items {
			if item.Status != client.ContentStatusProcessed {
				return item.ID + " is " + string(item.Status)
			}
		}
		if len(items) != 2 {
			return "not all are there"
		}
		return ""
	})
	return source, items
}

// extraction returns the id of an extraction on demand that is done, and of its
// run.
func (c *caller) extraction(t *testing.T, contentID string) (id, runID string) {
	t.Helper()
	res, err := c.CreateExtractionWithResponse(t.Context(), nil, client.ExtractionCreate{ContentID: &contentID})
	if err != nil {
		t.Fatal(err)
	}
	found := res.JSON200
	if found == nil {
		found = res.JSON202
	}
	if found == nil {
		t.Fatalf("extract: %s", res.Body)
	}
	done := c.waitForExtraction(t, found.ID)
	return done.ID, done.RunID.MustGet()
}

func (c *caller) waitForExtraction(t *testing.T, id string) client.Extraction {
	t.Helper()
	var done client.Extraction
	eventually(t, "the extraction is done", func() string {
		read, err := c.GetExtractionWithResponse(t.Context(), id, nil)
		ok(t, err, read, http.StatusOK)
		if done = *read.JSON200; done.FinishedAt.IsNull() {
			return string(done.Status)
		}
		return ""
	})
	return done
}

func testExtractions(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	var found *client.Extraction
	eventually(t, "an answer at once", func() string {
		res, err := c.CreateExtractionWithResponse(ctx, nil, client.ExtractionCreate{Text: ptr(acquisition), Language: ptr("en")})
		if err != nil {
			t.Fatal(err)
		}
		if found = res.JSON200; found == nil {
			return string(res.Body)
		}
		return ""
	})
	if found.Status != client.ExtractionStatusSucceeded || found.Extractor.MustGet() != "mock" || len(found.Entities) != 2 || len(found.Relationships) != 1 ||
		!found.ContentID.IsNull() || !found.RunID.IsNull() {
		t.Errorf("found %+v", found)
	}
	for _, e := range found.Entities {
		m := e.Mentions[0]
		if string([]rune(acquisition)[m.Start:m.End]) != *m.Quote || *m.Quote != e.Name {
			t.Errorf("%s is not in the text: %+v", e.Name, m)
		}
	}

	key := newPassword()
	body := encode(t, client.ExtractionCreate{Text: ptr(acquisition)})
	later := c.do("POST", "/api/v1/extractions", body, "Idempotency-Key", key).want(t, http.StatusAccepted)
	location := later.header.Get("Location")
	if replayed := c.do("POST", "/api/v1/extractions", body, "Idempotency-Key", key).want(t, http.StatusAccepted); replayed.header.Get("Location") != location ||
		replayed.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed %v, first %v", replayed.header, later.header)
	}
	c.do("POST", "/api/v1/extractions", `{"text":"Another text."}`, "Idempotency-Key", key).want(t, http.StatusUnprocessableEntity)
	id := strings.TrimPrefix(location, "/api/v1/extractions/")
	if done := c.waitForExtraction(t, id); len(done.Entities) != 2 {
		t.Errorf("later %+v", done)
	}
	b.as(t, client.RoleModerator).do("GET", location, "").want(t, http.StatusNotFound) // of somebody else
	b.asAdmin(t).do("GET", location, "").want(t, http.StatusOK)
	c.do("POST", "/api/v1/extractions", `{"content_id":"`+missingID+`"}`).want(t, http.StatusNotFound)
	c.do("POST", "/api/v1/extractions", `{"content_id":"`+missingID+`","text":"both"}`).want(t, http.StatusBadRequest)
	c.do("POST", "/api/v1/extractions", `{"language":"en"}`).want(t, http.StatusBadRequest)
}

// missingID is the id of nothing.
const missingID = "0198c6f0-0000-7000-8000-00000000dead"

func testExtractionRuns(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	_, items := c.ownItems(t)
	item := items[0]
	if strings.HasPrefix(*items[1].ContentText, acquisition) {
		item = items[1]
	}
	_, runID := c.extraction(t, item.ID)
	listed, err := c.ListExtractionRunsWithResponse(ctx, &client.ListExtractionRunsParams{ContentID: &item.ID, Extractor: ptr("mock")})
	ok(t, err, listed, http.StatusOK)
	if runs := listed.JSON200.Data; len(runs) < 2 || runs[0].ID != runID || runs[0].Status != client.ExtractionRunStatusCurrent ||
		runs[1].Status != client.ExtractionRunStatusSuperseded || runs[0].EntityCount < 2 || runs[0].RelationshipCount < 1 {
		t.Errorf("runs %s", listed.Body)
	}
	read, err := c.GetExtractionRunWithResponse(ctx, runID, nil)
	ok(t, err, read, http.StatusOK)
	for _, e := range c.entitiesOf(t, item.ID) {
		for _, m := range e.Mentions {
			if m.RunID.MustGet() != runID {
				t.Errorf("a mention is of the run %s", m.RunID.MustGet())
			}
		}
	}
	retracted, err := c.RetractExtractionRunWithResponse(ctx, runID)
	ok(t, err, retracted, http.StatusOK)
	if r := retracted.JSON200; r.Status != client.ExtractionRunStatusRetracted || r.EndedAt.IsNull() {
		t.Errorf("retracted %s", retracted.Body)
	}
	if left := c.entitiesOf(t, item.ID); len(left) > 0 {
		t.Errorf("left of a retracted run: %+v", left)
	}
	again, err := c.RetractExtractionRunWithResponse(ctx, runID)
	ok(t, err, again, http.StatusConflict)
}

func (c *caller) entitiesOf(t *testing.T, contentID string) []client.ContentEntity {
	t.Helper()
	res, err := c.ListContentEntitiesWithResponse(t.Context(), contentID, nil)
	ok(t, err, res, http.StatusOK)
	return res.JSON200.Data
}

func testConsents(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	source, items := c.ownItems(t)
	if !source.Consents.AiProcessing.Allowed || !source.Consents.AiProcessing.DecidedAt.IsNull() {
		t.Errorf("consents of a new source: %+v", source.Consents)
	}
	allowed, err := c.PurgeSourceDerivedWithResponse(ctx, source.ID)
	ok(t, err, allowed, http.StatusConflict)

	before, _, _ := strings.Cut(c.do("GET", "/api/v1/sources/"+source.ID, "").want(t, http.StatusOK).header.Get("ETag"), ".")
	denied, err := c.UpdateSourceWithResponse(ctx, source.ID, nil, client.SourceUpdate{
		Consents: &client.SourceConsentChoice{AiProcessing: ptr(false), Publication: ptr(false)},
	})
	ok(t, err, denied, http.StatusOK)
	if s := denied.JSON200.Consents; s.AiProcessing.Allowed || s.AiProcessing.DecidedAt.IsNull() || s.AiProcessing.DecidedBy.IsNull() || s.Publication.Allowed {
		t.Errorf("denied: %+v", s)
	}
	if tag := denied.HTTPResponse.Header.Get("ETag"); tag == "" || strings.HasPrefix(tag, before) {
		t.Errorf("ETag %s of a withdrawal, %s before it", tag, before)
	}
	refused, err := c.CreateExtractionWithResponse(ctx, nil, client.ExtractionCreate{ContentID: &items[0].ID})
	ok(t, err, refused, http.StatusConflict)
	if p := refused.ApplicationProblemJSON409; p.Code != "consent_denied" {
		t.Errorf("refused with %s", p.Code)
	}
	for publishable, want := range map[bool]int{true: 0, false: 2} {
		list, err := c.ListContentWithResponse(ctx, &client.ListContentParams{SourceID: &source.ID, Publishable: &publishable})
		ok(t, err, list, http.StatusOK)
		if len(list.JSON200.Data) != want {
			t.Errorf("%d items with publishable=%t, want %d", len(list.JSON200.Data), publishable, want)
		}
	}
	purged, err := c.PurgeSourceDerivedWithResponse(ctx, source.ID)
	ok(t, err, purged, http.StatusOK)
	if p := purged.JSON200; p.Contents != 2 || p.Runs < 2 || p.Mentions < 3 {
		t.Errorf("purged %s", purged.Body)
	}
	for _, item := range items {
		if left := c.entitiesOf(t, item.ID); len(left) > 0 {
			t.Errorf("left of a purge: %+v", left)
		}
	}
	again, err := c.PurgeSourceDerivedWithResponse(ctx, source.ID)
	ok(t, err, again, http.StatusOK)
	if *again.JSON200 != (client.DerivedPurge{}) {
		t.Errorf("purged again %s", again.Body)
	}
	restored := c.bulk(t, `{"select":{"ids":["`+source.ID+`"]},"action":{"consents":{"ai_processing":true}}}`)
	if restored.Changed != 1 {
		t.Errorf("allowed again: %+v", restored)
	}
	eventually(t, "the items are enriched again", func() string {
		for _, item := range items {
			if len(c.entitiesOf(t, item.ID)) == 0 {
				return "nothing in " + item.ID
			}
		}
		return ""
	})
}
