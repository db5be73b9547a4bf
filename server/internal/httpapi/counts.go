package httpapi

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	// countingShare is the part of the time, one in so many, that may go into
	// counting when dashboards are polled.
	countingShare = 20
	// maxCountsAge bounds how old the counts of an answer may be.
	maxCountsAge = 10 * time.Second
	// cheapCounts is how long counting may take without being shared, so that on
	// a small installation everybody sees what they just wrote.
	cheapCounts = 5 * time.Millisecond
)

// sharedCounts counts for all callers together, one count at a time. Counting
// goes through whole indexes, so its cost grows with the installation: the
// longer it took, the longer its outcome is given to others. It is safe for
// concurrent use.
type sharedCounts[T any] struct {
	count func(ctx context.Context, now time.Time) (T, error)
	clock kgl.Clock

	turn  chan struct{} // held by who counts, and reads or writes what follows
	last  T
	since time.Time // when last was counted
	until time.Time // when it is too old
}

func newSharedCounts[T any](count func(ctx context.Context, now time.Time) (T, error), clock kgl.Clock) *sharedCounts[T] {
	return &sharedCounts[T]{count: count, clock: clock, turn: make(chan struct{}, 1)}
}

// get returns the counts, which tell when they were taken. The caller must not
// change them.
func (s *sharedCounts[T]) get(ctx context.Context) (counts T, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return counts, ctx.Err()
	}
	now := s.clock.Now()
	// A clock that was set back must not keep the counts alive.
	if !now.Before(s.since) && now.Before(s.until) {
		return s.last, nil
	}
	if counts, err = s.count(ctx, now); err != nil {
		return counts, err
	}
	end := s.clock.Now()
	if took := end.Sub(now); took > cheapCounts {
		s.last, s.since, s.until = counts, now, end.Add(min(took*countingShare, maxCountsAge))
	}
	return counts, nil
}
