package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runExtractionRequests(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a request is read as it was stored", readRequest},
		{"a request needs its item, and goes with it", requestNeedsItem},
		{"waiting and abandoned requests are claimed, oldest first", claimRequests},
		{"concurrent callers never get the same request", claimRequestCrowd},
		{"only the newest attempt ends a request", finishRequest},
		{"a result ends all open requests for its item", finishContentRequests},
		{"a demanded task comes first, once more, and is created", demandTask},
		{"requests fail whose item is not worked on any more", failStranded},
		{"expired requests are removed, some at a time", expireRequests},
	})
}

// newRequest returns a request with the id n for a text.
func newRequest(n int) kgl.ExtractionRequest {
	return kgl.ExtractionRequest{
		ID: id(80_000 + n), Owner: "user:" + id(1), Text: "Text", Language: "en", Status: kgl.RequestPending,
		CreatedAt: minute(n), ExpiresAt: minute(n + 60),
	}
}

func addRequest(t *testing.T, db *store.DB, n int, contentID string) kgl.ExtractionRequest {
	t.Helper()
	r := newRequest(n)
	if contentID != "" {
		r.ContentID, r.Text, r.Language = &contentID, "", ""
	}
	must(t, db.CreateExtractionRequest(ctx(t), r))
	return r
}

func readRequest(t *testing.T, db *store.DB) {
	r := newRequest(1)
	r.Status, r.Attempts, r.LeaseUntil, r.Failure = kgl.RequestRunning, 2, at(time.Minute), "why"
	r.Result = json.RawMessage(`{"extractor":"builtin@1"}`)
	must(t, db.CreateExtractionRequest(ctx(t), r))
	same(t, got(db.ExtractionRequest(ctx(t), r.ID))(t), r)
	_, err := db.ExtractionRequest(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
}

func requestNeedsItem(t *testing.T, db *store.DB) {
	r := newRequest(1)
	none := id(9)
	r.ContentID = &none
	wantCode(t, db.CreateExtractionRequest(ctx(t), r), kgl.CodeConflict)
	c := graphContents(t, db, 1)[0]
	r = addRequest(t, db, 2, c)
	same(t, got(db.ExtractionRequest(ctx(t), r.ID))(t), r)
	must(t, db.DeleteContent(ctx(t), c, kgl.RemovedByPerson, epoch))
	_, err := db.ExtractionRequest(ctx(t), r.ID)
	wantCode(t, err, kgl.CodeNotFound)
}

// claimRequestsAt leases requests for a minute and returns their ids.
func claimRequestsAt(t *testing.T, db *store.DB, now time.Time, limit int) []kgl.ExtractionRequest {
	t.Helper()
	return got(db.ClaimExtractionRequests(ctx(t), now, now.Add(time.Minute), limit))(t)
}

func wantRequests(t *testing.T, rs []kgl.ExtractionRequest, numbers ...int) {
	t.Helper()
	gotIDs, want := map[string]bool{}, map[string]bool{}
	for _, r := range rs {
		gotIDs[r.ID] = true
	}
	for _, n := range numbers {
		want[id(80_000+n)] = true
	}
	same(t, gotIDs, want)
}

func claimRequests(t *testing.T, db *store.DB) {
	for n := 1; n <= 4; n++ {
		addRequest(t, db, n, "")
	}
	first := claimRequestsAt(t, db, minute(10), 2)
	wantRequests(t, first, 1, 2)
	for _, r := range first {
		if r.Status != kgl.RequestRunning || r.Attempts != 1 || r.LeaseUntil == nil || !r.LeaseUntil.Equal(minute(11)) {
			t.Fatalf("claimed %+v", r)
		}
	}
	done := first[0]
	done.Status = kgl.RequestSucceeded
	must(t, db.FinishExtractionRequest(ctx(t), done))
	wantRequests(t, claimRequestsAt(t, db, minute(10), 9), 3, 4)
	wantRequests(t, claimRequestsAt(t, db, minute(11).Add(-time.Microsecond), 9))
	again := claimRequestsAt(t, db, minute(11), 1)
	same(t, again[0].Attempts, int64(2)) // its lease ended
	// One that waits for its next attempt is not claimed before.
	later := again[0]
	later.Status, later.LeaseUntil = kgl.RequestPending, at(30*time.Minute)
	must(t, db.FinishExtractionRequest(ctx(t), later))
	for _, r := range claimRequestsAt(t, db, minute(29), 9) {
		if r.ID == later.ID {
			t.Fatal("claimed before its time")
		}
	}
}

func claimRequestCrowd(t *testing.T, db *store.DB) {
	const n, callers = 40, 8
	for i := range n {
		addRequest(t, db, i, "")
	}
	claimed := make([][]kgl.ExtractionRequest, callers)
	for _, err := range parallel(callers, func(i int) (err error) {
		claimed[i], err = db.ClaimExtractionRequests(t.Context(), minute(n), minute(n+1), n/callers)
		return err
	}) {
		must(t, err)
	}
	seen := map[string]bool{}
	for _, rs := range claimed {
		for _, r := range rs {
			if seen[r.ID] {
				t.Fatalf("%s was claimed twice", r.ID)
			}
			seen[r.ID] = true
		}
	}
}

func finishRequest(t *testing.T, db *store.DB) {
	addRequest(t, db, 1, "")
	first := claimRequestsAt(t, db, minute(1), 1)[0]
	second := claimRequestsAt(t, db, minute(2), 1)[0]
	first.Status = kgl.RequestSucceeded
	wantCode(t, db.FinishExtractionRequest(ctx(t), first), kgl.CodeLeaseLost)
	second.Status, second.LeaseUntil, second.Text, second.Result = kgl.RequestSucceeded, nil, "", json.RawMessage(`{}`)
	second.FinishedAt, second.ExpiresAt = at(time.Minute), after(time.Hour)
	must(t, db.FinishExtractionRequest(ctx(t), second))
	same(t, got(db.ExtractionRequest(ctx(t), second.ID))(t), second)
	wantCode(t, db.FinishExtractionRequest(ctx(t), second), kgl.CodeLeaseLost)
}

func finishContentRequests(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	run := addRun(t, db, 1, cs[0], "builtin@1")
	waiting, working, other, text := addRequest(t, db, 1, cs[0]), addRequest(t, db, 2, cs[0]), addRequest(t, db, 3, cs[1]), addRequest(t, db, 4, "")
	failed := newRequest(5)
	failed.ContentID, failed.Status, failed.Failure = &cs[0], kgl.RequestFailed, "why"
	must(t, db.CreateExtractionRequest(ctx(t), failed))
	same(t, len(claimRequestsAt(t, db, minute(9), 2)), 2)
	same(t, got(db.FinishContentRequests(ctx(t), cs[0], run.ID, json.RawMessage(`{"a":1}`), minute(10), minute(70)))(t), int64(2))
	finished := minute(10)
	for _, r := range []kgl.ExtractionRequest{waiting, working} {
		r.Attempts, r.Status, r.Result, r.RunID, r.FinishedAt, r.ExpiresAt = 1, kgl.RequestSucceeded, json.RawMessage(`{"a":1}`), &run.ID, &finished, minute(70)
		same(t, got(db.ExtractionRequest(ctx(t), r.ID))(t), r)
	}
	for _, r := range []kgl.ExtractionRequest{other, text, failed} {
		same(t, got(db.ExtractionRequest(ctx(t), r.ID))(t), r)
	}
}

func demandTask(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 3)
	demand := func(c kgl.Content, n int) {
		t.Helper()
		task := newTask(n, c)
		task.State, task.Priority = kgl.TaskPending, 10
		must(t, db.DemandTask(ctx(t), task, second(5)))
	}
	demand(cs[2], 103) // waits, and is known
	ts := claimTasks(t, db, second(5), 1)
	if ts[0].ContentID != cs[2].ID || ts[0].ID == id(40_103) {
		t.Fatalf("claimed %+v", ts[0])
	}
	demand(cs[2], 103) // a leased one stays with its worker
	must(t, db.CompleteTask(ctx(t), ts[0], second(6)))
	demand(cs[2], 103) // and is done once more
	again := claimTasks(t, db, second(6), 1)
	if again[0].ID != ts[0].ID || again[0].Attempts != 1 {
		t.Fatalf("claimed %+v", again[0])
	}
	fresh := newContent(9, kgl.Source{ID: cs[0].SourceID})
	addContents(t, db, fresh)
	demand(fresh, 109)
	same(t, claimTasks(t, db, second(6), 1)[0].ID, id(40_109))
	_ = got(db.WithholdTasks(ctx(t), cs[0].SourceID, second(7)))(t)
	demand(cs[0], 101)
	same(t, len(claimTasks(t, db, second(9), 9)), 0)
}

