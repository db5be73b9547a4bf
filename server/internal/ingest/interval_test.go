package ingest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// noon is a Sunday.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := noon.Add(-d); return &t }

const day = 24 * time.Hour

func TestDecideScenarios(t *testing.T) {
	hours := func(list ...int) kgl.FeedHints { return kgl.FeedHints{SkipHours: list} }
	for _, tc := range []struct {
		name   string
		at     Situation
		want   time.Duration
		rule   string
		reason string
	}{
		{"nothing is known", Situation{}, time.Hour, RuleDefault,
			"Asked again after 1 h: that is the default, as the rhythm of the feed is not known"},
		{"nothing is known, and nothing new for three days", Situation{Newest: ago(3 * day)}, 12 * time.Hour, RuleAdaptive,
			"Asked again after 12 h: the feed has been silent for 3 days"},
		{"nothing is known, and nothing new for an hour", Situation{Newest: ago(time.Hour)}, time.Hour, RuleDefault, ""},
		{"one item of last year", Situation{Newest: ago(400 * day)}, day, RuleAdaptive,
			"Asked again after 24 h: the feed has been silent for 400 days, and this is the longest interval"},
		{"a steady feed", Situation{Gap: 8 * time.Hour, Newest: ago(time.Hour), Hints: kgl.FeedHints{Fresh: 900}}, 4 * time.Hour, RuleAdaptive,
			"Asked again after 4 h: the feed publishes about every 8 hours; the server allows 15 min"},
		{"a quick feed", Situation{Gap: 5 * time.Minute, Newest: ago(time.Minute)}, 15 * time.Minute, RuleAdaptive,
			"Asked again after 15 min: the feed publishes about every 5 minutes, and this is the shortest interval"},
		{"a slow feed", Situation{Gap: 30 * day, Newest: ago(day)}, day, RuleAdaptive,
			"Asked again after 24 h: the feed publishes about every 30 days, and this is the longest interval"},
		{"an hourly feed in the morning", Situation{Gap: time.Hour, Newest: ago(9 * time.Hour)}, 90 * time.Minute, RuleAdaptive,
			"Asked again after 1 h 30 min: the feed publishes about every 60 minutes and has been silent for 9 hours"},
		{"a feed that ended", Situation{Gap: time.Hour, Newest: ago(400 * day)}, day, RuleAdaptive,
			"Asked again after 24 h: the feed publishes about every 60 minutes and has been silent for 400 days, and this is the longest interval"},
		{"a newest item that is in the future", Situation{Gap: 8 * time.Hour, Newest: ago(-time.Hour)}, 4 * time.Hour, RuleAdaptive,
			"Asked again after 4 h: the feed publishes about every 8 hours"},
		{"the source's own interval", Situation{Own: 10 * time.Minute, Gap: 8 * time.Hour, Hints: kgl.FeedHints{Fresh: 7200, TTL: 7200}}, 10 * time.Minute, RuleOwnInterval,
			"Asked again after 10 min: that is the interval set for this source"},
		{"a long one of its own", Situation{Own: 7 * day}, 7 * day, RuleOwnInterval, "Asked again after 7 days: that is the interval set for this source"},
		{"a fresh answer", Situation{Hints: kgl.FeedHints{Fresh: 7200}}, 2 * time.Hour, RuleCache,
			"Asked again after 2 h: the server says that its answer stays fresh for so long"},
		{"a ttl", Situation{Hints: kgl.FeedHints{TTL: 10800, Fresh: 7200}}, 3 * time.Hour, RuleTTL,
			"Asked again after 3 h: the feed asks for that time between two requests"},
		{"a ttl that is shorter than the rhythm", Situation{Gap: 8 * time.Hour, Hints: kgl.FeedHints{TTL: 3600}}, 4 * time.Hour, RuleAdaptive,
			"Asked again after 4 h: the feed publishes about every 8 hours; the server allows 1 h"},
		{"max-age of 9e18", Situation{Hints: kgl.FeedHints{Fresh: math.MaxInt64}}, day, RuleCache,
			"Asked again after 24 h: the server says that its answer stays fresh for so long"},
		{"a negative hint", Situation{Hints: kgl.FeedHints{Fresh: -5, TTL: math.MinInt64}}, time.Hour, RuleDefault, ""},
		{"hours that the feed skips", Situation{Hints: hours(13, 14)}, 3 * time.Hour, RuleSkip,
			"Asked again after 3 h: the feed asks not to be read before Sun 15:00 UTC; else that is the default, as the rhythm of the feed is not known"},
		{"an hour that is not in the way", Situation{Hints: hours(12, 15)}, time.Hour, RuleDefault, ""},
		{"days that it skips", Situation{Hints: kgl.FeedHints{SkipDays: []int{0, 1}}}, 36 * time.Hour, RuleSkip,
			"Asked again after 36 h: the feed asks not to be read before Tue 00:00 UTC; else that is the default, as the rhythm of the feed is not known"},
		{"all hours", Situation{Hints: hours(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)}, time.Hour, RuleDefault, ""},
		{"all days", Situation{Hints: kgl.FeedHints{SkipDays: []int{0, 1, 2, 3, 4, 5, 6}}}, time.Hour, RuleDefault, ""},
		{"hours and days that leave nothing", Situation{Hints: kgl.FeedHints{SkipDays: []int{1, 2, 3, 4, 5, 6}, SkipHours: hours(
			0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23).SkipHours}}, time.Hour, RuleDefault, ""},
		{"the first failure", Situation{Failures: 1}, 5 * time.Minute, RuleBackoff, "Asked again after 5 min: the last fetch failed"},
		{"the third", Situation{Failures: 3, Gap: 30 * day}, 20 * time.Minute, RuleBackoff, "Asked again after 20 min: the last 3 fetches failed"},
		{"the bound", Situation{Failures: 1 << 40}, day, RuleBackoff, ""},
		{"a source that a person wants weekly is not asked daily because it fails", Situation{Failures: 100, Own: 7 * day}, 7 * day, RuleBackoff, ""},
		{"Retry-After", Situation{Failures: 1, RetryAfter: time.Hour}, time.Hour, RuleRetryAfter, "Asked again after 1 h: the server asks for that patience"},
		{"Retry-After, less than the backoff", Situation{Failures: 5, RetryAfter: time.Minute}, 80 * time.Minute, RuleBackoff, ""},
		{"Retry-After 999999999", Situation{Failures: 1, RetryAfter: 999999999 * time.Second}, day, RuleRetryAfter, ""},
		{"patience without a time", Situation{Failures: 1, Throttled: true, Gap: 8 * time.Hour}, 4 * time.Hour, RuleThrottled,
			"Asked again after 4 h: the server asks for patience, and names no time"},
		{"patience without a time, a source with its own interval", Situation{Failures: 1, Throttled: true, Own: 10 * time.Minute}, 10 * time.Minute, RuleThrottled, ""},
		{"patience for the tenth time", Situation{Failures: 10, Throttled: true, Gap: 8 * time.Hour}, day, RuleBackoff, ""},
		{"410 for the first time", Situation{Failures: 1, Fate: FateDoubtful}, day, RuleConfirmGone, ""},
		{"dead", Situation{Failures: 200, Fate: FateDead}, 30 * day, RuleDead,
			"Asked again after 30 days: it failed for months, and is looked after once a month"},
	} {
		tc.at.Now = noon
		p := DefaultSchedule(nil).Decide(tc.at)
		if have := p.Next.Sub(noon); have != tc.want || p.Rule != tc.rule || tc.reason != "" && p.Reason != tc.reason {
			t.Errorf("%s: %v by %s (%s), want %v by %s (%s)", tc.name, have, p.Rule, p.Reason, tc.want, tc.rule, tc.reason)
		}
		if p.Interval != int64(tc.want/time.Second) || !p.At.Equal(noon) {
			t.Errorf("%s: recorded %d s at %v", tc.name, p.Interval, p.At)
		}
	}
	gone := DefaultSchedule(nil).Decide(Situation{Now: noon, Failures: 2, Fate: FateGone})
	if gone.Next != nil || gone.Rule != RuleGone {
		t.Errorf("gone: %+v", gone)
	}
}

