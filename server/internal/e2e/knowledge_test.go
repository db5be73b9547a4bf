package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/gen/client"
)

// fundNews are two reports about one fund under two names. The first begins with
// characters of several bytes, so that offsets that count bytes would be wrong.
var fundNews = []struct{ title, text, fund string }{
	{"Harbour Fund opens", "Ünïversal 🎬 news: Pier Media opened the Harbour Fund for film makers.", "Harbour Fund"},
	{"New call of the HF", "Pier Media says that the HF pays twelve thousand euros.", "HF"},
}

// TestKnowledge follows an AI module that comes for its work, and a person who
// reads what it found and puts right what it did not know: a fund with two names.
func TestKnowledge(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine, "KGL_EXTRACTOR=pull")
		b := in.start(t)
		c, site := b.as(t, client.RoleModerator), newFeedServer(t)
		var items []item
		for _, news := range fundNews {
			i := newItem(news.title)
			i.text = news.text
			items = append(items, i)
		}
		site.serve("/news.xml", rssFeed("Pier News", items...))
		source := c.createSource(t, site.url("/news.xml"))
		c.waitForFetches(t, source.ID, 1)

		c.extractAll(t)
		fund, short := c.entityNamed(t, "Harbour Fund"), c.entityNamed(t, "HF")
		before := c.aroundFund(t, fund, short)
		merge := c.mergeFunds(t, fund, short)
		c.undoMerge(t, merge, fund, short, before)
		in.checkAuditChain(t)
	})
}

// extractAll leases the two items and hands in what a reader would find, the
// second time after a lost lease.
func (c *caller) extractAll(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	done := 0
	for done < len(fundNews) {
		leased, err := c.LeaseWorkWithResponse(ctx, client.WorkLease{Max: ptr(1), LeaseSeconds: ptr(60), WaitSeconds: ptr(10)})
		ok(t, err, leased, http.StatusOK)
		if len(leased.JSON200.Data) != 1 {
			t.Fatalf("leased %+v", leased.JSON200)
		}
		work := leased.JSON200.Data[0]
		at := slices.IndexFunc(fundNews, func(n struct{ title, text, fund string }) bool { return n.title == work.Content.Title })
		if at < 0 || !strings.Contains(work.Content.Text, fundNews[at].fund) {
			t.Fatalf("the work is %+v", work)
		}
		if work.Attempt == 1 && at == 1 {
			failed, err := c.FailWorkWithResponse(ctx, work.ID, client.WorkFailure{
				LeaseToken: work.LeaseToken, Reason: "the model is overloaded", Retriable: true, RetryAfterSeconds: ptr(0),
			})
			ok(t, err, failed, http.StatusOK)
			late, err := c.CompleteWorkWithResponse(ctx, work.ID, reading(work, fundNews[at].fund))
			ok(t, err, late, http.StatusConflict)
			continue
		}
		first, err := c.CompleteWorkWithResponse(ctx, work.ID, reading(work, fundNews[at].fund))
		ok(t, err, first, http.StatusOK)
		again, err := c.CompleteWorkWithResponse(ctx, work.ID, reading(work, fundNews[at].fund))
		ok(t, err, again, http.StatusOK)
		if first.JSON200.ID != again.JSON200.ID || first.JSON200.Extractor != "reader@1.0" {
			t.Errorf("runs %+v and %+v of one result", first.JSON200, again.JSON200)
		}
		done++
	}
}

// reading is what a reader finds in an item: the publisher, the fund, and that
// the one offers the other.
func reading(work client.WorkItem, fund string) client.WorkCompletion {
	text := work.Content.Text
	span := func(words string) client.TextSpan {
		start := utf8.RuneCountInString(text[:strings.Index(text, words)])
		return client.TextSpan{Start: start, End: start + utf8.RuneCountInString(words), Quote: &words}
	}
	return client.WorkCompletion{
		LeaseToken: work.LeaseToken, Extractor: client.ExtractorName{Name: "reader", Version: "1.0"},
		Entities: []client.ExtractedEntity{
			{Name: "Pier Media", Type: "organization", Confidence: 0.9, Mentions: []client.TextSpan{span("Pier Media")}},
			{Name: fund, Type: "grant", Confidence: 0.8, Mentions: []client.TextSpan{span(fund)}},
		},
		Relationships: []client.ExtractedRelationship{
			{From: 0, To: 1, Type: "offers", Confidence: 0.75, Fact: ptr("Pier Media offers the " + fund + "."), Evidence: span(fund)},
		},
	}
}

func (c *caller) entityNamed(t *testing.T, name string) client.Entity {
	t.Helper()
	list, err := c.ListEntitiesWithResponse(t.Context(), &client.ListEntitiesParams{Name: &name})
	ok(t, err, list, http.StatusOK)
	if len(list.JSON200.Data) != 1 {
		t.Fatalf("entities named %q: %+v", name, list.JSON200.Data)
	}
	return list.JSON200.Data[0]
}

