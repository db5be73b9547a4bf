package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/client"
)

// page makes a path answer with HTML.
func (f *feedServer) page(path, body string) {
	f.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html>", body)
	})
}

// importList sends an OPML list and waits until it is done.
func (c *caller) importList(t testing.TB, list, query string) client.SourceImport {
	t.Helper()
	i := decode[client.SourceImport](t, c.do("POST", "/api/v1/source-imports"+query, list, "Content-Type", "text/x-opml").want(t, http.StatusAccepted).body)
	return c.waitForImport(t, i.ID)
}

func (c *caller) waitForImport(t testing.TB, id string) client.SourceImport {
	t.Helper()
	var last client.SourceImport
	eventually(t, "the import is done", func() string {
		res, err := c.GetSourceImportWithResponse(t.Context(), id, nil)
		if err != nil || res.JSON200 == nil {
			t.Fatalf("read the import %s: %v %s", id, err, res.Body)
		}
		if last = *res.JSON200; last.State != client.ImportStateDone {
			return fmt.Sprintf("%+v", last)
		}
		return ""
	})
	return last
}

// importLines returns up to 100 lines of an import.
func (c *caller) importLines(t testing.TB, id string, outcomes ...client.ImportLineOutcome) []client.ImportLine {
	t.Helper()
	params := &client.ListSourceImportLinesParams{Limit: ptr(100)}
	if len(outcomes) > 0 {
		params.Outcome = &outcomes
	}
	res, err := c.ListSourceImportLinesWithResponse(t.Context(), id, params)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("list the lines of %s: %v %s", id, err, res.Body)
	}
	return res.JSON200.Data
}

func (c *caller) bulk(t testing.TB, body string) client.BulkResult {
	t.Helper()
	return decode[client.BulkResult](t, c.do("POST", "/api/v1/sources/bulk", body).want(t, http.StatusOK).body)
}

// testDiscovery finds the feeds of pages: those that they declare, those that
// stand where feeds stand, and none.
func testDiscovery(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	find := func(url string) client.Discovery {
		t.Helper()
		res, err := c.DiscoverFeedsWithResponse(t.Context(), client.DiscoverRequest{URL: url})
		ok(t, err, res, http.StatusOK)
		return *res.JSON200
	}
	f.page("/", `<title>A site</title><link rel="alternate" type="application/rss+xml" title="Comments" href="/comments.xml">
		<link rel="alternate" type="application/atom+xml" href="feed.xml"><link rel="alternate" type="application/rss+xml" href="/moved.xml">
		<link rel="alternate" type="application/rss+xml" title="Gone" href="/gone.xml">`)
	f.serve("/feed.xml", rssFeed("Posts", newItem("one"), newItem("two")))
	f.serve("/comments.xml", rssFeed("Comments on posts", newItem("one")))
	f.handle("/moved.xml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/feed.xml", http.StatusMovedPermanently)
	})
	watched := c.createSource(t, f.url("/feed.xml"))

	found := find(f.url("/"))
	if found.Title != "A site" || !found.Complete || found.Requests != 5 || len(found.Feeds) != 3 || found.HTTPStatus.MustGet() != 200 || !found.Error.IsNull() {
		t.Fatalf("found = %+v", found)
	}
	best := found.Feeds[0]
	if best.Rank != 1 || best.URL != watched.URL || best.Title != "Posts" || !best.Verified || best.Items != 2 || best.SourceID.MustGet() != watched.ID ||
		best.Method != client.FoundFeedMethodLink || best.Format.MustGet() != "rss" || best.NewestItemAt.IsNull() {
		t.Errorf("the best = %+v", best)
	}
	if second := found.Feeds[1]; second.Title != "Comments on posts" || !second.Verified || !second.SourceID.IsNull() {
		t.Errorf("the second = %+v", second)
	}
	if last := found.Feeds[2]; last.Verified || last.Error.MustGet().Code != "fetch_failed" {
		t.Errorf("the last = %+v", last)
	}
	if self := find(f.url("/feed.xml")); len(self.Feeds) != 1 || self.Feeds[0].Method != client.FoundFeedMethodSelf || self.Requests != 1 {
		t.Errorf("a feed itself: %+v", self)
	}
	bare := newFeedServer(t)
	bare.page("/", `<p>no word of feeds`)
	bare.serve("/rss.xml", rssFeed("Hidden", newItem("one")))
	if hidden := find(bare.url("/")); len(hidden.Feeds) != 1 || hidden.Feeds[0].URL != bare.url("/rss.xml") || hidden.Feeds[0].Method != client.FoundFeedMethodCommonPath {
		t.Errorf("at a usual path: %+v", hidden)
	}
	if none := find(bare.url("/missing")); len(none.Feeds) != 0 || none.HTTPStatus.MustGet() != 404 || none.Error.MustGet().Code != "fetch_failed" {
		t.Errorf("a page that is missing: %+v", none)
	}
	for _, url := range []string{"http://10.0.0.1/", "ftp://x.example/", "http://user:secret-in-url@x.example/", "http://"} {
		if res := c.do("POST", "/api/v1/sources/discover", encode(t, client.DiscoverRequest{URL: url})).want(t, 400); strings.Contains(string(res.body), "secret-in-url") {
			t.Errorf("the answer repeats a password: %s", res.body)
		}
	}
}