func TestDecideJitter(t *testing.T) {
	for _, tc := range []struct {
		name   string
		random float64
		at     Situation
		want   time.Duration
	}{
		{"at most a tenth on top", 1, Situation{}, 66 * time.Minute},
		{"half of it", 0.5, Situation{}, 63 * time.Minute},
		{"the first failure, soonest", 0, Situation{Failures: 1}, 150 * time.Second},
		{"the fifth failure, soonest", 0, Situation{Failures: 5}, 150 * time.Second},
		{"the fifth failure, halfway", 0.5, Situation{Failures: 5}, 41*time.Minute + 15*time.Second},
		{"Retry-After is a lower bound, whatever chance says", 0, Situation{Failures: 1, RetryAfter: 3 * time.Minute}, 3 * time.Minute},
		{"Retry-After under a minute", 0, Situation{Failures: 1, RetryAfter: time.Nanosecond}, 150 * time.Second},
		{"not all at the full hour", 0.5, Situation{Hints: kgl.FeedHints{SkipHours: []int{13}}}, 2*time.Hour + 7*time.Minute + 30*time.Second},
	} {
		tc.at.Now = noon
		p := DefaultSchedule(func() float64 { return tc.random }).Decide(tc.at)
		if have := p.Next.Sub(noon); have != tc.want {
			t.Errorf("%s: %v by %s, want %v", tc.name, have, p.Rule, tc.want)
		}
	}
}

