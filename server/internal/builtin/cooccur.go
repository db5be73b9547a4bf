package builtin

import (
	"cmp"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CoOccursWith is the relationship of two entities that one sentence names and
// that nothing else relates. It says no more than that.
const CoOccursWith = "co_occurs_with"

const (
	// maxPairs bounds the co-occurrences of one item.
	maxPairs = 20

	// minPairConfidence leaves out entities that are rather guesses.
	minPairConfidence = 0.5

	// maxTogether bounds the entities of one sentence that are paired: longer
	// rows are lists, whose members have nothing else in common.
	maxTogether = 8

	// coOccurrenceConfidence is how many of the pairs are such that a person
	// related them, too, on testdata/news.txt; TestCoOccurrencePrecision
	// measures it.
	coOccurrenceConfidence = 0.07
)

// CoOccurrences returns the relationships of type CoOccursWith to add to an
// extraction from text, whoever made it: one for each pair of entities that a
// sentence names and that the extraction does not relate, at most 20. Amounts,
// dates and nationalities are left out. A pair is ordered by type and normalised name, so that
// it is the same in every item; its evidence is the sentence. Pairs that more
// sentences name come first.
func CoOccurrences(x kgl.Extraction, text string) []kgl.ExtractedRelationship {
	related := map[[2]int]bool{}
	for _, r := range x.Relationships {
		related[[2]int{min(r.From, r.To), max(r.From, r.To)}] = true
	}
	tokens := tokenize(text, maxRunes)
	pairs := map[[2]int]*pairing{}
	var order []*pairing
	for s, list := range together(x.Entities, tokens) {
		for i, a := range list {
			for _, b := range list[i+1:] {
				key := [2]int{min(a, b), max(a, b)}
				if related[key] || sameName(x.Entities[a], x.Entities[b]) {
					continue
				}
				if pairs[key] == nil {
					pairs[key] = &pairing{a: key[0], b: key[1], sentence: s}
					order = append(order, pairs[key])
				}
				pairs[key].count++
				pairs[key].sentence = min(pairs[key].sentence, s)
			}
		}
	}
	slices.SortFunc(order, func(p, q *pairing) int {
		return cmp.Or(cmp.Compare(q.count, p.count), cmp.Compare(p.sentence, q.sentence), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b))
	})
	list := []kgl.ExtractedRelationship{}
	for _, p := range order[:min(len(order), maxPairs, max(0, maxRelationships-len(x.Relationships)))] {
		list = append(list, p.relationship(x.Entities, tokens, text))
	}
	return list
}

// WithCoOccurrences returns an extraction with its CoOccurrences. It has the form
// that the recorder of results takes.
func WithCoOccurrences(x kgl.Extraction, text string) kgl.Extraction {
	x.Relationships = slices.Concat(x.Relationships, CoOccurrences(x, text))
	return x
}

// pairing is two entities that sentences name together.
type pairing struct{ a, b, sentence, count int }

// together returns for each sentence the entities that it names, in the order of
// their numbers.
func together(entities []kgl.ExtractedEntity, tokens []token) map[int][]int {
	list := map[int][]int{}
	for i, e := range entities {
		if e.Type == typeAmount || e.Type == typeDate || e.Type == typeNationality || e.Confidence < minPairConfidence {
			continue
		}
		for _, span := range e.Spans {
			k, found := slices.BinarySearchFunc(tokens, int(span.Start), func(t token, at int) int { return cmp.Compare(t.start, at) })
			if !found && k > 0 {
				k--
			}
			if k >= len(tokens) {
				continue
			}
			if s := tokens[k].sentence; !slices.Contains(list[s], i) && len(list[s]) < maxTogether {
				list[s] = append(list[s], i)
			}
		}
	}
	return list
}

// sameName reports whether two entities are rather one, or two readings of one
// place.
func sameName(a, b kgl.ExtractedEntity) bool {
	if kgl.NormalizeName(a.Name) == kgl.NormalizeName(b.Name) {
		return true
	}
	return len(a.Spans) > 0 && len(b.Spans) > 0 && a.Spans[0].Start < b.Spans[0].End && b.Spans[0].Start < a.Spans[0].End
}

func (p pairing) relationship(entities []kgl.ExtractedEntity, tokens []token, text string) kgl.ExtractedRelationship {
	a, b := p.a, p.b
	if cmp.Or(cmp.Compare(entities[a].Type, entities[b].Type), cmp.Compare(kgl.NormalizeName(entities[a].Name), kgl.NormalizeName(entities[b].Name))) > 0 {
		a, b = b, a
	}
	from, _ := slices.BinarySearchFunc(tokens, p.sentence, func(t token, s int) int { return cmp.Compare(t.sentence, s) })
	to := from + 1
	for to < len(tokens) && to-from < maxEvidenceTokens && tokens[to].sentence == p.sentence {
		to++
	}
	first, last := tokens[from], tokens[to-1]
	return kgl.ExtractedRelationship{
		From: a, To: b, Type: CoOccursWith, Fact: sentence(entities[a].Name, CoOccursWith, entities[b].Name),
		Confidence: coOccurrenceConfidence,
		Evidence:   kgl.Span{Start: int64(first.start), End: int64(last.end), Quote: text[first.from:last.to]},
	}
}
