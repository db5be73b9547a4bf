package storetest

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runTaskLists(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"tasks are listed by state, source and lane, the last changed first", listTasks},
		{"tasks are counted by lane and state", countTasks},
		{"dead tasks get another chance", requeueTasks},
		{"waiting tasks move to another lane, in their order", moveTasks},
		{"dead tasks are requeued by source, lane and id, a bounded number", requeueSome},
	})
}

// allTasks reads a list of tasks page by page.
func allTasks(t *testing.T, db *store.DB, f kgl.TaskFilter, limit int) []string {
	t.Helper()
	var ids []string
	for p := (kgl.Page{Limit: limit}); ; {
		list := got(db.Tasks(ctx(t), f, p))(t)
		if len(list.Rows) > limit {
			t.Fatalf("%d tasks on a page of %d", len(list.Rows), limit)
		}
		ids = append(ids, idsOf(list.Rows, taskID)...)
		if list.Next == nil {
			return ids
		}
		p.After = list.Next
	}
}

func listTasks(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 4)
	queue(t, db, b, 0, 11, 2)
	other := newTask(21, b)
	other.Extractor = kgl.LaneBuiltin
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{other}))
	claimed := claimTasks(t, db, second(50), 3) // 1, 11, 2
	must(t, db.BuryTask(ctx(t), claimed[0], "poison", second(51)))
	numbers := func(ns ...int) []string { return idsOf(ns, func(n int) string { return id(40_000 + n) }) }
	for _, tc := range []struct {
		f    kgl.TaskFilter
		want []string
	}{
		{kgl.TaskFilter{}, numbers(1, 11, 2, 21, 12, 4, 3)},
		{kgl.TaskFilter{State: kgl.TaskPending}, numbers(12, 4, 3)},
		{kgl.TaskFilter{State: kgl.TaskDead}, numbers(1)},
		{kgl.TaskFilter{SourceID: a.SourceID}, numbers(1, 2, 4, 3)},
		{kgl.TaskFilter{SourceID: a.SourceID, State: kgl.TaskLeased}, numbers(2)},
		{kgl.TaskFilter{Lane: kgl.ExtractorMock}, numbers(1, 11, 2, 12, 4, 3)},
		{kgl.TaskFilter{Lane: kgl.ExtractorMock, State: kgl.TaskLeased}, numbers(11, 2)},
		{kgl.TaskFilter{Lane: kgl.LaneBuiltin, SourceID: b.SourceID}, numbers(21)},
		{kgl.TaskFilter{Lane: kgl.LaneAI}, nil},
	} {
		for _, limit := range []int{1, 2, 20} {
			same(t, allTasks(t, db, tc.f, limit), tc.want)
		}
	}
}

func countTasks(t *testing.T, db *store.DB) {
	same(t, got(db.CountTasks(ctx(t)))(t), nil)
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 5)
	queue(t, db, b, 0, 11, 2)
	other := newTask(21, b)
	other.Extractor = kgl.LaneBuiltin
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{other}))
	ts := claimTasks(t, db, second(1), 4) // 1, 11, 2, 12
	must(t, db.CompleteTask(ctx(t), ts[0], second(2)))
	must(t, db.RetryTask(ctx(t), ts[2], "no", second(2), second(9)))
	must(t, db.BuryTask(ctx(t), ts[1], "no", second(2)))
	withdraw(t, db, b.SourceID, false, second(3))
	oldest := second(3)
	same(t, got(db.CountTasks(ctx(t)))(t), []kgl.TaskCounts{
		{Lane: kgl.LaneBuiltin, Withheld: 1},
		{Lane: kgl.ExtractorMock, Pending: 3, Waiting: 1, Withheld: 1, Done: 1, Dead: 1, OldestPendingAt: &oldest},
	})
}

