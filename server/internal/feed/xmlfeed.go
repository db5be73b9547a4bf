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
	value   string
	typ     string
	escaped bool // value is as in the source, with references; see decoded
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
	o, err := outlineOf(text, limits, n)
	if err != nil {
		return nil, err
	}
	if o.skipped > 0 {
		n.add(WarnTooManyItems, "the document has %d items; the first %d were read", len(o.items)+o.skipped, len(o.items))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.enter(StageParse)
	raw, err := o.parse(ctx, o.document())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n.add(WarnMalformed, "the parser refuses the document as a whole")
		n.enter(StageSalvage)
		raw, err = o.salvage(ctx, n)
	}
	if err != nil {
		return nil, err
	}
	raw.skipped += o.skipped
	dropCutItem(raw, n)
	return raw, nil
}

// outlineOf scans a document, and repairs one that is not sound.
func outlineOf(text []byte, limits Limits, n *notes) (*outline, error) {
	n.enter(StageScan)
	marked := len(n.places)
	o, err := scan(text, limits, n)
	if err != nil {
		return nil, err
	}
	if o.sound {
		n.reportMends(text)
		o.noteMended(n)
		return o, nil
	}
	n.unmark(marked) // the repairer meets them again
	n.add(WarnMalformed, "the document is not well formed (line %d)", 1+bytes.Count(text[:min(o.stoppedAt, len(text))], []byte("\n")))
	if o.cutAt > 0 {
		text = text[:o.cutAt]
		n.add(WarnTooManyTags, "the document has more than %d elements; the rest was not read", maxElements)
	}
	return repairedOutline(text, limits, n)
}

// repairedOutline repairs a document and scans the result. A second round is for
// what only shows when the first is done.
func repairedOutline(text []byte, limits Limits, n *notes) (*outline, error) {
	n.enter(StageRepair)
	defer func() { n.muted = false }()
	for round := range 2 {
		mended, starts, err := repairItems(text, n)
		if err != nil {
			return nil, err
		}
		n.muted = true
		o, err := scan(mended, limits, n)
		if err != nil {
			return nil, err
		}
		if o.sound {
			if round == 0 && len(starts) == len(o.items)+o.skipped {
				o.takeSources(starts, len(text))
				o.noteMended(n)
			}
			return o, nil
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
		raw := fromAtom(f, o)
		for i, e := range f.Entries {
			raw.items[i].mended = o.factsOf(e.Extensions).mended
		}
		return raw, nil
	}
	f, err := (&rss.Parser{}).Parse(in)
	if err != nil {
		return nil, err
	}
	raw = fromRSS(f, o)
	for i, it := range f.Items {
		raw.items[i].mended = o.factsOf(it.Extensions).mended
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
	return append(list, markup{value: value, typ: typ})
}
