package enrich

import (
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	// tripAfter failures in a row open the breaker; one does when it was open
	// before and no call succeeded since.
	tripAfter = 5
	// The breaker stays open for breakMin, and twice as long each time that it
	// opens again before a call succeeded, up to breakMax.
	breakMin = 5 * time.Second
	breakMax = time.Minute
	// probeWait is how long others wait while one asks whether calls succeed again.
	probeWait = time.Second
)

// errNeutral marks the end of a call that says nothing about the module: it was
// stopped from here, or the module is alive and busy.
var errNeutral = errors.New("enrich: neither a success nor a failure")

// breaker keeps calls back from a module that fails them. The library counts
// and decides; how long calls are kept back is measured here, on the clock that
// all times are on, and is also what the module itself may ask for.
type breaker struct {
	clock   kgl.Clock
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	tell    func(open bool) // may be nil

	mu    sync.Mutex
	until time.Time // no call before
	trips int       // since the last success
	ask   bool      // for the module's health, before the next call
}

func newBreaker(clock kgl.Clock, tell func(open bool)) *breaker {
	b := &breaker{clock: clock, tell: tell}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       time.Nanosecond, // the time is kept in until
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter || b.failing() },
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
		OnStateChange: b.changed,
	})
	return b
}

// changed is called by the library, which holds its own lock.
func (b *breaker) changed(_ string, _, to gobreaker.State) {
	if to == gobreaker.StateOpen {
		b.mu.Lock()
		pause := breakMax
		if b.trips < 10 { // beyond, the shift would exceed breakMax by far
			pause = min(breakMin<<b.trips, breakMax)
		}
		b.trips++
		b.mu.Unlock()
		b.pause(pause)
	}
	if b.tell != nil && to != gobreaker.StateHalfOpen {
		b.tell(to == gobreaker.StateOpen)
	}
}

// failing reports whether no call succeeded since the breaker opened.
func (b *breaker) failing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trips > 0
}

// askFirst makes the next call wait for good news about the module's health.
func (b *breaker) askFirst() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ask = true
}

// pause keeps calls back for at least d from now on.
func (b *breaker) pause(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.clock.Now().Add(d); until.After(b.until) {
		b.until = until
	}
}

// wait returns how long calls are kept back; 0: they are not.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.until.Sub(b.clock.Now()), 0)
}

// closed reports whether calls succeed, as far as is known.
func (b *breaker) closed() bool { return b.circuit.State() == gobreaker.StateClosed }

// begin allows one call, whose end is told to done: nil, errNeutral, or the
// failure. It is false while calls are kept back.
func (b *breaker) begin() (done func(error), ok bool) {
	if b.wait() > 0 || !b.closed() {
		return nil, false
	}
	told, err := b.circuit.Allow()
	if err != nil {
		return nil, false
	}
	return func(err error) {
		if err == nil {
			b.mu.Lock()
			b.trips = 0
			b.mu.Unlock()
		}
		told(err)
	}, true
}

// probe closes a breaker whose time is over when ask succeeds, and returns how
// long calls are still kept back. Of several callers one asks.
func (b *breaker) probe(ask func() error) time.Duration {
	if wait := b.wait(); wait > 0 {
		return wait
	}
	if !b.closed() {
		told, err := b.circuit.Allow()
		if err != nil {
			return probeWait
		}
		told(ask())
		if !b.closed() {
			return max(b.wait(), probeWait)
		}
		return 0
	}
	b.mu.Lock()
	due := b.ask
	b.ask = false // only one asks
	b.mu.Unlock()
	if due && ask() != nil {
		b.askFirst()
		b.pause(busyPause)
	}
	return b.wait()
}