// testTrialFails tries what is no feed: that is an answer, and no error.
func testTrialFails(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	try := func(body client.SourceTestRequest) client.SourceTest {
		t.Helper()
		res, err := c.TestSourceWithResponse(t.Context(), body)
		ok(t, err, res, http.StatusOK)
		return *res.JSON200
	}
	f.handle("/private", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for path, code := range map[string]string{"/missing": "fetch_failed", "/private": "fetch_failed"} {
		if got := try(client.SourceTestRequest{URL: f.url(path)}); got.Error.MustGet().Code != code || !got.Feed.IsNull() || len(got.Items) != 0 || !got.Next.IsNull() {
			t.Errorf("%s: %+v", path, got)
		}
	}
	f.page("/page", "<p>no feed")
	if got := try(client.SourceTestRequest{URL: f.url("/page")}); got.Error.MustGet().Code != "feed_invalid" || got.HTTPStatus.MustGet() != 200 {
		t.Errorf("a page: %+v", got)
	}
	for _, body := range []string{`{"url":"http://10.0.0.1/"}`, `{"url":"x","request_headers":{"Host":"a"}}`, `{"url":"https://x.example","request_headers":{"Cookie":"a"}}`,
		`{"url":"https://x.example","authentication":{"type":"basic","username":"a:b","password":"p"}}`, `{"url":"https://x.example","authentication":{"type":"digest","username":"a","password":"p"}}`} {
		c.do("POST", "/api/v1/sources/test", body).want(t, 400)
	}
}

// testTrial tries feeds without adding them.
func testTrial(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	try := func(body client.SourceTestRequest) client.SourceTest {
		t.Helper()
		res, err := c.TestSourceWithResponse(t.Context(), body)
		ok(t, err, res, http.StatusOK)
		return *res.JSON200
	}
	items := make([]item, 12)
	for i := range items {
		items[i] = newItem(fmt.Sprint("Item ", i))
	}
	document := strings.Replace(rssFeed("Tried", items...), "Item 3", "Item & 3", 1)
	f.handle("/feed.xml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Cache-Control", "max-age=7200")
		fmt.Fprint(w, document)
	})
	f.handle("/old", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/feed.xml", http.StatusPermanentRedirect)
	})
	f.handle("/private", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "pw" || r.Header.Get("X-Key") != "k" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, document)
	})
	got := try(client.SourceTestRequest{URL: f.url("/old")})
	feed := got.Feed.MustGet()
	if got.HTTPStatus.MustGet() != 200 || got.PermanentURL.MustGet() != f.url("/feed.xml") || len(got.Redirects) != 1 || got.Redirects[0].Status != 308 ||
		got.ContentType.MustGet() != "text/xml" || got.Bytes != int64(len(document)) || got.Cut || !got.SourceID.IsNull() || !got.Error.IsNull() {
		t.Errorf("test = %+v", got)
	}
	if feed.Title != "Tried" || feed.Format != "rss" || feed.Items != 12 || len(feed.Stages) < 3 || len(feed.Warnings) == 0 {
		t.Errorf("feed = %+v", feed)
	}
	if len(got.Items) != 10 || got.Items[3].Title != "Item & 3" || got.Items[0].IdentityKind != client.TestedItemIdentityKindGUID || got.Items[0].PublishedAtSource != "published" {
		t.Errorf("items = %+v", got.Items)
	}
	if next := got.Next.MustGet(); next.Rule == "" || next.Reason == "" || next.IntervalSeconds.MustGet() < 7200 || got.NextFetchAt.IsNull() {
		t.Errorf("next = %+v at %v", next, got.NextFetchAt)
	}
	if listed, err := c.ListSourcesWithResponse(t.Context(), &client.ListSourcesParams{Host: ptr(strings.TrimPrefix(f.server.URL, "http://"))}); err != nil || len(listed.JSON200.Data) != 0 {
		t.Errorf("a test added something: %v %s", err, listed.Body)
	}
	private := client.SourceTestRequest{
		URL: f.url("/private"), RequestHeaders: nullable.NewNullableWithValue(client.RequestHeaders{"X-Key": "k"}),
		Authentication: nullable.NewNullableWithValue(client.BasicAuthentication{Type: client.BasicAuthenticationTypeBasic, Username: "ada", Password: "pw"}),
	}
	if got := try(private); got.Feed.IsNull() {
		t.Errorf("with credentials: %+v", got)
	}
	watched := c.createSource(t, f.url("/feed.xml"))
	if got := try(client.SourceTestRequest{URL: f.url("/old")}); got.SourceID.MustGet() != watched.ID {
		t.Errorf("what is watched already: %+v", got.SourceID)
	}
}

