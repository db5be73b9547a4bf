package feed

import (
	"strings"

	"github.com/mmcdole/gofeed/atom"
)

// fromAtom maps what gofeed read of an Atom document.
func fromAtom(f *atom.Feed, o *outline) *rawFeed {
	raw := &rawFeed{
		format:      FormatAtom,
		version:     f.Version,
		title:       markup{value: f.Title},
		description: markup{value: f.Subtitle},
		imageURL:    firstText(f.Logo, f.Icon),
		language:    firstText(o.lang, f.Language),
		base:        o.base,
		authors:     atomPersons(f.Authors),
	}
	raw.links, raw.selfURL = atomLinks(f.Links)
	raw.updated = addText(nil, f.Updated)
	fromPodcastFeed(raw, f.Extensions)
	raw.ttl.period = firstText(extTexts(f.Extensions, "sy", "updatePeriod")...)
	raw.ttl.frequency = firstText(extTexts(f.Extensions, "sy", "updateFrequency")...)
	raw.items = make([]rawItem, 0, len(f.Entries))
	for _, e := range f.Entries {
		item := fromAtomEntry(e, o.factsOf(e.Extensions))
		o.putBack(&item)
		raw.items = append(raw.items, item)
	}
	return raw
}

func fromAtomEntry(e *atom.Entry, facts itemFacts) rawItem {
	raw := rawItem{
		id:          firstText(facts.id, e.ID),
		base:        facts.base,
		contentBase: facts.contentBase,
		title:       markup{value: e.Title, typ: facts.titleType},
		language:    facts.lang,
		authors:     atomPersons(e.Authors),
	}
	links, self := atomLinks(e.Links)
	raw.links = addText(extTexts(e.Extensions, "feedburner", "origLink"), links...)
	raw.links = addText(addWebAddress(raw.links, raw.id), self)
	if c := e.Content; c != nil {
		raw.content = addMarkup(nil, c.Value, c.Type)
		if c.Src != "" {
			raw.links = addText(raw.links, c.Src)
		}
	}
	raw.content = addMarkup(raw.content, facts.body, "xhtml")
	raw.summary = addMarkup(nil, e.Summary, facts.summaryType)
	raw.published = addText(nil, e.Published)
	raw.updated = addText(nil, e.Updated)
	for _, c := range e.Categories {
		raw.categories = addText(raw.categories, firstText(c.Label, c.Term))
	}
	for _, l := range e.Links {
		switch strings.ToLower(l.Rel) {
		case "enclosure":
			raw.enclosures = append(raw.enclosures, Enclosure{l.Href, l.Type, parseLength(l.Length)})
		case "replies":
			if l.Type == "" || strings.Contains(l.Type, "html") {
				raw.comments = addPageLink(raw.comments, l.Href)
			}
		}
	}
	if s := e.Source; s != nil && len(raw.authors) == 0 {
		raw.authors = atomPersons(s.Authors)
	}
	fromExtensions(&raw, e.Extensions)
	for _, d := range extTexts(e.Extensions, "dc", "date") {
		raw.published = addText(raw.published, d)
	}
	for _, c := range extTexts(e.Extensions, "dc", "creator") {
		if len(e.Authors) == 0 {
			raw.authors = addPerson(raw.authors, c)
		}
	}
	raw.categories = addText(raw.categories, extTexts(e.Extensions, "dc", "subject")...)
	return raw
}

// atomLinks returns the links to the page that a feed or an entry is about,
// best first: HTML alternates, other alternates, then "via" and "related";
// and the link to the document itself.
func atomLinks(links []*atom.Link) (page []string, self string) {
	var alternate, other []string
	for _, l := range links {
		switch rel := strings.ToLower(l.Rel); rel {
		case "alternate", "http://www.iana.org/assignments/relation/alternate":
			if l.Type == "" || strings.Contains(l.Type, "html") {
				page = addText(page, l.Href)
			} else {
				alternate = addText(alternate, l.Href)
			}
		case "self":
			self = firstText(self, l.Href)
		case "via", "related":
			other = addText(other, l.Href)
		}
	}
	return append(append(page, alternate...), other...), self
}

func atomPersons(list []*atom.Person) []Author {
	var out []Author
	for _, p := range list {
		out = append(out, Author{p.Name, p.Email, p.URI})
	}
	return out
}
