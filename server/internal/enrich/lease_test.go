package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// as returns a context of a user.
func as(t testing.TB, user string) context.Context {
	return kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: user})
}

func (w *world) leases(cfg LeaseConfig) *Leases {
	return NewLeases(w.db, NewRecorder(w.db, w.clock, w.ids, nil), w.clock, w.ids, slog.New(slog.DiscardHandler), w, cfg)
}

// some asks for n tasks for a minute, without waiting.
func some(n int) LeaseRequest {
	return LeaseRequest{Kinds: []string{kgl.TaskKindExtract}, Max: n, For: time.Minute}
}

func (w *world) lease(l *Leases, user string, n int) []Leased {
	w.t.Helper()
	got, err := l.Lease(as(w.t, user), some(n))
	w.must(err)
	return got
}

func (w *world) wantCode(err error, code kgl.Code) {
	w.t.Helper()
	if !kgl.Is(err, code) {
		w.t.Errorf("error %v, want %s", err, code)
	}
}

// found is wholeText as the AI module would hand it in: without quotes.
func found(c kgl.Content) kgl.Extraction {
	x := wholeText(c)
	x.Extractor, x.Entities[0].Spans[0].Quote = "ner@1", ""
	return x
}

func TestLeaseAndComplete(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	c := w.add(kgl.LaneAI, "text")
	got := w.lease(l, "a", 5)
	if len(got) != 1 || got[0].Content.ID != c.ID || got[0].Content.Text != "text" || got[0].Task.LeaseOwner != "user:a" || got[0].Task.Attempts != 1 {
		t.Fatalf("leased %+v", got)
	}
	w.wantStatus(c.ID, kgl.ContentProcessing)
	if more := w.lease(l, "b", 5); len(more) > 0 {
		t.Fatalf("leased twice: %+v", more)
	}
	task := got[0].Task
	run, err := l.Complete(as(t, "a"), task.ID, task.LeaseToken, found(c))
	w.must(err)
	if run.TaskID != task.ID || run.Actor != "user:a" || run.Extractor != "ner@1" || run.Entities != 1 {
		t.Fatalf("run %+v", run)
	}
	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.want("entities", w.entities(), "concept: text (1)")
	events := len(w.events())

	again, err := l.Complete(as(t, "a"), task.ID, task.LeaseToken, found(c))
	w.must(err)
	if again.ID != run.ID || len(w.events()) != events {
		t.Fatalf("handed in again: run %s after %s", again.ID, run.ID)
	}
	_, err = l.Complete(as(t, "b"), task.ID, task.LeaseToken, found(c))
	w.wantCode(err, kgl.CodeLeaseLost)
	if got := w.outcomes(); got != "map[processed:1]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestLeaseIsFenced(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	c := w.add(kgl.LaneAI, "text")
	first := w.lease(l, "a", 1)[0].Task
	calls := map[string]func(ctx context.Context, token int64) error{
		"complete": func(ctx context.Context, token int64) error {
			_, err := l.Complete(ctx, first.ID, token, found(c))
			return err
		},
		"extend": func(ctx context.Context, token int64) error {
			_, err := l.Extend(ctx, first.ID, token, time.Minute)
			return err
		},
		"fail": func(ctx context.Context, token int64) error {
			_, err := l.Fail(ctx, first.ID, token, FailureReport{Reason: "no"})
			return err
		},
		"release": func(ctx context.Context, token int64) error { _, err := l.Release(ctx, first.ID, token); return err },
	}
	refused := func(what, user string, token int64, code kgl.Code) {
		t.Helper()
		for name, call := range calls {
			if err := call(as(t, user), token); !kgl.Is(err, code) {
				t.Errorf("%s: %s: %v, want %s", what, name, err, code)
			}
		}
	}
	refused("another caller", "b", first.LeaseToken, kgl.CodeLeaseLost)
	refused("a token that never was", "a", 99, kgl.CodeLeaseLost)

	w.clock.Advance(2 * time.Minute)
	second := w.lease(l, "a", 1)[0].Task
	refused("a stale token", "a", first.LeaseToken, kgl.CodeLeaseLost)

	consent := func(allowed bool) {
		t.Helper()
		w.must(w.db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
			now := w.clock.Now()
			_, _, err := tx.DecideConsents(ctx, w.source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: allowed}, "u", now)
			if err == nil && !allowed {
				_, err = tx.WithholdTasks(ctx, w.source, now)
			} else if err == nil {
				_, err = tx.RestoreTasks(ctx, w.source, now)
			}
			return err
		}))
	}
	consent(false)
	refused("a withdrawn consent", "a", second.LeaseToken, kgl.CodeConsentDenied)
	if got := w.lease(l, "a", 1); len(got) > 0 {
		t.Fatalf("leased without consent: %+v", got)
	}
	consent(true)
	third := w.lease(l, "a", 1)[0].Task
	if third.Attempts != second.Attempts {
		t.Errorf("attempt %d after a withdrawal, want %d", third.Attempts, second.Attempts)
	}
	edited := w.revise(c, kgl.LaneAI, "edited")
	refused("an edited item", "a", third.LeaseToken, kgl.CodeConflict)
	if _, err := l.Extend(as(t, "a"), third.ID, third.LeaseToken, time.Minute); !errors.Is(err, ErrSuperseded) {
		t.Errorf("an edited item: %v", err)
	}
	w.want("entities", w.entities())
	w.must(w.db.DeleteContent(t.Context(), edited.ID, kgl.RemovedByPerson, w.clock.Now()))
	refused("a removed item", "a", third.LeaseToken, kgl.CodeNotFound)
}

