package ingest

import "time"

// Schedule decides when a source is fetched again. A duration that is zero
// takes the value of DefaultSchedule.
type Schedule struct {
	Interval   time.Duration // of a source that sets none
	MaxDelay   time.Duration // upper bound of whatever a server asks for
	RetryFirst time.Duration // delay after the first failure
	RetryMax   time.Duration // bound of the backoff
	Jitter     float64       // share of a delay that is added at random, 0 to 1

	// Random returns a number in [0, 1) for the jitter and is safe for
	// concurrent use, such as math/rand/v2.Float64. Nil means no jitter.
	Random func() float64
}

// DefaultSchedule returns the schedule of a new installation: hourly, retries
// after 5 minutes doubling up to a day, and at most a day when a server asks
// for patience.
func DefaultSchedule(random func() float64) Schedule {
	return Schedule{
		Interval:   time.Hour,
		MaxDelay:   24 * time.Hour,
		RetryFirst: 5 * time.Minute,
		RetryMax:   24 * time.Hour,
		Jitter:     0.1,
		Random:     random,
	}
}

func (s Schedule) withDefaults() Schedule {
	d := DefaultSchedule(nil)
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&s.Interval, d.Interval}, {&s.MaxDelay, d.MaxDelay}, {&s.RetryFirst, d.RetryFirst}, {&s.RetryMax, d.RetryMax},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return s
}

// AfterSuccess returns the delay after a fetch that succeeded. A source's own
// interval is obeyed; the default interval is stretched to what the server and
// the feed ask for.
func (s Schedule) AfterSuccess(own, asked time.Duration) time.Duration {
	delay := own
	if own <= 0 {
		delay = max(s.Interval, min(asked, s.MaxDelay))
	}
	return s.jittered(delay)
}

// AfterFailure returns the delay after the given number of failures in a row:
// exponential, bounded, and never less than the server asked for with
// Retry-After (bounded by MaxDelay).
func (s Schedule) AfterFailure(failures int64, retryAfter time.Duration) time.Duration {
	delay := s.RetryFirst
	for i := int64(1); i < failures && delay < s.RetryMax; i++ {
		delay *= 2
	}
	delay = s.jittered(min(delay, s.RetryMax))
	return max(delay, min(retryAfter, s.MaxDelay))
}

func (s Schedule) jittered(d time.Duration) time.Duration {
	if s.Random == nil {
		return d
	}
	return d + time.Duration(s.Random()*s.Jitter*float64(d))
}
