package feed

import (
	"html"
	"strconv"
	"strings"

	ext "github.com/mmcdole/gofeed/extensions"
	"github.com/mmcdole/gofeed/rss"
)

// fromRSS maps what gofeed read of an RSS or RDF document.
func fromRSS(f *rss.Feed, o *outline) *rawFeed {
	raw := &rawFeed{
		format:      o.format(),
		version:     strings.TrimSpace(f.Version),
		title:       markup{value: f.Title},
		description: markup{value: f.Description},
		language:    firstText(f.Language, o.lang),
		base:        o.base,
		ttl:         ttl{minutes: f.TTL, skipHours: f.SkipHours, skipDays: f.SkipDays},
	}
	raw.links = addText(nil, f.Links...)
	if f.Image != nil {
		raw.imageURL = f.Image.URL
		raw.links = addText(raw.links, f.Image.Link)
	}
	raw.updated = addText(nil, f.LastBuildDate, f.PubDate)
	if dc := f.DublinCoreExt; dc != nil {
		raw.language = firstText(append([]string{raw.language}, dc.Language...)...)
		raw.updated = addText(raw.updated, dc.Date...)
		for _, c := range dc.Creator {
			raw.authors = addPerson(raw.authors, c)
		}
		raw.title.value = firstText(append([]string{raw.title.value}, dc.Title...)...)
	}
	if it := f.ITunesExt; it != nil {
		if len(raw.authors) == 0 {
			raw.authors = addPerson(nil, it.Author)
		}
		raw.imageURL = firstText(raw.imageURL, it.Image)
		raw.description.value = firstText(raw.description.value, it.Summary, it.Subtitle)
	}
	if len(raw.authors) == 0 {
		raw.authors = addPerson(nil, f.ManagingEditor)
	}
	for _, l := range atomExt(f.Extensions, "link") {
		if l.Attrs["rel"] == "self" {
			raw.selfURL = firstText(raw.selfURL, l.Attrs["href"])
		}
	}
	raw.updated = addText(raw.updated, extTexts(f.Extensions, "dcterms", "modified")...)
	fromPodcastFeed(raw, f.Extensions)
	raw.ttl.period = firstText(extTexts(f.Extensions, "sy", "updatePeriod")...)
	raw.ttl.frequency = firstText(extTexts(f.Extensions, "sy", "updateFrequency")...)
	raw.items = make([]rawItem, 0, len(f.Items))
	for _, it := range f.Items {
		item := fromRSSItem(it, o.factsOf(it.Extensions))
		o.putBack(&item)
		raw.items = append(raw.items, item)
	}
	return raw
}

func fromRSSItem(it *rss.Item, facts itemFacts) rawItem {
	e := it.Extensions
	raw := rawItem{
		base:        facts.base,
		contentBase: facts.contentBase,
		title:       markup{value: it.Title},
		language:    facts.lang,
	}
	// A link that feedburner rewrote is published in its first form beside it.
	raw.links = addText(extTexts(e, "feedburner", "origLink"), it.Links...)
	if it.GUID != nil {
		raw.id = strings.TrimSpace(it.GUID.Value)
		if !strings.EqualFold(it.GUID.IsPermalink, "false") || len(raw.links) == 0 {
			raw.links = addWebAddress(raw.links, raw.id)
		}
	}
	raw.id = firstText(raw.id, facts.about, facts.id)
	raw.links = addWebAddress(raw.links, facts.about)
	raw.comments = addPageLink(nil, it.Comments)
	for _, l := range atomExt(e, "link") {
		switch rel := l.Attrs["rel"]; rel {
		case "", "alternate":
			raw.links = addText(raw.links, l.Attrs["href"])
		case "replies":
			raw.comments = addPageLink(raw.comments, l.Attrs["href"])
		case "enclosure":
			raw.enclosures = append(raw.enclosures, Enclosure{l.Attrs["href"], l.Attrs["type"], parseLength(l.Attrs["length"])})
		}
	}
	raw.content = addMarkup(nil, it.Content, "html")
	raw.content = addMarkup(raw.content, facts.body, "xhtml")
	raw.content = addMarkup(raw.content, it.Custom["encoded"], "html")
	raw.content = addMarkup(raw.content, firstText(it.Custom["body"], it.Custom["fulltext"], it.Custom["content"]), "html")
	raw.summary = addMarkup(nil, it.Description, "")
	raw.summary = addMarkup(raw.summary, it.Custom["summary"], "")
	raw.published = addText(nil, it.PubDate)
	raw.published = addText(raw.published, it.Custom["date"], it.Custom["published"], it.Custom["created"], it.Custom["pubdate"])
	raw.updated = addText(nil, it.Custom["updated"], it.Custom["modified"])
	raw.images = addText(nil, imageElement(it.Custom["image"]))
	raw.authors = addPerson(nil, it.Author)
	for _, c := range it.Categories {
		raw.categories = addText(raw.categories, html.UnescapeString(c.Value))
	}
	for _, enc := range it.Enclosures {
		raw.enclosures = append(raw.enclosures, Enclosure{enc.URL, enc.Type, parseLength(enc.Length)})
	}
	fromDublinCore(&raw, it.DublinCoreExt)
	fromExtensions(&raw, e)
	return raw
}

