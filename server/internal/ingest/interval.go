package ingest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The rules by which a next fetch is decided. The names are part of the API.
const (
	RuleOwnInterval = "own_interval" // a person set the interval of the source
	RuleAdaptive    = "adaptive"     // half the gap between two items of the feed
	RuleDefault     = "default"      // the rhythm of the feed is not known
	RuleCache       = "cache"        // the server says that its answer stays fresh for longer
	RuleTTL         = "ttl"          // the feed asks for a longer time between two requests
	RuleSkip        = "skip"         // the feed asks not to be read at some hours or days
	RuleBackoff     = "backoff"      // the last fetches failed
	RuleThrottled   = "throttled"    // the server asks for patience and names no time
	RuleRetryAfter  = "retry_after"  // the server names a time
	RuleConfirmGone = "confirm_gone" // the server said once that the feed is gone
	RuleGone        = "gone"         // it said so again: not fetched any more
	RuleDead        = "dead"         // failed for months: looked after once a month
)

// The bounds that are not configurable.
const (
	minRetryAfter = time.Minute         // of a server that names a shorter time
	confirmGone   = 24 * time.Hour      // between two answers 410 that retire a source
	deadAfter     = 90 * 24 * time.Hour // of failures alone, after which a source is dead
	deadFailures  = 30                  // in a row, at least
	probeDead     = 30 * 24 * time.Hour // between two looks at a dead source
	maxSkipJitter = 15 * time.Minute    // after the end of hours that a feed skips
	silenceShare  = 3                   // the part of a silence that counts as a gap: one third
)

// Fate says whether a source that failed may be heard of again.
type Fate string

// The fates of a source.
const (
	FateNone     Fate = ""          // the usual: it is tried again
	FateDoubtful Fate = "doubtful"  // it answered 410, and is asked once more
	FateGone     Fate = "withdrawn" // it answered 410 again
	FateDead     Fate = "dead"      // it failed for months
)

// Situation is all that Decide looks at. Failures is 0 after a success.
type Situation struct {
	Now        time.Time
	Own        time.Duration // interval that a person set; 0: none
	Hints      kgl.FeedHints
	Gap        time.Duration // between two items by the feed's rhythm; 0: not known
	Newest     *time.Time    // when the newest item was published
	Failures   int64         // in a row
	Throttled  bool          // the last of them was an answer that asks for patience
	RetryAfter time.Duration // that it named; 0: none
	Fate       Fate
}

// Plan is what was decided, and when it is done. Next is nil when the source is
// not fetched any more.
type Plan struct {
	kgl.FetchDecision
	Next *time.Time
}

// Decide returns when a source is fetched next, and why: see
// docs/decisions/0019-fetching.md. It depends on nothing but s, the situation
// and Random.
func (s Schedule) Decide(at Situation) Plan {
	switch {
	case at.Fate == FateGone:
		return Plan{FetchDecision: kgl.FetchDecision{Rule: RuleGone, At: at.Now,
			Reason: "Not asked again: the server said twice, a day apart, that the feed is gone. A refresh asks once more"}}
	case at.Fate == FateDoubtful:
		return s.at(at, RuleConfirmGone, confirmGone, s.jitter(confirmGone), "the server says that the feed is gone for good, which is checked once")
	case at.Fate == FateDead:
		return s.at(at, RuleDead, probeDead, s.jitter(probeDead), "it failed for months, and is looked after once a month")
	case at.Failures > 0:
		return s.afterFailure(at)
	}
	return s.afterSuccess(at)
}

// at makes a plan of an interval and the jitter on top of it.
func (s Schedule) at(at Situation, rule string, interval, jitter time.Duration, why string) Plan {
	next := at.Now.Add(interval + jitter)
	return Plan{Next: &next, FetchDecision: kgl.FetchDecision{
		Rule: rule, Interval: int64(interval / time.Second), At: at.Now,
		Reason: fmt.Sprintf("Asked again after %s: %s", InWords(interval), why),
	}}
}

// jitter returns what is added at random to an interval, so that what happened
// at the same time does not for ever.
func (s Schedule) jitter(d time.Duration) time.Duration {
	return time.Duration(s.random(0) * s.Jitter * float64(d))
}

// afterSuccess stretches the interval to what the server and the feed ask for.
// A source's own interval is obeyed as it is.
func (s Schedule) afterSuccess(at Situation) Plan {
	if at.Own > 0 {
		return s.at(at, RuleOwnInterval, at.Own, s.jitter(at.Own), "that is the interval set for this source")
	}
	interval, rule, why := s.usual(at)
	ttl, fresh := s.bounded(at.Hints.TTL), s.bounded(at.Hints.Fresh)
	switch {
	case ttl > interval && ttl >= fresh:
		interval, rule, why = ttl, RuleTTL, "the feed asks for that time between two requests"
	case fresh > interval:
		interval, rule, why = fresh, RuleCache, "the server says that its answer stays fresh for so long"
	case max(ttl, fresh) > 0:
		why += "; the server allows " + InWords(max(ttl, fresh))
	}
	p := s.at(at, rule, interval, s.jitter(interval), why)
	s.skip(&p, at.Hints, why)
	return p
}

