package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// testSourceConditions reads and changes under conditions.
func testSourceConditions(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	s := c.createSource(t, f.url("/feed.xml"))
	path := "/api/v1/sources/" + s.ID
	c.waitForFetches(t, s.ID, 1)
	// A fetch changes what is shown, and is no edit that another one must know of.
	before := c.do("GET", path, "").want(t, 200).header.Get("ETag")
	c.do("POST", path+"/refresh", "").want(t, http.StatusAccepted)
	c.waitForFetches(t, s.ID, 2)
	c.do("GET", path, "", "If-None-Match", before).want(t, 200)
	c.do("PATCH", path, `{"status":"paused"}`, "If-Match", before).want(t, 200)
	// From here on fetching changes nothing.
	read := c.do("GET", path, "").want(t, 200)
	tag := read.header.Get("ETag")
	if strings.HasPrefix(tag, "W/") || tag == "" {
		t.Fatalf("ETag = %q, want a strong one", tag)
	}
	c.do("GET", path, "", "If-None-Match", tag).want(t, http.StatusNotModified)
	c.do("GET", path, "", "If-None-Match", "*").want(t, http.StatusNotModified)
	c.do("PATCH", path, `{"title":"x"}`, "If-Match", `"v1"`).want(t, http.StatusPreconditionFailed)
	c.do("PATCH", path, `{"title":"x"}`, "If-Match", "W/"+tag).want(t, http.StatusPreconditionFailed)
	c.do("PATCH", path, `{"title":"x"}`, "If-Match", `"something"`).want(t, http.StatusPreconditionFailed)
	changed := c.do("PATCH", path, `{"title":"First"}`, "If-Match", tag).want(t, 200)
	if changed.header.Get("ETag") == tag {
		t.Error("a change kept the ETag")
	}
	c.do("PATCH", path, `{"title":"Second"}`, "If-Match", tag).want(t, http.StatusPreconditionFailed)
	c.do("DELETE", path, "", "If-Match", tag).want(t, http.StatusPreconditionFailed)
	if got := c.source(t, s.ID); got.Title != "First" || got.Status != client.SourceStatusPaused {
		t.Errorf("source = %+v", got)
	}
	c.do("GET", path, "", "If-None-Match", tag).want(t, 200)
	c.do("PATCH", path, `{"title":"Third"}`, "If-Match", changed.header.Get("ETag")).want(t, 200)
	c.do("DELETE", path, "", "If-Match", "*").want(t, 204)
	c.do("DELETE", path, "").want(t, 404)
	c.do("PATCH", path, `{"title":"x"}`, "If-Match", "*").want(t, 404)
	list := c.do("GET", "/api/v1/sources?host="+s.Host, "").want(t, 200)
	if tag := list.header.Get("ETag"); !strings.HasPrefix(tag, `W/"`) {
		t.Errorf("ETag of a list = %q, want a weak one", tag)
	}
}

// testSourceChanges holds what PATCH keeps, sets and clears.
func testSourceChanges(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Title of the feed", newItem("one")))
	s := c.createSource(t, f.url("/feed.xml"))
	c.waitForFetches(t, s.ID, 1)
	path := "/api/v1/sources/" + s.ID
	patch := func(body string) client.Source {
		t.Helper()
		return decode[client.Source](t, c.do("PATCH", path, body).want(t, 200).body)
	}
	if got := patch(`{"title":"Mine","tags":["B","a","b"],"fetch_interval_seconds":300}`); got.Title != "Mine" || strings.Join(got.Tags, ",") != "b,a" || got.FetchIntervalSeconds.MustGet() != 300 {
		t.Errorf("set: %+v", got)
	}
	if got := patch(`{"status":"paused"}`); got.Title != "Mine" || len(got.Tags) != 2 || !got.NextFetchAt.IsNull() {
		t.Errorf("kept: %+v", got)
	}
	if got := patch(`{"title":null,"tags":null,"fetch_interval_seconds":null,"status":"active"}`); len(got.Tags) != 0 || !got.FetchIntervalSeconds.IsNull() || got.Status != client.SourceStatusActive {
		t.Errorf("cleared: %+v", got)
	}
	c.waitForFetches(t, s.ID, 2)
	if got := c.source(t, s.ID).Title; got != "Title of the feed" {
		t.Errorf("title = %q, want the feed's own again", got)
	}
	before := c.do("GET", path, "").header.Get("ETag")
	for _, body := range []string{
		`{}`, `{"url":null}`, `{"status":null}`, `{"status":"failing"}`, `{"status":"gone"}`, `{"fetch_interval_seconds":299}`,
		`{"fetch_interval_seconds":604801}`, `{"fetch_interval_seconds":"300"}`, `{"fetch_interval_seconds":300.5}`, `{"title":""}`,
		`{"tags":"a"}`, `{"tags":[""]}`, `{"tags":[" "]}`, `{"tags":["` + strings.Repeat("x", 41) + `"]}`, `{"url":"ftp://x.example/f"}`, `[]`, `"x"`, `null`,
	} {
		if p := c.do("PATCH", path, body).want(t, 400).problem(t); p.Errors == nil && body != `{}` && body[0] == '{' {
			t.Errorf("%s: no field is named: %+v", body, p)
		}
	}
	if after := c.do("GET", path, "").header.Get("ETag"); after != before {
		t.Errorf("refused changes changed the source: %s, then %s, fetches %+v", before, after, c.fetches(t, s.ID))
	}
}

