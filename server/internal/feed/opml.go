package feed

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"time"
)

// Subscription is one feed of an OPML list.
type Subscription struct {
	Title      string
	FeedURL    string // http or https
	SiteURL    string // empty when not stated
	Categories []string
}

// Bounds of an OPML document.
const (
	maxOutlines     = 20_000
	maxOutlineDepth = 64
)

// ParseOPML reads the feeds of an OPML 1.0, 1.1 or 2.0 document, in its order,
// each feed URL once, with the categories of all its places. The categories of
// a feed are the titles of the outlines around it, joined by "/", and those of
// its category attribute. Damaged documents are read as far as tags can be told
// from text; no entity is expanded, nothing that the list includes is loaded.
//
// The error is the context's, or kgl.CodeFeedInvalid when the document is no
// OPML, kgl.CodeTooLarge when it is larger than 16 MiB.
func ParseOPML(ctx context.Context, body []byte) ([]Subscription, error) {
	text, err := decode(body, "", 16<<20, &notes{})
	if err != nil {
		return nil, err
	}
	p := &opmlParser{known: map[string]int{}}
	lx := lexer{src: text}
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t, ok := lx.next()
		if !ok {
			break
		}
		if err := p.token(t); err != nil {
			return nil, err
		}
	}
	if !p.opml {
		return nil, invalid("the document is not OPML")
	}
	return p.list, nil
}

type opmlParser struct {
	opml     bool
	path     []string // titles of the open outlines; those of feeds are empty
	list     []Subscription
	known    map[string]int
	outlines int
}

func (p *opmlParser) token(t token) error {
	name := ""
	if t.kind == tokStart || t.kind == tokEnd {
		name = local(t.name)
	}
	switch {
	case t.kind == tokStart && name == "opml":
		p.opml = true
	case !p.opml || name != "outline":
	case t.kind == tokEnd && len(p.path) > 0:
		p.path = p.path[:len(p.path)-1]
	case t.kind == tokStart:
		if p.outlines++; p.outlines > maxOutlines {
			return invalid("the list has more than %d outlines", maxOutlines)
		}
		if len(p.path) >= maxOutlineDepth {
			return invalid("the list is nested deeper than %d outlines", maxOutlineDepth)
		}
		title := p.outline(t)
		if !t.closed {
			p.path = append(p.path, title)
		}
	}
	return nil
}

// outline takes an outline into the list and returns the title that it gives
// to the outlines inside of it, which is empty for a feed.
func (p *opmlParser) outline(t token) string {
	attrs := map[string]string{}
	as := attrScanner{src: t.body}
	for {
		a, ok := as.next()
		if !ok {
			break
		}
		if key := lower(a.name); attrs[key] == "" && len(attrs) < 32 {
			attrs[key] = a.text()
		}
	}
	title := plainLine(firstText(attrs["title"], attrs["text"]), 300)
	var r resolver
	feedURL := r.link(firstText(attrs["xmlurl"], attrs["xml_url"]), false)
	if feedURL == "" && (strings.EqualFold(attrs["type"], "rss") || strings.EqualFold(attrs["type"], "atom")) {
		feedURL = r.link(attrs["url"], false)
	}
	if feedURL == "" {
		return title
	}
	categories := p.categories(attrs["category"])
	if i, ok := p.known[feedURL]; ok {
		s := &p.list[i]
		for _, c := range categories {
			if !slices.Contains(s.Categories, c) && len(s.Categories) < 32 {
				s.Categories = append(s.Categories, c)
			}
		}
		return ""
	}
	p.known[feedURL] = len(p.list)
	p.list = append(p.list, Subscription{title, feedURL, r.link(attrs["htmlurl"], false), categories})
	return ""
}

func (p *opmlParser) categories(attribute string) []string {
	var out []string
	var path []string
	for _, title := range p.path {
		if title != "" {
			path = append(path, title)
		}
	}
	if len(path) > 0 {
		out = append(out, clip(strings.Join(path, "/"), 300))
	}
	for _, c := range strings.Split(attribute, ",") {
		if c = strings.Trim(plainLine(c, 200), "/ "); c != "" && !slices.Contains(out, c) && len(out) < 32 {
			out = append(out, c)
		}
	}
	return out
}

type opmlDocument struct {
	XMLName xml.Name      `xml:"opml"`
	Version string        `xml:"version,attr"`
	Title   string        `xml:"head>title"`
	Created string        `xml:"head>dateCreated"`
	Body    []opmlOutline `xml:"body>outline"`
}

type opmlOutline struct {
	Text     string        `xml:"text,attr"`
	Title    string        `xml:"title,attr,omitempty"`
	Type     string        `xml:"type,attr,omitempty"`
	XMLURL   string        `xml:"xmlUrl,attr,omitempty"`
	HTMLURL  string        `xml:"htmlUrl,attr,omitempty"`
	Category string        `xml:"category,attr,omitempty"`
	Children []opmlOutline `xml:"outline"`
}

// WriteOPML writes a list as OPML 2.0. Feeds stand in an outline of their first
// category, those without one at the top; further categories go into the
// category attribute. The order of feeds and of first categories is kept.
func WriteOPML(w io.Writer, title string, created time.Time, list []Subscription) error {
	doc := opmlDocument{Version: "2.0", Title: title, Created: created.UTC().Format(time.RFC1123Z)}
	folders := map[string]int{}
	for _, s := range list {
		name := firstText(s.Title, s.FeedURL)
		o := opmlOutline{Text: name, Title: name, Type: "rss", XMLURL: s.FeedURL, HTMLURL: s.SiteURL}
		if len(s.Categories) == 0 {
			doc.Body = append(doc.Body, o)
			continue
		}
		o.Category = strings.Join(s.Categories[1:], ",")
		folder := s.Categories[0]
		i, ok := folders[folder]
		if !ok {
			i = len(doc.Body)
			folders[folder] = i
			doc.Body = append(doc.Body, opmlOutline{Text: folder, Title: folder})
		}
		doc.Body[i].Children = append(doc.Body[i].Children, o)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}
