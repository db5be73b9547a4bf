package enrich

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of what one extraction may hold. An extractor that exceeds them
// is at fault, and its result is refused.
const (
	MaxEntities      = 200 // in one item
	MaxSpans         = 50  // of one entity
	MaxRelationships = 400 // in one item
	maxNameRunes     = 300
)

// Extractor finds entities and relationships in content. Implementations are
// safe for concurrent use and obey ctx.
type Extractor interface {
	// Name identifies the extractor in tasks, mentions and evidence.
	Name() string

	// Extract reads one item. The spans of the result count Unicode code points
	// in c.Text.
	Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error)
}

// Check reports whether an extraction is one that may be stored for this text:
// bounded, of valid names, types and confidences, with spans whose quotes are
// the text between their offsets. CodeInvalid names the first fault.
func Check(x kgl.Extraction, text string) error {
	if len(x.Entities) > MaxEntities || len(x.Relationships) > MaxRelationships {
		return kgl.Errorf(kgl.CodeInvalid, "%d entities and %d relationships exceed the bounds of one item", len(x.Entities), len(x.Relationships))
	}
	index := newRuneIndex(text)
	for i, e := range x.Entities {
		if err := checkEntity(e, index); err != nil {
			return kgl.Wrap(err, kgl.CodeInvalid, "entity %d is not valid", i)
		}
	}
	for i, r := range x.Relationships {
		if err := checkRelationship(r, len(x.Entities), index); err != nil {
			return kgl.Wrap(err, kgl.CodeInvalid, "relationship %d is not valid", i)
		}
	}
	return nil
}

func checkEntity(e kgl.ExtractedEntity, index runeIndex) error {
	switch {
	case !utf8.ValidString(e.Name) || strings.ContainsRune(e.Name, 0):
		return kgl.Invalid("name", "is not valid text")
	case kgl.NormalizeName(e.Name) == "" || utf8.RuneCountInString(e.Name) > maxNameRunes:
		return kgl.Invalid("name", "must have 1 to %d characters", maxNameRunes)
	case !kgl.ValidType(e.Type):
		return kgl.Invalid("type", "is not a lower-case word")
	case !validConfidence(e.Confidence):
		return kgl.Invalid("confidence", "must be from 0 to 1")
	case len(e.Spans) == 0 || len(e.Spans) > MaxSpans:
		return kgl.Invalid("spans", "must be 1 to %d", MaxSpans)
	}
	for _, s := range e.Spans {
		if !index.holds(s) {
			return kgl.Invalid("spans", "the quote is not the text from %d to %d", s.Start, s.End)
		}
	}
	return nil
}

func checkRelationship(r kgl.ExtractedRelationship, entities int, index runeIndex) error {
	switch {
	case r.From < 0 || r.From >= entities || r.To < 0 || r.To >= entities || r.From == r.To:
		return kgl.Invalid("from", "the ends must be two entities of the extraction")
	case !kgl.ValidType(r.Type):
		return kgl.Invalid("type", "is not a lower-case word")
	case !validConfidence(r.Confidence):
		return kgl.Invalid("confidence", "must be from 0 to 1")
	case !index.holds(r.Evidence):
		return kgl.Invalid("evidence", "the quote is not the text from %d to %d", r.Evidence.Start, r.Evidence.End)
	}
	return nil
}

// validConfidence is false for NaN as well.
func validConfidence(c float64) bool { return c >= 0 && c <= 1 }

// runeIndex finds the bytes between two code points of a text without walking
// it from the start each time: it remembers every 256th position.
type runeIndex struct {
	text  string
	marks []int // byte offset of code points 0, 256, 512 ...
	runes int64
}

const runeStride = 256

func newRuneIndex(text string) runeIndex {
	x := runeIndex{text: text}
	for i := range text {
		if x.runes%runeStride == 0 {
			x.marks = append(x.marks, i)
		}
		x.runes++
	}
	return x
}

// holds reports whether the span lies in the text and quotes it.
func (x runeIndex) holds(s kgl.Span) bool {
	if s.Start < 0 || s.End <= s.Start || s.End > x.runes {
		return false
	}
	return x.text[x.offset(s.Start):x.offset(s.End)] == s.Quote && utf8.ValidString(s.Quote) && !strings.ContainsRune(s.Quote, 0)
}

func (x runeIndex) offset(n int64) int {
	if n >= x.runes {
		return len(x.text)
	}
	at := x.marks[n/runeStride]
	left := n % runeStride
	for i := range x.text[at:] {
		if left == 0 {
			return at + i
		}
		left--
	}
	return len(x.text)
}