func TestLeaseKeepsOnAfterABadResult(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	c := w.add(kgl.LaneAI, "some text")
	task := w.lease(l, "a", 1)[0].Task
	for field, spoil := range map[string]func(*kgl.Extraction){
		"extractor":            func(x *kgl.Extraction) { x.Extractor = "builtin@1" },
		"entities[0].type":     func(x *kgl.Extraction) { x.Entities[0].Type = "A B" },
		"entities[0].mentions": func(x *kgl.Extraction) { x.Entities[0].Spans = nil },
		"entities[0].mentions[1].end": func(x *kgl.Extraction) {
			x.Entities[0].Spans = append(x.Entities[0].Spans, kgl.Span{Start: 2, End: 10})
		},
		"entities[0].mentions[0].quote": func(x *kgl.Extraction) {
			x.Entities[0].Spans[0].Quote = "some test"
		},
		"entities[0].aliases[1]": func(x *kgl.Extraction) { x.Entities[0].Aliases = []string{"a", " "} },
		"relationships[0].to": func(x *kgl.Extraction) {
			x.Relationships = []kgl.ExtractedRelationship{{From: 0, To: 1, Type: "offers", Evidence: kgl.Span{Start: 0, End: 4}}}
		},
		"relationships[1].evidence.start": func(x *kgl.Extraction) {
			x.Entities = append(x.Entities, kgl.ExtractedEntity{Name: "some", Type: "concept", Spans: []kgl.Span{{Start: 0, End: 4}}})
			ok := kgl.ExtractedRelationship{From: 0, To: 1, Type: "offers", Evidence: kgl.Span{Start: 0, End: 4}}
			bad := ok
			bad.Evidence = kgl.Span{Start: 9, End: 10}
			x.Relationships = []kgl.ExtractedRelationship{ok, bad}
		},
	} {
		x := found(c)
		spoil(&x)
		_, err := l.Complete(as(t, "a"), task.ID, task.LeaseToken, x)
		var e *kgl.Error
		if !errors.As(err, &e) || e.Code != kgl.CodeResultInvalid || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	w.want("entities", w.entities())
	if _, err := l.Complete(as(t, "a"), task.ID, task.LeaseToken, found(c)); err != nil {
		t.Errorf("then a good result: %v", err)
	}
}

func TestLeaseFailures(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{MaxAttempts: 3, RetryBase: 10 * time.Second, RetryMax: 15 * time.Second})
	c := w.add(kgl.LaneAI, "text")
	fail := func(r FailureReport) kgl.EnrichmentTask {
		t.Helper()
		task := w.lease(l, "a", 1)[0].Task
		after, err := l.Fail(as(t, "a"), task.ID, task.LeaseToken, r)
		w.must(err)
		return after
	}
	again := FailureReport{Reason: "overloaded\x00", Retriable: true}
	after := fail(again)
	if after.State != kgl.TaskWaiting || after.LastError != "overloaded" || !after.AvailableAt.Equal(w.clock.Now().Add(10*time.Second)) {
		t.Fatalf("a failed attempt: %+v", after)
	}
	w.wantStatus(c.ID, kgl.ContentNew)
	w.clock.Advance(9 * time.Second)
	if got := w.lease(l, "a", 1); len(got) > 0 {
		t.Fatalf("leased before its time: %+v", got)
	}
	w.clock.Advance(time.Second)
	soon := time.Second
	again.After = &soon
	if after = fail(again); !after.AvailableAt.Equal(w.clock.Now().Add(soon)) {
		t.Fatalf("the pause that was asked for: until %v", after.AvailableAt)
	}
	w.clock.Advance(soon)
	if after = fail(again); after.State != kgl.TaskDead || after.Attempts != 3 {
		t.Fatalf("after the last attempt: %+v", after)
	}
	w.wantStatus(c.ID, kgl.ContentFailed)
	w.want("events", w.events(), "content.failed")

	n, left, err := l.Requeue(as(t, "a"), kgl.DeadTaskFilter{Lane: kgl.LaneAI}, 3)
	w.must(err)
	if n != 1 || left != 0 {
		t.Fatalf("%d requeued, %d left", n, left)
	}
	w.wantStatus(c.ID, kgl.ContentNew)
	if after = fail(FailureReport{Reason: "not a language I know"}); after.State != kgl.TaskDead || after.Attempts != 1 || after.Priority != 3 {
		t.Fatalf("a fatal failure: %+v", after)
	}
}

