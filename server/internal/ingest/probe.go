package ingest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// ProbeConfig bounds what looking at a URL may cost. A zero field takes its
// default.
type ProbeConfig struct {
	Total      time.Duration  // all requests for one page; default 20 s
	Each       time.Duration  // one request; default 8 s
	Pause      time.Duration  // between two requests for one page; default none
	Patience   time.Duration  // wait for a slot, and for a token of a domain; default a quarter of Total
	MaxBody    int64          // bytes that are read of a document; default 8 MiB
	AtOnce     int64          // pages that are looked at in one process; default 4
	Schedule   Schedule       // tells when a new source would be fetched
	DomainRate kgl.DomainRate // of requests to all hosts of a registrable domain, with those of workers; zero: no limit
}

func (c ProbeConfig) withDefaults() ProbeConfig {
	if c.Total <= 0 {
		c.Total = 20 * time.Second
	}
	if c.Each <= 0 {
		c.Each = 8 * time.Second
	}
	if c.Patience <= 0 {
		c.Patience = c.Total / 4
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 8 << 20
	}
	if c.AtOnce <= 0 {
		c.AtOnce = 4
	}
	c.Schedule = c.Schedule.withDefaults()
	return c
}

// Probe looks at pages and feeds on the web for people, and stores nothing of
// them.
type Probe struct {
	cfg     ProbeConfig
	fetcher Fetcher
	urls    URLChecker
	store   ProbeStore
	clock   kgl.Clock
	slots   *semaphore.Weighted
	sleep   func(context.Context, time.Duration) bool // false: ctx ended before
}

// NewProbe returns a probe.
func NewProbe(cfg ProbeConfig, fetcher Fetcher, urls URLChecker, store ProbeStore, clock kgl.Clock) *Probe {
	cfg = cfg.withDefaults()
	return &Probe{cfg: cfg, fetcher: fetcher, urls: urls, store: store, clock: clock, slots: semaphore.NewWeighted(cfg.AtOnce), sleep: sleep}
}

// enter waits for a free slot, as long as patience lasts.
// CodeRateLimited: too many probes are under way. Call leave at the end.
func (p *Probe) enter(ctx context.Context) (timed context.Context, leave func(), err error) {
	waiting, stop := context.WithTimeout(ctx, p.cfg.Patience)
	defer stop()
	if err := p.slots.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, &kgl.Error{Code: kgl.CodeRateLimited, Message: "too many URLs are looked at; try again soon", RetryAfter: 5 * time.Second, Err: err}
	}
	timed, cancel := context.WithTimeout(ctx, p.cfg.Total)
	return timed, func() { cancel(); p.slots.Release(1) }, nil
}

// Outcome says why a URL could not be read. A zero Outcome: it could.
type Outcome struct {
	Code    kgl.Code
	Message string // for people
}

// outcomeOf returns an error of a request as an outcome. The error itself comes
// back when it is not about the URL.
func outcomeOf(ctx context.Context, err error) (Outcome, error) {
	if err == nil {
		return Outcome{}, nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return Outcome{}, ctx.Err()
	}
	if e, ok := errors.AsType[*kgl.Error](err); ok && e.Code != kgl.CodeInternal {
		return Outcome{Code: e.Code, Message: e.Message}, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Outcome{Code: kgl.CodeTimeout, Message: "there was no time left"}, nil
	}
	return Outcome{}, err
}

// look requests a URL and reads the answer as a feed. The response is nil
// when there was none; the document is nil when it is no feed: err says why.
func (p *Probe) look(ctx context.Context, r outbound.Request) (*outbound.Response, *feed.Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, kgl.Wrap(err, kgl.CodeTimeout, "there was no time left")
	}
	r.MaxBody, r.CutBody, r.Timeout = p.cfg.MaxBody, true, p.cfg.Each
	resp, err := p.fetcher.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if resp.Status != http.StatusOK && resp.Status != http.StatusNonAuthoritativeInfo {
		return resp, nil, kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d", resp.Status)
	}
	var doc *feed.Document
	err = recovered(func() (err error) {
		doc, err = feed.Parse(ctx, resp.Body, feed.Options{
			ContentType: resp.Header.Get("Content-Type"), BaseURL: resp.FinalURL, Now: p.clock.Now(),
			Limits: feed.Limits{MaxBytes: int(2 * p.cfg.MaxBody)},
		})
		return err
	})
	return resp, doc, err
}

// givenURL returns what a person typed as a URL, with a scheme.
func (p *Probe) givenURL(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if !strings.Contains(raw, "://") && !strings.HasPrefix(raw, "/") {
		raw = "https://" + raw
	}
	u, err := p.urls.CheckURL(raw)
	if err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// sourceOf returns the id of the source that watches one of the URLs; empty
// when none does.
func (p *Probe) sourceOf(ctx context.Context, urls ...string) (string, error) {
	var keys []string
	for _, u := range urls {
		if key, err := feed.CanonicalURL(u); err == nil {
			keys = append(keys, key)
		}
	}
	found, err := p.store.SourceIDsByURLKeys(ctx, keys)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if id := found[key]; id != "" {
			return id, nil
		}
	}
	return "", nil
}
