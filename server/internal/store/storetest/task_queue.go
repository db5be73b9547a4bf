package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runTaskQueue(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a source with one task does not wait for one with thousands", fairToFew},
		{"sources that wait get equal shares, whenever they came", fairShares},
		{"tasks that come back together do not push aside others", fairAfterOutage},
		{"greater priorities come first, each fair in itself", priorities},
		{"the order is the same each time", stableOrder},
		{"a withheld task is not handed out, and its lease is lost", withholdTasks},
		{"restored tasks queue anew, in their order", restoreTasks},
		{"a claim after a withdrawal gets nothing of the source, whatever is under way", withdrawInClaims},
		{"sixteen callers never get the same task", claimTaskCrowd},
		{"leases are counted by their owner", countLeases},
	})
}

// queue stores n pending tasks of a source, on revisions of one item, and
// returns the number of the last one. They are numbered from first.
func queue(t *testing.T, db *store.DB, c kgl.Content, priority int64, first, n int) int {
	t.Helper()
	ts := make([]kgl.EnrichmentTask, n)
	for i := range ts {
		ts[i] = newTask(first+i, c)
		ts[i].Revision, ts[i].Priority, ts[i].State = int64(first+i), priority, kgl.TaskPending
	}
	must(t, db.CreateTasks(ctx(t), ts))
	return first + n - 1
}

// itemOf stores a source and an item of it.
func itemOf(t *testing.T, db *store.DB, n int) kgl.Content {
	t.Helper()
	return addContents(t, db, newContent(n, addSource(t, db, n, fmt.Sprintf("s%d.example", n), nil)))[0]
}

// shares counts tasks by their sources.
func shares(ts []kgl.EnrichmentTask) map[string]int {
	n := map[string]int{}
	for _, t := range ts {
		n[t.SourceID]++
	}
	return n
}

func fairToFew(t *testing.T, db *store.DB) {
	many, one := itemOf(t, db, 1), itemOf(t, db, 2)
	const waiting = 10_000
	for first := 1; first < waiting; first += 1000 {
		queue(t, db, many, 0, first, 1000)
	}
	claimTasks(t, db, second(1), 40)
	queue(t, db, one, 0, waiting+1, 1)
	if n := shares(claimTasks(t, db, second(1), 10)); n[one.SourceID] != 1 || n[many.SourceID] != 9 {
		t.Fatalf("the first batch after a task came: %v", n)
	}
}

func fairShares(t *testing.T, db *store.DB) {
	a, b, c := itemOf(t, db, 1), itemOf(t, db, 2), itemOf(t, db, 3)
	next := queue(t, db, a, 0, 1, 600) + 1
	total := map[string]int{}
	claim := func(n int) map[string]int {
		t.Helper()
		ts := claimTasks(t, db, second(1), n)
		for _, task := range ts {
			total[task.SourceID]++
			must(t, db.CompleteTask(ctx(t), task, second(1)))
		}
		return shares(ts)
	}
	claim(50)
	next = queue(t, db, b, 0, next, 100) + 1
	for range 6 {
		same(t, claim(10), map[string]int{a.SourceID: 5, b.SourceID: 5})
	}
	for i := range 5 { // a little at a time
		next = queue(t, db, c, 0, next, 10) + 1
		if n := claim(30); n[c.SourceID] != 10 || n[a.SourceID] != 10 || n[b.SourceID] != min(10, 70-10*i) {
			t.Fatalf("with a third source: %v", n)
		}
	}
	// A source that had its turn long ago neither gets what it did not ask for,
	// nor pays for what it got.
	next = queue(t, db, c, 0, next, 100) + 1
	claim(20 * 3)
	queue(t, db, b, 0, next, 100)
	if n := claim(30); n[a.SourceID] < 9 || n[b.SourceID] < 9 || n[c.SourceID] < 9 {
		t.Fatalf("after a pause: %v", n)
	}
}

