package feed

import (
	"bytes"
	"context"
	"slices"
	"strings"
)

// Subscription is one feed of an OPML list.
type Subscription struct {
	Title      string
	FeedURL    string // http or https
	SiteURL    string // empty when not stated
	Categories []string
}

// Outline is one outline of an OPML list that stands for a feed, or is meant
// to.
type Outline struct {
	Subscription
	Line    int    // of the file, where the outline begins; the first is 1
	Repeats int    // the line of an earlier outline with the same FeedURL; 0: none
	Fault   string // why it cannot be watched, for people; FeedURL is then empty
	Written string // the URL as it stands in the list, without user name and password; cut
}

// Bounds of an OPML document.
const (
	// MaxOPMLBytes is the size of the largest list that is read.
	MaxOPMLBytes    = 16 << 20
	maxOutlines     = 20_000
	maxOutlineDepth = 64
	maxWrittenBytes = 500
)

// ReadOPML reads the feeds of an OPML 1.0, 1.1 or 2.0 document, in its order.
// An outline is meant to be a feed when it has an xmlUrl, or the type rss or
// atom. The categories of a feed are the titles of the outlines around it,
// joined by "/", and those of its category attribute; where a feed stands in
// several places, its first outline has the categories of all. Damaged
// documents are read as far as tags can be told from text; no entity is
// expanded, nothing that the list includes is loaded.
//
// The error is the context's, or kgl.CodeFeedInvalid when the document is no
// OPML or has more than 20,000 outlines, kgl.CodeTooLarge when it is larger
// than MaxOPMLBytes.
func ReadOPML(ctx context.Context, body []byte) ([]Outline, error) {
	text, err := decode(body, "", MaxOPMLBytes, &notes{})
	if err != nil {
		return nil, err
	}
	p := &opmlParser{known: map[string]int{}, lines: lineCounter{src: text, line: 1}}
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

// ParseOPML reads the feeds of an OPML document like [ReadOPML], each feed URL
// once, without what cannot be watched.
func ParseOPML(ctx context.Context, body []byte) ([]Subscription, error) {
	outlines, err := ReadOPML(ctx, body)
	if err != nil {
		return nil, err
	}
	var list []Subscription
	for _, o := range outlines {
		if o.Fault == "" && o.Repeats == 0 {
			list = append(list, o.Subscription)
		}
	}
	return list, nil
}

// lineCounter tells the lines of positions that are asked for in their order.
type lineCounter struct {
	src       []byte
	pos, line int
}

// at returns the line of a position that is not before the last one. A line
// ends with CR, LF or both.
func (c *lineCounter) at(pos int) int {
	piece := c.src[c.pos:pos]
	c.line += bytes.Count(piece, []byte{'\n'}) + bytes.Count(piece, []byte{'\r'}) - bytes.Count(piece, []byte("\r\n"))
	c.pos = pos
	return c.line
}

type opmlParser struct {
	opml     bool
	path     []string // titles of the open outlines; those of feeds are empty
	list     []Outline
	known    map[string]int // where in list a feed URL stands first
	outlines int
	lines    lineCounter
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
	attrs := attributesOf(t)
	title := plainLine(firstText(attrs["title"], attrs["text"]), 300)
	written, isFeed := feedAttribute(attrs)
	if !isFeed {
		return title
	}
	var r resolver
	o := Outline{Line: p.lines.at(t.start), Written: withoutUser(clip(written, maxWrittenBytes))}
	o.Title, o.Categories = title, p.categories(attrs["category"])
	o.FeedURL = r.link(webScheme(written), false)
	if o.FeedURL == "" {
		o.Fault = "the outline has no URL of http or https"
		if written == "" {
			o.Fault = "the outline names no URL of a feed"
		}
		p.list = append(p.list, o)
		return ""
	}
	o.SiteURL = r.link(attrs["htmlurl"], false)
	if first, ok := p.known[o.FeedURL]; ok {
		o.Repeats = p.list[first].Line
		p.list[first].addCategories(o.Categories)
	} else {
		p.known[o.FeedURL] = len(p.list)
	}
	p.list = append(p.list, o)
	return ""
}

func (o *Outline) addCategories(list []string) {
	for _, c := range list {
		if !slices.Contains(o.Categories, c) && len(o.Categories) < 32 {
			o.Categories = append(o.Categories, c)
		}
	}
}

// attributesOf returns the attributes of a tag by their names in lower case;
// of several with one name the first that is not empty.
func attributesOf(t token) map[string]string {
	attrs := map[string]string{}
	as := attrScanner{src: t.body}
	for {
		a, ok := as.next()
		if !ok {
			return attrs
		}
		if key := lower(a.name); attrs[key] == "" && len(attrs) < 32 {
			attrs[key] = a.text()
		}
	}
}

// feedAttribute returns the URL of the feed that an outline names, as it is
// written, and whether the outline is meant to be a feed. Readers that write
// the address into url mark the outline by its type.
func feedAttribute(attrs map[string]string) (written string, isFeed bool) {
	if _, has := attrs["xmlurl"]; has || attrs["xml_url"] != "" {
		return trimURL(firstText(attrs["xmlurl"], attrs["xml_url"])), true
	}
	if strings.EqualFold(attrs["type"], "rss") || strings.EqualFold(attrs["type"], "atom") {
		return trimURL(attrs["url"]), true
	}
	return "", false
}

// webScheme replaces the schemes that only made a browser open a reader
// (feed:, podcast:, itpc:, pcast:), and gives http to an address without one.
func webScheme(written string) string {
	scheme, rest, _ := strings.Cut(written, ":")
	switch strings.ToLower(scheme) {
	case "feed", "podcast", "itpc", "pcast":
		if strings.HasPrefix(rest, "//") {
			return "http:" + rest
		}
		return rest
	}
	host, _, _ := strings.Cut(written, "/")
	name, port, _ := strings.Cut(host, ":")
	if strings.Contains(strings.Trim(name, "."), ".") && !strings.ContainsAny(name, "@ ") && strings.Trim(port, "0123456789") == "" {
		return "http://" + written
	}
	return written
}

// withoutUser cuts the user name and password out of a URL that need not be
// one.
func withoutUser(written string) string {
	start := strings.Index(written, "//")
	if start < 0 {
		start = -2
	}
	authority, _, _ := strings.Cut(written[start+2:], "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return written[:start+2] + written[start+2+at+1:]
	}
	return written
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
