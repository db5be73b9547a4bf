package enrich

import (
	"context"
	"math"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of the mock extractor's work on one item, in code points. What
// stands behind them is not read.
const (
	maxTitleRunes = 1_000
	maxTextRunes  = 40_000
)

// maxEvidence bounds the places that support one relationship in one item.
const maxEvidence = 3

// Mock is an extractor that needs no model and no network. It knows names of
// the creator economy, patterns of capitalised words and verbs between names;
// it understands nothing. The same item always gives the same result. Every
// row that comes of it carries kgl.ExtractorMock.
type Mock struct{ lex *lexicon }

// NewMock returns the mock extractor.
func NewMock() *Mock { return &Mock{lex: newLexicon()} }

// Name implements Extractor.
func (*Mock) Name() string { return kgl.ExtractorMock }

// Extract implements Extractor. The title is read first, because what it tells
// of a name helps in the text; mentions and evidence are of the text only.
func (m *Mock) Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
	if err := ctx.Err(); err != nil {
		return kgl.Extraction{}, kgl.Wrap(err, kgl.CodeTimeout, "the extraction did not end in time")
	}
	names := newRecognizer(m.lex)
	inTitle := map[string]bool{}
	for _, s := range names.recognize(c.Title, tokenize(c.Title, maxTitleRunes)) {
		inTitle[s.key()] = true
	}
	tokens := tokenize(c.Text, maxTextRunes)
	b := newBuilder(c.Text, tokens, inTitle)
	spans := names.recognize(c.Text, tokens)
	for _, s := range spans {
		b.mention(s)
	}
	for _, l := range m.lex.relate(tokens, spans) {
		b.relationship(spans, l)
	}
	return b.result(), nil
}

func (s span) key() string { return s.typ + ":" + normalize(s.name) }

func normalize(name string) string { return kgl.NormalizeName(name) }

// builder gathers the mentions of each entity and the evidence of each
// relationship, within the bounds.
type builder struct {
	text     string
	tokens   []token
	inTitle  map[string]bool
	entities map[string]int
	edges    map[edge]int
	x        kgl.Extraction
}

type edge struct {
	from, to int
	relation string
}

func newBuilder(text string, tokens []token, inTitle map[string]bool) *builder {
	return &builder{
		text: text, tokens: tokens, inTitle: inTitle,
		entities: map[string]int{}, edges: map[edge]int{},
		x: kgl.Extraction{Extractor: kgl.ExtractorMock},
	}
}

func (b *builder) mention(s span) {
	i, ok := b.entities[s.key()]
	if !ok {
		if len(b.x.Entities) == MaxEntities {
			return
		}
		i = len(b.x.Entities)
		b.entities[s.key()] = i
		b.x.Entities = append(b.x.Entities, kgl.ExtractedEntity{Name: s.name, Type: s.typ})
	}
	e := &b.x.Entities[i]
	e.Confidence = max(e.Confidence, s.confidence)
	if len(e.Spans) < MaxSpans {
		e.Spans = append(e.Spans, b.span(s.from, s.to))
	}
}

func (b *builder) relationship(spans []span, l link) {
	from, ok := b.entities[spans[l.from].key()]
	to, known := b.entities[spans[l.to].key()]
	if !ok || !known || from == to || len(b.x.Relationships) == MaxRelationships {
		return
	}
	id := edge{from: from, to: to, relation: l.relation}
	if b.edges[id] == maxEvidence {
		return
	}
	b.edges[id]++
	first, last := spans[min(l.from, l.to)], spans[max(l.from, l.to)]
	b.x.Relationships = append(b.x.Relationships, kgl.ExtractedRelationship{
		From: from, To: to, Type: l.relation,
		Confidence: round(l.weight * 0.85),
		Evidence:   b.span(first.from, last.to),
	})
}

// span returns the place of tokens[from:to] in the text.
func (b *builder) span(from, to int) kgl.Span {
	first, last := b.tokens[from], b.tokens[to-1]
	return kgl.Span{Start: first.start, End: last.end, Quote: b.text[first.from:last.to]}
}

// result settles the confidences: a name that the title holds, or that the text
// repeats, is surer.
func (b *builder) result() kgl.Extraction {
	for key, i := range b.entities {
		e := &b.x.Entities[i]
		e.Confidence += 0.02 * float64(min(len(e.Spans)-1, 3))
		if b.inTitle[key] {
			e.Confidence += 0.05
		}
		e.Confidence = round(min(e.Confidence, 0.95))
	}
	return b.x
}

// round keeps two decimals: more would pretend to a precision that is not there.
func round(confidence float64) float64 { return math.Round(confidence*100) / 100 }
