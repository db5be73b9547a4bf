package demo

import (
	"fmt"
	"time"
)

// channel is one feed: what it publishes, how often, in which format.
type channel struct {
	index       int
	id          string
	file        string // below /feeds/
	format      string
	contentType string
	title       string
	description string
	kinds       []string
	authors     []string
	count       int           // items in the document
	every       time.Duration // between items, on average
	render      func(*site, *channel, []item) ([]byte, error)
}

// channels returns the five feeds. Each document spans about ten days; together
// they hold 128 items.
func channels() []*channel {
	list := []*channel{
		{
			id: "ledger", file: "creator-ledger.xml", format: "rss", contentType: "application/rss+xml; charset=utf-8",
			title: "The Creator Ledger", description: "Business news of people who publish for a living",
			kinds:   []string{"acquisition", "funding", "hiring", "partnership", "policy", "report"},
			authors: []string{"Marta Kowalczyk", "Ben Ashworth", "Ioana Popescu"},
			count:   30, every: 8 * time.Hour, render: renderRSS,
		},
		{
			id: "patron-post", file: "patron-post.atom", format: "atom", contentType: "application/atom+xml; charset=utf-8",
			title: "The Patron Post", description: "How makers and those who support them get along",
			kinds:   []string{"feature", "profile", "letters", "howto"},
			authors: []string{"Élodie Marchand", "Kofi Mensah"},
			count:   28, every: 9 * time.Hour, render: renderAtom,
		},
		{
			id: "open-calls", file: "open-calls.json", format: "json", contentType: "application/feed+json; charset=utf-8",
			title: "Open Calls Digest", description: "Grants, residencies and programmes with a deadline",
			kinds:   []string{"call", "winners", "residency", "deadline"},
			authors: []string{"Nadia Rahimi", "Jürgen Klaßen"},
			count:   26, every: 9 * time.Hour, render: renderJSON,
		},
		{
			id: "studio-floor", file: "studio-floor.rdf", format: "rdf", contentType: "application/rdf+xml; charset=utf-8",
			title: "Studio Floor Wire", description: "Events, tools and rooms for people who make things",
			kinds:   []string{"event", "recap", "local", "tool"},
			authors: []string{"Petra Novák", "渡辺 美咲"},
			count:   24, every: 10 * time.Hour, render: renderRDF,
		},
		{
			id: "frame-by-frame", file: "frame-by-frame.xml", format: "rss", contentType: "application/rss+xml; charset=utf-8",
			title: "Frame by Frame", description: "A podcast about the work behind the work",
			kinds:   []string{"interview", "panel", "numbers"},
			authors: []string{"Frame by Frame"},
			count:   20, every: 12 * time.Hour, render: renderPodcast,
		},
	}
	for i, c := range list {
		c.index = i
	}
	return list
}

// epoch is when every schedule begins.
func epoch() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// publishedAt returns when the channel publishes the story with this number: in
// its part of the schedule, but not on the dot.
func (c *channel) publishedAt(number int) time.Time {
	d := dice{seed: uint64(c.index+1)<<40 ^ uint64(number)}
	late := time.Duration(d.roll("late", int(c.every/time.Minute)*4/5)) * time.Minute
	return epoch().Add(time.Duration(number)*c.every + late)
}

// newest returns the number of the last story that was published by now.
func (c *channel) newest(now time.Time) int {
	n := int(now.Sub(epoch()) / c.every)
	for c.publishedAt(n).After(now) {
		n--
	}
	return n
}

// item is a story as one feed shows it: a channel may pass on a story of
// another one.
type item struct {
	story
	guid    string // empty: the feed gives none
	url     string
	undated bool
	teaser  bool // only the lead is given
}

// items returns the document's items, newest first.
func (s *site) items(c *channel, now time.Time) []item {
	last := c.newest(now)
	items := make([]item, 0, c.count)
	for n := last; n > last-c.count; n-- {
		items = append(items, s.item(c, n))
	}
	return items
}

// item returns the story with this number as the channel shows it, with the
// oddities of real feeds: an item without guid, one without date, stories that
// were taken from another feed by link or by copy.
func (s *site) item(c *channel, number int) item {
	st := s.library.compose(c, number)
	it := item{
		story: st,
		guid:  fmt.Sprintf("tag:demo.kgl.example,2024:%s/%d", c.id, number),
		url:   s.base + "/stories/" + st.slug(),
	}
	switch {
	case c.id == "ledger" && mod(number, 17) == 5:
		it.guid = ""
	case c.id == "ledger" && mod(number, 19) == 7:
		it.undated = true
	case c.id == "studio-floor" && mod(number, 4) == 1:
		s.passOn(&it, "ledger")
		it.url = s.base + "/stories/" + it.slug() + "?utm_source=studio-floor&utm_medium=rss"
		it.teaser = true
	case c.id == "open-calls" && mod(number, 5) == 2:
		s.passOn(&it, "patron-post") // a reprint on a page of its own
	}
	return it
}

// passOn replaces the story by the one that another channel published last
// before it. The item keeps its own date, guid and address.
func (s *site) passOn(it *item, from string) {
	for _, c := range s.channels {
		if c.id == from {
			published := it.published
			it.story = s.library.compose(c, c.newest(published))
			it.published = published
		}
	}
}