func fromDublinCore(raw *rawItem, dc *ext.DublinCoreExtension) {
	if dc == nil {
		return
	}
	raw.published = addText(raw.published, dc.Date...)
	raw.title.value = firstText(append([]string{raw.title.value}, dc.Title...)...)
	raw.language = firstText(append([]string{raw.language}, dc.Language...)...)
	for _, c := range dc.Creator {
		raw.authors = addPerson(raw.authors, c)
	}
	if len(raw.authors) == 0 {
		for _, c := range dc.Author {
			raw.authors = addPerson(raw.authors, c)
		}
	}
	for _, s := range dc.Subject {
		raw.categories = addText(raw.categories, html.UnescapeString(s))
	}
	for _, d := range dc.Description {
		raw.summary = addMarkup(raw.summary, d, "")
	}
	if raw.id == "" {
		raw.id = firstText(dc.Identifier...)
	}
}

// fromExtensions takes what other vocabularies say about an item, in RSS and
// in Atom: Dublin Core terms, Atom inside of RSS, Media RSS.
func fromExtensions(raw *rawItem, e ext.Extensions) {
	for _, prefix := range []string{"dcterms", "dcq", "dc"} {
		raw.published = addText(raw.published, extTexts(e, prefix, "issued")...)
		raw.published = addText(raw.published, extTexts(e, prefix, "created")...)
		raw.published = addText(raw.published, extTexts(e, prefix, "available")...)
		raw.updated = addText(raw.updated, extTexts(e, prefix, "modified")...)
	}
	raw.published = addText(raw.published, atomTexts(e, "published")...)
	raw.published = addText(raw.published, atomTexts(e, "issued")...)
	raw.updated = addText(raw.updated, atomTexts(e, "updated")...)
	for _, a := range atomExt(e, "author") {
		if child := func(name string) string {
			if c := a.Children[name]; len(c) > 0 {
				return c[0].Value
			}
			return ""
		}; child("name") != "" || child("email") != "" {
			raw.authors = append(raw.authors, Author{child("name"), child("email"), child("uri")})
		}
	}
	for _, s := range atomExt(e, "summary") {
		raw.summary = addMarkup(raw.summary, s.Value, s.Attrs["type"])
	}
	raw.published = addText(raw.published, extTexts(e, "prism", "publicationDate")...)
	fromITunes(raw, e["itunes"])
	fromPodcast(raw, e["podcast"])
	media := e["media"]
	fromMedia(raw, media)
	for _, g := range media["group"] {
		fromMedia(raw, g.Children)
	}
}

// atomExt returns the Atom elements of the given name that stand in a document
// of another format, under whichever prefix the document chose.
func atomExt(e ext.Extensions, name string) []ext.Extension {
	var out []ext.Extension
	for _, prefix := range []string{"atom", "atom10", "atom03", "a10"} {
		out = append(out, e[prefix][name]...)
	}
	return out
}

func atomTexts(e ext.Extensions, name string) []string {
	var out []string
	for _, x := range atomExt(e, name) {
		out = addText(out, x.Value)
	}
	return out
}

func extTexts(e ext.Extensions, prefix, name string) []string {
	var out []string
	for _, x := range e[prefix][name] {
		out = addText(out, html.UnescapeString(x.Value))
	}
	return out
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}

// parseLength reads a number of bytes; 0 when it is none.
func parseLength(s string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
