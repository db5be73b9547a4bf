package enrich

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// aiWorker returns a worker of a database that pushes to the fake.
func aiWorker(t *testing.T, w *world, f *aifake.Fake, concurrency int) (*Worker, *AIModule) {
	t.Helper()
	m := newTestModule(t, w.clock, nil, AIConfig{URL: f.URL(), Concurrency: concurrency})
	return w.worker(m, Config{Concurrency: concurrency, Batch: 4 * concurrency}), m
}

func TestWorkerPushes(t *testing.T) {
	w, f := newWorld(t), aifake.New(t)
	worker, _ := aiWorker(t, w, f, 4)
	f.Script(aifake.Extract, aifake.Job(0, 0))
	c := w.add(kgl.LaneAI, sentence)
	w.runOnce(worker, 1)
	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.want("entities", w.entities(), "concept: Pictura Studios (1)", "concept: Polar Press (1)")
	w.want("relationships", w.relationships(), "Polar Press named_with Pictura Studios (1)")
	list, err := w.db.ContentEntities(t.Context(), c.ID, kgl.Page{Limit: 10})
	w.must(err)
	if m := list.Rows[0].Mentions[0]; m.Extractor != "fake-ner@1.0" || m.RunID == nil {
		t.Errorf("mention %+v", m)
	}
}

// A hundred items are at the module at once: none is answered before all are
// there.
func TestWorkerHasAHundredItemsAtTheModuleAtOnce(t *testing.T) {
	const items = 100
	for engine, open := range map[string]func(*testing.T) *world{
		"sqlite":   func(t *testing.T) *world { return newWorld(t) },
		"postgres": func(t *testing.T) *world { return newWorldOn(t, postgresTemplate.NewDatabase(t)) },
	} {
		t.Run(engine, func(t *testing.T) {
			w, f := open(t), aifake.New(t)
			worker, m := aiWorker(t, w, f, items)
			m.limiter.limit = items // as after some rounds of success
			var mu sync.Mutex
			there, all := 0, make(chan struct{})
			f.Always(aifake.Then(func() {
				mu.Lock()
				defer mu.Unlock()
				if there++; there == items {
					close(all)
				}
			}, aifake.Until(all, aifake.Serve())))
			for i := range items {
				w.add(kgl.LaneAI, fmt.Sprintf("Polar Press number %d acquired Pictura Studios.", i))
			}
			w.runOnce(worker, items)
			if f.Peak() != items {
				t.Errorf("%d at once, want %d", f.Peak(), items)
			}
			if got := w.outcomes(); got != "map[processed:100]" {
				t.Errorf("outcomes %s", got)
			}
		})
	}
}

// An outage of half an hour costs no task an attempt, however the module is away,
// and what came meanwhile is worked off afterwards.
func TestWorkerOutlastsAnOutageOfTheModule(t *testing.T) {
	for name, away := range map[string]struct {
		begin, end func(*aifake.Fake)
		most       int // attempts that may have counted
	}{
		"gone": {(*aifake.Fake).Down, (*aifake.Fake).Up, 0},
		"loading": {func(f *aifake.Fake) {
			f.Always(aifake.Busy(503, 30))
			f.Health(aifake.Status(503, "loading"))
		}, func(f *aifake.Fake) {
			f.Always(nil)
			f.Health(nil)
		}, 0},
		// It says that it is well: each task is excused some times.
		"loading, it says": {always(aifake.Busy(503, 30)), always(nil), 60 / DefaultMaxAttempts},
		"overloaded":       {always(aifake.Busy(429, 20)), always(nil), 0},
		"locked out":       {always(aifake.Status(401, "who are you?")), always(nil), 0},
		// What opens the breaker counts, and what later asks whether it still fails does
		// once it is not excused any more.
		"failing": {always(aifake.Status(500, "broken")), always(nil), 2*tripAfter + 30/DefaultMaxAttempts},
	} {
		t.Run(name, func(t *testing.T) {
			const minutes, perMinute = 30, 5
			w, f := newWorld(t), aifake.New(t)
			worker, _ := aiWorker(t, w, f, 8)
			away.begin(f)
			for i := range minutes * perMinute {
				w.add(kgl.LaneAI, fmt.Sprintf("Polar Press number %d acquired Pictura Studios.", i))
				if i%perMinute == perMinute-1 {
					for range 6 { // looks ten seconds apart
						if _, err := worker.RunOnce(t.Context()); err != nil {
							t.Fatal(err)
						}
						w.clock.Advance(10 * time.Second)
					}
				}
			}
			sent := len(f.Requests(aifake.Extract))
			if most := 6 * minutes; sent > most {
				t.Errorf("%d requests during the outage, want at most %d", sent, most)
			}
			if n := w.count(OutcomeRetried); n > away.most || w.count(OutcomeBuried) > 0 {
				t.Errorf("%d attempts counted and %d tasks were given up during the outage, want at most %d and none", n, w.count(OutcomeBuried), away.most)
			}
			away.end(f)
			w.clock.Advance(time.Hour) // more than any pause and any retry
			for n := 1; n > 0; {
				var err error
				if n, err = worker.RunOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.count(OutcomeProcessed); n != minutes*perMinute {
				t.Errorf("%d items processed, want %d (%s)", n, minutes*perMinute, w.outcomes())
			}
		})
	}
}

// An item whose source withdrew its consent after the claim does not leave.
func TestWorkerPushesNothingThatWasWithdrawn(t *testing.T) {
	w, f := newWorld(t), aifake.New(t)
	m := newTestModule(t, w.clock, nil, AIConfig{URL: f.URL(), Allowed: func(ctx context.Context, source string) (bool, error) {
		consents, err := w.db.Consents(ctx, []string{source})
		return consents[source].AIProcessing.Allowed, err
	}})
	worker := w.worker(m, Config{Concurrency: 1})
	first, second := w.add(kgl.LaneAI, sentence), w.add(kgl.LaneAI, sentence)
	f.Script(aifake.Extract, aifake.Then(func() {
		_, _, err := w.db.DecideConsents(t.Context(), w.source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: false}, "ada", w.clock.Now())
		if err != nil {
			t.Error(err)
		}
	}, aifake.Serve()))
	w.runOnce(worker, 2)
	if n := len(f.Requests(aifake.Extract)); n != 1 {
		t.Errorf("%d items were sent, want the one before the withdrawal", n)
	}
	w.want("entities", w.entities())
	for _, id := range []string{first.ID, second.ID} {
		w.wantStatus(id, kgl.ContentNew)
	}
}

// always returns a change of the fake.
func always(step aifake.Step) func(*aifake.Fake) {
	return func(f *aifake.Fake) { f.Always(step) }
}

// count returns how many tasks ended so.
func (w *world) count(o Outcome) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.metrics[o]
}