// usual returns how often a feed is fetched by its rhythm: twice in the time
// between two items. A silence that is long for the feed counts as a longer
// gap, so that a feed which has ended is asked less and less, down to Max; one
// new item ends that. Where the rhythm is not known, the default counts instead.
func (s Schedule) usual(at Situation) (interval time.Duration, rule, why string) {
	interval, rule, why = s.Interval, RuleDefault, "that is the default, as the rhythm of the feed is not known"
	if at.Gap > 0 {
		interval, rule, why = max(at.Gap/2, s.Min), RuleAdaptive, "the feed publishes about every "+roughly(at.Gap)
	}
	if silence := at.silence(); silence/silenceShare/2 > interval {
		interval, rule = silence/silenceShare/2, RuleAdaptive
		if at.Gap > 0 {
			why += " and has been silent for " + roughly(silence)
		} else {
			why = "the feed has been silent for " + roughly(silence)
		}
	}
	interval = min(interval, s.Max).Truncate(time.Second)
	switch {
	case rule == RuleDefault:
	case interval == s.Min:
		why += ", and this is the shortest interval"
	case interval == s.Max:
		why += ", and this is the longest interval"
	}
	return interval, rule, why
}

// silence returns for how long the feed has brought nothing new; 0 when that is
// not known.
func (at Situation) silence() time.Duration {
	if at.Newest == nil {
		return 0
	}
	return max(at.Now.Sub(*at.Newest), 0)
}

func (s Schedule) bounded(seconds int64) time.Duration {
	if seconds <= 0 {
		return 0
	}
	if seconds > int64(s.Max/time.Second) {
		return s.Max
	}
	return time.Duration(seconds) * time.Second
}

// afterFailure returns the delay after failures in a row: at random between half
// of the first bound and a bound that doubles with each of them, so that those
// who failed together do not come back together. It is never less than what the
// server named with Retry-After, and with an answer that only asks for patience
// never less than the usual interval.
func (s Schedule) afterFailure(at Situation) Plan {
	bound, most := s.RetryFirst, max(s.RetryMax, at.Own)
	for i := int64(1); i < at.Failures && bound < most; i++ {
		bound *= 2
	}
	bound = min(bound, most)
	least := min(s.RetryFirst/2, bound)
	delay := (least + time.Duration(s.random(1)*float64(bound-least))).Truncate(time.Second)
	named := time.Duration(0)
	if at.RetryAfter > 0 {
		named = min(max(at.RetryAfter, minRetryAfter), s.MaxDelay)
	}
	switch {
	case named >= delay:
		return s.at(at, RuleRetryAfter, named, 0, "the server asks for that patience")
	case at.Throttled && named == 0 && delay < s.patience(at):
		return s.at(at, RuleThrottled, s.patience(at), 0, "the server asks for patience, and names no time")
	}
	return s.at(at, RuleBackoff, delay, 0, lastFetches(at.Failures))
}

// lastFetches says how many fetches in a row failed.
func lastFetches(failures int64) string {
	if failures == 1 {
		return "the last fetch failed"
	}
	return fmt.Sprintf("the last %d fetches failed", failures)
}

// patience returns how long a server is left alone that asks for it and names no
// time: as long as if nothing had happened.
func (s Schedule) patience(at Situation) time.Duration {
	if at.Own > 0 {
		return at.Own
	}
	interval, _, _ := s.usual(at)
	return interval
}

// skip moves a plan out of the hours and days at which the feed asks not to be
// read, and a little further at random: others wait for the same hour. A feed
// that names all of them is not believed.
func (s Schedule) skip(p *Plan, hints kgl.FeedHints, why string) {
	to, moved := afterSkipped(*p.Next, hints)
	if !moved {
		return
	}
	to = to.Add(time.Duration(s.random(0) * float64(maxSkipJitter)))
	interval := to.Sub(p.At).Truncate(time.Minute)
	p.Next = &to
	p.Rule, p.Interval = RuleSkip, int64(interval/time.Second)
	p.Reason = fmt.Sprintf("Asked again after %s: the feed asks not to be read before %s; else %s",
		InWords(interval), to.UTC().Format("Mon 15:04 UTC"), why)
}

// afterSkipped returns the first time from t on that the hints allow, and
// whether that is another one.
func afterSkipped(t time.Time, hints kgl.FeedHints) (time.Time, bool) {
	if len(hints.SkipHours)+len(hints.SkipDays) == 0 {
		return t, false
	}
	skipped := func(t time.Time) bool {
		return slices.Contains(hints.SkipHours, t.Hour()) || slices.Contains(hints.SkipDays, int(t.Weekday()))
	}
	at := t.UTC()
	for range 7*24 + 1 {
		if !skipped(at) {
			return at, !at.Equal(t)
		}
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return t, false
}

// InWords writes an interval for people: "15 min", "1 h 30 min", "3 days".
func InWords(d time.Duration) string {
	if d > 0 && d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	var parts []string
	add := func(unit time.Duration, one, many string) {
		n := int(d / unit)
		d -= time.Duration(n) * unit
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	if d >= 48*time.Hour {
		add(24*time.Hour, "day", "days")
	}
	add(time.Hour, "h", "h")
	add(time.Minute, "min", "min")
	return strings.Join(parts[:min(2, len(parts))], " ")
}

// roughly writes a time in one unit: "8 hours", "3 days".
func roughly(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		from time.Duration
		word string
	}{
		{24 * time.Hour, 36 * time.Hour, "days"}, {time.Hour, 90 * time.Minute, "hours"}, {time.Minute, 0, "minutes"},
	} {
		if d >= u.from {
			return fmt.Sprintf("%d %s", int((d+u.unit/2)/u.unit), u.word)
		}
	}
	return ""
}
