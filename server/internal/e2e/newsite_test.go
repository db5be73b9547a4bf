package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// report is a story long enough to be recognised when it is reprinted.
const report = "The Harbour Fund has opened its third round for independent video makers. Applicants may ask for up to twelve " +
	"thousand euros and keep all rights in what they make. A jury of five, among them two former grantees, reads every proposal " +
	"and answers within six weeks. The fund pays half of the sum at once and the rest when the work is shown in public. Makers who " +
	"work in a group apply once and name one person who signs. Questions are answered every Tuesday at noon in an open call."

// patchwork is a feed as some servers hand it out: a warning before the prolog, a
// reprint of the report, an item without a date, bare '&' and '<', no end.
func patchwork() string {
	return "<br />\n<b>Warning</b>: Undefined index in <b>/srv/feed.php</b> on line <b>7</b><br />\n" +
		`<?xml version="1.0"?><rss version="2.0"><channel><title>Patchwork</title><link>https://patchwork.example/</link>` +
		`<item><title>Harbour Fund opens third round</title><link>https://patchwork.example/reprint</link><guid isPermaLink="false">r1</guid>` +
		`<pubDate>Mon, 02 Mar 2026 09:00:00 GMT</pubDate><description>From our partners: ` + report + ` The post appeared first on The Harbour Log.</description></item>` +
		`<item><title>R&D grants < 30 days left</title><link>https://patchwork.example/odd</link><description>Five calls.</description></item>` +
		`<item><title>The last words</title><link>https://patchwork.example/last</link><description>The rest was`
}

// testNewSite follows somebody who has a page's address and nothing else: its
// feed is found and tried, fetched in spite of its faults, which are explained,
// and what another source had before is folded, until a person says otherwise.
func testNewSite(t *testing.T, b *backend) {
	c, log, site := b.as(t, client.RoleModerator), newFeedServer(t), newFeedServer(t)
	original := newItem("Third round of the Harbour Fund")
	original.text = report
	log.serve("/log.xml", rssFeed("The Harbour Log", original))
	first := c.createSource(t, log.url("/log.xml"))
	c.waitForFetches(t, first.ID, 1)
	site.page("/", `<head><title>Patchwork</title><link rel="alternate" type="application/rss+xml" href="/feed"></head>`)
	site.serve("/feed", patchwork())

	found, err := c.DiscoverFeedsWithResponse(t.Context(), client.DiscoverRequest{URL: site.url("/")})
	ok(t, err, found, http.StatusOK)
	if len(found.JSON200.Feeds) != 1 || found.JSON200.Feeds[0].URL != site.url("/feed") || !found.JSON200.Feeds[0].Verified {
		t.Fatalf("found %+v", found.JSON200)
	}
	source := c.createSource(t, found.JSON200.Feeds[0].URL)
	fetch := c.waitForFetches(t, source.ID, 1)[0]
	source = c.source(t, source.ID)
	if fetch.ItemsCreated != 3 || fetch.ItemsRepaired == 0 || !source.Repaired || len(source.FeedWarnings) == 0 || source.Health.State != client.SourceHealthStateQuiet {
		t.Errorf("fetch %+v, source %+v", fetch, source)
	}
	items := map[string]client.Content{}
	for _, item := range c.listed(t, source.ID, client.ListContentParamsDuplicatesShow) {
		items[item.CanonicalURL] = item
	}
	odd := items["https://patchwork.example/odd"]
	if odd.Title != "R&D grants < 30 days left" || odd.PublishedAtSource != "fetched" || !odd.Repaired || len(odd.Repairs) == 0 {
		t.Errorf("the odd item is %+v", odd)
	}
	c.undoAndRedo(t, items["https://patchwork.example/reprint"], c.content(t, first.ID)[0])
	b.followChanges(t, odd.ChangedAt)
}

// listed returns the items of a source.
func (c *caller) listed(t *testing.T, sourceID string, duplicates client.ListContentParamsDuplicates) []client.Content {
	t.Helper()
	res, err := c.ListContentWithResponse(t.Context(), &client.ListContentParams{SourceID: &sourceID, Duplicates: &duplicates})
	ok(t, err, res, http.StatusOK)
	return res.JSON200.Data
}

// undoAndRedo takes a reprint out of its group and puts it back by hand.
func (c *caller) undoAndRedo(t *testing.T, reprint, original client.Content) {
	t.Helper()
	if reprint.DuplicateOf.IsNull() || reprint.DuplicateOf.MustGet() != original.ID || original.DuplicateCount != 1 {
		t.Fatalf("the reprint repeats %v, the original has %d", reprint.DuplicateOf, original.DuplicateCount)
	}
	if n := len(c.listed(t, reprint.SourceID, client.ListContentParamsDuplicatesFold)); n != 2 {
		t.Errorf("%d items beside the folded one, want 2", n)
	}
	path := "/api/v1/content/" + reprint.ID + "/duplicates"
	links := decode[client.DuplicateList](t, c.do("GET", path, "").want(t, http.StatusOK).body)
	if len(links.Data) != 1 || links.Data[0].Reason != client.DuplicateReasonNearText || links.Data[0].Score >= 1 || links.Data[0].Score < 0.5 {
		t.Errorf("links %+v", links.Data)
	}
	c.do("DELETE", path, "").want(t, http.StatusNoContent)
	c.do("DELETE", path, "").want(t, http.StatusConflict)
	if n := len(c.listed(t, reprint.SourceID, client.ListContentParamsDuplicatesFold)); n != 3 {
		t.Errorf("%d items after it was taken apart, want 3", n)
	}
	key, body := newPassword(), `{"duplicate_of":"`+original.ID+`"}`
	c.do("POST", path, body, "Idempotency-Key", key).want(t, http.StatusCreated)
	c.do("POST", path, body, "Idempotency-Key", key).want(t, http.StatusCreated)
	c.do("POST", path, body).want(t, http.StatusConflict)
	c.do("POST", path, `{"duplicate_of":"`+reprint.ID+`"}`, "Idempotency-Key", key).want(t, http.StatusUnprocessableEntity)
}

// followChanges reads on from a moment, as a follower does.
func (b *backend) followChanges(t *testing.T, from time.Time) {
	t.Helper()
	c := b.as(t, client.RoleUser)
	from = from.Add(-time.Microsecond)
	res, err := c.ListContentWithResponse(t.Context(), &client.ListContentParams{ChangedAfter: &from})
	ok(t, err, res, http.StatusOK)
	if len(res.JSON200.Data) == 0 {
		t.Fatal("nothing changed")
	}
	last := from
	for _, item := range res.JSON200.Data {
		if item.ChangedAt.Before(last) {
			t.Errorf("%s changed at %s, behind one of %s", item.ID, item.ChangedAt, last)
		}
		last = item.ChangedAt
	}
	query := "?changed_after=" + url.QueryEscape(from.Format(time.RFC3339Nano)) + "&sort=published_at"
	problem := c.do("GET", "/api/v1/content"+query, "").want(t, http.StatusBadRequest).problem(t)
	if problem.Errors == nil || !strings.Contains((*problem.Errors)[0].Field, "sort") {
		t.Errorf("problem %+v", problem)
	}
}