func requeueTasks(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 3)
	for _, task := range claimTasks(t, db, second(3), 2) {
		must(t, db.BuryTask(ctx(t), task, "poison", second(4)))
		must(t, db.SetContentStatus(ctx(t), task.ContentID, kgl.ContentFailed, second(4)))
	}
	n, left, err := db.RequeueTasks(ctx(t), kgl.DeadTaskFilter{}, 7, second(5), 100)
	must(t, err)
	same(t, []int64{n, left}, []int64{2, 0})
	for _, c := range cs {
		if s := content(t, db, c.ID).Status; s != kgl.ContentNew {
			t.Fatalf("an item is %s", s)
		}
	}
	ts := claimTasks(t, db, second(5), 3)
	same(t, idsOf(ts, taskID), []string{id(40_001), id(40_002), id(40_003)})
	first := ts[0]
	if first.Attempts != 1 || first.Priority != 7 || first.LastError != "poison" || first.LeaseToken != 2 {
		t.Fatalf("a requeued task: %+v", first)
	}
	n, left, err = db.RequeueTasks(ctx(t), kgl.DeadTaskFilter{}, 0, second(6), 100)
	must(t, err)
	same(t, []int64{n, left}, []int64{0, 0})
}

func requeueSome(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 6)
	queue(t, db, b, 0, 11, 4)
	for i, task := range claimTasks(t, db, second(1), 10) {
		must(t, db.BuryTask(ctx(t), task, "poison", second(2+i)))
	}
	withdraw(t, db, b.SourceID, false, second(20))
	for _, tc := range []struct {
		f     kgl.DeadTaskFilter
		limit int
		want  []int64
	}{
		{kgl.DeadTaskFilter{SourceID: a.SourceID}, 2, []int64{2, 4}}, // 1 and 2
		{kgl.DeadTaskFilter{Lane: kgl.LaneAI}, 9, []int64{0, 0}},
		{kgl.DeadTaskFilter{IDs: []string{id(40_001), id(40_003), id(40_011)}}, 9, []int64{2, 0}},
		{kgl.DeadTaskFilter{IDs: []string{id(40_004)}, SourceID: b.SourceID}, 9, []int64{0, 0}},
		{kgl.DeadTaskFilter{Lane: kgl.ExtractorMock}, 2, []int64{2, 4}},
		{kgl.DeadTaskFilter{}, 100, []int64{4, 0}},
	} {
		n, left, err := db.RequeueTasks(ctx(t), tc.f, 0, second(30), tc.limit)
		must(t, err)
		same(t, []int64{n, left}, tc.want)
	}
	// What its source does not allow is withheld instead.
	same(t, shares(claimTasks(t, db, second(31), 100)), map[string]int{a.SourceID: 6})
	if task := got(db.Task(ctx(t), id(40_011)))(t); task.State != kgl.TaskWithheld {
		t.Fatalf("a requeued task of a source that does not allow it is %s", task.State)
	}
}

func moveTasks(t *testing.T, db *store.DB) {
	a, b := itemOf(t, db, 1), itemOf(t, db, 2)
	queue(t, db, a, 0, 1, 700)
	queue(t, db, b, 3, 1001, 2)
	ts := claimTasks(t, db, second(1), 3) // of priority 3, and the first of a
	must(t, db.RetryTask(ctx(t), ts[0], "no answer", second(2), second(90)))
	must(t, db.CompleteTask(ctx(t), ts[1], second(2)))
	both := newTask(2002, a) // is in the other lane already
	both.Revision, both.Extractor = 5, kgl.LaneAI
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{both}))
	var moved []int64
	for {
		n := got(db.MoveTasks(ctx(t), kgl.ExtractorMock, kgl.LaneAI, second(3)))(t)
		if moved = append(moved, n); n == 0 {
			break
		}
	}
	same(t, moved, []int64{500, 199, 0}) // 698 of a and one of b
	next := got(db.ClaimTasks(ctx(t), kgl.LaneAI, "w", second(100), second(200), 4))(t)
	same(t, idsOf(next, taskID), []string{id(41_001), id(40_002), id(40_003), id(40_004)})
	if next[0].Attempts != 1 || next[0].LastError != "no answer" {
		t.Fatalf("a task that was moved: %+v", next[0])
	}
	if task := got(db.Task(ctx(t), id(40_005)))(t); task.Extractor != kgl.ExtractorMock {
		t.Fatalf("a task of both lanes is in %s", task.Extractor)
	}
	if task := got(db.Task(ctx(t), id(40_001)))(t); task.Extractor != kgl.ExtractorMock || task.State != kgl.TaskLeased {
		t.Fatalf("a leased task moved: %+v", task)
	}
	if n := got(db.MoveTasks(ctx(t), kgl.LaneAI, kgl.LaneAI, second(3)))(t); n != 0 {
		t.Fatalf("%d tasks moved to where they are", n)
	}
}
