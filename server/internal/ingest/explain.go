package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The codes of what keeps a source from being fetched now.
const (
	WaitPaused      = "paused"
	WaitGone        = "gone"
	WaitNotDue      = "not_due"
	WaitBackoff     = "backoff"
	WaitThrottled   = "throttled"
	WaitHostBusy    = "host_busy"
	WaitHostResting = "host_resting"
	WaitDomain      = "domain_rate"
)

// Waiting is one thing that keeps a source from being fetched now.
type Waiting struct {
	Code  string
	Text  string     // for people
	Until *time.Time // nil: until a person changes it
}

// Explanation tells all that decides when a source is fetched.
type Explanation struct {
	Source   kgl.Source
	At       time.Time // when it was so
	Schedule Schedule  // of the installation
	Trigger  string    // what the next fetch would be made for; empty when there will be none
	Host     kgl.Host
	Domain   string         // that its requests are counted under; empty: they are not
	Rate     kgl.DomainRate // zero: no limit
	Waiting  []Waiting      // empty: it is fetched as soon as a worker is free
}

// Explainer tells why sources are fetched when they are.
type Explainer struct {
	store    kgl.Store
	clock    kgl.Clock
	schedule Schedule
	rate     kgl.DomainRate
}

// NewExplainer returns an explainer of the policy that the workers have.
func NewExplainer(store kgl.Store, clock kgl.Clock, schedule Schedule, rate kgl.DomainRate) *Explainer {
	return &Explainer{store: store, clock: clock, schedule: schedule.withDefaults(), rate: rate}
}

// Find returns the id of the source that has an id or a URL, or had that URL
// before it moved. CodeNotFound.
func (e *Explainer) Find(ctx context.Context, idOrURL string) (string, error) {
	key, err := feed.CanonicalURL(idOrURL)
	if err != nil {
		return idOrURL, nil // Explain knows it, or does not
	}
	src, err := e.store.SourceByURLKey(ctx, key)
	return src.ID, err
}

// Explain returns the explanation of a source. CodeNotFound.
func (e *Explainer) Explain(ctx context.Context, sourceID string) (Explanation, error) {
	src, err := e.store.Source(ctx, sourceID)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Source: src, At: e.clock.Now(), Schedule: e.schedule, Rate: e.rate, Host: kgl.Host{Host: src.Host}}
	if host, err := e.store.Host(ctx, src.Host); err == nil {
		x.Host = host
	} else if !kgl.Is(err, kgl.CodeNotFound) {
		return Explanation{}, err
	}
	if src.NextFetchAt != nil {
		x.Trigger = triggerOf(src)
	}
	x.Waiting = waitingOf(src, x.Host, x.At)
	if e.rate.Interval <= 0 {
		return x, nil
	}
	if x.Domain = registrable(src.Host); x.Domain == "" {
		x.Rate = kgl.DomainRate{}
		return x, nil
	}
	bucket, err := e.store.DomainBucket(ctx, x.Domain)
	if kgl.Is(err, kgl.CodeNotFound) {
		return x, nil
	}
	if free := bucket.ArrivalAt.Add(-e.rate.Tolerance()); err == nil && free.After(x.At) {
		x.Waiting = append(x.Waiting, Waiting{Code: WaitDomain, Until: &free,
			Text: fmt.Sprintf("the hosts of %s were asked as often as is polite; the next request may be made in %s", x.Domain, InWords(free.Sub(x.At)))})
	}
	return x, err
}

// waitingOf returns what of the source and of its host is in the way.
func waitingOf(src kgl.Source, host kgl.Host, now time.Time) []Waiting {
	list := []Waiting{}
	add := func(code string, until *time.Time, format string, args ...any) {
		list = append(list, Waiting{Code: code, Until: until, Text: fmt.Sprintf(format, args...)})
	}
	later := func(t *time.Time) bool { return t != nil && t.After(now) }
	switch {
	case src.Status == kgl.SourcePaused:
		add(WaitPaused, nil, "a person paused it")
		return list
	case src.NextFetchAt == nil:
		add(WaitGone, nil, "it is gone, and is asked again when a person refreshes or resumes it")
		return list
	case later(src.NextFetchAt):
		code, why := WaitNotDue, "it is due"
		switch {
		case src.Health == kgl.HealthThrottled:
			code, why = WaitThrottled, "its server asked for patience, and it is due"
		case src.ConsecutiveFailures > 0:
			code, why = WaitBackoff, lastFetches(src.ConsecutiveFailures)+", and it is due"
		}
		add(code, src.NextFetchAt, "%s in %s", why, InWords(src.NextFetchAt.Sub(now)))
	}
	if later(host.LeasedUntil) {
		add(WaitHostBusy, host.LeasedUntil, "a worker is busy with %s, for at most %s", host.Host, InWords(host.LeasedUntil.Sub(now)))
	}
	if later(host.NotBefore) {
		add(WaitHostResting, host.NotBefore, "%s is left alone for %s", host.Host, InWords(host.NotBefore.Sub(now)))
	}
	return list
}
