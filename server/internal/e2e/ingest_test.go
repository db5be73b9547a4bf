package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// waitForFetches waits until a source was fetched n times, and returns its
// history, newest first.
func (c *caller) waitForFetches(t *testing.T, sourceID string, n int) []client.Fetch {
	t.Helper()
	var history []client.Fetch
	eventually(t, fmt.Sprintf("the source was fetched %d times", n), func() string {
		if history = c.fetches(t, sourceID); len(history) < n {
			return fmt.Sprintf("%d fetches", len(history))
		}
		return ""
	})
	return history
}

// refetch has a source fetched once more and returns that fetch.
func (c *caller) refetch(t *testing.T, sourceID string) client.Fetch {
	t.Helper()
	before := len(c.fetches(t, sourceID))
	c.do("POST", "/api/v1/sources/"+sourceID+"/refresh", "").want(t, http.StatusAccepted)
	return c.waitForFetches(t, sourceID, before+1)[0]
}

// testFeedNotModified fetches the same document twice: the second time the
// server says so, and nothing is written.
func testFeedNotModified(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Still", newItem("one"), newItem("two")))
	s := c.createSource(t, f.url("/feed.xml"))
	first := c.waitForFetches(t, s.ID, 1)[0]
	if first.Outcome != client.FetchOutcomeNewContent || first.ItemsSeen != 2 || first.ItemsCreated != 2 || first.HTTPStatus.MustGet() != 200 || first.Bytes == 0 {
		t.Errorf("first fetch = %+v", first)
	}
	items := c.content(t, s.ID)
	second := c.refetch(t, s.ID)
	if second.Outcome != client.FetchOutcomeNotModified || second.HTTPStatus.MustGet() != 304 || second.ItemsCreated != 0 {
		t.Errorf("second fetch = %+v", second)
	}
	asked := f.requests("/feed.xml")
	if len(asked) != 2 || asked[0].Get("If-None-Match") != "" || asked[1].Get("If-None-Match") == "" || asked[1].Get("If-Modified-Since") == "" {
		t.Errorf("requests = %v", asked)
	}
	if agent := asked[0].Get("User-Agent"); !strings.HasPrefix(agent, "KGL-Backend/") || asked[0].Get("Cookie") != "" {
		t.Errorf("User-Agent = %q", agent)
	}
	for i, item := range c.content(t, s.ID) {
		if item.Revision != 1 || !item.FetchedAt.Equal(items[i].FetchedAt) {
			t.Errorf("a document that is the same changed an item: %+v", item)
		}
	}
	got := c.source(t, s.ID)
	if got.Title != "Still" || got.Format.MustGet() != "rss" || got.Language.MustGet() != "en" || got.Status != client.SourceStatusActive ||
		got.ContentCount != 2 || got.NextFetchAt.MustGet().Before(time.Now().Add(50*time.Minute)) || !got.LastError.IsNull() {
		t.Errorf("source = %+v", got)
	}
}

// testFeedEdited changes an item in the feed: its earlier state is kept.
func testFeedEdited(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	one, two := newItem("First title"), newItem("Other")
	f.serve("/feed.xml", rssFeed("Edited", one, two))
	s := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, s.ID, 1)
	edited := one
	edited.title, edited.text = "Second title", "A wholly different text of this item, with <script>alert(1)</script> some <b>markup</b>."
	f.serve("/feed.xml", rssFeed("Edited", edited, two))
	if fetch := c.refetch(t, s.ID); fetch.ItemsUpdated != 1 || fetch.ItemsCreated != 0 || fetch.Outcome != client.FetchOutcomeNewContent {
		t.Errorf("fetch = %+v", fetch)
	}
	for _, item := range c.content(t, s.ID) {
		revisions := decode[client.RevisionList](t, c.do("GET", "/api/v1/content/"+item.ID+"/revisions", "").want(t, 200).body).Data
		if item.GUID == two.guid {
			if item.Revision != 1 || len(revisions) != 0 {
				t.Errorf("the item that stayed: %+v, %d revisions", item, len(revisions))
			}
			continue
		}
		if item.Title != "Second title" || item.Revision != 2 || strings.Contains(*item.ContentHTML, "script") || !strings.Contains(*item.ContentHTML, "<b>markup</b>") {
			t.Errorf("the item that changed: %+v", item)
		}
		if len(revisions) != 1 || revisions[0].Title != "First title" || revisions[0].Revision != 1 || !strings.Contains(revisions[0].ContentText, "no other item has") {
			t.Errorf("revisions = %+v", revisions)
		}
	}
	f.serve("/feed.xml", rssFeed("Edited", two)) // an item that left the feed stays
	c.refetch(t, s.ID)
	if left := c.content(t, s.ID); len(left) != 2 {
		t.Errorf("%d items", len(left))
	}
}

