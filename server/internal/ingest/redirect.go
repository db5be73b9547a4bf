package ingest

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What a permanent redirect must have shown before a source gets its URL: a
// site that is moved or hacked for a day redirects as well as one that moved.
const (
	adoptFetches = 5                  // in a row that were redirected to the same URL
	adoptAfter   = 3 * 24 * time.Hour // since the first of them
	adoptFar     = 7 * 24 * time.Hour // to another registrable domain, which may be another publisher
)

// redirected returns what is remembered of the permanent redirect of a source
// after a fetch that succeeded: nil when there was none. same says whether what
// was found there was known for the source's feed; it counts when a redirect
// begins, because afterwards the feed is known by what was found there.
func redirected(before *kgl.PermanentRedirect, from, to string, same bool, now time.Time) *kgl.PermanentRedirect {
	if to == "" || to == from {
		return nil
	}
	if before == nil || before.Announced || before.URL != to || before.From != from {
		return &kgl.PermanentRedirect{From: from, URL: to, Since: now, Fetches: 1, Same: same}
	}
	next := *before
	next.Fetches++
	next.Obstacle = ""
	return &next
}

// adoptable returns where the permanent redirect of a source moves it, and
// whether it has lasted long enough for that. Where only a person may move it,
// that is noted as obstacle and there is no move.
func adoptable(src kgl.Source, r *kgl.PermanentRedirect, now time.Time) (move *kgl.SourceMove, lasted bool) {
	if r == nil {
		return nil, false
	}
	to, err := url.Parse(r.URL)
	key, keyErr := feed.CanonicalURL(r.URL)
	if err != nil || keyErr != nil || len(r.URL) > maxURLBytes {
		r.Obstacle = "the URL cannot be kept"
		return nil, false
	}
	to.Fragment, to.RawFragment = "", ""
	move = &kgl.SourceMove{URL: to.String(), URLKey: key, Host: hostKey(to)}
	after, proofs := trialOf(src, move.Host), r.Fetches
	if r.Announced {
		proofs = r.Verified
	}
	switch {
	case src.Secrets != "" && !sameOrigin(src.URL, to):
		r.Obstacle = "the source has credentials, which only a person may give to another server"
		return nil, false
	case r.Announced && r.Obstacle != "":
		return nil, false
	case after == adoptFar && !r.Same && proofs > 0:
		r.Obstacle = "it is another site, and the feed there was not recognised"
		return nil, false
	}
	return move, proofs >= adoptFetches && now.Sub(r.Since) >= after
}

// trialOf returns how long the move of a source to a host must have lasted.
func trialOf(src kgl.Source, host string) time.Duration {
	if registrable(host) != registrable(src.Host) || registrable(host) == "" && host != src.Host {
		return adoptFar
	}
	return adoptAfter
}

// sameOrigin reports whether what the server of a URL may see is also for that
// of another: the same one, or the same host once it turned to https.
func sameOrigin(from string, to *url.URL) bool {
	u, err := url.Parse(from)
	return err == nil && hostKey(u) == hostKey(to) && (u.Scheme == to.Scheme || u.Scheme == "http" && u.Port() == "" && to.Port() == "")
}

// recognised reports whether what a fetch found is the feed of the source: it
// was not changed since the last fetch, has its title, or has items that are
// known. What a source has always been is recognised.
func (a *attempt) recognised(done stored) bool {
	known := len(a.items) > 0 && done.created < len(a.items)
	return a.source.LastSuccessAt == nil || !a.result.Document || known ||
		a.heard.title != "" && strings.EqualFold(a.heard.title, a.source.Title)
}

// movedReason says what a redirect that is not adopted yet means.
func movedReason(r kgl.PermanentRedirect) string {
	text := fmt.Sprintf("it redirects for good to %s, since %s", r.URL, r.Since.UTC().Format(time.DateOnly))
	if r.Announced {
		text = fmt.Sprintf("it says that it lives at %s, since %s", r.URL, r.Since.UTC().Format(time.DateOnly))
	}
	if r.Obstacle != "" {
		text += "; not adopted: " + r.Obstacle
	}
	return text
}
