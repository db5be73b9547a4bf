package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// leaseOne leases a task without waiting.
func (c *caller) leaseOne(t testing.TB) client.WorkItem {
	t.Helper()
	items := c.lease(t, client.WorkLease{Max: ptr(1), LeaseSeconds: ptr(60)})
	if len(items) != 1 {
		t.Fatalf("%d tasks were leased, want 1", len(items))
	}
	return items[0]
}

func (c *caller) lease(t testing.TB, ask client.WorkLease) []client.WorkItem {
	t.Helper()
	res, err := c.LeaseWorkWithResponse(t.Context(), ask)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("lease: %v %s", err, res.Body)
	}
	return res.JSON200.Data
}

// finding is a result about an item: its first word is an entity.
func finding(item client.WorkItem) client.WorkCompletion {
	first := 0
	for _, r := range item.Content.Text {
		if r == ' ' || r == '.' {
			break
		}
		first++
	}
	return client.WorkCompletion{
		LeaseToken: item.LeaseToken, Extractor: client.ExtractorName{Name: "e2e-ner", Version: "1"}, Model: ptr("words"),
		Entities: []client.ExtractedEntity{{
			Name: string([]rune(item.Content.Text)[:first]), Type: "concept", Confidence: 0.5, Mentions: []client.TextSpan{{Start: 0, End: first}},
		}},
		Relationships: []client.ExtractedRelationship{},
	}
}

