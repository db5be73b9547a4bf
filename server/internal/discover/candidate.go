package discover

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Method says how a candidate was found.
type Method string

// The methods, the surest first.
const (
	MethodSelf     Method = "self"        // the URL that was given is a feed
	MethodLink     Method = "link"        // a link element of the page declares it
	MethodPlatform Method = "platform"    // a rule about the site gives it
	MethodAnchor   Method = "anchor"      // a link that readers see looks like one
	MethodPath     Method = "common_path" // many sites keep their feed at this path
)

// Candidate is a URL that may be a feed.
type Candidate struct {
	URL    string // http or https, without fragment and user name
	Title  string // as its page says; may be empty
	Method Method
	Rule   string // name of the rule; for MethodPlatform only
	Score  int    // how likely it is the feed that is wanted; the more the better
}

// What a method is worth, and what speaks against a feed being the main one.
const (
	scoreLink     = 80
	scorePlatform = 70
	scoreAnchor   = 40
	scorePath     = 30

	costComments = 50 // of all comments, or of those on one post
	costPart     = 15 // of one category, author or search
)

var (
	aboutComments = regexp.MustCompile(`(?i)\bcomments?\b|\bkommentare?\b|\bcommentaires?\b|\bcomentarios?\b|\breplies\b`)
	aboutPart     = regexp.MustCompile(`(?i)/(category|categories|tag|tags|author|authors|topic|topics|search|archive)/`)
)

// score returns what a candidate is worth before anyone has looked at it.
func score(base, place int, u *url.URL, title string) int {
	s := base - min(place, 9)
	if aboutComments.MatchString(title) || aboutComments.MatchString(u.Path) || u.Query().Get("feed") == "comments-rss2" {
		s -= costComments
	}
	if aboutPart.MatchString(u.Path) {
		s -= costPart
	}
	return s
}

// set collects candidates, each URL once.
type set struct {
	list  []Candidate
	known map[string]bool
}

func (s *set) add(c Candidate) {
	if s.known == nil {
		s.known = map[string]bool{}
	}
	if c.URL != "" && !s.known[c.URL] {
		s.known[c.URL] = true
		s.list = append(s.list, c)
	}
}

// sorted returns the candidates, the likeliest first.
func (s *set) sorted() []Candidate {
	slices.SortStableFunc(s.list, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return s.list
}

// maxURLBytes is the length of the longest URL that is taken.
const maxURLBytes = 4096

// absolute returns a reference of a page as a URL that can be fetched; nil when
// it is none. Links that were made to open a reader are unwrapped.
func absolute(base *url.URL, reference string) *url.URL {
	reference = strings.TrimSpace(reference)
	if reference == "" || len(reference) > maxURLBytes {
		return nil
	}
	if scheme, rest, found := strings.Cut(reference, ":"); found && strings.EqualFold(scheme, "feed") {
		reference = rest
	}
	u, err := url.Parse(strings.ReplaceAll(reference, " ", "%20"))
	if err != nil {
		return nil
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u
}