// testFeedFailing lets a feed fail in several ways and recover.
func testFeedFailing(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	s := c.createSource(t, f.url("/feed.xml"))
	if first := c.waitForFetches(t, s.ID, 1)[0]; first.Outcome != client.FetchOutcomeFailed || first.HTTPStatus.MustGet() != 404 || first.ErrorCode.MustGet() != "fetch_failed" {
		t.Errorf("fetch = %+v", first)
	}
	failing := c.source(t, s.ID)
	if failing.Status != client.SourceStatusFailing || failing.ConsecutiveFailures != 1 || !strings.Contains(failing.LastError.MustGet().Message, "404") ||
		failing.Health.State != client.SourceHealthStateFailing || failing.Schedule.MustGet().Rule != "backoff" {
		t.Errorf("source = %+v", failing)
	}
	if pause := time.Until(failing.NextFetchAt.MustGet()); pause < 2*time.Minute || pause > 5*time.Minute {
		t.Errorf("after the first failure it waits %s", pause)
	}
	f.handle("/feed.xml", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>this is no feed</html>") })
	if fetch := c.refetch(t, s.ID); fetch.ErrorCode.MustGet() != "feed_invalid" || fetch.HTTPStatus.MustGet() != 200 {
		t.Errorf("fetch = %+v", fetch)
	}
	f.handle("/feed.xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		fmt.Fprint(w, rssFeed("Cut off", newItem("one")))
	})
	c.refetch(t, s.ID)
	f.handle("/feed.xml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	if fetch := c.refetch(t, s.ID); fetch.Outcome != client.FetchOutcomeFailed || strings.Contains(fetch.Error.MustGet(), "169.254") {
		t.Errorf("fetch = %+v", fetch)
	}
	failing = c.source(t, s.ID)
	if failing.ConsecutiveFailures != 4 || failing.ContentCount != 0 || !strings.Contains(failing.Schedule.MustGet().Reason, "the last 4 fetches failed") {
		t.Errorf("source after four failures: %+v", failing)
	}
	if d := c.dashboard(t); d.Sources.Failing < 1 {
		t.Errorf("dashboard = %+v", d.Sources)
	}
	f.serve("/feed.xml", rssFeed("Well again", newItem("one")))
	c.refetch(t, s.ID)
	if well := c.source(t, s.ID); well.Status != client.SourceStatusActive || well.ConsecutiveFailures != 0 || !well.LastError.IsNull() || well.ContentCount != 1 {
		t.Errorf("source = %+v", well)
	}
}