// aiTasks gives the items of a source tasks for the AI module, as a server with
// KGL_EXTRACTOR=pull does.
func (b *backend) aiTasks(t *testing.T, items []client.Content) {
	t.Helper()
	a := b.open(t)
	var ts []kgl.EnrichmentTask
	for _, c := range items {
		ts = append(ts, kgl.NewEnrichmentTask(a.IDs, b.clock.Now(), c.ID, c.SourceID, int64(c.Revision), kgl.LaneAI))
	}
	if err := a.Store.CreateTasks(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
}

// processedItems adds a source and waits until its items are processed.
func (c *caller) processedItems(t *testing.T, f *feedServer, path string, n int) (client.Source, []client.Content) {
	t.Helper()
	var list []item
	for range n {
		list = append(list, newItem("work"))
	}
	f.serve(path, rssFeed("Work", list...))
	s := c.createSource(t, f.url(path))
	var items []client.Content
	eventually(t, "the items are processed", func() string {
		items = c.content(t, s.ID)
		if len(items) < n || slices.ContainsFunc(items, func(i client.Content) bool { return i.Status != client.ContentStatusProcessed }) {
			return "not yet"
		}
		return ""
	})
	return s, items
}

// testWork works on tasks as the AI module does, and gives each answer that the
// contract has for it.
func testWork(t *testing.T, b *backend) {
	ctx, c, f := t.Context(), b.as(t, client.RoleModerator), newFeedServer(t)
	source, items := c.processedItems(t, f, "/work.xml", 4)
	if none := c.lease(t, client.WorkLease{}); len(none) > 0 {
		t.Fatalf("leased work of another lane: %+v", none)
	}
	b.aiTasks(t, items)

	listed, err := c.ListWorkWithResponse(ctx, &client.ListWorkParams{Lane: ptr("ai"), SourceID: &source.ID, State: ptr(client.WorkStatePending)})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 4 {
		t.Fatalf("%d tasks wait", len(listed.JSON200.Data))
	}
	stats, err := c.GetWorkStatsWithResponse(ctx, nil)
	ok(t, err, stats, http.StatusOK)
	if !slices.ContainsFunc(stats.JSON200.Lanes, func(l client.WorkLaneStats) bool { return l.Lane == "mock" && l.Active && l.Done > 0 }) {
		t.Errorf("stats = %s", stats.Body)
	}

	first := c.leaseOne(t)
	extended, err := c.ExtendWorkWithResponse(ctx, first.ID, client.WorkExtend{LeaseToken: first.LeaseToken, LeaseSeconds: 600})
	ok(t, err, extended, http.StatusOK)
	if !extended.JSON200.LeaseUntil.After(first.LeaseUntil) {
		t.Errorf("extended from %v until %v", first.LeaseUntil, extended.JSON200.LeaseUntil)
	}
	bad := finding(first)
	bad.Entities[0].Mentions[0].End = 1_000_000
	refused, err := c.CompleteWorkWithResponse(ctx, first.ID, bad)
	ok(t, err, refused, http.StatusUnprocessableEntity)
	if p := refused.ApplicationProblemJSON422; p.Code != "result_invalid" || (*p.Errors)[0].Field != "entities[0].mentions[0].end" {
		t.Errorf("refused with %s", refused.Body)
	}
	done, err := c.CompleteWorkWithResponse(ctx, first.ID, finding(first))
	ok(t, err, done, http.StatusOK)
	again, err := c.CompleteWorkWithResponse(ctx, first.ID, finding(first))
	ok(t, err, again, http.StatusOK)
	if done.JSON200.ID != again.JSON200.ID || done.JSON200.EntityCount != 1 || done.JSON200.Extractor != "e2e-ner@1" {
		t.Errorf("run %s, then %s", done.Body, again.Body)
	}
	read, err := c.GetWorkWithResponse(ctx, first.ID, nil)
	ok(t, err, read, http.StatusOK)
	if read.JSON200.State != client.WorkStateDone {
		t.Errorf("the task is %s", read.JSON200.State)
	}
	b.failAndRequeue(t, c, source.ID)
	b.loseLeases(t, c, f, source, items)
}

// failAndRequeue fails a task for a while, another for good, and gives the dead
// ones another chance.
func (b *backend) failAndRequeue(t *testing.T, c *caller, sourceID string) {
	ctx := t.Context()
	kept := c.leaseOne(t)
	released, err := c.ReleaseWorkWithResponse(ctx, kept.ID, client.WorkRelease{LeaseToken: kept.LeaseToken})
	ok(t, err, released, http.StatusOK)
	if released.JSON200.State != client.WorkStatePending || released.JSON200.Attempts != 0 {
		t.Errorf("released: %s", released.Body)
	}
	later := c.leaseOne(t)
	failed, err := c.FailWorkWithResponse(ctx, later.ID, client.WorkFailure{
		LeaseToken: later.LeaseToken, Reason: "overloaded", Retriable: true, RetryAfterSeconds: ptr(0),
	})
	ok(t, err, failed, http.StatusOK)
	if failed.JSON200.State != client.WorkStateWaiting || failed.JSON200.LastError.MustGet() != "overloaded" {
		t.Errorf("failed: %s", failed.Body)
	}
	poison := c.leaseOne(t)
	dead, err := c.FailWorkWithResponse(ctx, poison.ID, client.WorkFailure{LeaseToken: poison.LeaseToken, Reason: "poison"})
	ok(t, err, dead, http.StatusOK)
	if dead.JSON200.State != client.WorkStateDead {
		t.Errorf("failed for good: %s", dead.Body)
	}
	requeued, err := c.RequeueWorkWithResponse(ctx, client.WorkRequeue{SourceID: &sourceID, Priority: ptr(5)})
	ok(t, err, requeued, http.StatusOK)
	if requeued.JSON200.Requeued != 1 || requeued.JSON200.Remaining != 0 {
		t.Errorf("requeued: %s", requeued.Body)
	}
	next := c.leaseOne(t) // of the greater priority
	if next.ID != poison.ID || next.Attempt != 1 || next.Priority != 5 {
		t.Errorf("next is %+v", next)
	}
	done, err := c.CompleteWorkWithResponse(ctx, next.ID, finding(next))
	ok(t, err, done, http.StatusOK)
}

// loseLeases loses a lease in each way there is: every call about it answers 409
// with a code that says how.
func (b *backend) loseLeases(t *testing.T, c *caller, f *feedServer, source client.Source, items []client.Content) {
	lost := func(work client.WorkItem, from *caller, status int, code kgl.Code) {
		t.Helper()
		path, token := "/api/v1/work/"+work.ID+"/", `"lease_token":`+encode(t, work.LeaseToken)
		for call, body := range map[string]string{
			"extend": `{` + token + `,"lease_seconds":60}`, "complete": encode(t, finding(work)),
			"fail": `{` + token + `,"reason":"x","retriable":true}`, "release": `{` + token + `}`,
		} {
			if p := from.do("POST", path+call, body).want(t, status).problem(t); p.Code != string(code) {
				t.Errorf("%s: code %s, want %s", call, p.Code, code)
			}
		}
	}
	mine := c.leaseOne(t)
	lost(mine, b.as(t, client.RoleModerator), 409, kgl.CodeLeaseLost) // of somebody else
	b.clock.Advance(2 * time.Minute)
	stale := mine
	for _, item := range c.lease(t, client.WorkLease{LeaseSeconds: ptr(60)}) {
		if item.ID == stale.ID {
			mine = item
		}
	}
	if mine.LeaseToken == stale.LeaseToken {
		t.Fatal("a task whose lease ended was not handed out again")
	}
	lost(stale, c, 409, kgl.CodeLeaseLost)
	consent := func(allowed string) {
		t.Helper()
		c.do("PATCH", "/api/v1/sources/"+source.ID, `{"consents":{"ai_processing":`+allowed+`}}`).want(t, 200)
	}
	consent("false")
	lost(mine, c, 409, kgl.CodeConsentDenied)
	if work := c.lease(t, client.WorkLease{}); len(work) > 0 {
		t.Errorf("leased without consent: %+v", work)
	}
	consent("true")
	mine = c.leaseOne(t)
	text := "An edit of the item that is being worked on, with words enough to be a text of its own."
	var edited []item
	for _, i := range items {
		edited = append(edited, item{guid: i.GUID, link: i.URL, title: i.Title, text: text + i.ID, published: i.PublishedAt})
	}
	f.serve("/work.xml", rssFeed("Work", edited...))
	c.refetch(t, source.ID)
	lost(mine, c, 409, kgl.CodeConflict)
	c.do("DELETE", "/api/v1/content/"+mine.Content.ID, "").want(t, 204)
	lost(mine, c, 404, kgl.CodeNotFound)
}

// TestPull lets workers come for the work of a server that waits for them: who
// waits gets it as soon as it is there, and who waits when the server stops is
// answered.
func TestPull(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		b, f := in.start(t, "KGL_EXTRACTOR=pull"), newFeedServer(t)
		c := b.asAdmin(t)
		leased := make(chan []client.WorkItem, 2)
		for range 2 {
			go func() {
				res, err := c.LeaseWorkWithResponse(t.Context(), client.WorkLease{Max: ptr(2), WaitSeconds: ptr(20)})
				if err != nil || res.JSON200 == nil {
					t.Errorf("lease: %v", err)
					leased <- nil
					return
				}
				leased <- res.JSON200.Data
			}()
		}
		f.serve("/feed.xml", rssFeed("Pull", newItem("One"), newItem("Two"), newItem("Three")))
		start := time.Now()
		s := c.createSource(t, f.url("/feed.xml"))
		work := append(<-leased, <-leased...)
		if took := time.Since(start); len(work) != 3 || took > 15*time.Second {
			t.Fatalf("%d tasks in %s", len(work), took)
		}
		for _, item := range work {
			res, err := c.CompleteWorkWithResponse(t.Context(), item.ID, finding(item))
			ok(t, err, res, http.StatusOK)
		}
		for _, item := range c.content(t, s.ID) {
			if item.Status != client.ContentStatusProcessed {
				t.Errorf("an item is %s", item.Status)
			}
		}
		in.checkLog(t)
	})
}

