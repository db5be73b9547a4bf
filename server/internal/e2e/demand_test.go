package e2e

import (
	"net/http"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// TestExtractionWhereTheModuleComes asks for an item out of its turn, from an AI
// module that comes for its work, and withdraws the consent while it works.
func TestExtractionWhereTheModuleComes(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine, "KGL_EXTRACTOR=pull")
		b := in.start(t)
		ctx, c, f := t.Context(), b.as(t, client.RoleModerator), newFeedServer(t)
		f.serve("/feed.xml", rssFeed("News", newItem("one"), newItem("two"), newItem("three")))
		source := c.createSource(t, f.url("/feed.xml"))
		c.waitForFetches(t, source.ID, 1)
		last := c.content(t, source.ID)[2].ID

		text, err := c.CreateExtractionWithResponse(ctx, nil, client.ExtractionCreate{Text: ptr("A text.")})
		ok(t, err, text, http.StatusConflict)
		asked, err := c.CreateExtractionWithResponse(ctx, nil, client.ExtractionCreate{ContentID: &last})
		ok(t, err, asked, http.StatusAccepted)
		if asked.JSON202.Status != client.ExtractionStatusPending {
			t.Errorf("asked %s", asked.Body)
		}
		work := c.leaseOne(t)
		if work.Content.ID != last {
			t.Fatalf("the first work is %s, not what was asked for", work.Content.ID)
		}
		run, err := c.CompleteWorkWithResponse(ctx, work.ID, finding(work))
		ok(t, err, run, http.StatusOK)
		done := c.waitForExtraction(t, asked.JSON202.ID)
		if done.Status != client.ExtractionStatusSucceeded || done.RunID.MustGet() != run.JSON200.ID || done.Extractor.MustGet() != "e2e-ner@1" || len(done.Entities) != 1 {
			t.Errorf("done %+v", done)
		}

		held := c.leaseOne(t)
		waiting, err := c.CreateExtractionWithResponse(ctx, nil, client.ExtractionCreate{ContentID: &held.Content.ID})
		ok(t, err, waiting, http.StatusAccepted)
		denied, err := c.UpdateSourceWithResponse(ctx, source.ID, nil, client.SourceUpdate{Consents: &client.SourceConsentChoice{AiProcessing: ptr(false)}})
		ok(t, err, denied, http.StatusOK)
		late, err := c.CompleteWorkWithResponse(ctx, held.ID, finding(held))
		ok(t, err, late, http.StatusConflict)
		if failed := c.waitForExtraction(t, waiting.JSON202.ID); failed.Status != client.ExtractionStatusFailed || failed.Failure.IsNull() {
			t.Errorf("an extraction of a withdrawn source: %+v", failed)
		}
		if left := c.lease(t, client.WorkLease{Max: ptr(10)}); len(left) > 0 {
			t.Errorf("handed out after the withdrawal: %+v", left)
		}
		if found := c.entitiesOf(t, held.Content.ID); len(found) > 0 {
			t.Errorf("stored after the withdrawal: %+v", found)
		}
	})
}
