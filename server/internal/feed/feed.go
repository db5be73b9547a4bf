package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Limits bound what one document may cost. A zero field means its default.
type Limits struct {
	MaxBytes   int // of the document, as received and as decoded; default 64 MiB
	MaxItems   int // read from one document, the first ones; default 2000
	MaxTitle   int // runes of a title; default 1000
	MaxSummary int // runes of a summary; default 1000
	MaxHTML    int // bytes of the sanitised HTML of an item; default 1 MiB
	MaxText    int // bytes of the plain text of an item; default 512 KiB
	MaxList    int // authors, categories and enclosures of an item, each; default 64
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.MaxBytes, 64 << 20},
		{&l.MaxItems, 2000},
		{&l.MaxTitle, 1000},
		{&l.MaxSummary, 1000},
		{&l.MaxHTML, 1 << 20},
		{&l.MaxText, 512 << 10},
		{&l.MaxList, 64},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// Options is what is known about a document besides its bytes.
type Options struct {
	ContentType string    // the Content-Type header of the answer; may be empty or wrong
	BaseURL     string    // where the document was read from, after redirects; relative links resolve against it
	Now         time.Time // the moment of the fetch: dates after it are not believed
	Limits      Limits
}

// Format is the family of a document's format.
type Format string

// The formats that are read.
const (
	FormatRSS  Format = "rss"  // RSS 0.91 to 2.0
	FormatRDF  Format = "rdf"  // RSS 0.9 and 1.0
	FormatAtom Format = "atom" // Atom 0.3 and 1.0
	FormatJSON Format = "json" // JSON Feed 1.x
)

// Document is what was read from one feed document.
type Document struct {
	Feed     Meta
	Items    []Item
	Repaired bool      // the document broke the rules of its format and was mended
	Warnings []Warning // about the document; those about one item are in Item
	Skipped  int       // items that were in the document and are not in Items
}

// Meta is what a feed says about itself. Text is plain text; URLs are absolute.
type Meta struct {
	Title       string
	Description string
	Link        string // of the site
	SelfURL     string // of the feed, by its own account
	ImageURL    string
	Format      Format
	Version     string         // such as "2.0"; empty when not stated
	Language    string         // BCP 47, as published, in its usual case; empty when not stated
	TTL         time.Duration  // how long the feed asks not to be read again; 0 when it does not
	SkipHours   []int          // hours of the day, UTC, in which the feed asks not to be read
	SkipDays    []time.Weekday // days, UTC, on which the feed asks not to be read
	Updated     time.Time      // zero when not stated or in the future
	Authors     []Author
}

// IdentityKind names the rule that gave an item its identity.
type IdentityKind string

// The rules of identity inside one source, in their order.
const (
	IdentityGUID IdentityKind = "guid" // the published id, when no other item of the document has it
	IdentityURL  IdentityKind = "url"  // the canonical URL, when no other item of the document has it
	IdentityHash IdentityKind = "hash" // the content hash
)

// Item is one item of a feed, normalised. Title, Summary, ContentText and the
// names are plain text; ContentHTML is safe to show; URLs are absolute http or
// https.
type Item struct {
	GUID         string // as published: guid, raw atom:id, rdf:about or JSON id
	IdentityKind IdentityKind
	IdentityKey  string // unique in the document

	URL          string // of the page; empty when the item names none
	CanonicalURL string // see [CanonicalURL]; empty when URL is

	Title       string
	Summary     string // published, else the beginning of ContentText
	ContentHTML string
	ContentText string
	Authors     []Author // of the item, else of the feed
	Categories  []string
	Enclosures  []Enclosure
	Language    string // of the item, else of the feed

	PublishedAt       time.Time // Options.Now when PublishedInferred
	PublishedInferred bool      // no usable date was published, or one in the future
	UpdatedAt         time.Time // zero when not published or in the future

	ContentHash string // hex SHA-256 that changes when the item does; see contentHash
	TextHash    string // hex SHA-256 of the folded text; empty when the text is short
	WordCount   int
	Warnings    []Warning
}

// Author is a person or a group that wrote an item.
type Author struct {
	Name  string
	Email string // empty unless published
	URL   string // http, https or mailto; empty unless published
}

// Enclosure is a file that belongs to an item.
type Enclosure struct {
	URL    string // http or https
	Type   string // media type, lower case; empty when not stated
	Length int64  // bytes; 0 when not stated
}

// Parse reads a feed document: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, JSON
// Feed 1.x, in any charset, damaged or not. It returns the items in the order
// of the document.
//
// The error is the context's, or a *kgl.Error: kgl.CodeFeedInvalid when the
// document is not a feed, holds none that can be read, or is built to exhaust
// its reader; kgl.CodeTooLarge when it exceeds Limits.MaxBytes.
func Parse(ctx context.Context, body []byte, opts Options) (doc *Document, err error) {
	// No document is known to get here; one that does must not end the worker
	// that reads the other feeds.
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, kgl.Wrap(fmt.Errorf("%w: %v", errPanic, p), kgl.CodeFeedInvalid, "the document could not be read")
		}
	}()
	opts.Limits = opts.Limits.withDefaults()
	n := &notes{}
	text, err := decode(body, opts.ContentType, opts.Limits.MaxBytes, n)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var raw *rawFeed
	if looksLikeJSON(text) {
		raw, err = parseJSON(ctx, text, opts.Limits, n)
	} else {
		raw, err = parseXML(ctx, text, opts.Limits, n)
	}
	if err != nil {
		return nil, err
	}
	return normalise(ctx, raw, opts, n)
}

// errPanic marks an error that was a panic.
var errPanic = errors.New("panic")

func invalid(format string, args ...any) error {
	return kgl.Errorf(kgl.CodeFeedInvalid, format, args...)
}
