package builtin

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// minConfidence is the precision below which a guess is not told.
const minConfidence = 0.3

// result makes entities of the mentions, and relationships of the links.
func (d *document) result(title string) kgl.Extraction {
	x := kgl.Extraction{Extractor: Version}
	index := map[[2]string]int{} // type and name -> entity
	entities := make([]int, len(d.found))
	for i, m := range d.found {
		confidence := d.lex.confidence(m.rule)
		entities[i] = -1
		name := m.name
		if name == "" {
			name = d.surface(m.from, m.to)
		}
		key := [2]string{m.typ, kgl.NormalizeName(name)}
		if confidence < minConfidence || key[1] == "" {
			continue
		}
		at, ok := index[key]
		if !ok {
			if len(x.Entities) == maxEntities {
				continue
			}
			at = len(x.Entities)
			index[key] = at
			x.Entities = append(x.Entities, kgl.ExtractedEntity{Name: name, Type: m.typ})
		}
		entities[i] = at
		e := &x.Entities[at]
		e.Confidence = max(e.Confidence, confidence)
		if len(e.Spans) < maxSpans {
			e.Spans = append(e.Spans, d.span(m.from, m.to))
		}
		if surface := d.surface(m.from, m.to); d.namesAlone(m, surface) && !slices.Contains(e.Aliases, surface) && kgl.NormalizeName(surface) != key[1] {
			e.Aliases = append(e.Aliases, surface)
		}
	}
	d.salience(x.Entities, title)
	x.Relationships = d.relationships(entities)
	return x
}

// namesAlone reports whether a spelling names its entity in other texts, too: an
// acronym or a listed spelling does, a last name does not.
func (d *document) namesAlone(m mention, surface string) bool {
	return m.rule == "acronym" || strings.HasPrefix(m.rule, "list ") && m.typ != typeNationality && m.typ != typeConcept && len(surface) > 1
}

func (d *document) span(from, to int) kgl.Span {
	first, last := d.tokens[from], d.tokens[to-1]
	return kgl.Span{Start: int64(first.start), End: int64(last.end), Quote: d.text[first.from:last.to]}
}

// salience says how much the item is about each entity: half of it that the
// title names it, three tenths how early the text does, two tenths how often.
func (d *document) salience(entities []kgl.ExtractedEntity, title string) {
	title = " " + kgl.NormalizeName(title) + " "
	length := 1
	if len(d.tokens) > 0 {
		length = d.tokens[len(d.tokens)-1].end
	}
	for i := range entities {
		e := &entities[i]
		s := 0.3*(1-float64(e.Spans[0].Start)/float64(length)) + 0.2*float64(min(len(e.Spans), 5))/5
		if strings.Contains(title, " "+kgl.NormalizeName(e.Name)+" ") || strings.Contains(title, " "+kgl.NormalizeName(e.Spans[0].Quote)+" ") {
			s += 0.5
		}
		switch e.Type {
		case typeAmount, typeDate, typeNationality:
			s /= 2
		}
		e.Salience = math.Round(100*s) / 100
	}
}

// relationships turns links between mentions into relationships between
// entities: each kind of link between two once for every place, in order.
func (d *document) relationships(entities []int) []kgl.ExtractedRelationship {
	type edge struct {
		from, to int
		typ      string
	}
	count := map[edge]int{}
	type place struct {
		edge
		start, end int64
	}
	seen := map[place]bool{}
	list := []kgl.ExtractedRelationship{}
	for _, l := range d.links() {
		from, to := entities[l.from], entities[l.to]
		key := edge{from, to, l.pattern.relation}
		if from < 0 || to < 0 || from == to || count[key] == maxEvidence || len(list) == maxRelationships {
			continue
		}
		from, to = d.reach(l)
		evidence := d.evidence(from, to, l.at)
		if at := (place{key, evidence.Start, evidence.End}); seen[at] {
			continue
		} else {
			seen[at] = true
		}
		count[key]++
		list = append(list, kgl.ExtractedRelationship{
			From: key.from, To: key.to, Type: l.pattern.relation, Fact: d.fact(l),
			Confidence: d.lex.confidence(l.pattern.rule), Evidence: evidence,
		})
	}
	slices.SortStableFunc(list, func(a, b kgl.ExtractedRelationship) int { return cmp.Compare(a.Evidence.Start, b.Evidence.Start) })
	return list
}

// The bounds of evidence: the places of one relationship in one item, and the
// tokens of one of them.
const (
	maxEvidence       = 3
	maxEvidenceTokens = 80
)

// reach returns the range of tokens that says a link. A name in a sentence
// before, for which "The fund" stands, is not a part of it.
func (d *document) reach(l link) (from, to int) {
	from, to = l.at, l.at+1
	sentence := d.tokens[l.at].sentence
	for _, m := range []mention{d.found[l.from], d.found[l.to]} {
		if d.tokens[m.from].sentence == sentence {
			from, to = min(from, m.from), max(to, m.to)
			continue
		}
		for from > 0 && d.tokens[from-1].sentence == sentence {
			from--
		}
	}
	return from, to
}

// evidence returns tokens[from:to], cut when it is long. Where what is no text
// lies between them, it is only the phrase at token at.
func (d *document) evidence(from, to, at int) kgl.Span {
	span := d.span(from, min(to, from+maxEvidenceTokens))
	if strings.ContainsRune(span.Quote, 0) || !utf8.ValidString(span.Quote) || strings.ContainsRune(span.Quote, utf8.RuneError) {
		return d.span(at, at+1)
	}
	return span
}
