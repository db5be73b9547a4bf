package enrich

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What one answer may cost to place, however it was made.
const (
	maxOccurrences = 500  // of one surface that are looked at
	maxSurfaces    = 1000 // that are looked for in one text
	maxTries       = 4 * MaxSpans
)

// placer finds the places of an answer in the text that it is about.
type placer struct {
	index runeIndex
	units []int64            // UTF-16 units before each mark of the index; nil until needed
	found map[string][]int64 // where each surface begins, in code points
}

func newPlacer(text string) *placer {
	return &placer{index: newRuneIndex(text), found: map[string][]int64{}}
}

// all returns the places of an entity, in order and none twice, at most MaxSpans
// of them. Without positions the names are looked for. moved were found elsewhere
// than the module said, lost nowhere.
func (p *placer) all(positions []aiclient.Position, names []string) (spans []kgl.Span, moved, lost int) {
	if len(positions) == 0 {
		for _, name := range names {
			for _, at := range p.occurrences(name) {
				spans = append(spans, p.at(at, name))
			}
		}
		return tidySpans(spans), 0, 0
	}
	keys := map[string]bool{}
	for _, name := range names {
		keys[kgl.NormalizeName(name)] = true
	}
	for _, position := range positions[:min(len(positions), maxTries)] {
		span, elsewhere, ok := p.one(position, keys, names)
		switch {
		case !ok:
			lost++
			continue
		case elsewhere:
			moved++
		}
		spans = append(spans, span)
	}
	return tidySpans(spans), moved, lost
}

// one returns the place of a position: where its quote stands or, without one,
// where one of the names does. keys are the names, normalised.
func (p *placer) one(position aiclient.Position, keys map[string]bool, names []string) (span kgl.Span, moved, ok bool) {
	span, inside := p.span(position.Start, position.End)
	if position.Quote != nil && *position.Quote != "" {
		if inside && span.Quote == *position.Quote {
			return span, false, true
		}
		span, ok = p.near(*position.Quote, position.Start)
		return span, ok, ok
	}
	if inside && keys[kgl.NormalizeName(span.Quote)] {
		return span, false, true
	}
	for _, name := range names {
		if span, ok = p.near(name, position.Start); ok {
			return span, true, true
		}
	}
	return kgl.Span{}, false, false
}

// near returns the place of a surface that a wrong offset most likely means: the
// one at that many bytes or UTF-16 units, else the nearest one.
func (p *placer) near(surface string, offset int64) (kgl.Span, bool) {
	places := p.occurrences(surface)
	if len(places) == 0 {
		return kgl.Span{}, false
	}
	for _, at := range []int64{p.ofUnits(offset), p.ofBytes(offset)} {
		if _, exact := slices.BinarySearch(places, at); exact {
			return p.at(at, surface), true
		}
	}
	i, _ := slices.BinarySearch(places, offset)
	if i == len(places) || i > 0 && offset-places[i-1] <= places[i]-offset {
		i--
	}
	return p.at(places[i], surface), true
}

// span returns the place between two offsets, unless it is empty or not in the
// text.
func (p *placer) span(start, end int64) (kgl.Span, bool) {
	if start < 0 || end <= start || end > p.index.runes {
		return kgl.Span{}, false
	}
	return kgl.Span{Start: start, End: end, Quote: p.index.text[p.index.offset(start):p.index.offset(end)]}, true
}

func (p *placer) at(start int64, surface string) kgl.Span {
	return kgl.Span{Start: start, End: start + int64(utf8.RuneCountInString(surface)), Quote: surface}
}

// occurrences returns where a surface stands as words of its own, in code points.
func (p *placer) occurrences(surface string) []int64 {
	if places, known := p.found[surface]; known || len(p.found) == maxSurfaces || strings.TrimSpace(surface) == "" {
		return places
	}
	var places []int64
	text, from, runes := p.index.text, 0, int64(0)
	for len(places) < maxOccurrences {
		i := strings.Index(text[from:], surface)
		if i < 0 {
			break
		}
		runes += int64(utf8.RuneCountInString(text[from : from+i]))
		at := from + i
		if ownWord(text, at, at+len(surface)) {
			places = append(places, runes)
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from, runes = at+size, runes+1
	}
	p.found[surface] = places
	return places
}

// ownWord reports whether text[from:to] is not a part of a longer word.
func ownWord(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	first, _ := utf8.DecodeRuneInString(text[from:])
	last, _ := utf8.DecodeLastRuneInString(text[:to])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return !joined(before, first) && !joined(last, after)
}

// joined reports whether two characters beside each other are of one word.
// Scripts that write no blanks between words say nothing about that.
func joined(a, b rune) bool {
	return spelled(a) && spelled(b)
}

func spelled(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// ofBytes returns the code point at a number of bytes, -1 outside of the text.
func (p *placer) ofBytes(n int64) int64 {
	if n < 0 || n >= int64(len(p.index.text)) {
		return -1
	}
	mark, exact := slices.BinarySearch(p.index.marks, int(n))
	if !exact {
		mark--
	}
	return int64(mark)*runeStride + int64(utf8.RuneCountInString(p.index.text[p.index.marks[mark]:n]))
}

// ofUnits returns the code point at a number of UTF-16 units, -1 outside of the
// text.
func (p *placer) ofUnits(n int64) int64 {
	if p.units == nil {
		p.countUnits()
	}
	mark, exact := slices.BinarySearch(p.units, n)
	if !exact {
		mark--
	}
	if mark < 0 {
		return -1
	}
	at, units := int64(mark)*runeStride, p.units[mark]
	for _, r := range p.index.text[p.index.marks[mark]:] {
		if units >= n {
			return at
		}
		units += unitsOf(r)
		at++
	}
	return -1
}

func (p *placer) countUnits() {
	units, runes := int64(0), int64(0)
	p.units = make([]int64, 0, len(p.index.marks))
	for _, r := range p.index.text {
		if runes%runeStride == 0 {
			p.units = append(p.units, units)
		}
		units += unitsOf(r)
		runes++
	}
}

func unitsOf(r rune) int64 {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// tidySpans returns spans in order, none twice, at most MaxSpans.
func tidySpans(spans []kgl.Span) []kgl.Span {
	slices.SortFunc(spans, func(a, b kgl.Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	spans = slices.Compact(spans)
	return spans[:min(len(spans), MaxSpans)]
}
