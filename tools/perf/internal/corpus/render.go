package corpus

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Site is where a feed's documents and pages live.
type Site struct {
	Base string // "http://127.1.0.1:9700", no slash at the end
}

// FeedPath is the path of a feed document. It ends in its format's usual suffix.
func FeedPath(f Feed) string {
	return fmt.Sprintf("/f/%d/%s", f.ID, [...]string{"rss.xml", "atom.xml", "index.rdf", "feed.json"}[f.Format])
}

// SitePath is the path of a feed's home page.
func SitePath(f Feed) string { return fmt.Sprintf("/s/%d/", f.ID) }

// ItemPath is the path of an item's page.
func ItemPath(feed, n int) string { return fmt.Sprintf("/s/%d/p/%d", feed, n) }

// ItemURL is the link that the feed gives for an item.
func (it *Item) ItemURL(s Site) string {
	u := s.Base + ItemPath(it.Feed, it.N)
	if it.Story >= 0 && it.N%3 == 0 {
		u += "?utm_source=rss&utm_medium=feed&utm_campaign=syndication"
	}
	return u
}

// Document renders a feed as it stands after it gained `added` items, newest
// item first, with its usual number of items, as UTF-8.
func (c *Config) Document(f Feed, added int, s Site) []byte {
	var b strings.Builder
	b.Grow(f.Items * 5000)
	items := make([]Item, 0, f.Items)
	for n := f.Items + added - 1; n >= added; n-- {
		items = append(items, c.Item(f, n))
	}
	switch f.Format {
	case RSS:
		c.rss(&b, f, items, s)
	case Atom:
		c.atom(&b, f, items, s)
	case RDF:
		c.rdf(&b, f, items, s)
	case JSONFeed:
		c.json(&b, f, items, s)
	}
	return []byte(b.String())
}

func cdata(b *strings.Builder, tag, s string) {
	b.WriteString("<" + tag + "><![CDATA[")
	b.WriteString(strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>"))
	b.WriteString("]]></" + tag + ">\n")
}

func elem(b *strings.Builder, tag, s string) {
	b.WriteString("<" + tag + ">")
	escaper.WriteString(b, s)
	b.WriteString("</" + tag + ">\n")
}

func (f Feed) rssDate(t time.Time) string {
	switch f.Style >> 8 % 8 {
	case 0:
		return t.In(time.FixedZone("", 2*3600)).Format("Mon, 02 Jan 2006 15:04:05 -0700")
	case 1:
		return t.Format("Mon, 2 Jan 2006 15:04:05") + " GMT"
	case 2:
		return t.Format(time.RFC3339)
	default:
		return t.Format("Mon, 02 Jan 2006 15:04:05 -0700")
	}
}

func (c *Config) rss(b *strings.Builder, f Feed, items []Item, s Site) {
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" xmlns:media="http://search.yahoo.com/mrss/">
<channel>
`)
	elem(b, "title", f.Title)
	elem(b, "link", s.Base+SitePath(f))
	elem(b, "description", f.Subtitle)
	b.WriteString(`<atom:link href="` + s.Base + FeedPath(f) + `" rel="self" type="application/rss+xml"/>` + "\n")
	elem(b, "language", f.Lang)
	elem(b, "lastBuildDate", f.rssDate(items[0].Published))
	elem(b, "generator", "feedfarm")
	full := f.Style%10 < 6 // summary in description and the text in content:encoded
	useCDATA := f.Style>>4%10 < 7
	for i := range items {
		it := &items[i]
		b.WriteString("<item>\n")
		elem(b, "title", it.Title)
		elem(b, "link", it.ItemURL(s))
		b.WriteString(`<guid isPermaLink="false">` + it.GUID() + "</guid>\n")
		elem(b, "pubDate", f.rssDate(it.Published))
		if useCDATA {
			cdata(b, "dc:creator", it.Author)
		} else {
			elem(b, "dc:creator", it.Author)
		}
		for _, k := range it.Categories {
			elem(b, "category", k)
		}
		if it.HasMedia {
			fmt.Fprintf(b, `<enclosure url="https://media.example/%d/%d.mp3" length="%d" type="audio/mpeg"/>`+"\n", f.ID, it.N, 1000000+it.N)
			fmt.Fprintf(b, `<media:thumbnail url="https://media.example/%d/%d.jpg" width="320" height="180"/>`+"\n", f.ID, it.N)
		}
		put := elem
		if useCDATA {
			put = cdata
		}
		if full {
			put(b, "description", "<p>"+it.Summary+"</p>")
			put(b, "content:encoded", it.HTML)
		} else {
			put(b, "description", it.HTML)
		}
		b.WriteString("</item>\n")
	}
	b.WriteString("</channel>\n</rss>\n")
}

func (c *Config) atom(b *strings.Builder, f Feed, items []Item, s Site) {
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="` + f.Lang + `">` + "\n")
	elem(b, "title", f.Title)
	elem(b, "subtitle", f.Subtitle)
	b.WriteString(`<link href="` + s.Base + FeedPath(f) + `" rel="self" type="application/atom+xml"/>` + "\n")
	b.WriteString(`<link href="` + s.Base + SitePath(f) + `" rel="alternate" type="text/html"/>` + "\n")
	elem(b, "id", fmt.Sprintf("tag:feedfarm.example,2026:feed/%d", f.ID))
	elem(b, "updated", items[0].Published.Format(time.RFC3339))
	b.WriteString(`<generator uri="https://feedfarm.example/" version="1">feedfarm</generator>` + "\n")
	for i := range items {
		it := &items[i]
		b.WriteString("<entry>\n")
		b.WriteString(`<title type="text">` + escape(it.Title) + "</title>\n")
		b.WriteString(`<link rel="alternate" type="text/html" href="` + escape(it.ItemURL(s)) + `"/>` + "\n")
		elem(b, "id", it.GUID())
		elem(b, "published", it.Published.Format(time.RFC3339))
		elem(b, "updated", it.Published.Add(time.Hour).Format(time.RFC3339))
		b.WriteString("<author><name>" + escape(it.Author) + "</name></author>\n")
		for _, k := range it.Categories {
			b.WriteString(`<category term="` + escape(k) + `"/>` + "\n")
		}
		if it.HasMedia {
			fmt.Fprintf(b, `<link rel="enclosure" type="audio/mpeg" length="%d" href="https://media.example/%d/%d.mp3"/>`+"\n", 1000000+it.N, f.ID, it.N)
		}
		b.WriteString(`<summary type="text">` + escape(it.Summary) + "</summary>\n")
		if f.Style>>4%2 == 0 {
			b.WriteString(`<content type="html"><![CDATA[` + it.HTML + "]]></content>\n")
		} else {
			b.WriteString(`<content type="html">` + escape(it.HTML) + "</content>\n")
		}
		b.WriteString("</entry>\n")
	}
	b.WriteString("</feed>\n")
}

