package enrich

import (
	"context"
	"sync"
)

// firstLimit is how many calls at once a limiter begins with.
const firstLimit = 16

// limiter bounds how many calls are under way at once. It finds out how many the
// module bears: from firstLimit on, every success allows one more, until the
// module is overloaded for the first time; each overload halves the bound, and
// from then on about one call more is allowed for each round of calls that
// succeeded (additive increase, multiplicative decrease, as in RFC 5681). A
// bound that is not reached does not grow.
type limiter struct {
	most int
	tell func(busy, limit int) // may be nil

	mu     sync.Mutex
	limit  float64
	resume float64 // the limit after the next success; 0: one more
	probed bool    // the module was overloaded once
	busy   int
	round  int // grows with every decrease
	queue  []chan struct{}
}

func newLimiter(most int, tell func(busy, limit int)) *limiter {
	l := &limiter{most: most, limit: float64(min(most, firstLimit)), tell: tell}
	l.show()
	return l
}

// acquire waits for a place and returns the round that it was taken in, or
// false when ctx ends first.
func (l *limiter) acquire(ctx context.Context) (round int, ok bool) {
	l.mu.Lock()
	if l.busy < int(l.limit) && len(l.queue) == 0 {
		defer l.mu.Unlock()
		return l.take(), true
	}
	turn := make(chan struct{})
	l.queue = append(l.queue, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.round, true
	case <-ctx.Done():
		l.leave(turn)
		return 0, false
	}
}

// take counts a place as taken; mu is held.
func (l *limiter) take() int {
	l.busy++
	l.show()
	return l.round
}

// leave ends the wait of a caller, who may have been given a place meanwhile.
func (l *limiter) leave(turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, waiting := range l.queue {
		if waiting == turn {
			l.queue = append(l.queue[:i], l.queue[i+1:]...)
			return
		}
	}
	l.busy--
	l.admit()
}

// load says what a call tells of the load of the module.
type load int

const (
	loadUnknown load = iota
	loadFine
	loadTooMuch
)

// release gives a place back that was taken in a round.
func (l *limiter) release(round int, found load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case found == loadTooMuch && round == l.round: // one decrease for all calls that met the same overload
		l.limit = max(float64(min(l.busy, int(l.limit)))/2, 1)
		l.probed = true
		l.round++
	case found == loadFine && l.resume > 0:
		l.limit, l.resume = l.resume, 0
	case found != loadFine || l.busy < int(l.limit):
	case l.probed:
		l.limit = min(l.limit+1/l.limit, float64(l.most))
	default:
		l.limit = min(l.limit+1, float64(l.most))
	}
	l.busy--
	l.admit()
}

// admit lets those who wait in as far as there is room; mu is held.
func (l *limiter) admit() {
	for len(l.queue) > 0 && l.busy < int(l.limit) {
		close(l.queue[0])
		l.queue = l.queue[1:]
		l.busy++
	}
	l.show()
}

// restart allows one call for a module that was away; once it succeeds, as many
// as at the beginning.
func (l *limiter) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit, l.resume, l.probed = 1, float64(min(l.most, firstLimit)), false
	l.round++
	l.show()
}

func (l *limiter) show() {
	if l.tell != nil {
		l.tell(l.busy, int(l.limit))
	}
}