// aroundFund opens the fund, walks to its publisher and on to its other name,
// and reads the evidence of the step. It returns what merging must not lose.
func (c *caller) aroundFund(t *testing.T, fund, short client.Entity) client.Neighborhood {
	t.Helper()
	ctx := t.Context()
	around, err := c.GetNeighborhoodWithResponse(ctx, &client.GetNeighborhoodParams{ID: []string{fund.ID}, Depth: ptr(2), Type: &[]string{"offers"}})
	ok(t, err, around, http.StatusOK)
	n := *around.JSON200
	if len(n.Nodes) != 3 || len(n.Edges) != 2 || n.Truncated || !slices.ContainsFunc(n.Nodes, func(node client.GraphNode) bool {
		return node.ID == short.ID && node.Depth == 2
	}) {
		t.Fatalf("around the fund is %+v", n)
	}
	at := slices.IndexFunc(n.Edges, func(e client.GraphEdge) bool { return e.To == fund.ID })
	detail, err := c.GetRelationshipWithResponse(ctx, n.Edges[at].ID, nil)
	ok(t, err, detail, http.StatusOK)
	r := detail.JSON200
	if r.From.Name != "Pier Media" || r.Fact != "Pier Media offers the Harbour Fund." || len(r.Evidence) != 1 {
		t.Fatalf("the relationship is %+v", r)
	}
	content, err := c.GetContentWithResponse(ctx, r.Evidence[0].ContentID, nil)
	ok(t, err, content, http.StatusOK)
	runes := []rune(*content.JSON200.ContentText)
	if e := r.Evidence[0]; string(runes[e.Start:e.End]) != e.Quote || e.Quote != "Harbour Fund" || e.RunID.IsNull() {
		t.Errorf("the evidence is %+v", e)
	}
	return n
}

// mergeFunds makes the two funds one: the old id answers with it, and its
// relationship has the evidence of both.
func (c *caller) mergeFunds(t *testing.T, fund, short client.Entity) client.EntityMerge {
	t.Helper()
	ctx := t.Context()
	merged, err := c.MergeEntitiesWithResponse(ctx, fund.ID, nil, client.EntityMergeCreate{EntityIds: []string{short.ID}, Reason: ptr("one fund, two names")})
	ok(t, err, merged, http.StatusCreated)
	old, err := c.GetEntityWithResponse(ctx, short.ID, nil)
	ok(t, err, old, http.StatusOK)
	if e := old.JSON200; e.ID != fund.ID || !slices.Contains(e.Aliases, "HF") || e.MentionCount != 2 {
		t.Errorf("the old id answers %+v", e)
	}
	around, err := c.GetNeighborhoodWithResponse(ctx, &client.GetNeighborhoodParams{ID: []string{short.ID}, Depth: ptr(3), Type: &[]string{"offers"}})
	ok(t, err, around, http.StatusOK)
	if n := around.JSON200; len(n.Nodes) != 2 || len(n.Edges) != 1 || n.Edges[0].Weight != 2*0.75 {
		t.Errorf("around the merged fund is %+v", n)
	}
	again, err := c.MergeEntitiesWithResponse(ctx, fund.ID, nil, client.EntityMergeCreate{EntityIds: []string{short.ID}})
	ok(t, err, again, http.StatusConflict)
	return *merged.JSON201
}

// undoMerge parts the funds again, and finds everything where it was.
func (c *caller) undoMerge(t *testing.T, merge client.EntityMerge, fund, short client.Entity, before client.Neighborhood) {
	t.Helper()
	ctx := t.Context()
	undone, err := c.UndoEntityMergeWithResponse(ctx, fund.ID, merge.ID)
	ok(t, err, undone, http.StatusOK)
	if undone.JSON200.UndoneAt.IsNull() || undone.JSON200.UndoneBy.IsNull() {
		t.Errorf("the undone merge is %+v", undone.JSON200)
	}
	again, err := c.UndoEntityMergeWithResponse(ctx, fund.ID, merge.ID)
	ok(t, err, again, http.StatusConflict)
	after := c.aroundFund(t, c.entityNamed(t, "Harbour Fund"), c.entityNamed(t, "HF"))
	if !slices.Equal(after.Nodes, before.Nodes) || !slices.Equal(after.Edges, before.Edges) {
		t.Errorf("after: %+v\nbefore: %+v", after, before)
	}
	parted, err := c.GetEntityWithResponse(ctx, short.ID, nil)
	ok(t, err, parted, http.StatusOK)
	if e := parted.JSON200; e.ID != short.ID || e.Status != client.EntityStatusActive || e.MentionCount != 1 {
		t.Errorf("the short name is %+v", e)
	}
}