// testFeedGone lets a publisher withdraw a feed, and someone ask for it again.
func testFeedGone(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.handle("/feed.xml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	s := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, s.ID, 1)
	if once := c.source(t, s.ID); once.Status != client.SourceStatusFailing || once.Schedule.MustGet().Rule != "confirm_gone" {
		t.Errorf("after it was said once: %+v", once)
	}
	before := time.Now().Add(-25 * time.Hour).UTC().Format(time.RFC3339)
	b.execute(t, fmt.Sprintf(`UPDATE sources SET state = '{"gone_since":"%s","failing_since":"%s"}' WHERE id = '%s'`, before, before, s.ID))
	c.refetch(t, s.ID)
	if gone := c.source(t, s.ID); gone.Status != client.SourceStatusGone || gone.Health.State != client.SourceHealthStateGone || !gone.NextFetchAt.IsNull() {
		t.Errorf("a day later: %+v", gone)
	}
	c.refetch(t, s.ID)
	if gone := c.source(t, s.ID); gone.Status != client.SourceStatusGone || !gone.NextFetchAt.IsNull() {
		t.Errorf("after a refresh: %+v", gone)
	}
	f.serve("/feed.xml", rssFeed("Back", newItem("one")))
	c.refetch(t, s.ID)
	if back := c.source(t, s.ID); back.Status != client.SourceStatusActive || back.ContentCount != 1 {
		t.Errorf("source = %+v", back)
	}
}

// testFeedBrokenInPart serves items of which some are odd: they are repaired
// or reported, and never take the others with them.
func testFeedBrokenInPart(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	good := rssFeed("Broken in part", newItem("Before"), newItem("After"))
	odd := `<item></item><item><title>No date, no link &nbsp; &undefined; ` + "\x01" + `</title></item><item><title>Bad date</title><guid>x</guid><pubDate>never</pubDate></item>` +
		`<item><title>Bad link</title><guid>y</guid><link>javascript:alert(1)</link><description>&lt;img src=x onerror=alert(1)&gt;</description></item>`
	f.serve("/feed.xml", strings.Replace(good, "<item>", odd+"<item>", 1))
	s := c.createSource(t, f.url("/feed.xml"))
	fetch := c.waitForFetches(t, s.ID, 1)[0]
	if fetch.Outcome != client.FetchOutcomeNewContent || len(fetch.Warnings) == 0 {
		t.Errorf("fetch = %+v", fetch)
	}
	titles := map[string]client.Content{}
	for _, item := range c.content(t, s.ID) {
		titles[item.Title] = item
		if strings.Contains(item.URL+*item.ContentHTML, "javascript:") || strings.Contains(*item.ContentHTML, "onerror") {
			t.Errorf("not sanitised: %+v", item)
		}
	}
	for _, want := range []string{"Before", "After", "Bad date", "Bad link"} {
		if _, ok := titles[want]; !ok {
			t.Errorf("the item %q is missing among %d", want, len(titles))
		}
	}
	if !titles["Bad date"].PublishedAtInferred || titles["Before"].PublishedAtInferred {
		t.Error("published_at_inferred is wrong")
	}
}

// testFeedHanging has hosts that never answer beside one that does.
func testFeedHanging(t *testing.T, b *backend) {
	c, release := b.as(t, client.RoleModerator), make(chan struct{})
	var hanging []string
	for range 3 {
		f := newFeedServer(t)
		t.Cleanup(f.server.CloseClientConnections)
		f.handle("/feed.xml", func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-release:
			case <-req.Context().Done():
			}
		})
		hanging = append(hanging, c.createSource(t, f.url("/feed.xml")).ID)
	}
	t.Cleanup(func() { close(release) })
	f := newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Quick", newItem("one")))
	began := time.Now()
	c.waitForFetches(t, c.createSource(t, f.url("/feed.xml")).ID, 1)
	if took := time.Since(began); took > 4*time.Second { // the others take 5 s to time out
		t.Errorf("a quick feed took %s beside hanging ones", took)
	}
	for _, id := range hanging {
		if fetch := c.waitForFetches(t, id, 1)[0]; fetch.Outcome != client.FetchOutcomeFailed || !fetch.HTTPStatus.IsNull() {
			t.Errorf("fetch = %+v", fetch)
		}
	}
}

