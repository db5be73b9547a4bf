package ingest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// A feed may say itself that it lives at another URL (itunes:new-feed-url). It is
// taken for a permanent redirect with less behind it, because nothing was served
// from there on the way: so what it names is read beside it, as often and for as
// long as a redirect must last.

// lookEvery is the time between two looks at what a feed names.
const lookEvery = 12 * time.Hour

// announcement is what a feed says of another URL, and what was found there.
type announcement struct {
	url      string // empty: it says nothing
	read     bool   // the feed at url was looked at, and is one
	same     bool   // what was found there is known for the source's feed
	obstacle string // why it cannot be read there; empty when it was read, or not looked at
}

// announced returns the URL that the feed of a source names as its own: by the
// document that was read, else by the one before, which is still the same.
func (a *attempt) announced() string {
	to := a.heard.movedTo
	if r := a.source.State.Redirect; !a.result.Document && r != nil && r.Announced && r.From == a.source.URL {
		to = r.URL
	}
	if to == "" || isSamePage(to, a.source.URL) || isSamePage(to, a.heard.finalURL) {
		return ""
	}
	return to
}

func isSamePage(a, b string) bool {
	one, err := feed.CanonicalURL(a)
	if err != nil {
		return false
	}
	other, err := feed.CanonicalURL(b)
	return err == nil && one == other
}

// lookAhead reads the feed at the URL that the source's own feed names, unless
// that was done a short time ago. An error is one of the service.
func (w *Worker) lookAhead(ctx context.Context, a *attempt) error {
	to := a.announced()
	a.ahead = announcement{url: to}
	u, err := url.Parse(to)
	if to == "" || err != nil {
		return nil
	}
	before := a.source.State.Redirect
	if announcesMove(before, a.source.URL, to) && w.clock.Now().Sub(before.CheckedAt) < lookEvery {
		return nil
	}
	if a.source.Secrets != "" && !sameOrigin(a.source.URL, u) {
		return nil // only a person can move it
	}
	free, err := w.mayAsk(ctx, a.source.Host, hostKey(u))
	if err != nil || !free {
		return err
	}
	return w.readAhead(ctx, a)
}

// mayAsk takes a token for a second request of a turn, if there is one right now,
// and keeps the pause that the host of the turn is left alone for.
func (w *Worker) mayAsk(ctx context.Context, own, host string) (bool, error) {
	if host == own && w.cfg.HostDelay > 0 && !sleep(ctx, w.cfg.HostDelay) {
		return false, ctx.Err()
	}
	if !w.isPaced(host) {
		return true, nil
	}
	now, domain := w.clock.Now(), registrable(host)
	bucket, err := w.store.DomainBucket(ctx, domain)
	if err == nil && bucket.ArrivalAt.Add(-w.cfg.DomainRate.Tolerance()).After(now) {
		return false, nil
	}
	if err != nil && !kgl.Is(err, kgl.CodeNotFound) {
		return false, err
	}
	at, err := w.store.TakeToken(ctx, domain, now, w.cfg.DomainRate)
	return err == nil && !at.After(now), err
}

func (w *Worker) readAhead(ctx context.Context, a *attempt) error {
	credentials, err := w.cfg.Vault.OpenCredentials(a.source.ID, a.source.Secrets)
	if err != nil {
		return err
	}
	resp, err := w.fetcher.Get(ctx, outbound.Request{URL: a.ahead.url, Accept: AcceptFeeds, Credentials: credentials})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case err != nil:
		a.ahead.obstacle = "it cannot be read there: " + userMessage(err)
		return nil
	case resp.Status != http.StatusOK:
		a.ahead.obstacle = "it cannot be read there: " + userMessage(kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d", resp.Status))
		return nil
	case isSamePage(resp.FinalURL, a.source.URL):
		a.ahead.obstacle = "what it names leads back to it"
		return nil
	}
	// Never wait for room while the source's own document takes some.
	weight := min(w.weight(resp.Body), w.cfg.ParseBudget)
	if !w.budget.TryAcquire(weight) {
		return nil
	}
	defer w.budget.Release(weight)
	var doc *feed.Document
	err = recovered(func() (err error) {
		doc, err = feed.ParseDeferred(ctx, resp.Body, feed.Options{
			ContentType: resp.Header.Get("Content-Type"), BaseURL: resp.FinalURL, Now: w.clock.Now(),
			Limits: feed.Limits{MaxBytes: int(w.cfg.MaxDocument)},
		})
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		a.ahead.obstacle = "it cannot be read there: " + userMessage(err)
	case doc.Feed.MovedTo != "" && !isSamePage(doc.Feed.MovedTo, a.ahead.url):
		a.ahead.obstacle = "the feed there names another URL again"
	default:
		a.ahead.read, a.ahead.same = true, a.isLike(doc)
	}
	return nil
}

// isLike reports whether a document is the feed of the source by its title, or
// by an item that both have.
func (a *attempt) isLike(doc *feed.Document) bool {
	if doc.Feed.Title != "" && strings.EqualFold(firstRunes(doc.Feed.Title, maxTitleRunes), a.source.Title) ||
		doc.Feed.Title != "" && strings.EqualFold(doc.Feed.Title, a.heard.title) {
		return true
	}
	return slices.ContainsFunc(a.items, func(one feed.Item) bool {
		return slices.ContainsFunc(doc.Items, func(other feed.Item) bool {
			return one.GUID != "" && one.GUID == other.GUID || one.CanonicalURL != "" && one.CanonicalURL == other.CanonicalURL
		})
	})
}

// announcesMove reports whether what is remembered is that the feed at a URL names
// another.
func announcesMove(r *kgl.PermanentRedirect, from, to string) bool {
	return r != nil && r.Announced && r.From == from && r.URL == to
}

// rememberAnnounced returns what is remembered of an announcement after a fetch
// that succeeded; nil when there is none.
func rememberAnnounced(before *kgl.PermanentRedirect, from string, ahead announcement, now time.Time) *kgl.PermanentRedirect {
	if ahead.url == "" {
		return nil
	}
	next := kgl.PermanentRedirect{From: from, URL: ahead.url, Since: now, Announced: true}
	if announcesMove(before, from, ahead.url) {
		next = *before
	}
	next.Fetches++
	if ahead.read || ahead.obstacle != "" {
		next.CheckedAt = now
	}
	switch {
	case ahead.obstacle != "":
		next.Verified, next.Same, next.Since, next.Obstacle = 0, false, now, ahead.obstacle
	case ahead.read:
		if next.Verified == 0 {
			next.Since, next.Same = now, ahead.same
		}
		next.Verified++
		next.Obstacle = ""
	}
	return &next
}