func failStranded(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 3)
	working, dropped, text := addRequest(t, db, 1, cs[0].ID), addRequest(t, db, 2, cs[1].ID), addRequest(t, db, 3, "")
	for _, task := range claimTasks(t, db, second(3), 2) {
		if task.ContentID == cs[1].ID {
			must(t, db.BuryTask(ctx(t), task, "why", second(3)))
		}
	}
	same(t, got(db.FailStrandedRequests(ctx(t), kgl.ExtractorMock, "not worked on", minute(5)))(t), int64(1))
	finished := minute(5)
	dropped.Status, dropped.Failure, dropped.FinishedAt = kgl.RequestFailed, "not worked on", &finished
	for _, r := range []kgl.ExtractionRequest{working, dropped, text} {
		same(t, got(db.ExtractionRequest(ctx(t), r.ID))(t), r)
	}
}

func expireRequests(t *testing.T, db *store.DB) {
	for n := range 5 {
		addRequest(t, db, n, "")
	}
	same(t, got(db.DeleteExpiredExtractionRequests(ctx(t), minute(63), 2))(t), int64(2))
	same(t, got(db.DeleteExpiredExtractionRequests(ctx(t), minute(63), 9))(t), int64(1))
	wantRequests(t, claimRequestsAt(t, db, minute(9), 9), 3, 4)
}
