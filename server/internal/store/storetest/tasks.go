package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runTasks(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"tasks are claimed, oldest first, and their items processing", claimTaskOrder},
		{"a task for the same work exists once", createTaskOnce},
		{"concurrent callers never get the same task", claimTaskRace},
		{"a task whose lease ended is claimed again", claimTaskAgain},
		{"a completed task is done", completeTask},
		{"a retried task waits", retryTask},
		{"a released task was not attempted", releaseTask},
		{"an old lease releases nothing, nor its item", releaseLeaseLost},
		{"a buried task stays dead", buryTask},
		{"an old lease ends nothing", taskLeaseLost},
		{"the next task is known, leased or not", nextTask},
		{"a lease is extended", extendTask},
		{"a task is read by its id", readTask},
		{"a revision ends the tasks of the one before", supersedeTasks},
	})
	runTaskQueue(t, open)
	runTaskLists(t, open)
}

// newTask returns a task with the id n for an item, available n seconds after
// the epoch.
func newTask(n int, c kgl.Content) kgl.EnrichmentTask {
	return kgl.EnrichmentTask{
		ID: id(40_000 + n), Kind: kgl.TaskKindExtract, ContentID: c.ID, SourceID: c.SourceID, Revision: c.Revision,
		Extractor: kgl.ExtractorMock, State: kgl.TaskWaiting,
		AvailableAt: second(n), CreatedAt: second(n), UpdatedAt: second(n),
	}
}

// claimTasks leases tasks for a minute.
func claimTasks(t *testing.T, db *store.DB, now time.Time, limit int) []kgl.EnrichmentTask {
	t.Helper()
	return got(db.ClaimTasks(ctx(t), kgl.ExtractorMock, "worker", now, now.Add(time.Minute), limit))(t)
}

func taskID(t kgl.EnrichmentTask) string { return t.ID }

// addTasks stores n items, each with a task.
func addTasks(t *testing.T, db *store.DB, n int) []kgl.Content {
	t.Helper()
	s := addSource(t, db, 1, "a.example", nil)
	var cs []kgl.Content
	var ts []kgl.EnrichmentTask
	for i := 1; i <= n; i++ {
		cs = append(cs, newContent(i, s))
		ts = append(ts, newTask(i, cs[i-1]))
	}
	addContents(t, db, cs...)
	must(t, db.CreateTasks(ctx(t), ts))
	return cs
}

func claimTaskOrder(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 4)
	same(t, claimTasks(t, db, epoch, 5), nil)
	same(t, got(db.ClaimTasks(ctx(t), "another", "worker", after(time.Hour), after(2*time.Hour), 5))(t), nil)
	ts := claimTasks(t, db, second(3), 2)
	until := second(63)
	want := newTask(1, cs[0])
	want.State, want.Attempts, want.AvailableAt, want.UpdatedAt = kgl.TaskLeased, 1, until, second(3)
	want.LeaseOwner, want.LeaseToken, want.LeaseUntil = "worker", 1, &until
	same(t, ts[0], want)
	same(t, idsOf(ts, taskID), []string{id(40_001), id(40_002)})
	same(t, idsOf(claimTasks(t, db, second(3), 2), taskID), []string{id(40_003)})
	first := content(t, db, cs[0].ID)
	if first.Status != kgl.ContentProcessing || first.Version != 2 || !first.UpdatedAt.Equal(second(3)) {
		t.Fatalf("a claimed item: %+v", first)
	}
	if s := content(t, db, cs[3].ID).Status; s != kgl.ContentNew {
		t.Fatalf("an item that was not claimed is %s", s)
	}
}

func createTaskOnce(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 1)
	again, other := newTask(2, cs[0]), newTask(3, cs[0])
	other.Extractor = "another"
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{again, other}))
	must(t, db.CreateTasks(ctx(t), nil))
	same(t, idsOf(claimTasks(t, db, after(time.Hour), 5), taskID), []string{id(40_001)})
	same(t, idsOf(got(db.ClaimTasks(ctx(t), "another", "w", after(time.Hour), after(2*time.Hour), 5))(t), taskID), []string{id(40_003)})
}

