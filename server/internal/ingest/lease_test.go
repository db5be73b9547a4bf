package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

func TestSleeperCannotWrite(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src := w.add(feedURL)
		sleeper, other := w.worker(Config{Owner: "sleeper"}), w.worker(Config{Owner: "other"})
		asleep := false
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			if !asleep {
				// The lease runs out while the answer is under way, and another worker
				// does all of the work.
				asleep = true
				w.clock.Advance(sleeper.cfg.Lease)
				w.want("hosts of the other worker", w.round(other), 1)
				return answer(200, rss("stale", "old", "older")), nil
			}
			return answer(200, rss("fresh", "new")), nil
		})
		w.want("hosts of the sleeper", w.round(sleeper), 1)
		w.want("items", w.titles(src.ID), "new")
		w.want("title", w.source(src.ID).Title, "fresh")
		w.want("history", len(w.fetches(src.ID)), 1)
		w.want("events", w.events(), "source.created content.created")
	})
}

// The fallback to single items checks the lease with each of them.
func TestSleeperCannotWriteOneByOne(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, sleeper := w.add(feedURL), w.worker(Config{Owner: "sleeper"})
		w.web.serve(feedURL, answer(200, rss("alpha", "one", "bad", "two")))
		w.faults.before = func(call string, arg any) error {
			if call == "Source" { // asked after the first attempt, which failed
				w.clock.Advance(sleeper.cfg.Lease)
				leases, err := w.db.ClaimHosts(t.Context(), "other", w.clock.Now(), w.clock.Now().Add(time.Hour), 1)
				w.must(err)
				w.want("hosts of the other worker", len(leases), 1)
			}
			return refuseTitle("bad")(call, arg)
		}
		w.round(sleeper)
		w.want("attempts to store", w.faults.writes["CreateContents"], 2)
		w.want("items", w.titles(src.ID), "")
		w.want("history", len(w.fetches(src.ID)), 0)
		w.want("events", w.events(), "source.created")
	})
}

func TestStoppedBetweenFetchAndWrite(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		ctx, stop := context.WithCancel(t.Context())
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			stop()
			return answer(200, rss("alpha", "one")), nil
		})
		for _, l := range worker.claim(ctx, 1) {
			worker.workHost(ctx, l)
		}
		w.want("history", len(w.fetches(src.ID)), 0)
		w.want("due", w.source(src.ID).NextFetchAt, w.clock.Now())
		w.want("status", w.source(src.ID).Status, kgl.SourceActive)

		// The host was given back: nobody waits for the lease to run out.
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.want("hosts", w.round(w.worker(Config{Owner: "next"})), 1)
		w.want("items", w.titles(src.ID), "one")
	})
}

// What a crash leaves behind is a lease that runs out.
func TestCrashIsMadeUpFor(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.want("hosts of the one that crashes", len(worker.claim(t.Context(), 1)), 1)
		next := w.worker(Config{Owner: "next"})
		w.want("hosts while the lease lasts", w.round(next), 0)
		w.clock.Advance(worker.cfg.Lease)
		w.want("hosts after it", w.round(next), 1)
		w.want("items", w.titles(src.ID), "one")
	})
}

// Workers of several replicas, on connections of their own, fetch every due
// source once and never ask a host twice at the same time.
func TestReplicasShareTheWork(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const hosts, perHost = 6, 4
		for h := range hosts {
			for f := range perHost {
				url := fmt.Sprintf("https://h%d.example/%d", h, f)
				w.add(url)
				w.web.serve(url, answer(200, rss(fmt.Sprintf("feed %d-%d", h, f), "one", "two")))
			}
		}
		stored := make(chan struct{}, hosts*perHost)
		ctx, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 3 {
			worker := NewWorker(Config{Owner: fmt.Sprint("replica ", i), Workers: 2, Poll: 10 * time.Millisecond, Extractors: []string{"mock"}},
				w.open(), w.web, w.clock, w.ids, slog.New(slog.DiscardHandler), w.metrics, func() { stored <- struct{}{} })
			group.Go(func() { worker.Run(ctx) })
		}
		for range hosts * perHost {
			wait(t, stored, "not every source was fetched")
		}
		stop()
		group.Wait()
		w.want("requests", w.web.asked(), hosts*perHost)
		w.want("hosts that were asked twice at once", w.web.crowded, []string(nil))
		w.want("items", w.metrics.items.created, 2*hosts*perHost)
		list, err := w.db.Sources(t.Context(), kgl.SourceFilter{}, kgl.SourceNewestFirst, kgl.Page{Limit: 100})
		w.must(err)
		for _, s := range list.Rows {
			w.want("history of "+s.URL, len(w.fetches(s.ID)), 1)
		}
		// Nothing is held after a graceful stop.
		w.clock.Advance(2 * time.Hour)
		w.want("hosts that can be claimed", len(w.worker(Config{}).claim(t.Context(), 100)), hosts)
	})
}

