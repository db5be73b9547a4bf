package ingest

import (
	"testing"
	"time"
)

func testSchedule(random float64) Schedule {
	return DefaultSchedule(func() float64 { return random })
}

func TestAfterSuccess(t *testing.T) {
	for _, tc := range []struct {
		name       string
		own, asked time.Duration
		random     float64
		want       time.Duration
	}{
		{"the default interval", 0, 0, 0, time.Hour},
		{"jitter adds at most a tenth", 0, 0, 1, 66 * time.Minute},
		{"half of the jitter", 0, 0, 0.5, 63 * time.Minute},
		{"a server that asks for less is asked as usual", 0, time.Minute, 0, time.Hour},
		{"a server that asks for more is obeyed", 0, 3 * time.Hour, 0, 3 * time.Hour},
		{"within a bound", 0, 1000 * time.Hour, 0, 24 * time.Hour},
		{"the source's own interval is obeyed", 10 * time.Minute, 3 * time.Hour, 0, 10 * time.Minute},
		{"also a long one", 7 * 24 * time.Hour, 0, 0, 7 * 24 * time.Hour},
	} {
		if have := testSchedule(tc.random).AfterSuccess(tc.own, tc.asked); have != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, have, tc.want)
		}
	}
}

func TestAfterFailure(t *testing.T) {
	for _, tc := range []struct {
		name       string
		failures   int64
		retryAfter time.Duration
		random     float64
		want       time.Duration
	}{
		{"the first", 1, 0, 0, 5 * time.Minute},
		{"the second", 2, 0, 0, 10 * time.Minute},
		{"the fifth", 5, 0, 0, 80 * time.Minute},
		{"the bound", 10, 0, 0, 24 * time.Hour},
		{"no overflow", 1 << 40, 0, 0, 24 * time.Hour},
		{"jitter", 2, 0, 1, 11 * time.Minute},
		{"jitter at the bound", 100, 0, 1, 26*time.Hour + 24*time.Minute},
		{"Retry-After is a lower bound", 1, time.Hour, 0, time.Hour},
		{"and only that", 5, time.Minute, 0, 80 * time.Minute},
		{"clamped", 1, 10000 * time.Hour, 0, 24 * time.Hour},
		{"no failure counts as one", 0, 0, 0, 5 * time.Minute},
	} {
		if have := testSchedule(tc.random).AfterFailure(tc.failures, tc.retryAfter); have != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, have, tc.want)
		}
	}
}

func TestScheduleDefaults(t *testing.T) {
	s := Schedule{RetryFirst: time.Second}.withDefaults()
	want := DefaultSchedule(nil)
	if s.Interval != want.Interval || s.MaxDelay != want.MaxDelay || s.RetryFirst != time.Second || s.RetryMax != want.RetryMax {
		t.Errorf("defaults: %+v", s)
	}
	if d := (Config{}).withDefaults().Schedule.AfterSuccess(0, 0); d != time.Hour {
		t.Errorf("a worker without a schedule asks again after %v", d)
	}
}