// anySituation returns what servers, feeds, people and broken clocks may lead
// to.
func anySituation(r *rand.Rand) Situation {
	pick := func(list ...int64) int64 { return list[r.IntN(len(list))] }
	seconds := func() int64 {
		return pick(0, -1, 1, r.Int64N(600), r.Int64N(86400), r.Int64N(1e7), math.MaxInt64, math.MinInt64)
	}
	at := Situation{
		Now:   noon.Add(time.Duration(r.Int64N(int64(8 * day)))),
		Own:   time.Duration(pick(0, 0, 0, int64(kgl.MinFetchInterval), int64(time.Hour), int64(kgl.MaxFetchInterval))),
		Gap:   time.Duration(pick(0, 1, r.Int64N(int64(time.Hour)), r.Int64N(int64(400*day)), math.MaxInt64)),
		Hints: kgl.FeedHints{TTL: seconds(), Fresh: seconds()}, Failures: pick(0, 0, 1, 2, r.Int64N(50), math.MaxInt64),
		Throttled: r.IntN(2) == 0, RetryAfter: time.Duration(pick(0, -1, 1, r.Int64N(int64(100*time.Hour)), math.MaxInt64)),
	}
	if r.IntN(2) == 0 {
		newest := at.Now.Add(-time.Duration(pick(0, -int64(day), r.Int64N(int64(2000*day)), math.MaxInt64)))
		at.Newest = &newest
	}
	for range r.IntN(30) {
		at.Hints.SkipHours = append(at.Hints.SkipHours, r.IntN(26)-1)
	}
	for range r.IntN(8) {
		at.Hints.SkipDays = append(at.Hints.SkipDays, r.IntN(9)-1)
	}
	return at
}

func TestDecideIsNeverInThePastNorBeyondTheCeilings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 50_000 {
		s := DefaultSchedule(r.Float64)
		if i%3 == 0 {
			s.Interval = time.Duration(1 + r.Int64N(int64(40*day)))
		}
		s = s.withDefaults()
		at := anySituation(r)
		p := s.Decide(at)
		delay := p.Next.Sub(at.Now)
		least, most := min(s.Min, s.RetryFirst/2), max(s.Max, s.MaxDelay, s.RetryMax, at.Own)
		most += time.Duration(float64(most)*s.Jitter) + 7*day // the days that a feed may skip
		if at.Failures > 0 {
			most = max(s.MaxDelay, s.RetryMax, at.Own, s.Max)
		}
		if at.Own > 0 {
			least = min(least, at.Own)
		}
		if delay < least.Truncate(time.Second) || delay > most {
			t.Fatalf("%+v: %v by %s, want %v to %v", at, delay, p.Rule, least, most)
		}
		if p.Rule == "" || p.Reason == "" || p.Interval < 0 {
			t.Fatalf("%+v: %+v", at, p)
		}
		if skips := at.Hints.SkipHours; p.Rule == RuleSkip && slices.Contains(skips, p.Next.UTC().Hour()) {
			t.Fatalf("%+v: asked at %v", at, p.Next)
		}
	}
}