// TestPullAndStop stops a server while a worker waits for work.
func TestPullAndStop(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", "KGL_EXTRACTOR=pull")
	p := in.launch(t, "serve")
	c := p.serving(in).asAdmin(t)
	answered := make(chan int, 1)
	go func() {
		res, err := c.LeaseWorkWithResponse(t.Context(), client.WorkLease{WaitSeconds: ptr(25)})
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		answered <- res.StatusCode()
	}()
	eventually(t, "the worker waits", func() string {
		if text := string(c.do("GET", "/metrics", "").want(t, 200).body); !strings.Contains(text, "kgl_work_waiting_callers 1\n") {
			return "nobody waits"
		}
		return ""
	})
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the waiting worker got %d", status)
	}
	<-p.ended
	if took := time.Since(start); p.err != nil || took > 10*time.Second {
		t.Errorf("the server ended after %s: %v", took, p.err)
	}
}

// TestKillBetweenLeaseAndComplete kills the server while a worker has a task,
// and again when its result is stored: the lease survives, and the result is
// stored once.
func TestKillBetweenLeaseAndComplete(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in, f := newInstallation(t, engine, "KGL_EXTRACTOR=pull"), newFeedServer(t)
		f.serve("/feed.xml", rssFeed("Pull", newItem("One"), newItem("Two")))
		p := in.launch(t, "serve")
		c := p.serving(in).asAdmin(t)
		c.waitForFetches(t, c.createSource(t, f.url("/feed.xml")).ID, 1)
		work := c.lease(t, client.WorkLease{WaitSeconds: ptr(10)})
		if len(work) != 2 {
			t.Fatalf("%d tasks", len(work))
		}
		p.kill()

		p = in.launch(t, "serve")
		c = p.serving(in).asAdmin(t)
		if others := c.lease(t, client.WorkLease{}); len(others) > 0 {
			t.Errorf("tasks that are leased were handed out: %+v", others)
		}
		first, err := c.CompleteWorkWithResponse(t.Context(), work[0].ID, finding(work[0]))
		ok(t, err, first, http.StatusOK)
		p.kill() // the worker may not have had the answer, and sends it again

		b := in.launch(t, "serve").serving(in)
		c = b.asAdmin(t)
		for i, item := range work {
			res, err := c.CompleteWorkWithResponse(t.Context(), item.ID, finding(item))
			ok(t, err, res, http.StatusOK)
			if i == 0 && res.JSON200.ID != first.JSON200.ID {
				t.Errorf("run %s, and before the kill %s", res.JSON200.ID, first.JSON200.ID)
			}
		}
		runs, err := c.ListExtractionRunsWithResponse(t.Context(), nil)
		ok(t, err, runs, http.StatusOK)
		if len(runs.JSON200.Data) != 2 {
			t.Errorf("%d runs of two items", len(runs.JSON200.Data))
		}
	})
}

