package ingest

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ProbeStore is what a probe reads and writes: which URLs are watched, and how
// often the hosts of a domain were asked.
type ProbeStore interface {
	SourceIDsByURLKeys(ctx context.Context, keys []string) (map[string]string, error)
	TakeToken(ctx context.Context, domain string, now time.Time, rate kgl.DomainRate) (time.Time, error)
	DomainBucket(ctx context.Context, domain string) (kgl.DomainBucket, error)
}

// admit takes a token of the domain of a URL, as workers do for the sources of
// all replicas. It waits for one while patience lasts: the bucket is read before
// it is changed, because whoever is refused a token gets a place in the queue of
// the domain, which is for sources. CodeRateLimited tells when to come back.
func (p *Probe) admit(ctx context.Context, rawURL string, patience time.Duration) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return kgl.Invalid("url", "is not a URL")
	}
	rate, domain := p.cfg.DomainRate, registrable(u.Host)
	if rate.Interval <= 0 || domain == "" {
		return nil
	}
	for {
		wait, err := p.untilToken(ctx, domain)
		if err != nil {
			return err
		}
		// The next token is never further away than that, unless the clock was set
		// back, and that is for TakeToken to judge.
		if wait > 0 && wait <= rate.Interval {
			if wait > patience {
				return askedTooOften(domain, wait)
			}
			if !p.sleep(ctx, wait) {
				return ctx.Err()
			}
			patience -= wait
		}
		now := p.clock.Now()
		at, err := p.store.TakeToken(ctx, domain, now, rate)
		if err != nil || !at.After(now) {
			return err
		}
		if wait > rate.Interval {
			return askedTooOften(domain, at.Sub(now))
		}
	}
}

// untilToken returns how long it is to the next token of a domain.
func (p *Probe) untilToken(ctx context.Context, domain string) (time.Duration, error) {
	bucket, err := p.store.DomainBucket(ctx, domain)
	if kgl.Is(err, kgl.CodeNotFound) {
		return 0, nil
	}
	return bucket.ArrivalAt.Add(-p.cfg.DomainRate.Tolerance()).Sub(p.clock.Now()), err
}

func askedTooOften(domain string, wait time.Duration) error {
	return &kgl.Error{
		Code: kgl.CodeRateLimited, RetryAfter: wait,
		Message: fmt.Sprintf("the hosts of %s are asked as often as is polite; try again in %s", domain, InWords(wait)),
	}
}