func TestDecideSlowsWithEachFailure(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2_000 {
		chance := r.Float64()
		s := DefaultSchedule(func() float64 { return chance })
		at := anySituation(r)
		before := time.Duration(0)
		for at.Failures = 1; at.Failures < 40; at.Failures++ {
			delay := s.Decide(at).Next.Sub(at.Now)
			if delay < before {
				t.Fatalf("%+v: %v after %v", at, delay, before)
			}
			before = delay
		}
		at.Failures = 0
		at.RetryAfter = 0
		if p := s.Decide(at); p.Rule == RuleBackoff || p.Rule == RuleRetryAfter || p.Rule == RuleThrottled {
			t.Fatalf("after a recovery: %+v", p)
		}
	}
}

func TestScheduleDefaults(t *testing.T) {
	s := Schedule{RetryFirst: time.Second}.withDefaults()
	want := DefaultSchedule(nil)
	if s.Interval != want.Interval || s.MaxDelay != want.MaxDelay || s.RetryFirst != time.Second || s.RetryMax != want.RetryMax {
		t.Errorf("defaults: %+v", s)
	}
	if s := (Schedule{Interval: time.Minute}).withDefaults(); s.Min != time.Minute || s.Max != want.Max {
		t.Errorf("an interval below the floor: %+v", s)
	}
	if s := (Schedule{Interval: 30 * day}).withDefaults(); s.Max != 30*day || s.Min != want.Min {
		t.Errorf("an interval above the ceiling: %+v", s)
	}
}

func TestRhythm(t *testing.T) {
	every := func(gap time.Duration, n int, batch int) (dates []time.Time) {
		for i := range n {
			for j := range batch {
				dates = append(dates, noon.Add(-time.Duration(i)*gap-time.Duration(j)*time.Second))
			}
		}
		return dates
	}
	vacation := append(every(day, 6, 1), noon.Add(-60*day), noon.Add(-61*day), noon.Add(-62*day))
	for _, tc := range []struct {
		name   string
		dates  []time.Time
		gap    time.Duration
		newest bool
	}{
		{"no dates", nil, 0, false},
		{"dates to come only", []time.Time{noon.Add(time.Hour), {}}, 0, false},
		{"one", every(day, 1, 1), 0, true},
		{"two, which is no rhythm", every(day, 2, 1), 0, true},
		{"three", every(day, 3, 1), day, true},
		{"batches of ten", every(day, 5, 10), day, true},
		{"all at once", every(time.Second, 50, 1), 0, true},
		{"every minute, which nobody can follow", every(time.Minute, 200, 1), 15 * time.Minute, true},
		{"a vacation", vacation, day, true},
		{"quicker of late", append(every(time.Hour, 20, 1), every(30*day, 20, 1)...), time.Hour, true},
	} {
		rand.Shuffle(len(tc.dates), func(i, j int) { tc.dates[i], tc.dates[j] = tc.dates[j], tc.dates[i] })
		gap, newest := rhythm(tc.dates, noon, 15*time.Minute)
		if gap != tc.gap || (newest != nil) != tc.newest {
			t.Errorf("%s: %v, %v", tc.name, gap, newest)
		}
		if newest != nil && !newest.Equal(noon) {
			t.Errorf("%s: newest %v", tc.name, newest)
		}
	}
}

