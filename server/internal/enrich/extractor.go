package enrich

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
	MaxNames         = 20  // aliases, and as many external ids, of one entity
	maxNameRunes     = 300 // of a name, an alias or an external id
	maxFact          = 2000
	maxModel         = 200 // of a model or a hash, in characters
)

var (
	// extractorName is the name of an extractor and its version; extractors from
	// before there were versions have none.
	extractorName  = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}(@[A-Za-z0-9][A-Za-z0-9_.+-]{0,19})?$`)
	externalScheme = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)
)

// Extractor finds entities and relationships in content. Implementations are
// safe for concurrent use and obey ctx.
type Extractor interface {
	// Name is the lane of the tasks that are for this extractor. What it finds
	// carries the name and the version of the result.
	Name() string

	// Extract reads one item. The spans of the result count Unicode code points
	// in c.Text.
	Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error)
}

// Check reports whether an extraction is one that may be stored for this text:
// bounded, of valid names, types and confidences, with spans whose quotes are
// the text between their offsets. CodeInvalid names the first fault.
func Check(x kgl.Extraction, text string) error {
	switch {
	case !extractorName.MatchString(x.Extractor):
		return kgl.Invalid("extractor", "is not a name and a version")
	case !validText(x.Model, maxModel):
		return kgl.Invalid("model", "must be a text of at most %d characters", maxModel)
	case !validText(x.ConfigHash, maxModel):
		return kgl.Invalid("config_hash", "must be a text of at most %d characters", maxModel)
	case len(x.Entities) > MaxEntities:
		return kgl.Invalid("entities", "must be at most %d", MaxEntities)
	case len(x.Relationships) > MaxRelationships:
		return kgl.Invalid("relationships", "must be at most %d", MaxRelationships)
	}
	index := newRuneIndex(text)
	for i, e := range x.Entities {
		if err := checkEntity(e, index); err != nil {
			return within(fmt.Sprintf("entities[%d].", i), err)
		}
	}
	for i, r := range x.Relationships {
		if err := checkRelationship(r, len(x.Entities), index); err != nil {
			return within(fmt.Sprintf("relationships[%d].", i), err)
		}
	}
	return nil
}

// within says of a fault where the part is in which the field is.
func within(part string, err error) error {
	e, ok := errors.AsType[*kgl.Error](err)
	if !ok || len(e.Fields) != 1 {
		return err
	}
	return kgl.Invalid(part+e.Fields[0].Field, "%s", e.Fields[0].Message)
}

// CheckOwner reports whether results in a lane may carry the name of this
// extractor: the names of the service's own belong to their own lanes.
// CodeInvalid.
func CheckOwner(lane, extractor string) error {
	switch name := kgl.ExtractorName(extractor); name {
	case kgl.LaneBuiltin, kgl.LaneMock, kgl.ExtractorManual, kgl.AliasOfMerge:
		if name != lane {
			return kgl.Invalid("extractor", "the name %s is taken", name)
		}
	}
	return nil
}

// messageOf returns what is said to users about a fault, with the field.
func messageOf(err error) string {
	if e, ok := errors.AsType[*kgl.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// validText reports whether a text can be stored and is not too long.
func validText(text string, runes int) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0) && utf8.RuneCountInString(text) <= runes
}

func checkEntity(e kgl.ExtractedEntity, index runeIndex) error {
	switch {
	case !validText(e.Name, maxNameRunes) || kgl.NormalizeName(e.Name) == "":
		return kgl.Invalid("name", "must be a text of 1 to %d characters", maxNameRunes)
	case !kgl.ValidType(e.Type):
		return kgl.Invalid("type", "is not a lower-case word")
	case !validConfidence(e.Confidence):
		return kgl.Invalid("confidence", "must be from 0 to 1")
	case !validConfidence(e.Salience):
		return kgl.Invalid("salience", "must be from 0 to 1")
	case len(e.Aliases) > MaxNames:
		return kgl.Invalid("aliases", "must be at most %d", MaxNames)
	case len(e.ExternalIDs) > MaxNames:
		return kgl.Invalid("external_ids", "must be at most %d", MaxNames)
	case len(e.Spans) == 0 || len(e.Spans) > MaxSpans:
		return kgl.Invalid("mentions", "must be 1 to %d", MaxSpans)
	}
	for i, a := range e.Aliases {
		if !validText(a, maxNameRunes) || kgl.NormalizeName(a) == "" {
			return kgl.Invalid(fmt.Sprintf("aliases[%d]", i), "must be a text of 1 to %d characters", maxNameRunes)
		}
	}
	for i, id := range e.ExternalIDs {
		if !externalScheme.MatchString(id.Scheme) || id.Value == "" || !validText(id.Value, maxNameRunes) {
			return kgl.Invalid(fmt.Sprintf("external_ids[%d]", i), "needs a scheme and a value of at most %d characters", maxNameRunes)
		}
	}
	for i, s := range e.Spans {
		if err := index.check(s); err != nil {
			return within(fmt.Sprintf("mentions[%d].", i), err)
		}
	}
	return nil
}

func checkRelationship(r kgl.ExtractedRelationship, entities int, index runeIndex) error {
	switch {
	case r.From < 0 || r.From >= entities:
		return kgl.Invalid("from", "must be the place of an entity in the list, from 0")
	case r.To < 0 || r.To >= entities || r.From == r.To:
		return kgl.Invalid("to", "must be the place of another entity in the list, from 0")
	case !kgl.ValidType(r.Type):
		return kgl.Invalid("type", "is not a lower-case word")
	case !validText(r.Fact, maxFact):
		return kgl.Invalid("fact", "must be a text of at most %d characters", maxFact)
	case r.ValidFrom != "" && !kgl.ValidPartialDate(r.ValidFrom):
		return kgl.Invalid("valid_from", "must be a year, a month or a day")
	case r.ValidTo != "" && !kgl.ValidPartialDate(r.ValidTo):
		return kgl.Invalid("valid_to", "must be a year, a month or a day")
	case !validConfidence(r.Confidence):
		return kgl.Invalid("confidence", "must be from 0 to 1")
	}
	if err := index.check(r.Evidence); err != nil {
		return within("evidence.", err)
	}
	return nil
}

// FillQuotes sets the quotes that an extraction leaves out to the text between
// the offsets. Spans that lie outside of the text stay as they are, for Check to
// refuse.
func FillQuotes(x kgl.Extraction, text string) {
	index := newRuneIndex(text)
	fill := func(s *kgl.Span) {
		if s.Quote == "" && s.Start >= 0 && s.Start < s.End && s.End <= index.runes {
			s.Quote = text[index.offset(s.Start):index.offset(s.End)]
		}
	}
	for i := range x.Entities {
		for j := range x.Entities[i].Spans {
			fill(&x.Entities[i].Spans[j])
		}
	}
	for i := range x.Relationships {
		fill(&x.Relationships[i].Evidence)
	}
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

// check reports whether the span lies in the text and quotes it. CodeInvalid
// names the field.
func (x runeIndex) check(s kgl.Span) error {
	switch {
	case s.Start < 0 || s.Start >= x.runes:
		return kgl.Invalid("start", "must be from 0 to less than %d, the characters of the text", x.runes)
	case s.End <= s.Start || s.End > x.runes:
		return kgl.Invalid("end", "must be more than start and at most %d, the characters of the text", x.runes)
	case x.text[x.offset(s.Start):x.offset(s.End)] != s.Quote || !utf8.ValidString(s.Quote) || strings.ContainsRune(s.Quote, 0):
		return kgl.Invalid("quote", "is not the text from %d to %d", s.Start, s.End)
	}
	return nil
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