func TestLeaseSettlesWhatNothingCanComeOf(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{MaxAttempts: 2})
	poison := w.add(kgl.LaneAI, "stops workers")
	for range 2 {
		w.lease(l, "a", 1)
		w.clock.Advance(2 * time.Minute)
	}
	var blank []kgl.Content
	for range 3 {
		blank = append(blank, w.add(kgl.LaneAI, " \n"))
	}
	good := w.add(kgl.LaneAI, "text")
	if got := w.lease(l, "a", 2); len(got) != 1 || got[0].Content.ID != good.ID {
		t.Fatalf("leased %+v", got)
	}
	if got := w.lease(l, "a", 2); len(got) > 0 {
		t.Fatalf("leased a task that stops workers: %+v", got)
	}
	w.wantStatus(poison.ID, kgl.ContentFailed)
	for _, c := range blank {
		w.wantStatus(c.ID, kgl.ContentSkipped)
	}
}

func TestLeaseReleaseAndExtend(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	c := w.add(kgl.LaneAI, "text")
	task := w.lease(l, "a", 1)[0].Task
	w.clock.Advance(50 * time.Second)
	extended, err := l.Extend(as(t, "a"), task.ID, task.LeaseToken, time.Minute)
	w.must(err)
	if !extended.LeaseUntil.Equal(w.clock.Now().Add(time.Minute)) {
		t.Errorf("extended until %v", extended.LeaseUntil)
	}
	w.clock.Advance(50 * time.Second)
	if got := w.lease(l, "b", 1); len(got) > 0 {
		t.Fatalf("leased while it was extended: %+v", got)
	}
	released, err := l.Release(as(t, "a"), task.ID, task.LeaseToken)
	w.must(err)
	if released.State != kgl.TaskPending || released.Attempts != 0 {
		t.Fatalf("released: %+v", released)
	}
	w.wantStatus(c.ID, kgl.ContentNew)
	if got := w.lease(l, "b", 1); len(got) != 1 {
		t.Fatal("a released task is not handed out")
	}
}

func TestLeasesOfACallerAreBounded(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{MaxLeases: 3})
	for range 6 {
		w.add(kgl.LaneAI, "text")
	}
	got := w.lease(l, "a", 5)
	if len(got) != 3 {
		t.Fatalf("%d tasks of at most 3", len(got))
	}
	_, err := l.Lease(as(t, "a"), some(1))
	w.wantCode(err, kgl.CodeRateLimited)
	if other := w.lease(l, "b", 1); len(other) != 1 {
		t.Error("another caller is held up")
	}
	_, err = l.Release(as(t, "a"), got[0].Task.ID, got[0].Task.LeaseToken)
	w.must(err)
	if more := w.lease(l, "a", 5); len(more) != 1 {
		t.Errorf("%d tasks after one was given back", len(more))
	}
}