func fairAfterOutage(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	last := queue(t, db, a, 0, 1, 400)
	for _, task := range claimTasks(t, db, second(1), 400) {
		must(t, db.RetryTask(ctx(t), task, "no answer", second(2), second(60)))
	}
	queue(t, db, b, 0, last+1, 100)
	same(t, shares(claimTasks(t, db, second(3), 20)), map[string]int{b.SourceID: 20})
	for i := range 4 {
		if n := shares(claimTasks(t, db, second(61), 20)); n[a.SourceID] < 9 || n[b.SourceID] < 9 {
			t.Fatalf("batch %d after the outage: %v", i, n)
		}
	}
}

func priorities(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	last := queue(t, db, a, 0, 1, 20)
	last = queue(t, db, a, 5, last+1, 20)
	last = queue(t, db, b, 5, last+1, 3)
	queue(t, db, b, -5, last+1, 3)
	ts := claimTasks(t, db, second(1), 6)
	same(t, shares(ts), map[string]int{a.SourceID: 3, b.SourceID: 3})
	for _, task := range ts {
		if task.Priority != 5 {
			t.Fatalf("a task of priority %d among the first", task.Priority)
		}
	}
	rest := claimTasks(t, db, second(1), 100)
	for i := range rest[1:] {
		if rest[i].Priority < rest[i+1].Priority {
			t.Fatalf("priority %d before %d", rest[i].Priority, rest[i+1].Priority)
		}
	}
	if n := len(rest); n != 40 {
		t.Fatalf("%d tasks were left", n)
	}
}

func stableOrder(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 4)
	queue(t, db, b, 0, 11, 4)
	want := []string{id(40_001), id(40_011), id(40_002), id(40_012), id(40_003), id(40_013), id(40_004), id(40_014)}
	ts := claimTasks(t, db, second(1), 8)
	same(t, idsOf(ts, taskID), want)
	for _, task := range ts {
		must(t, db.ReleaseTask(ctx(t), task, second(2)))
	}
	same(t, idsOf(append(claimTasks(t, db, second(3), 3), claimTasks(t, db, second(3), 5)...), taskID), want)
}

// withdraw stores that a source allows AI processing or not, and changes its
// tasks.
func withdraw(t *testing.T, db *store.DB, sourceID string, allowed bool, now time.Time) {
	t.Helper()
	must(t, decide(ctx(t), db, sourceID, allowed, now))
}

func decide(ctx context.Context, db *store.DB, sourceID string, allowed bool, now time.Time) error {
	return db.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if _, _, err := tx.DecideConsents(ctx, sourceID, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: allowed}, "user:u", now); err != nil {
			return err
		}
		change := tx.WithholdTasks
		if allowed {
			change = tx.RestoreTasks
		}
		_, err := change(ctx, sourceID, now)
		return err
	})
}

func withholdTasks(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 3)
	queue(t, db, b, 0, 11, 1)
	held := claimTasks(t, db, second(1), 1)[0]
	must(t, db.RetryTask(ctx(t), claimTasks(t, db, second(1), 2)[1], "no answer", second(1), second(1)))
	withdraw(t, db, a.SourceID, false, second(2))
	queue(t, db, a, 0, 4, 1)
	same(t, shares(claimTasks(t, db, second(3), 10)), map[string]int{})
	for n := 1; n <= 4; n++ {
		task := got(db.Task(ctx(t), id(40_000+n)))(t)
		if task.State != kgl.TaskWithheld || task.LeaseOwner != "" || task.LeaseUntil != nil {
			t.Fatalf("a withheld task: %+v", task)
		}
	}
	wantCode(t, db.CompleteTask(ctx(t), held, second(4)), kgl.CodeLeaseLost)
	if task := got(db.Task(ctx(t), held.ID))(t); task.Attempts != 0 {
		t.Fatalf("%d attempts of a lease that was lost to a withdrawal", task.Attempts)
	}
	if s := content(t, db, a.ID).Status; s != kgl.ContentNew {
		t.Fatalf("its item is %s", s)
	}
	if s := content(t, db, b.ID).Status; s != kgl.ContentProcessing {
		t.Fatalf("another one is %s", s)
	}
}