func (c *Config) rdf(b *strings.Builder, f Feed, items []Item, s Site) {
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel rdf:about="` + s.Base + FeedPath(f) + `">
`)
	elem(b, "title", f.Title)
	elem(b, "link", s.Base+SitePath(f))
	elem(b, "description", f.Subtitle)
	b.WriteString("<items><rdf:Seq>\n")
	for i := range items {
		b.WriteString(`<rdf:li rdf:resource="` + escape(items[i].ItemURL(s)) + `"/>` + "\n")
	}
	b.WriteString("</rdf:Seq></items>\n</channel>\n")
	for i := range items {
		it := &items[i]
		b.WriteString(`<item rdf:about="` + escape(it.ItemURL(s)) + `">` + "\n")
		elem(b, "title", it.Title)
		elem(b, "link", it.ItemURL(s))
		elem(b, "dc:date", it.Published.Format(time.RFC3339))
		elem(b, "dc:creator", it.Author)
		for _, k := range it.Categories {
			elem(b, "dc:subject", k)
		}
		elem(b, "description", it.Summary)
		cdata(b, "content:encoded", it.HTML)
		b.WriteString("</item>\n")
	}
	b.WriteString("</rdf:RDF>\n")
}

func (c *Config) json(b *strings.Builder, f Feed, items []Item, s Site) {
	type author struct {
		Name string `json:"name"`
	}
	type attachment struct {
		URL  string `json:"url"`
		Type string `json:"mime_type"`
		Size int    `json:"size_in_bytes"`
	}
	type entry struct {
		ID          string       `json:"id"`
		URL         string       `json:"url"`
		Title       string       `json:"title"`
		HTML        string       `json:"content_html"`
		Summary     string       `json:"summary"`
		Published   string       `json:"date_published"`
		Authors     []author     `json:"authors"`
		Tags        []string     `json:"tags,omitempty"`
		Attachments []attachment `json:"attachments,omitempty"`
	}
	doc := struct {
		Version     string  `json:"version"`
		Title       string  `json:"title"`
		Home        string  `json:"home_page_url"`
		Feed        string  `json:"feed_url"`
		Description string  `json:"description"`
		Items       []entry `json:"items"`
	}{"https://jsonfeed.org/version/1.1", f.Title, s.Base + SitePath(f), s.Base + FeedPath(f), f.Subtitle, nil}
	for i := range items {
		it := &items[i]
		e := entry{it.GUID(), it.ItemURL(s), it.Title, it.HTML, it.Summary, it.Published.Format(time.RFC3339), []author{{it.Author}}, it.Categories, nil}
		if it.HasMedia {
			e.Attachments = []attachment{{fmt.Sprintf("https://media.example/%d/%d.mp3", f.ID, it.N), "audio/mpeg", 1000000 + it.N}}
		}
		doc.Items = append(doc.Items, e)
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc)
}

// Page renders an item's web page: the body inside the furniture that a
// full-text extractor has to see through.
func (c *Config) Page(f Feed, n int, s Site) []byte {
	it := c.Item(f, n)
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>` + escape(it.Title) + " | " + escape(f.Title) + `</title>`)
	b.WriteString(`<link rel="canonical" href="` + s.Base + ItemPath(f.ID, n) + `"><meta property="og:title" content="` + escape(it.Title) + `"></head><body><nav><ul>`)
	for i := range 12 {
		fmt.Fprintf(&b, `<li><a href="/s/%d/c/%d">%s</a></li>`, f.ID, i, Vocabulary[200+(f.ID*7+i)%900])
	}
	b.WriteString(`</ul></nav><main><article><h1>` + escape(it.Title) + `</h1><p class="byline">` + escape(it.Author) + `</p>` + it.HTML + `</article></main><aside>`)
	for i := range 6 {
		fmt.Fprintf(&b, `<p><a href="%s">%s</a></p>`, ItemPath(f.ID, max(0, n-i)), Vocabulary[1200+(n*5+i)%900])
	}
	b.WriteString(`</aside><footer>© feedfarm</footer></body></html>`)
	return []byte(b.String())
}

// Home renders a feed's home page, with the link that feed discovery looks for.
func Home(f Feed, s Site) []byte {
	mime := [...]string{"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"}[f.Format]
	return []byte(`<!DOCTYPE html><html><head><title>` + escape(f.Title) + `</title><link rel="alternate" type="` + mime + `" href="` + s.Base + FeedPath(f) + `"><link rel="icon" href="/favicon.ico"></head><body><h1>` + escape(f.Title) + `</h1><p>` + f.Subtitle + `</p></body></html>`)
}