func TestLeaseOfUnknownKinds(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	w.add(kgl.LaneAI, "text")
	r := some(1)
	r.Kinds = []string{"embed"}
	if got, err := l.Lease(as(t, "a"), r); err != nil || len(got) > 0 {
		t.Errorf("leased %+v (%v)", got, err)
	}
}

func TestLeaseGivesBackWhenTheCallerIsGone(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{})
	w.add(kgl.LaneAI, "text")
	ctx, cancel := context.WithCancel(as(t, "a"))
	claimed, err := l.claim(ctx, "user:a", some(1))
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %d (%v)", len(claimed), err)
	}
	cancel()
	if _, err := l.handOut(ctx, claimed); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if got := w.lease(l, "b", 1); len(got) != 1 || got[0].Task.Attempts != 1 {
		t.Fatalf("leased after it was given back: %+v", got)
	}
}

// TestLeaseWaits: a task that comes wakes a caller, one for each task, and who
// waits in vain is answered in the end.
func TestLeaseWaits(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{Poll: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	r := some(1)
	r.Wait = time.Minute
	got := make(chan int, 3)
	for i := range 3 {
		running.Go(func() {
			tasks, err := l.Lease(as(t, fmt.Sprint(i)), r)
			if err != nil {
				t.Error(err)
			}
			got <- len(tasks)
		})
	}
	for l.Waiting() < 3 {
		time.Sleep(time.Millisecond)
	}
	w.add(kgl.LaneAI, "one")
	w.add(kgl.LaneAI, "two")
	l.Notify()
	if n := <-got + <-got; n != 2 {
		t.Errorf("%d tasks for two callers", n)
	}
	stop() // the process stops: the third is answered at once
	if n := <-got; n != 0 {
		t.Errorf("%d tasks for the third", n)
	}
	running.Wait()
	if tasks, err := l.Lease(as(t, "a"), r); err != nil || len(tasks) != 0 {
		t.Errorf("after the end: %v (%v)", tasks, err)
	}
}

// TestLeaseEndsWithItsCaller: a caller who leaves gives its turn to the next.
func TestLeaseEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(2)
		first, err1 := l.enter()
		second, err2 := l.enter()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if _, err := l.enter(); !kgl.Is(err, kgl.CodeRateLimited) {
			t.Errorf("a third of two: %v", err)
		}
		l.next()
		<-first.turn
		l.leave(first)
		<-second.turn
		l.leave(second)
		if l.length() > 0 {
			t.Error("somebody still waits")
		}
		l.close()
		if p, err := l.enter(); p != nil || err != nil {
			t.Errorf("a place in a closed line: %v (%v)", p, err)
		}
	})
}

// counted counts the looks at the queue.
type counted struct {
	kgl.Store
	mu    sync.Mutex
	looks int
}

func (c *counted) NextTaskAt(ctx context.Context, lane string) (*time.Time, error) {
	c.mu.Lock()
	c.looks++
	c.mu.Unlock()
	return nil, nil
}

// TestOneLookServesAll: however many callers wait, the database is asked once
// in a poll.
func TestOneLookServesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{}
		clock := kgl.NewFakeClock(time.Now())
		l := NewLeases(store, nil, clock, nil, slog.New(slog.DiscardHandler), nil, LeaseConfig{})
		ctx, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		defer group.Wait()
		defer stop()
		group.Go(func() { l.Run(ctx) })
		r := some(1)
		r.Wait = 20 * time.Second
		const callers = 200
		for range callers {
			group.Go(func() {
				if tasks, err := l.Lease(ctx, r); err != nil || len(tasks) > 0 {
					t.Error(tasks, err)
				}
			})
		}
		time.Sleep(21 * time.Second)
		store.mu.Lock()
		defer store.mu.Unlock()
		if looks := store.looks - callers; looks < 19 || looks > 22 {
			t.Errorf("%d looks in 20 seconds, besides one of each caller", looks)
		}
	})
}

func TestWorkStats(t *testing.T) {
	w := newWorld(t)
	l := w.leases(LeaseConfig{Active: []string{kgl.LaneAI}})
	w.add(kgl.LaneMock, "old")
	stats, err := l.Stats(t.Context())
	w.must(err)
	var got []string
	for _, s := range stats {
		got = append(got, fmt.Sprintf("%s %t %d", s.Lane, s.Active, s.Pending))
	}
	w.want("lanes", got, "ai true 0", "mock false 1")
}
