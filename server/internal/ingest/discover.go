package ingest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/discover"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// AcceptPages is the Accept header of requests for pages that may name feeds.
const AcceptPages = "text/html, application/xhtml+xml, " + AcceptFeeds

// maxVerified is how many of the candidates of a page are fetched.
const maxVerified = 12

// FoundFeed is a URL that is a feed, or that its page declares to be one.
type FoundFeed struct {
	URL      string
	Title    string // of the feed, else as its page says; may be empty
	Method   discover.Method
	Rule     string // name of the rule; for discover.MethodPlatform only
	Verified bool   // it was fetched, and is a feed
	Format   string // rss, atom, rdf, json; empty unless verified
	Items    int
	NewestAt *time.Time // publication of its newest item with a date
	SourceID string     // the source that watches it; empty for none
	Outcome  Outcome    // why it is not verified

	score int
	key   string
}

// Discovery is what was found at a URL.
type Discovery struct {
	URL        string // that was looked at
	FinalURL   string // after redirects; empty when nothing answered
	HTTPStatus int    // 0: no answer
	Title      string // of the page
	Feeds      []FoundFeed
	Requests   int     // that were sent
	Complete   bool    // false: time or a limit ended the search
	Outcome    Outcome // why the URL itself could not be read
}

// Discover finds the feeds of a page: the URL itself when it is a feed, what
// the page declares and what is known about its site, else links of the page
// that look like feeds, else the paths at which sites keep their feeds. Each is
// fetched to see whether it is one; a declared one that cannot be read is told
// of, a guess is not. CodeInvalid: the URL may not be fetched;
// CodeRateLimited: too many probes are under way, or the domain of the URL is
// asked too often.
func (p *Probe) Discover(ctx context.Context, raw string) (Discovery, error) {
	u, err := p.givenURL(raw)
	if err != nil {
		return Discovery{}, err
	}
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return Discovery{}, err
	}
	defer leave()
	s := &search{probe: p, found: Discovery{URL: u.String(), Feeds: []FoundFeed{}, Complete: true}, known: map[string]int{}}
	if err := s.run(ctx); err != nil {
		return Discovery{}, err
	}
	return s.found, s.finish(context.WithoutCancel(ctx))
}

// search is one Discover under way.
type search struct {
	probe *Probe
	found Discovery
	known map[string]int // where in found.Feeds a canonical URL is
}

func (s *search) run(ctx context.Context) error {
	if err := s.probe.admit(ctx, s.found.URL, s.probe.cfg.Patience); err != nil {
		return err
	}
	s.found.Requests++
	resp, doc, err := s.probe.look(ctx, outbound.Request{URL: s.found.URL, Accept: AcceptPages})
	if resp != nil {
		s.found.HTTPStatus, s.found.FinalURL = resp.Status, resp.FinalURL
	}
	if doc != nil {
		s.found.Title = doc.Feed.Title
		s.keep(discover.Candidate{URL: cmp.Or(resp.PermanentURL(), s.found.URL), Method: discover.MethodSelf, Score: 100}, resp, doc)
		return nil
	}
	outcome, err := outcomeOf(ctx, err)
	if err != nil {
		return err
	}
	if resp == nil || resp.Status != http.StatusOK {
		s.found.Outcome = outcome
		// The address may still tell, where pages are closed to programs.
		return s.verify(ctx, discover.ForURL(s.found.URL), false)
	}
	page := discover.ReadPage(resp.Body, resp.Header.Get("Content-Type"), resp.FinalURL)
	s.found.Title = page.Title
	for _, tier := range []struct {
		candidates []discover.Candidate
		first      bool
	}{{page.Declared, false}, {page.Anchors, false}, {discover.CommonPaths(resp.FinalURL), true}} {
		if err := s.verify(ctx, tier.candidates, tier.first); err != nil || s.hasFeed() {
			return err
		}
	}
	return nil
}

func (s *search) hasFeed() bool {
	return slices.ContainsFunc(s.found.Feeds, func(f FoundFeed) bool { return f.Verified })
}