func claimTaskRace(t *testing.T, db *store.DB) {
	const tasks, workers = 20, 5
	addTasks(t, db, tasks)
	claimed := make([][]kgl.EnrichmentTask, workers)
	for _, err := range parallel(workers, func(i int) error {
		for range tasks {
			ts, err := db.ClaimTasks(ctx(t), kgl.ExtractorMock, fmt.Sprint("w", i), after(time.Minute), after(time.Hour), 3)
			if err != nil || len(ts) == 0 {
				return err
			}
			claimed[i] = append(claimed[i], ts...)
		}
		return nil
	}) {
		must(t, err)
	}
	claimed = append(claimed, claimTasks(t, db, after(time.Minute), tasks)) // passed over by everyone at once
	seen := map[string]bool{}
	for _, ts := range claimed {
		for _, task := range ts {
			if seen[task.ID] {
				t.Fatalf("%s was claimed twice", task.ID)
			}
			seen[task.ID] = true
		}
	}
	if len(seen) != tasks {
		t.Fatalf("%d of %d tasks were claimed", len(seen), tasks)
	}
}

func claimTaskAgain(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	first := claimTasks(t, db, second(1), 1)[0]
	same(t, claimTasks(t, db, second(60), 1), nil)
	again := claimTasks(t, db, second(61), 1)[0]
	if again.Attempts != 2 || again.LeaseToken <= first.LeaseToken {
		t.Fatalf("claimed again: %+v", again)
	}
}

func completeTask(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	task := claimTasks(t, db, second(1), 1)[0]
	must(t, db.CompleteTask(ctx(t), task, second(2)))
	same(t, claimTasks(t, db, after(time.Hour), 5), nil)
	wantCode(t, db.CompleteTask(ctx(t), task, second(3)), kgl.CodeLeaseLost)
}

func retryTask(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	task := claimTasks(t, db, second(1), 1)[0]
	must(t, db.RetryTask(ctx(t), task, "no answer", second(2), second(300)))
	same(t, claimTasks(t, db, second(299), 5), nil)
	again := claimTasks(t, db, second(300), 5)[0]
	if again.Attempts != 2 || again.LastError != "no answer" || again.LeaseToken <= task.LeaseToken {
		t.Fatalf("after a retry: %+v", again)
	}
	wantCode(t, db.CompleteTask(ctx(t), task, second(301)), kgl.CodeLeaseLost)
}

func releaseTask(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 2)
	ts := claimTasks(t, db, second(2), 2)
	must(t, db.RetryTask(ctx(t), ts[0], "no answer", second(3), second(3)))
	task := claimTasks(t, db, second(3), 1)[0]
	must(t, db.ReleaseTask(ctx(t), task, second(10)))
	first := content(t, db, cs[0].ID)
	if first.Status != kgl.ContentNew || !first.UpdatedAt.Equal(second(10)) {
		t.Fatalf("the item of a released task: %+v", first)
	}
	if s := content(t, db, cs[1].ID).Status; s != kgl.ContentProcessing {
		t.Fatalf("another item is %s", s)
	}
	again := claimTasks(t, db, second(10), 5)[0]
	if again.ID != task.ID || again.Attempts != task.Attempts || again.LastError != "no answer" || again.LeaseToken <= task.LeaseToken {
		t.Fatalf("after a release: %+v", again)
	}
	must(t, db.SetContentStatus(ctx(t), cs[0].ID, kgl.ContentProcessed, second(11)))
	must(t, db.ReleaseTask(ctx(t), again, second(12)))
	if s := content(t, db, cs[0].ID).Status; s != kgl.ContentProcessed {
		t.Fatalf("an item that was not processing is %s", s)
	}
}

func releaseLeaseLost(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 1)
	lost := claimTasks(t, db, second(1), 1)[0]
	newer := claimTasks(t, db, second(61), 1)[0]
	wantCode(t, db.ReleaseTask(ctx(t), lost, second(62)), kgl.CodeLeaseLost)
	if s := content(t, db, cs[0].ID).Status; s != kgl.ContentProcessing {
		t.Fatalf("the item of another's lease is %s", s)
	}
	must(t, db.CompleteTask(ctx(t), newer, second(63)))
	wantCode(t, db.ReleaseTask(ctx(t), newer, second(64)), kgl.CodeLeaseLost)
	same(t, claimTasks(t, db, after(time.Hour), 5), nil)
}