// testKeptCredentials keeps what a source sends from everyone but its server.
func testKeptCredentials(t *testing.T, b *backend) {
	c, f, other := b.as(t, client.RoleModerator), newFeedServer(t), newFeedServer(t)
	password, key := b.secrets.add(newPassword()), b.secrets.add(newPassword())
	f.handle("/feed.xml", func(w http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != "ada" || given != password || r.Header.Get("X-Api-Key") != key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, rssFeed("Private", newItem("one")))
	})
	other.serve("/feed.xml", rssFeed("Other", newItem("one")))
	body := encode(t, map[string]any{
		"url": f.url("/feed.xml"), "request_headers": map[string]string{"x-api-key": key},
		"authentication": map[string]string{"type": "basic", "username": "ada", "password": password},
	})
	answers := []answer{c.do("POST", "/api/v1/sources", body, "Idempotency-Key", newPassword()).want(t, 201)}
	s := decode[client.Source](t, answers[0].body)
	if auth := s.Authentication.MustGet(); auth.Username != "ada" || len(s.RequestHeaderNames) != 1 || s.RequestHeaderNames[0] != "X-Api-Key" {
		t.Errorf("source = %+v", s)
	}
	c.waitForFetches(t, s.ID, 1)
	if got := c.source(t, s.ID); got.Title != "Private" {
		t.Errorf("the credentials were not sent: %+v, %+v", got.LastError, c.fetches(t, s.ID))
	}
	path := "/api/v1/sources/" + s.ID
	answers = append(answers, c.do("PATCH", path, `{"request_headers":{"X-Other":"`+key+`"}}`).want(t, 200), c.do("GET", "/api/v1/sources/export", "").want(t, 200))
	if got := c.source(t, s.ID); got.Authentication.IsNull() || got.RequestHeaderNames[0] != "X-Other" {
		t.Errorf("one of two changed: %+v", got)
	}
	moved := c.do("PATCH", path, `{"url":"`+other.url("/feed.xml")+`"}`).want(t, 200)
	if got := decode[client.Source](t, moved.body); !got.Authentication.IsNull() || len(got.RequestHeaderNames) != 0 {
		t.Errorf("credentials went along to another server: %+v", got)
	}
	c.waitForFetches(t, s.ID, 2)
	for _, h := range other.requests("/feed.xml") {
		if h.Get("Authorization") != "" || h.Get("X-Other") != "" {
			t.Errorf("another server got %v", h)
		}
	}
	answers = append(answers, moved, c.do("PATCH", path, `{"authentication":{"type":"basic","username":"eve","password":"`+password+`"}}`).want(t, 200),
		c.do("PATCH", path, `{"authentication":null}`).want(t, 200), c.do("GET", "/api/v1/audit?subject_id="+s.ID, "", "Authorization", "Bearer "+b.asAdmin(t).token).want(t, 200))
	for _, a := range answers {
		if strings.Contains(string(a.body), password) || strings.Contains(string(a.body), key) {
			t.Errorf("an answer tells a secret: %s", a.body)
		}
	}
	for _, bad := range []string{`{"request_headers":{"Host":"x"}}`, `{"request_headers":{"Authorization":"x"},"authentication":{"type":"basic","username":"a","password":"b"}}`, `{"request_headers":{"X":"a\nb"}}`} {
		c.do("PATCH", path, bad).want(t, 400)
	}
}