// testRefusedURLs adds sources that must never be fetched.
func testRefusedURLs(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	for _, url := range []string{
		"ftp://example.org/f", "file:///etc/passwd", "javascript:alert(1)", "gopher://example.org/", "//example.org/f", "example.org/f", "http://",
		"http://user:secret-in-url@example.org/f", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://10.0.0.1/",
		"http://2852039166/", "http://0xa9fea9fe/", "http://[fe80::1%25eth0]/", "http://example.org:0/", "http://example.org:99999/", "http://exa mple.org/",
		"http://192.168.0.1/feed", "http://[64:ff9b::a00:1]/", "http://metadata.google.internal./\u0000", "http://example.org/" + strings.Repeat("x", 2000),
	} {
		res := c.do("POST", "/api/v1/sources", encode(t, client.SourceCreate{URL: url})).want(t, 400)
		if strings.Contains(string(res.body), "secret-in-url") {
			t.Errorf("the answer repeats a password: %s", res.body)
		}
		if p := res.problem(t); p.Errors != nil && (*p.Errors)[0].Field != "url" {
			t.Errorf("%s: %+v", url, p)
		}
	}
	if strings.Contains(b.log.String(), "secret-in-url") {
		t.Error("the log repeats the password of a URL")
	}
}

// testIdempotency sends requests twice with a key, and with a key that belongs
// to another request.
func testIdempotency(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	key, body := newPassword(), `{"url":"`+f.url("/feed.xml")+`","tags":["x"]}`
	first := c.do("POST", "/api/v1/sources", body, "Idempotency-Key", key).want(t, 201)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says that it is a replay")
	}
	for _, same := range []string{body, `{ "tags": ["x"], "url": "` + f.url("/feed.xml") + `" }`} {
		again := c.do("POST", "/api/v1/sources", same, "Idempotency-Key", key).want(t, 201)
		if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" ||
			again.header.Get("Location") != first.header.Get("Location") || again.header.Get("ETag") != first.header.Get("ETag") {
			t.Errorf("replay: %v %s, first: %v %s", again.header, again.body, first.header, first.body)
		}
	}
	c.do("POST", "/api/v1/sources", `{"url":"`+f.url("/other.xml")+`"}`, "Idempotency-Key", key).want(t, 422)
	c.do("POST", "/api/v1/entities", `{"name":"x","type":"y"}`, "Idempotency-Key", key).want(t, 422)
	// A key belongs to who sent it.
	b.as(t, client.RoleModerator).do("POST", "/api/v1/sources", body, "Idempotency-Key", key).want(t, 409)
	// What was refused may be sent again with its key.
	retry := newPassword()
	c.do("POST", "/api/v1/sources", body, "Idempotency-Key", retry).want(t, 409)
	c.do("DELETE", first.header.Get("Location"), "").want(t, 204)
	c.do("POST", "/api/v1/sources", body, "Idempotency-Key", retry).want(t, 201)
	for _, bad := range []string{strings.Repeat("k", 256), "with space", "ümlaut"} {
		c.do("POST", "/api/v1/sources", `{"url":"`+f.url("/bad.xml")+`"}`, "Idempotency-Key", bad).want(t, 400)
	}
}

// repeatAtOnce sends one creating request n times at once, through callers in
// turn, and returns the id of what was created. Whoever comes in between is
// told so.
func repeatAtOnce(t *testing.T, callers []*caller, n int, path, body, key string) string {
	t.Helper()
	answers := make([]answer, n)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = callers[i%len(callers)].do("POST", path, body, "Idempotency-Key", key) })
	}
	group.Wait()
	ids, originals := map[string]bool{}, 0
	for _, a := range answers {
		switch a.status {
		case http.StatusCreated:
			ids[decode[struct{ ID string }](t, a.body).ID] = true
			if a.header.Get("Idempotency-Replayed") == "" {
				originals++
			}
		case http.StatusConflict:
			if p := a.problem(t); p.Code != "idempotency_in_progress" {
				t.Errorf("code = %s", p.Code)
			}
		default:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if len(ids) != 1 || originals != 1 {
		t.Fatalf("%d resources and %d originals of one request", len(ids), originals)
	}
	for id := range ids {
		return id
	}
	return ""
}

func testConcurrentIdempotency(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	id := repeatAtOnce(t, []*caller{c}, 20, "/api/v1/sources", `{"url":"`+f.url("/feed.xml")+`"}`, newPassword())
	rows := b.auditRows(t, client.ListAuditEventsParams{SubjectID: &id, Action: ptr("source.create")})
	if len(rows) != 1 {
		t.Errorf("%d audit rows of one creation", len(rows))
	}
}

// testConcurrentChanges lets many change one entity on the condition that it
// is as they read it: one wins each round, and no change is lost.
func testConcurrentChanges(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	created := c.do("POST", "/api/v1/entities", encode(t, client.EntityCreate{Name: "Contended " + newPassword(), Type: "grant"})).want(t, 201)
	path, tag := created.header.Get("Location"), created.header.Get("ETag")
	statuses := make([]int, 10)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			statuses[i] = c.do("PATCH", path, `{"description":"by `+newPassword()+`"}`, "If-Match", tag).status
		})
	}
	group.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[200] != 1 || count[412] != 9 {
		t.Errorf("statuses = %v, want one 200 and nine 412", count)
	}
	// Two that create the same at once: one does, one is told.
	body := encode(t, client.EntityCreate{Name: "Raced " + newPassword(), Type: "grant"})
	for i := range statuses {
		group.Go(func() { statuses[i] = c.do("POST", "/api/v1/entities", body).status })
	}
	group.Wait()
	clear(count)
	for _, status := range statuses {
		count[status]++
	}
	if count[201] != 1 || count[409] != 9 {
		t.Errorf("statuses = %v, want one 201 and nine 409", count)
	}
}
