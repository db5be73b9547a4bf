package ingest

import (
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// How far apart the dates of two items may be whose text and title alone say
// that they are the same.
const (
	sameDay   = 24 * time.Hour      // both published: a feed of another software may have another time zone
	sameMonth = 30 * 24 * time.Hour // one was not published, and the moment of its fetch stands in
)

// massShare is the share of a document's items that must have kept their URLs,
// or the paths of their ids, for less evidence to suffice: then it was the feed
// that changed its ids, and not an item that took the place of another.
const (
	massShare = 0.8
	massItems = 3
)

// The layers that are named elsewhere.
const (
	layerIdentity    = "identity"
	layerFingerprint = "fingerprint"
)

// incoming is an item of a document on its way to what is stored of it.
type incoming struct {
	item     *feed.Item
	identity kgl.ContentIdentity
	altKey   string
	evidence evidence          // filled when the item is not known by its identity
	state    *kgl.ContentState // what is stored of it; nil: nothing that is known
	layer    string            // by which state was found
	lost     bool              // it cannot be read
}

// evidence is what an item says about itself besides its id and its URL.
type evidence struct {
	title string // key of the title
	text  string // hash of the text, or of the summary where the text is short; empty: not known
	long  bool   // text is that of a text long enough to say something by itself
	date  time.Time
	dated bool // date is the publisher's, and not the moment of the fetch
}

func evidenceOf(it *feed.Item) evidence {
	e := evidence{title: kgl.TitleKey(it.Title), date: it.PublishedAt.Truncate(time.Microsecond), dated: !it.PublishedInferred}
	e.text, e.long = it.TextHash, it.TextHash != ""
	if !e.long {
		e.text = "short:" + kgl.TitleKey(it.Summary)
	}
	return e
}

func evidenceOfState(s *kgl.ContentState) evidence {
	e := evidence{title: s.TitleKey, date: s.PublishedAt, dated: !s.PublishedInferred}
	e.text, e.long = s.TextHash, s.TextHash != ""
	if !e.long && s.Removed == "" { // of what was removed, the summary is not known
		e.text = "short:" + kgl.TitleKey(s.Summary)
	}
	return e
}

// agreements counts in how many of title, text and date two items agree.
func (e evidence) agreements(o evidence) int {
	n := 0
	if e.title == o.title {
		n++
	}
	if e.text != "" && e.text == o.text {
		n++
	}
	if e.dated && o.dated && e.date.Equal(o.date) {
		n++
	}
	return n
}

// agreesInText reports whether what is remembered of an item that was removed
// says that it was as this one is. Of a short text nothing is remembered: the
// date stands in for it.
func (e evidence) agreesInText(removed evidence) bool {
	if e.title != removed.title {
		return false
	}
	if removed.text == "" {
		return !e.long && e.dated && removed.dated && e.date.Equal(removed.date)
	}
	return e.text == removed.text
}

// looksLike reports whether title, text and date together say that two items
// are the same one; anyAge takes items whose dates are not known as old as they
// may be.
func (e evidence) looksLike(o evidence, anyAge bool) bool {
	if e.title != o.title || e.text == "" || e.text != o.text {
		return false
	}
	apart := e.date.Sub(o.date).Abs()
	switch {
	case e.dated && o.dated && e.long:
		return apart <= sameDay
	case e.dated && o.dated:
		return apart == 0 && e.title != ""
	default:
		return e.long && (anyAge || apart <= sameMonth)
	}
}

// layer is one way to find the stored item of an item whose identity is not
// stored. It pairs items with equal keys; an empty key pairs with none.
type layer struct {
	name  string
	item  func(l *listing, in *incoming) string
	state func(s *kgl.ContentState) string
	same  func(l *listing, in *incoming, s *kgl.ContentState) bool
	mass  bool // only counts when most items of the document pair up
}

// layers are the ways, strongest first: docs/decisions/0021-identity.md.
var layers = []layer{
	{"same_id", guidAndURL, stateGUIDAndURL, always, false},
	{"alternate_id", altKey, stateAltKey, sameAddress, false},
	{"alternate_id", altKey, stateAltKey, agreeing, false},
	{"url", urlKey, stateURL, agreeing, false},
	{"url", uniqueURL, stateURL, urlIsIdentity, false},
	{"alternate_id", altKey, stateAltKey, hinting, true},
	{"url", uniqueURL, stateURL, hinting, true},
	{layerFingerprint, fingerprint, stateFingerprint, lookingAlike, false},
}

func guidAndURL(_ *listing, in *incoming) string {
	if in.item.GUID == "" || in.item.CanonicalURL == "" {
		return ""
	}
	return in.item.GUID + "\x00" + in.item.CanonicalURL
}

func stateGUIDAndURL(s *kgl.ContentState) string { return s.GUID + "\x00" + s.CanonicalURL }

func altKey(_ *listing, in *incoming) string { return in.altKey }
func stateAltKey(s *kgl.ContentState) string { return s.AltKey }
func urlKey(_ *listing, in *incoming) string { return in.item.CanonicalURL }
func stateURL(s *kgl.ContentState) string    { return s.CanonicalURL }

func uniqueURL(l *listing, in *incoming) string {
	if l.urls[in.item.CanonicalURL] != 1 {
		return ""
	}
	return in.item.CanonicalURL
}

func fingerprint(_ *listing, in *incoming) string { return in.evidence.key() }

func stateFingerprint(s *kgl.ContentState) string { return evidenceOfState(s).key() }

// key returns what items that look alike have in common.
func (e evidence) key() string {
	if e.text == "" || e.title == "" && !e.long {
		return ""
	}
	return e.title + "\x00" + e.text
}

func always(*listing, *incoming, *kgl.ContentState) bool { return true }

// sameAddress says that two ids are one URL but for scheme, www, a port that
// goes without saying and the like. A fragment may be all that tells items apart.
func sameAddress(_ *listing, in *incoming, s *kgl.ContentState) bool {
	if strings.Contains(in.item.GUID, "#") || strings.Contains(s.GUID, "#") {
		return false
	}
	key := feed.AlternateID(in.item.GUID)
	return key != "" && key == feed.AlternateID(s.GUID)
}

// altKeyOf returns the form of an id under which it is found when it changed: the
// alternate form, and of a URL without the host, so that an id survives a move
// to another domain. It is only a way to find candidates; what else the items
// say decides. Ids of nothing but a host have none.
func altKeyOf(guid string) string {
	key := feed.AlternateID(guid)
	address, isURL := strings.CutPrefix(key, "url:")
	if !isURL {
		return key
	}
	path := strings.IndexAny(address, "/?#")
	if path < 0 {
		return ""
	}
	return "url:" + address[path:]
}

func agreeing(_ *listing, in *incoming, s *kgl.ContentState) bool {
	return in.evidence.agreements(evidenceOfState(s)) >= 2
}

func hinting(_ *listing, in *incoming, s *kgl.ContentState) bool {
	return in.evidence.agreements(evidenceOfState(s)) >= 1
}

// urlIsIdentity says that nothing but its URL names one of the two: it has no
// id, or one that means nothing.
func urlIsIdentity(l *listing, in *incoming, s *kgl.ContentState) bool {
	return l.unstable || in.item.GUID == "" || s.GUID == "" && s.Removed == ""
}

func lookingAlike(l *listing, in *incoming, s *kgl.ContentState) bool {
	return in.evidence.looksLike(evidenceOfState(s), l.unstable)
}
