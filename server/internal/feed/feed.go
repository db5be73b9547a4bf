package feed

import (
	"context"
	"errors"
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
	Stages   []Stage   // what the document passed on its way, and what each stage mended; see [Stage]
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
	MovedTo     string // the address at which the feed says that it lives now (itunes:new-feed-url)
	PodcastGUID string // the identity of a podcast wherever it is published (podcast:guid)
	Medium      string // what a podcast is made of, such as "podcast", "music", "video" (podcast:medium)
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

	PublishedAt       time.Time       // Options.Now when PublishedInferred
	PublishedInferred bool            // PublishedAtSource is PublishedFetched
	PublishedAtSource PublishedSource // where PublishedAt comes from
	ModifiedAt        time.Time       // the last edit, by the feed's account; zero when not published or in the future

	CommentsURL string // of the page with the comments; empty when not stated
	ImageURL    string // of the picture that stands for the item; see scope.image
	Media       *Media // what a podcast or a video says about itself; nil when it says nothing

	// RawHash is over all that the document says about the item, before it is
	// normalised, over what the item inherits from the document (base URL,
	// authors, language), and over [RulesVersion]: as long as it is the same,
	// so is the finished item. It does not depend on the moment of the fetch,
	// which a date that is missing or in the future takes its value from.
	RawHash string

	ContentHash string // hex SHA-256 that changes when the item does; see contentHash
	TextHash    string // hex SHA-256 of the folded text; empty when the text is short
	WordCount   int

	// Warnings tell what was wrong with the item and was mended, left out or
	// worked around: how the item was repaired.
	Warnings []Warning

	// Repaired is set when damage inside of the item was mended; Warnings say
	// which. An item beside the damage of its document is not repaired.
	Repaired bool

	contentImage string   // the first picture of the content that is no icon
	pending      *pending // nil when the item is finished
}

// PublishedSource names where the date of publication comes from; see dates.
type PublishedSource string

// The sources of a date of publication.
const (
	PublishedPublished PublishedSource = "published" // a date of publication
	PublishedUpdated   PublishedSource = "updated"   // the date of the last edit, as the only one
	PublishedURL       PublishedSource = "url"       // the day that the path of the item's URL names
	PublishedFetched   PublishedSource = "fetched"   // inferred: the moment of the fetch
)

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
//
// [ParseDeferred] is the cheaper way for who knows most of the items.
func Parse(ctx context.Context, body []byte, opts Options) (*Document, error) {
	doc, err := ParseDeferred(ctx, body, opts)
	if err != nil {
		return nil, err
	}
	if err := doc.finishAll(ctx); err != nil {
		return nil, err
	}
	return doc, nil
}

// errPanic marks an error that was a panic.
var errPanic = errors.New("panic")

func invalid(format string, args ...any) error {
	return kgl.Errorf(kgl.CodeFeedInvalid, format, args...)
}
