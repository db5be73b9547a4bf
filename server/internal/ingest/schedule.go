package ingest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Schedule decides when a source is fetched again.
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

// FreshFor returns how long the answer says that it stays fresh: Cache-Control
// max-age less Age, else Expires (RFC 9111 sections 4.2.1 and 5.3); 0 when it
// does not say, or says no-cache or no-store. Absurd values are cut to limit.
func FreshFor(h http.Header, now time.Time, limit time.Duration) time.Duration {
	maxAge := time.Duration(-1)
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-cache", "no-store":
			return 0
		case "max-age":
			maxAge = seconds(strings.Trim(value, `"`), limit)
		}
	}
	if maxAge >= 0 {
		return max(0, maxAge-seconds(h.Get("Age"), limit))
	}
	if expires, err := http.ParseTime(h.Get("Expires")); err == nil {
		return max(0, min(expires.Sub(now), limit))
	}
	return 0
}

// RetryAfter returns the delay of a Retry-After header, in either of its forms
// (RFC 9110 section 10.2.3), cut to limit; 0 when there is none.
func RetryAfter(h http.Header, now time.Time, limit time.Duration) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), limit))
	}
	return max(0, seconds(value, limit))
}

// seconds parses a count of seconds, cut to limit, so that a huge value cannot
// overflow; 0 for what is not a number.
func seconds(text string, limit time.Duration) time.Duration {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		if isDigits(text) {
			return limit
		}
		return 0
	}
	if n > uint64(limit/time.Second) {
		return limit
	}
	return time.Duration(n) * time.Second
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
