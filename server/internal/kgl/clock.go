package kgl

import (
	"sync"
	"time"
)

// Clock tells the time. Only main holds the system's clock; everything else
// is given one, so that time can be set in tests.
type Clock interface {
	// Now returns the current time in UTC, truncated to the microsecond, which
	// is the precision that both databases keep.
	Now() time.Time
}

// ClockFunc makes a Clock of a function such as time.Now. The result is
// converted to UTC and truncated to the microsecond.
type ClockFunc func() time.Time

// Now implements Clock.
func (f ClockFunc) Now() time.Time { return f().UTC().Truncate(time.Microsecond) }

// FakeClock is a Clock for tests: it stands still until it is advanced.
type FakeClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewFakeClock returns a FakeClock that shows t.
func NewFakeClock(t time.Time) *FakeClock {
	return &FakeClock{now: t.UTC().Truncate(time.Microsecond)}
}

// Now implements Clock.
func (c *FakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *FakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d).Truncate(time.Microsecond)
}