// testDuplicates has the same item in three sources: by URL and by text.
func testDuplicates(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	original := newItem("The same news")
	byURL, byText := newItem("Told elsewhere"), newItem(original.title)
	byURL.link = strings.Replace(original.link, "https://blog.", "http://www.blog.", 1) + "?utm_source=rss#top"
	byText.text = strings.ReplaceAll(original.text, " that ", "  that\n ")
	var ids []string
	for _, i := range []item{original, byURL, byText} {
		f := newFeedServer(t)
		f.serve("/feed.xml", rssFeed("Copy", i))
		s := c.createSource(t, f.url("/feed.xml"))
		c.waitForFetches(t, s.ID, 1)
		ids = append(ids, c.content(t, s.ID)[0].ID)
	}
	get := func(id string) client.Content {
		return decode[client.Content](t, c.do("GET", "/api/v1/content/"+id, "").want(t, 200).body)
	}
	first := get(ids[0])
	if !first.DuplicateOf.IsNull() {
		t.Errorf("the first-seen item is a duplicate: %+v", first)
	}
	for _, id := range ids[1:] {
		copied := get(id)
		if of, err := copied.DuplicateOf.Get(); err != nil || of != ids[0] {
			t.Errorf("not folded: %+v", copied)
		}
		if shown := walk(t, c, "/api/v1/content", "&source_id="+copied.SourceID, 10); len(shown) != 0 {
			t.Errorf("a folded item is listed: %v", shown)
		}
		if shown := walk(t, c, "/api/v1/content", "&duplicates=only&source_id="+copied.SourceID, 10); len(shown) != 1 {
			t.Errorf("duplicates=only shows %v", shown)
		}
	}
	links := decode[client.DuplicateList](t, c.do("GET", "/api/v1/content/"+ids[0]+"/duplicates", "").want(t, 200).body).Data
	reasons := map[string]string{}
	for _, link := range links {
		reasons[link.ContentID] = string(link.Reason)
	}
	if len(links) != 2 || reasons[ids[1]] != "same_canonical_url" || reasons[ids[2]] != "same_text" {
		t.Errorf("links = %+v", links)
	}
	// Without the first one, the group is shown by another item.
	c.do("DELETE", "/api/v1/content/"+ids[0], "").want(t, 204)
	if next := get(ids[1]); !next.DuplicateOf.IsNull() {
		t.Errorf("after the first-seen item was deleted: %+v", next)
	}
}

// testDeletedContent deletes an item: it stays away while the feed lists it as
// it was, whatever else the feed has.
func testDeletedContent(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	unwanted, wanted := newItem("Unwanted"), newItem("Wanted")
	f.serve("/feed.xml", rssFeed("Weeded", unwanted, wanted))
	s := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, s.ID, 1)
	for _, item := range c.content(t, s.ID) {
		if item.Title == "Unwanted" {
			c.do("DELETE", "/api/v1/content/"+item.ID, "").want(t, 204)
			c.do("GET", "/api/v1/content/"+item.ID, "").want(t, 404)
		}
	}
	c.refetch(t, s.ID)
	f.serve("/feed.xml", rssFeed("Weeded", unwanted, wanted, newItem("New")))
	c.refetch(t, s.ID)
	left := c.content(t, s.ID)
	if len(left) != 2 || left[0].Title == "Unwanted" || left[1].Title == "Unwanted" || c.source(t, s.ID).ContentCount != 2 {
		t.Errorf("left = %+v", left)
	}
	unwanted.text = "It has news that may be wanted after all, and says so in other words."
	f.serve("/feed.xml", rssFeed("Weeded", unwanted, wanted))
	c.refetch(t, s.ID)
	if left := c.content(t, s.ID); len(left) != 3 {
		t.Errorf("an edited item did not come back: %+v", left)
	}
}

// testRefresh asks for a fetch and follows what the answer says.
func testRefresh(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Fresh", newItem("one")))
	s := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, s.ID, 1)
	res := c.do("POST", "/api/v1/sources/"+s.ID+"/refresh", "").want(t, http.StatusAccepted)
	accepted := decode[client.RefreshAccepted](t, res.body)
	if accepted.SourceID != s.ID || accepted.StatusURL != res.header.Get("Location") {
		t.Errorf("%+v, Location %q", accepted, res.header.Get("Location"))
	}
	eventually(t, "the status URL shows a fetch since", func() string {
		history := decode[client.FetchList](t, c.do("GET", accepted.StatusURL, "").want(t, 200).body).Data
		if len(history) == 0 || history[0].StartedAt.Before(accepted.RequestedAt) {
			return fmt.Sprintf("%+v, asked for at %s", history, accepted.RequestedAt)
		}
		return ""
	})
	b.as(t, client.RoleUser).do("POST", "/api/v1/sources/"+s.ID+"/refresh", "").want(t, http.StatusForbidden)
}