// verify fetches candidates, one after the other; when first is set, until one
// is a feed or the server has enough of it.
func (s *search) verify(ctx context.Context, list []discover.Candidate, first bool) error {
	bound := maxVerified
	if first {
		bound = len(list)
	}
	for i, c := range list {
		key, err := feed.CanonicalURL(c.URL)
		if err != nil {
			continue
		}
		if s.isKnown(key) {
			continue
		}
		unseen, err := s.ready(ctx, c.URL, i < bound)
		if err != nil {
			return err
		}
		if unseen != (Outcome{}) {
			s.found.Complete = false
			if c.Method == discover.MethodLink {
				s.add(FoundFeed{URL: c.URL, Title: c.Title, Method: c.Method, Outcome: unseen, score: c.Score, key: key})
			}
			continue
		}
		s.found.Requests++
		resp, doc, err := s.probe.look(ctx, outbound.Request{URL: c.URL, Accept: AcceptFeeds})
		if doc != nil {
			s.keep(c, resp, doc)
			if first {
				return nil
			}
			continue
		}
		outcome, err := outcomeOf(ctx, err)
		if err != nil {
			return err
		}
		if c.Method == discover.MethodLink {
			s.add(FoundFeed{URL: c.URL, Title: c.Title, Method: c.Method, Outcome: outcome, score: c.Score, key: key})
		}
		if first && resp != nil && (resp.Status == http.StatusTooManyRequests || resp.Status == http.StatusServiceUnavailable) {
			s.found.Complete = false
			return nil
		}
	}
	return nil
}

// ready waits until a URL may be requested. The outcome tells why it is not to
// be: the search is at an end, or the domain is asked too often.
func (s *search) ready(ctx context.Context, rawURL string, within bool) (Outcome, error) {
	p := s.probe
	if !within || ctx.Err() != nil || p.cfg.Pause > 0 && !p.sleep(ctx, p.cfg.Pause) {
		return endOfSearch(), nil
	}
	err := p.admit(ctx, rawURL, p.cfg.Patience)
	switch {
	case kgl.Is(err, kgl.CodeRateLimited):
		return Outcome{Code: kgl.CodeRateLimited, Message: "it was not looked at: " + userMessage(err)}, nil
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return endOfSearch(), nil
	}
	return Outcome{}, err
}

func endOfSearch() Outcome {
	return Outcome{Code: kgl.CodeTimeout, Message: "it was not looked at: the search had come to its end"}
}

// keep adds a feed that was read.
func (s *search) keep(c discover.Candidate, resp *outbound.Response, doc *feed.Document) {
	f := FoundFeed{
		URL: cmp.Or(resp.PermanentURL(), c.URL), Title: cmp.Or(firstRunes(doc.Feed.Title, maxTitleRunes), c.Title), Method: c.Method, Rule: c.Rule,
		Verified: true, Format: string(doc.Feed.Format), Items: len(doc.Items), NewestAt: newestOf(doc.Items), score: c.Score,
	}
	if f.Items == 0 {
		f.score -= 20
	}
	// Two candidates that lead to one URL are one feed.
	f.key = f.URL
	var keys []string
	for _, u := range []string{resp.FinalURL, f.URL, c.URL} {
		if key, err := feed.CanonicalURL(u); err == nil {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if f.key = key; s.isKnown(key) {
			break
		}
	}
	s.add(f)
	for _, key := range keys {
		s.known[key] = s.known[f.key]
	}
}

func (s *search) isKnown(key string) bool {
	_, known := s.known[key]
	return known
}

// add adds a feed, or replaces what is known under its key by a better one.
func (s *search) add(f FoundFeed) {
	if at, known := s.known[f.key]; known {
		if have := s.found.Feeds[at]; f.Verified && (!have.Verified || f.score > have.score) {
			s.found.Feeds[at] = f
		}
		return
	}
	s.known[f.key] = len(s.found.Feeds)
	s.found.Feeds = append(s.found.Feeds, f)
}

// newestOf returns the newest published date of the items.
func newestOf(items []feed.Item) *time.Time {
	var newest *time.Time
	for _, item := range items {
		if !item.PublishedInferred && (newest == nil || item.PublishedAt.After(*newest)) {
			newest = &item.PublishedAt
		}
	}
	return newest
}

// finish says what is watched already, and puts the best first.
func (s *search) finish(ctx context.Context) error {
	for i := range s.found.Feeds {
		f := &s.found.Feeds[i]
		id, err := s.probe.sourceOf(ctx, f.URL, f.key)
		if err != nil {
			return err
		}
		f.SourceID = id
	}
	slices.SortStableFunc(s.found.Feeds, func(a, b FoundFeed) int {
		if a.Verified != b.Verified {
			if a.Verified {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.score, a.score)
	})
	return nil
}
