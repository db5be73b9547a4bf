package enrich

import (
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
)

// Its Retry-After keeps back all work, for as long as it says.
func TestAIModuleIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Script(aifake.Extract, aifake.Busy(429, 30))
	w.wantFailure(BlameExtractor, "too much to do")
	if got := w.module.Ready(t.Context()); got != 30*time.Second {
		t.Errorf("ready in %v, want 30s", got)
	}
	w.wantFailure(BlameExtractor, "its work waits")
	w.wantOutcome("extract held_back")
	w.clock.Advance(30 * time.Second)
	if got := w.module.Ready(t.Context()); got != 0 {
		t.Errorf("ready in %v, want now", got)
	}
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
	if n := len(w.Requests(aifake.Extract)); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// A module that is not ready is asked for its health before it gets more work.
func TestAIModuleIsAskedWhetherItIsReadyAgain(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Script(aifake.Extract, aifake.Busy(503, 30))
	w.wantFailure(BlameExtractor, "too much to do")
	w.clock.Advance(30 * time.Second)
	w.Script(aifake.GetHealth, aifake.Status(503, "still loading"), aifake.Status(503, "still loading"))
	for range 2 {
		if got := w.module.Ready(t.Context()); got != busyPause {
			t.Errorf("ready in %v, want %v", got, busyPause)
		}
		w.clock.Advance(busyPause)
	}
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
}

// A module that knows no such question is alive when it says so.
func TestAIModuleNeedsNoHealth(t *testing.T) {
	for _, status := range []int{401, 404, 405, 501} {
		w := newAIWorld(t, AIConfig{})
		w.Down()
		for range tripAfter {
			w.wantFailure(BlameExtractor, "cannot be reached")
		}
		w.clock.Advance(breakMin)
		w.Up()
		w.Health(aifake.Status(status, "what?"))
		if got := w.module.Ready(t.Context()); got != 0 {
			t.Errorf("status %d: ready in %v, want now", status, got)
		}
	}
}

// The breaker opens after failures in a row, asks for the health of the module
// before it lets work through, and waits longer each time that this does not help.
func TestAIModuleBreaker(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Status(500, "broken"))
	for range tripAfter - 1 {
		w.wantFailure(BlameAttempt, "broken")
	}
	f := w.wantFailure(BlameExtractor, "broken") // so many fail that the item is not to blame
	if !f.Seen {
		t.Error("the module has seen the item")
	}
	if !w.open {
		t.Error("the metrics were not told")
	}
	if got := deref(w.module.cause.Load()); !strings.Contains(got, "broken") {
		t.Errorf("the log says that it fails for %q", got)
	}
	for _, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		if got := w.module.Ready(t.Context()); got != wait {
			t.Fatalf("ready in %v, want %v", got, wait)
		}
		w.clock.Advance(wait)
		w.Script(aifake.GetHealth, aifake.Status(503, "still loading"))
		if got := w.module.Ready(t.Context()); got <= 0 {
			t.Fatal("ready although its health is bad")
		}
	}
	w.clock.Advance(time.Minute)
	if got := w.module.Ready(t.Context()); got != 0 || w.open {
		t.Fatalf("ready in %v although it is well again", got)
	}
	w.wantFailure(BlameExtractor, "broken") // no call succeeded since: one failure is enough
	if got := w.module.Ready(t.Context()); got != time.Minute {
		t.Errorf("ready in %v, want %v", got, time.Minute)
	}
	w.clock.Advance(time.Minute)
	w.Always(nil)
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
}

// Rejected texts say that the module is alive.
func TestAIModuleBreakerIgnoresWhatIsTheItemsFault(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Status(422, "no"))
	for range 3 * tripAfter {
		w.wantFailure(BlameItem, "no")
	}
}

// A URL that leads to something else must not empty the queue into the dead letters.
func TestAIModuleBreakerOpensOnAnswersOfSomethingElse(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Raw("<html>It works!</html>"))
	for range tripAfter - 1 {
		w.wantFailure(BlameItem, "breaks the contract")
	}
	w.wantFailure(BlameExtractor, "breaks the contract")
	w.wantFailure(BlameExtractor, "its work waits")
}