// TestPullFromReplicas lets many workers lease from two servers at once: each
// item is handed out once, and has one run.
func TestPullFromReplicas(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in, f := newInstallation(t, engine, "KGL_EXTRACTOR=pull"), newFeedServer(t)
		here, there := in.start(t), in.start(t)
		const items = 60
		var list []item
		for range items {
			list = append(list, newItem("work"))
		}
		f.serve("/feed.xml", rssFeed("Pull", list...))
		c := here.asAdmin(t)
		c.waitForFetches(t, c.createSource(t, f.url("/feed.xml")).ID, 1)
		var mu sync.Mutex
		seen := map[string]int{}
		var group sync.WaitGroup
		for i := range 8 {
			from := []*backend{here, there}[i%2].asAdmin(t)
			group.Go(func() {
				for {
					work := from.lease(t, client.WorkLease{Max: ptr(4), WaitSeconds: ptr(1)})
					if len(work) == 0 {
						return
					}
					for _, item := range work {
						mu.Lock()
						seen[item.ID]++
						mu.Unlock()
						if res, err := from.CompleteWorkWithResponse(t.Context(), item.ID, finding(item)); err != nil || res.JSON200 == nil {
							t.Errorf("complete: %v %s", err, res.Body)
						}
					}
				}
			})
		}
		group.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was handed out %d times", id, n)
			}
		}
		if len(seen) != items {
			t.Errorf("%d of %d items were handed out", len(seen), items)
		}
		stats, err := c.GetWorkStatsWithResponse(t.Context(), nil)
		ok(t, err, stats, http.StatusOK)
		if l := stats.JSON200.Lanes; len(l) != 1 || l[0].Lane != "ai" || !l[0].Active || l[0].Done != items {
			t.Errorf("stats = %s", stats.Body)
		}
	})
}

// TestChangeOfTheExtractor: what waits for one extractor is done by the next.
func TestChangeOfTheExtractor(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in, f := newInstallation(t, engine), newFeedServer(t)
		f.serve("/feed.xml", rssFeed("Change", newItem("One"), newItem("Two")))
		c := in.start(t, "KGL_ROLES=api,ingest").asAdmin(t) // nobody extracts
		c.waitForFetches(t, c.createSource(t, f.url("/feed.xml")).ID, 1)
		c = in.start(t, "KGL_EXTRACTOR=pull").asAdmin(t)
		if work := c.lease(t, client.WorkLease{WaitSeconds: ptr(20)}); len(work) != 2 {
			t.Errorf("%d tasks after the change", len(work))
		}
	})
}