func TestRunWakesAndStops(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		// A poll that never comes: only Wake brings the worker to look.
		stored := make(chan struct{}, 1)
		worker := NewWorker(Config{Owner: "w", Poll: time.Hour}, w.db, w.web, w.clock, w.ids, slog.New(slog.DiscardHandler), w.metrics,
			func() { stored <- struct{}{} })
		w.sources = NewSources(w.db, w.client(), w.clock, w.ids, worker.Wake)
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { worker.Run(ctx); close(ended) }()
		src := w.add(feedURL)
		wait(t, stored, "the new source was not fetched")

		// Stopping breaks a fetch off, records nothing and gives the host back.
		asked := make(chan struct{})
		w.web.enter = func(ctx context.Context, _ string) { close(asked); <-ctx.Done() }
		_, err := w.sources.Refresh(t.Context(), src.ID)
		w.must(err)
		wait(t, asked, "the refresh was not fetched")
		stop()
		wait(t, ended, "the worker did not stop")
		w.want("history", len(w.fetches(src.ID)), 1)
		w.want("hosts that can be claimed", len(w.worker(Config{}).claim(t.Context(), 1)), 1)
	})
}

func wait(t *testing.T, c <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal(otherwise)
	}
}

// At most ParseBudget bytes of documents are in work at once.
func TestParseBudget(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const hosts = 6
		page := rss("alpha", "one", "two")
		for i := range hosts {
			w.web.serve(w.add(fmt.Sprintf("https://h%d.example/feed", i)).URL, answer(200, page))
		}
		worker := w.worker(Config{ParseBudget: int64(len(page))})
		var mu sync.Mutex
		inWork, most := map[string]bool{}, 0
		w.faults.before = func(_ string, arg any) error {
			mu.Lock()
			defer mu.Unlock()
			switch v := arg.(type) {
			case string: // ContentStates: the document was read
				inWork[v] = true
				most = max(most, len(inWork))
			case kgl.FetchResult:
				delete(inWork, v.Fetch.SourceID)
			}
			return nil
		}
		var group sync.WaitGroup
		for _, l := range worker.claim(t.Context(), hosts) {
			group.Go(func() { worker.workHost(t.Context(), l) })
		}
		group.Wait()
		w.want("documents in work at once", most, 1)
		w.want("metrics", w.metrics.items, stored{created: 2 * hosts})
	})
}

// A lease is extended when a part of it has gone, not for every source.
func TestLeaseIsExtendedInTime(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{Lease: time.Minute})
		var until []time.Time // which the lease had during each fetch
		for n := range 6 {
			url := fmt.Sprintf("https://a.example/%d", n)
			w.add(url)
			w.web.script(url, func(outbound.Request) (*outbound.Response, error) {
				next, err := w.db.NextDueAt(t.Context()) // of a host that is leased: the end of the lease
				w.must(err)
				until = append(until, *next)
				w.clock.Advance(4 * time.Second)
				return answer(200, rss("alpha", "one")), nil
			})
		}
		w.round(worker)
		w.want("fetches", len(until), 6)
		for n, u := range until {
			if left := u.Sub(start.Add(time.Duration(n) * 4 * time.Second)); left < 54*time.Second {
				t.Errorf("fetch %d begins with %v left of the lease", n, left)
			}
		}
		w.want("ends of the lease", len(slices.Compact(until)), 3)
	})
}
