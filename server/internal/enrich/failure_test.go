package enrich

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// failing is an extractor that fails with what it holds.
func failing(f *Failure) fake {
	return func(context.Context, kgl.Content) (kgl.Extraction, error) { return kgl.Extraction{}, f }
}

func TestWorkerGivesUpAtOnceWhatWillNeverDo(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	w.runOnce(w.worker(failing(&Failure{Blame: BlameItem, Err: errors.New("no model for this language")}), Config{}), 1)
	w.wantStatus(c.ID, kgl.ContentFailed)
	w.want("events", w.events(), "content.failed")
	if got := w.outcomes(); got != "map[buried:1]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestWorkerRetriesWhenTheExtractorSays(t *testing.T) {
	w := newWorld(t)
	w.add("fake", "text")
	worker := w.worker(failing(&Failure{After: 7 * time.Minute, Err: errors.New("later")}), Config{})
	w.runOnce(worker, 1)
	w.clock.Advance(7*time.Minute - time.Microsecond)
	w.runOnce(worker, 0)
	w.clock.Advance(time.Microsecond)
	w.runOnce(worker, 1)
	if got := w.outcomes(); got != "map[retried:2]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestWorkerCountsNoAttemptAtAnExtractorThatCannotWork(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	worker := w.worker(failing(&Failure{Blame: BlameExtractor, Err: errors.New("down")}), Config{MaxAttempts: 2})
	for range 10 {
		w.runOnce(worker, 1)
	}
	if got := w.outcomes(); got != "map[released:10]" {
		t.Errorf("outcomes %s", got)
	}
	w.wantStatus(c.ID, kgl.ContentNew)
	w.wantNotAttempted("fake", c.ID)
}

// An item that brings down whoever reads it is not excused for ever.
func TestWorkerGivesUpWhatBringsTheExtractorDown(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	worker := w.worker(failing(&Failure{Blame: BlameExtractor, Seen: true, Err: errors.New("down")}), Config{MaxAttempts: 2, RetryBase: time.Second})
	w.runOnce(worker, 1)
	w.runOnce(worker, 1) // excused once, then counted
	w.clock.Advance(time.Hour)
	for range 2 {
		w.runOnce(worker, 1)
	}
	w.wantStatus(c.ID, kgl.ContentFailed)
	if got := w.outcomes(); got != "map[buried:1 released:2 retried:1]" {
		t.Errorf("outcomes %s", got)
	}
}

// paced is an extractor that is not always ready.
type paced struct {
	fake
	wait func() time.Duration
}

func (p paced) Ready(context.Context) time.Duration { return p.wait() }

func TestWorkerClaimsNothingWhileTheExtractorIsNotReady(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	wait := time.Minute
	worker := w.worker(paced{fake(whole), func() time.Duration { return wait }}, Config{PollInterval: 2 * time.Second})
	w.runOnce(worker, 0)
	w.wantStatus(c.ID, kgl.ContentNew)
	if got := worker.untilNext(t.Context()); got != 2*time.Second {
		t.Errorf("looks again in %v, want in 2s", got)
	}
	wait = 0
	w.runOnce(worker, 1)
	w.wantStatus(c.ID, kgl.ContentProcessed)
}