// testSourceHealth filters by health, counts it, and sets what is kept.
func testSourceHealth(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/good.xml", rssFeed("Good", newItem("one")))
	good, bad := c.createSource(t, f.url("/good.xml")), c.createSource(t, f.url("/bad.xml"))
	c.waitForFetches(t, good.ID, 1)
	c.waitForFetches(t, bad.ID, 1)
	list := func(health client.SourceHealthState) []string {
		t.Helper()
		res, err := c.ListSourcesWithResponse(t.Context(), &client.ListSourcesParams{Health: &[]client.SourceHealthState{health}, Host: &good.Host})
		ok(t, err, res, http.StatusOK)
		var ids []string
		for _, s := range res.JSON200.Data {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if well, failing := list(c.source(t, good.ID).Health.State), list(client.SourceHealthStateFailing); !slices.Contains(well, good.ID) || !slices.Equal(failing, []string{bad.ID}) {
		t.Errorf("healthy %v, failing %v", well, failing)
	}
	failed, err := c.ListSourceFetchesWithResponse(t.Context(), bad.ID, &client.ListSourceFetchesParams{Outcome: &[]client.ListSourceFetchesParamsOutcome{client.ListSourceFetchesParamsOutcomeFailed}})
	ok(t, err, failed, http.StatusOK)
	unchanged, err := c.ListSourceFetchesWithResponse(t.Context(), bad.ID, &client.ListSourceFetchesParams{Outcome: &[]client.ListSourceFetchesParamsOutcome{client.ListSourceFetchesParamsOutcomeNewContent}})
	ok(t, err, unchanged, http.StatusOK)
	if len(failed.JSON200.Data) == 0 || len(unchanged.JSON200.Data) != 0 {
		t.Errorf("%d fetches failed, %d brought something", len(failed.JSON200.Data), len(unchanged.JSON200.Data))
	}
	counts := c.dashboard(t).Sources
	n := counts.ByHealth
	if sum := n.Pending + n.OK + n.Quiet + n.Failing + n.Throttled + n.Moved + n.Gone; sum != counts.Total || n.Failing == 0 {
		t.Errorf("%+v of %d sources", n, counts.Total)
	}
	path := "/api/v1/sources/" + good.ID
	patch := func(body string) client.Retention {
		t.Helper()
		return decode[client.Source](t, c.do("PATCH", path, body).want(t, 200).body).Retention
	}
	if r := patch(`{"retention":{"max_items":10,"max_age_days":30}}`); r.MaxItems.MustGet() != 10 || r.MaxAgeDays.MustGet() != 30 {
		t.Errorf("set: %+v", r)
	}
	if r := patch(`{"retention":{"max_items":null}}`); !r.MaxItems.IsNull() || r.MaxAgeDays.MustGet() != 30 {
		t.Errorf("one cleared: %+v", r)
	}
	if r := patch(`{"retention":null}`); !r.MaxItems.IsNull() || !r.MaxAgeDays.IsNull() {
		t.Errorf("both cleared: %+v", r)
	}
	for _, body := range []string{`{"retention":{"max_items":0}}`, `{"retention":{"max_age_days":99999}}`, `{"retention":{"days":1}}`, `{"retention":7}`} {
		c.do("PATCH", path, body).want(t, 400)
	}
}
