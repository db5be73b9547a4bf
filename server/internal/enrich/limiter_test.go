package enrich

import (
	"context"
	"sync"
	"testing"
	"time"
)

// fill takes all places and returns how many there were.
func fill(t *testing.T, l *limiter) (n, round int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		at, ok := l.acquire(ctx)
		if !ok {
			return n, round
		}
		n, round = n+1, at
	}
}

// turnOver takes all places, gives them back with what was found, and returns
// how many there were.
func turnOver(t *testing.T, l *limiter, found load) int {
	n, round := fill(t, l)
	for range n {
		l.release(round, found)
	}
	return n
}

func TestLimiterFindsItsBound(t *testing.T) {
	l := newLimiter(100, nil)
	got := []int{}
	for range 5 {
		got = append(got, turnOver(t, l, loadFine))
	}
	if got[0] != firstLimit || got[1] <= got[0] || got[4] <= got[3] && got[4] != 100 {
		t.Errorf("rounds of %v", got)
	}
	for turnOver(t, l, loadFine) < 100 {
	}
	if n := turnOver(t, l, loadFine); n != 100 {
		t.Errorf("%d places, want at most 100", n)
	}
	turnOver(t, l, loadTooMuch)
	if n := turnOver(t, l, loadUnknown); n != 50 { // halved once for the whole round
		t.Errorf("%d places after an overload, want 50", n)
	}
	turnOver(t, l, loadFine)
	if n := turnOver(t, l, loadUnknown); n != 50 && n != 51 {
		t.Errorf("%d places a round later, want about one more than 50", n)
	}
	for range 20 {
		turnOver(t, l, loadTooMuch)
	}
	if n := turnOver(t, l, loadUnknown); n != 1 {
		t.Errorf("%d places, want 1 at least", n)
	}
}

// A bound that is not reached says nothing about what the module bears.
func TestLimiterDoesNotGrowUnused(t *testing.T) {
	l := newLimiter(100, nil)
	for range 50 {
		round, _ := l.acquire(t.Context())
		l.release(round, loadFine)
	}
	if n := turnOver(t, l, loadUnknown); n != firstLimit {
		t.Errorf("%d places, want %d", n, firstLimit)
	}
}

// After an outage one call finds out whether it is over.
func TestLimiterRestarts(t *testing.T) {
	l := newLimiter(100, nil)
	turnOver(t, l, loadFine)
	l.restart()
	for range 2 {
		if n := turnOver(t, l, loadUnknown); n != 1 {
			t.Errorf("%d places, want 1", n)
		}
	}
	turnOver(t, l, loadFine)
	if n := turnOver(t, l, loadFine); n != firstLimit {
		t.Errorf("%d places, want %d", n, firstLimit)
	}
	if n := turnOver(t, l, loadFine); n <= firstLimit {
		t.Errorf("%d places, want more", n)
	}
}

func TestLimiterHoldsItsBound(t *testing.T) {
	l := newLimiter(4, nil)
	var mu sync.Mutex
	busy, peak, cancelled := 0, 0, 0
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%5 == 0 { // gives up while it waits, or just when it gets a place
				timer := time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
				defer timer.Stop()
			}
			round, ok := l.acquire(ctx)
			mu.Lock()
			if !ok {
				cancelled++
				mu.Unlock()
				return
			}
			busy++
			peak = max(peak, busy)
			mu.Unlock()
			mu.Lock()
			busy--
			mu.Unlock()
			l.release(round, loadFine)
		})
	}
	group.Wait()
	if peak > 4 {
		t.Errorf("%d at once, want at most 4", peak)
	}
	if l.busy != 0 || len(l.queue) != 0 {
		t.Errorf("%d places are still taken, %d wait", l.busy, len(l.queue))
	}
	if n := turnOver(t, l, loadUnknown); n != 4 {
		t.Errorf("%d places are left, want 4 (%d gave up)", n, cancelled)
	}
}