func buryTask(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	task := claimTasks(t, db, second(1), 1)[0]
	must(t, db.BuryTask(ctx(t), task, "poison", second(2)))
	same(t, claimTasks(t, db, after(time.Hour), 5), nil)
	if at := got(db.NextTaskAt(ctx(t), kgl.ExtractorMock))(t); at != nil {
		t.Fatalf("a dead task becomes available at %v", at)
	}
}

func taskLeaseLost(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	lost := claimTasks(t, db, second(1), 1)[0]
	newer := claimTasks(t, db, second(61), 1)[0]
	wantCode(t, db.CompleteTask(ctx(t), lost, second(62)), kgl.CodeLeaseLost)
	wantCode(t, db.RetryTask(ctx(t), lost, "", second(62), second(63)), kgl.CodeLeaseLost)
	wantCode(t, db.BuryTask(ctx(t), lost, "", second(62)), kgl.CodeLeaseLost)
	must(t, db.CompleteTask(ctx(t), newer, second(62)))
	unknown := newer
	unknown.ID = id(1)
	wantCode(t, db.CompleteTask(ctx(t), unknown, second(62)), kgl.CodeLeaseLost)
}

func nextTask(t *testing.T, db *store.DB) {
	want := func(at *time.Time) {
		t.Helper()
		have := got(db.NextTaskAt(ctx(t), kgl.ExtractorMock))(t)
		if (have == nil) != (at == nil) || at != nil && !have.Equal(*at) {
			t.Fatalf("the next task is available at %v, want %v", have, at)
		}
	}
	want(nil)
	addTasks(t, db, 2)
	want(at(time.Second))
	task := claimTasks(t, db, second(1), 1)[0]
	want(at(2 * time.Second))
	other := claimTasks(t, db, second(2), 1)[0]
	want(at(61 * time.Second)) // when the first lease ends
	must(t, db.CompleteTask(ctx(t), task, second(3)))
	must(t, db.CompleteTask(ctx(t), other, second(3)))
	want(nil)
}

func extendTask(t *testing.T, db *store.DB) {
	addTasks(t, db, 1)
	task := claimTasks(t, db, second(1), 1)[0]
	must(t, db.ExtendTask(ctx(t), task, second(30), second(300)))
	extended := got(db.Task(ctx(t), task.ID))(t)
	if !extended.LeaseUntil.Equal(second(300)) || extended.LeaseToken != task.LeaseToken || !extended.UpdatedAt.Equal(second(30)) {
		t.Fatalf("an extended lease: %+v", extended)
	}
	same(t, claimTasks(t, db, second(299), 1), nil)
	again := claimTasks(t, db, second(300), 1)[0]
	wantCode(t, db.ExtendTask(ctx(t), task, second(301), second(400)), kgl.CodeLeaseLost)
	must(t, db.CompleteTask(ctx(t), again, second(301)))
	wantCode(t, db.ExtendTask(ctx(t), again, second(302), second(400)), kgl.CodeLeaseLost)
}

func readTask(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 1)
	same(t, got(db.Task(ctx(t), id(40_001)))(t), newTask(1, cs[0]))
	_, err := db.Task(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
}

func supersedeTasks(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 5)
	state := func(n int) kgl.TaskState {
		t.Helper()
		task, err := db.Task(ctx(t), id(40_000+n))
		if kgl.Is(err, kgl.CodeNotFound) {
			return ""
		}
		must(t, err)
		return task.State
	}
	ts := claimTasks(t, db, second(3), 3)
	must(t, db.CompleteTask(ctx(t), ts[0], second(4)))
	must(t, db.BuryTask(ctx(t), ts[1], "poison", second(4)))
	for i, c := range cs {
		next := revised(c, second(10+i))
		must(t, db.ReviseContent(ctx(t), next))
	}
	same(t, []kgl.TaskState{state(1), state(2), state(3), state(4), state(5)}, []kgl.TaskState{kgl.TaskDone, "", kgl.TaskDone, "", ""})
	wantCode(t, db.CompleteTask(ctx(t), ts[2], second(20)), kgl.CodeLeaseLost)
	same(t, claimTasks(t, db, after(time.Hour), 10), nil)
}
