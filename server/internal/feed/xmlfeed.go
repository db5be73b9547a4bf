package feed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mmcdole/gofeed/atom"
	"github.com/mmcdole/gofeed/rss"
)

// rawFeed is a parsed document before normalisation, the same for all formats.
type rawFeed struct {
	format      Format
	version     string
	title       markup
	description markup
	links       []string // of the site, best first
	selfURL     string
	imageURL    string
	language    string
	updated     []string
	ttl         ttl
	authors     []Author
	base        string // xml:base in scope
	movedTo     string // where the feed says that it lives now
	guid        string // podcast:guid
	medium      string // podcast:medium
	items       []rawItem
	skipped     int // items that could not be read or are beyond the limit
}

// markup is text with its declared type: "text", "html", "xhtml" or a media
// type; empty when the format or the document does not say.
type markup struct {
	value string
	typ   string
}

// rawItem is a parsed item before normalisation. Lists are in the order in
// which their values are preferred.
type rawItem struct {
	id          string
	links       []string
	base        string // xml:base in scope of the item
	contentBase string // xml:base in scope of its content
	title       markup
	content     []markup
	summary     []markup
	published   []string
	updated     []string
	authors     []Author
	categories  []string
	enclosures  []Enclosure
	comments    []string // pages with the comments
	images      []string // pictures that stand for the item
	media       rawMedia
	language    string
	mended      []Warning // what was mended inside of the item
}

// parseXML reads an RSS, RDF or Atom document. A sound document is parsed as
// it is, a damaged one is repaired first; what the parser still refuses is
// parsed item by item.
func parseXML(ctx context.Context, text []byte, limits Limits, n *notes) (*rawFeed, error) {
	o, err := scan(text, limits, n)
	if err != nil {
		return nil, err
	}
	if !o.sound {
		if o.cutAt > 0 {
			text = text[:o.cutAt]
			n.add(WarnTooManyTags, "the document has more than %d elements; the rest was not read", maxElements)
		}
		if o, err = scanRepaired(text, limits, n); err != nil {
			return nil, err
		}
	}
	if o.skipped > 0 {
		n.add(WarnTooManyItems, "the document has %d items; the first %d were read", len(o.items)+o.skipped, len(o.items))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := o.parse(ctx, o.document())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		raw, err = o.salvage(ctx, n)
	}
	if err != nil {
		return nil, err
	}
	raw.skipped += o.skipped
	return raw, nil
}

func scanRepaired(text []byte, limits Limits, n *notes) (*outline, error) {
	for range 2 {
		mended, err := repair(text, n)
		if err != nil {
			return nil, err
		}
		o, err := scan(mended, limits, n)
		if err != nil || o.sound {
			return o, err
		}
		if text = mended; o.cutAt > 0 {
			text = mended[:o.cutAt]
		}
	}
	return nil, invalid("the document is damaged beyond repair")
}

// parse hands a well-formed document to gofeed.
func (o *outline) parse(ctx context.Context, doc []byte) (raw *rawFeed, err error) {
	defer func() {
		if p := recover(); p != nil {
			raw, err = nil, fmt.Errorf("the parser panicked: %v", p)
		}
	}()
	in := contextReader{ctx, bytes.NewReader(doc)}
	if local(o.root) == "feed" {
		f, err := (&atom.Parser{}).Parse(in)
		if err != nil {
			return nil, err
		}
		return fromAtom(f, o), nil
	}
	f, err := (&rss.Parser{}).Parse(in)
	if err != nil {
		return nil, err
	}
	return fromRSS(f, o), nil
}

// salvage parses every item as a document of its own, so that an item that the
// parser refuses costs no other.
func (o *outline) salvage(ctx context.Context, n *notes) (*rawFeed, error) {
	raw, err := o.parse(ctx, o.header())
	if err != nil {
		raw = &rawFeed{format: o.format(), base: o.base, language: o.lang}
	}
	raw.items = nil
	for i := range o.items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		one, err := o.parse(ctx, o.single(i))
		if err != nil || len(one.items) == 0 {
			n.mend(WarnItemSkipped, "item %d could not be read", i+1)
			raw.skipped++
			continue
		}
		raw.items = append(raw.items, one.items...)
	}
	if len(raw.items) == 0 {
		return nil, invalid("the parser could read nothing of the document")
	}
	return raw, nil
}

func (o *outline) format() Format {
	switch local(o.root) {
	case "feed":
		return FormatAtom
	case "rdf":
		return FormatRDF
	}
	return FormatRSS
}

// contextReader ends a parse when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// addText appends non-blank texts.
func addText(list []string, texts ...string) []string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			list = append(list, t)
		}
	}
	return list
}

// addWebAddress appends an id that is a web address; others lead nowhere.
func addWebAddress(list []string, id string) []string {
	head := strings.ToLower(id[:min(len(id), len("https://"))])
	if strings.HasPrefix(head, "http://") || head == "https://" {
		list = append(list, id)
	}
	return list
}

// addMarkup appends markup that is not blank.
func addMarkup(list []markup, value, typ string) []markup {
	if strings.TrimSpace(value) == "" {
		return list
	}
	return append(list, markup{value, typ})
}