func restoreTasks(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 20)
	withdraw(t, db, a.SourceID, false, second(1))
	for n := 21; n < 26; n++ { // one after the other, while nothing is pending
		queue(t, db, a, 0, n, 1)
	}
	queue(t, db, b, 0, 31, 100)
	claimTasks(t, db, second(1), 50)
	withdraw(t, db, a.SourceID, true, second(2))
	ts := claimTasks(t, db, second(2), 40)
	same(t, shares(ts), map[string]int{a.SourceID: 20, b.SourceID: 20})
	ts = append(ts, claimTasks(t, db, second(2), 10)...)
	last := ""
	for _, task := range ts {
		if task.SourceID != a.SourceID {
			continue
		}
		if task.ID < last && last < id(40_021) {
			t.Fatalf("%s after %s", task.ID, last)
		}
		last = task.ID
	}
	if n := got(db.RestoreTasks(ctx(t), a.SourceID, second(3)))(t); n != 0 {
		t.Fatalf("%d tasks restored again", n)
	}
}

func withdrawInClaims(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	last := queue(t, db, a, 0, 1, 200)
	queue(t, db, b, 0, last+1, 200)
	var withdrawn atomic.Bool
	for _, err := range parallel(6, func(i int) error {
		if i == 0 {
			err := decide(ctx(t), db, a.SourceID, false, second(2))
			withdrawn.Store(true)
			return err
		}
		for range 15 {
			late := withdrawn.Load()
			ts, err := db.ClaimTasks(ctx(t), kgl.ExtractorMock, fmt.Sprint("w", i), second(3), second(60), 4)
			if err != nil {
				return err
			}
			if n := shares(ts)[a.SourceID]; late && n > 0 {
				return fmt.Errorf("%d tasks were handed out after the withdrawal", n)
			}
		}
		return nil
	}) {
		must(t, err)
	}
	left := got(db.Tasks(ctx(t), kgl.TaskFilter{SourceID: a.SourceID}, kgl.Page{Limit: 300}))(t)
	for _, task := range left.Rows {
		if task.State != kgl.TaskWithheld {
			t.Fatalf("a task of the source is %s", task.State)
		}
	}
}

func claimTaskCrowd(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 100)
	queue(t, db, b, 0, 201, 60)
	claimed := make([][]kgl.EnrichmentTask, 16)
	for _, err := range parallel(len(claimed), func(i int) error {
		for empty := 0; empty < 5; {
			ts, err := db.ClaimTasks(ctx(t), kgl.ExtractorMock, fmt.Sprint("w", i), second(1), second(600), 3)
			if err != nil {
				return err
			}
			if len(ts) == 0 { // the others may have locked all that is next
				empty++
			}
			claimed[i] = append(claimed[i], ts...)
		}
		return nil
	}) {
		must(t, err)
	}
	claimed = append(claimed, claimTasks(t, db, second(1), 200))
	seen := map[string]bool{}
	for _, ts := range claimed {
		for _, task := range ts {
			if seen[task.ID] {
				t.Fatalf("%s was claimed twice", task.ID)
			}
			seen[task.ID] = true
		}
	}
	if len(seen) != 160 {
		t.Fatalf("%d of 160 tasks were claimed", len(seen))
	}
}

func countLeases(t *testing.T, db *store.DB) {
	a := itemOf(t, db, 1)
	queue(t, db, a, 0, 1, 5)
	count := func(owner string, now time.Time) int64 {
		t.Helper()
		return got(db.CountLeases(ctx(t), owner, now))(t)
	}
	ts := claimTasks(t, db, second(1), 3)
	if n := count("worker", second(2)); n != 3 {
		t.Fatalf("%d leases", n)
	}
	must(t, db.CompleteTask(ctx(t), ts[0], second(2)))
	must(t, db.ReleaseTask(ctx(t), ts[1], second(2)))
	same(t, []int64{count("worker", second(2)), count("another", second(2)), count("worker", second(61))}, []int64{1, 0, 0})
}