func TestObservedRhythm(t *testing.T) {
	gap := observed(0, nil, noon)
	if gap != 0 {
		t.Errorf("the first sight: %v", gap)
	}
	if gap = observed(0, ago(8*time.Hour), noon); gap != 8*time.Hour {
		t.Errorf("the second: %v", gap)
	}
	if gap = observed(gap, ago(4*time.Hour), noon); gap != 7*time.Hour {
		t.Errorf("the third: %v", gap)
	}
	if gap = observed(gap, ago(-time.Hour), noon); gap != 7*time.Hour {
		t.Errorf("a clock that was set back: %v", gap)
	}
}

func TestHealth(t *testing.T) {
	moved := &kgl.PermanentRedirect{URL: "https://b.example/feed", Since: noon, Fetches: 3}
	for _, tc := range []struct {
		name   string
		c      checkup
		want   kgl.SourceHealth
		reason string
	}{
		{"fine", checkup{gap: day, newest: ago(day)}, kgl.HealthOK, ""},
		{"no dates", checkup{}, kgl.HealthOK, ""},
		{"a monthly feed after 100 days", checkup{gap: 30 * day, newest: ago(100 * day)}, kgl.HealthOK, ""},
		{"a monthly feed after 160 days", checkup{gap: 30 * day, newest: ago(160 * day)}, kgl.HealthQuiet, "nothing new for 160 days; it used to publish about every 30 days"},
		{"an hourly feed after a week", checkup{gap: time.Hour, newest: ago(7 * day)}, kgl.HealthOK, ""},
		{"an hourly feed after 31 days", checkup{gap: time.Hour, newest: ago(31 * day)}, kgl.HealthQuiet, "nothing new for 31 days; it used to publish about every 60 minutes"},
		{"one old item", checkup{newest: ago(91 * day)}, kgl.HealthQuiet, "nothing new for 91 days"},
		{"one newer item", checkup{newest: ago(89 * day)}, kgl.HealthOK, ""},
		{"a failure", checkup{failures: 1, error: "the server answered 500"}, kgl.HealthFailing, "the last fetch failed: the server answered 500"},
		{"failures", checkup{failures: 3, error: "the server answered 500"}, kgl.HealthFailing, "the last 3 fetches failed: the server answered 500"},
		{"patience", checkup{failures: 3, throttled: true, error: "the server answered 429"}, kgl.HealthThrottled, "the server answered 429"},
		{"gone", checkup{failures: 2, fate: FateGone}, kgl.HealthGone, "its publisher withdrew it: the server answered 410"},
		{"dead", checkup{failures: 200, fate: FateDead, error: "the server answered 404"}, kgl.HealthGone, "200 fetches failed in more than 90 days: the server answered 404"},
		{"a redirect", checkup{redirect: moved, gap: time.Hour, newest: ago(300 * day)}, kgl.HealthMoved,
			"it redirects for good to https://b.example/feed, since 2026-03-01"},
	} {
		tc.c.now = noon
		if have, reason := healthOf(tc.c); have != tc.want || reason != tc.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", tc.name, have, reason, tc.want, tc.reason)
		}
	}
}

func TestRegistrableDomains(t *testing.T) {
	for host, want := range map[string]string{
		"feeds.example.com": "example.com", "example.com:8080": "example.com", "A.B.Example.CO.UK": "example.co.uk",
		"one.blogspot.com": "blogspot.com", "someone.github.io": "github.io", "github.io": "github.io",
		"bucket.s3.amazonaws.com": "amazonaws.com", "com": "", "example.com.": "example.com",
		"192.0.2.7": "192.0.2.7", "192.0.2.7:8080": "192.0.2.7", "[2001:db8::1]:443": "2001:db8::1", "[2001:db8::1]": "2001:db8::1",
		"[::ffff:192.0.2.7]": "192.0.2.7", "127.0.0.1:9000": "", "[::1]:80": "", "localhost:8000": "", "feed.localhost": "",
		"intranet": "", "feeds.intranet": "feeds.intranet", "deep.feeds.intranet": "feeds.intranet",
	} {
		if have := registrable(host); have != want {
			t.Errorf("%s counts as %q, want %q", host, have, want)
		}
	}
}
