package ingest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestFullDisk fetches while nothing can be stored: the worker tries again
// later and later, fetches nothing in between, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one|a")))
		full := true
		w.faults.before = func(call string, _ any) error {
			if call == "FinishFetch" && full {
				return kgl.Errorf(kgl.CodeStorageFull, "the disk is full")
			}
			return nil
		}
		for n, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			w.want("hosts", w.round(worker), 1)
			w.want("requests", w.web.asked(), n+1)
			w.clock.Advance(pause*time.Second - time.Millisecond)
			w.want("hosts while the disk is full", w.round(worker), 0)
			w.clock.Advance(time.Millisecond)
		}
		w.want("items", w.titles(src.ID), "")
		full = false
		w.round(worker)
		w.want("items", w.titles(src.ID), "one")
		w.want("fetches", len(w.fetches(src.ID)), 1)
		w.want("status", w.source(src.ID).Status, kgl.SourceActive)
		w.want("pause", worker.rest.left(w.clock.Now()), time.Duration(0))
	})
}

// TestClaimsThatFail lets the database be away when hosts are claimed: it is
// asked again within seconds.
func TestClaimsThatFail(t *testing.T) {
	var r rest
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	away := kgl.Errorf(kgl.CodeUnavailable, "away")
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
		r.begin(at, away)
		r.begin(at.Add(want/2), away) // another host, the same outage
		if got := r.left(at); got != want {
			t.Fatalf("the worker rests for %s, want %s", got, want)
		}
		at = at.Add(want)
	}
	r.end()
	if r.begin(at, away); r.left(at) != time.Second {
		t.Errorf("the pause after a success is %s", r.left(at))
	}
}
