package ingest

import "time"

// Schedule is the policy by which the next fetch of a source is decided; see
// [Schedule.Decide]. A field that is zero takes the value of DefaultSchedule.
type Schedule struct {
	Interval time.Duration // of feeds whose rhythm is not known, unless the source sets its own
	// Min and Max bound what is decided from the rhythm of a feed; Max bounds
	// also how long a fresh answer or a ttl is believed. Where Interval is
	// outside of them, they are widened to it.
	Min, Max   time.Duration
	MaxDelay   time.Duration // upper bound of what a server asks for with Retry-After
	RetryFirst time.Duration // bound of the delay after the first failure; twice that with each further one
	RetryMax   time.Duration // where it stops growing
	Jitter     float64       // share of an interval that is added at random, 0 to 1

	// Random returns a number in [0, 1) for the jitter and is safe for
	// concurrent use, such as math/rand/v2.Float64. Nil means no jitter.
	Random func() float64
}

// DefaultSchedule returns the schedule of a new installation: hourly until the
// rhythm of a feed is known, then between a quarter of an hour and a day;
// retries within 5 minutes doubling up to a day, and at most a day when a server
// asks for patience.
func DefaultSchedule(random func() float64) Schedule {
	return Schedule{
		Interval:   time.Hour,
		Min:        15 * time.Minute,
		Max:        24 * time.Hour,
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
		{&s.Interval, d.Interval}, {&s.Min, d.Min}, {&s.Max, d.Max}, {&s.MaxDelay, d.MaxDelay},
		{&s.RetryFirst, d.RetryFirst}, {&s.RetryMax, d.RetryMax},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	s.Min, s.Max = min(s.Min, s.Interval), max(s.Max, s.Interval)
	return s
}

// random returns a number in [0, 1), or fallback where there is no chance.
func (s Schedule) random(fallback float64) float64 {
	if s.Random == nil {
		return fallback
	}
	return s.Random()
}
