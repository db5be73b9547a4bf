package builtin

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Lane is the name of the extractor in enrichment tasks.
const Lane = "builtin"

// Version is what every result carries as its extractor. The number grows with
// every change of a rule or a list that changes results.
const Version = "builtin@1"

// The bounds of one result, which are those of the contract, and of the work on
// one item in code points: what stands behind them is not read.
const (
	maxEntities      = 200
	maxSpans         = 50
	maxRelationships = 400
	maxRunes         = 100_000
)

// Extractor reads items with rules and lists. It is safe for concurrent use: it
// is not changed once it is made.
type Extractor struct {
	lex  *lexicon
	hash string // of the lists
}

// New returns the extractor with its lists.
func New() *Extractor { return &Extractor{lex: newLexicon(), hash: listsHash()} }

// Name returns the lane of the extractor.
func (*Extractor) Name() string { return Lane }

// Extract reads one item. The same item always gives the same result; the time
// it takes grows with its text, up to a bound. Spans count code points of
// c.Text. The only error is CodeTimeout, when ctx has ended.
func (x *Extractor) Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
	if err := ctx.Err(); err != nil {
		return kgl.Extraction{}, kgl.Wrap(err, kgl.CodeTimeout, "the extraction did not end in time")
	}
	found := x.read(c).result(c.Title)
	found.ConfigHash = x.hash
	return found, nil
}

// read finds the mentions of an item.
func (x *Extractor) read(c kgl.Content) *document {
	d := newDocument(x.lex, c.Text, c.Language)
	d.patterns()
	if d.prose {
		d.names()
	} else {
		d.listedNames()
	}
	d.concepts()
	slices.SortFunc(d.found, func(a, b mention) int { return cmp.Compare(a.from, b.from) })
	return d
}
