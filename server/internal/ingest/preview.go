package ingest

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// maxPreviewItems is how many items a preview shows.
const maxPreviewItems = 10

// Preview is what adding a URL would give.
type Preview struct {
	URL      string // as it would be stored
	SourceID string // the source that watches it already; empty for none

	HTTPStatus   int // 0: no answer
	FinalURL     string
	PermanentURL string // where it has moved for good; empty for nowhere
	Redirects    []outbound.Redirect
	ContentType  string
	Duration     time.Duration
	Bytes        int64 // decoded
	Cut          bool  // the document is longer than a preview reads

	Feed  *feed.Document // nil: no feed could be read; Outcome says why
	Items []feed.Item    // the first ones
	Next  *Plan          // of the second fetch, without a little randomness; nil without Feed

	Outcome Outcome
}

// Test fetches a URL as a source would be, and tells what came of it. It stores
// nothing. What goes wrong with the URL is part of the answer. CodeInvalid: the
// URL or what is to be sent may not be used; CodeRateLimited: too many probes
// are under way, or the domain of the URL is asked too often.
func (p *Probe) Test(ctx context.Context, raw string, credentials outbound.Credentials) (Preview, error) {
	u, err := p.givenURL(raw)
	if err != nil {
		return Preview{}, err
	}
	if err := credentials.Check("request_headers", "authentication"); err != nil {
		return Preview{}, err
	}
	timed, leave, err := p.enter(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer leave()
	if err := p.admit(timed, u.String(), p.cfg.Patience); err != nil {
		return Preview{}, err
	}
	began := p.clock.Now()
	resp, doc, err := p.look(timed, outbound.Request{URL: u.String(), Accept: AcceptFeeds, Credentials: credentials})
	out := Preview{URL: u.String(), Feed: doc, Duration: p.clock.Now().Sub(began)}
	if out.Outcome, err = outcomeOf(ctx, err); err != nil {
		return Preview{}, err
	}
	if resp != nil {
		out.HTTPStatus, out.FinalURL, out.PermanentURL, out.Redirects = resp.Status, resp.FinalURL, resp.PermanentURL(), resp.Redirects
		out.ContentType, out.Bytes, out.Cut = storable(resp.Header.Get("Content-Type")), int64(len(resp.Body)), resp.Cut
	}
	if doc != nil {
		out.Items = doc.Items[:min(len(doc.Items), maxPreviewItems)]
		out.Next = p.next(resp, doc)
	}
	out.SourceID, err = p.sourceOf(ctx, out.URL, out.PermanentURL, out.FinalURL)
	return out, err
}

// next plans the second fetch as if the first had been this one.
func (p *Probe) next(resp *outbound.Response, doc *feed.Document) *Plan {
	now := p.clock.Now()
	var dates []time.Time
	for _, item := range doc.Items {
		if !item.PublishedInferred {
			dates = append(dates, item.PublishedAt)
		}
	}
	at := Situation{Now: now, Hints: kgl.FeedHints{TTL: int64(doc.Feed.TTL / time.Second), SkipHours: doc.Feed.SkipHours}}
	for _, day := range doc.Feed.SkipDays {
		at.Hints.SkipDays = append(at.Hints.SkipDays, int(day))
	}
	schedule := p.cfg.Schedule
	schedule.Random = nil
	fresh, _ := outbound.Freshness(resp.Header, now, schedule.Max)
	at.Hints.Fresh = int64(fresh / time.Second)
	at.Gap, at.Newest = rhythm(dates, now, schedule.Min)
	plan := schedule.Decide(at)
	return &plan
}
