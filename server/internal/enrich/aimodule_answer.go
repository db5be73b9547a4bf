package enrich

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	// defaultAIExtractor is the extractor of a module that does not name itself.
	defaultAIExtractor = kgl.LaneAI + "@1"
	// maxPassage is the longest passage, in code points, that counts as evidence
	// only because both ends of a relationship stand in it.
	maxPassage = 500
)

// AIAdjustments count the parts of an answer that could not be taken as they
// were. They are no breach of the contract: the answer was valid, and only did
// not fit the text.
type AIAdjustments struct {
	Moved         int // places that were found again elsewhere in the text
	Places        int // left out: nothing of the entity stands there
	Entities      int // left out: without a place in the text or a usable name or type, or too many
	Relationships int // left out: without ends that are there and differ, without evidence, or too many
}

func (a AIAdjustments) any() bool { return a != AIAdjustments{} }

// LogValue implements slog.LogValuer.
func (a AIAdjustments) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("moved", a.Moved), slog.Int("places", a.Places),
		slog.Int("entities", a.Entities), slog.Int("relationships", a.Relationships))
}

// readExtraction turns an answer about a text into what can be stored. The error
// is a breach of the contract. Each span of the result quotes the text; what
// cannot be tied to it is left out and counted.
func readExtraction(a aiclient.Extraction, text string) (kgl.Extraction, AIAdjustments, error) {
	if err := checkAnswer(a); err != nil {
		return kgl.Extraction{}, AIAdjustments{}, err
	}
	r := answerReader{places: newPlacer(text), byName: map[string][]int{}}
	r.entities(a.Entities)
	r.relationships(a.Relationships)
	x := kgl.Extraction{
		Extractor: defaultAIExtractor, Model: stored(deref(a.Model)), ConfigHash: stored(deref(a.ConfigHash)),
		Entities: r.found, Relationships: r.edges,
	}
	if e := a.Extractor; e != nil {
		x.Extractor = e.Name + "@" + e.Version
	}
	if err := Check(x, text); err != nil {
		return kgl.Extraction{}, AIAdjustments{}, err
	}
	return x, r.adjusted, nil
}

// answerReader collects what can be stored of one answer.
type answerReader struct {
	places   *placer
	found    []kgl.ExtractedEntity
	byName   map[string][]int // entities by each of their names, normalised
	edges    []kgl.ExtractedRelationship
	adjusted AIAdjustments
}

// entities reads the entities, the most important ones first.
func (r *answerReader) entities(es []aiclient.Entity) {
	order := make([]int, len(es))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(deref(es[j].Salience), deref(es[i].Salience)), cmp.Compare(es[j].Confidence, es[i].Confidence))
	})
	for _, i := range order {
		if len(r.found) == MaxEntities || !r.entity(&es[i]) {
			r.adjusted.Entities++
		}
	}
}

// entity reads one entity and reports whether it can be stored.
func (r *answerReader) entity(e *aiclient.Entity) bool {
	names := entityNames(e)
	typ := typeName(e.Type)
	if names == nil || typ == "" {
		return false
	}
	spans, moved, lost := r.places.all(e.Positions, names)
	r.adjusted.Moved += moved
	r.adjusted.Places += lost
	if len(spans) == 0 {
		return false
	}
	for _, name := range names {
		key := kgl.NormalizeName(name)
		if at := r.byName[key]; len(at) == 0 || at[len(at)-1] != len(r.found) {
			r.byName[key] = append(at, len(r.found))
		}
	}
	r.found = append(r.found, kgl.ExtractedEntity{
		Name: names[0], Type: typ, Confidence: e.Confidence, Salience: deref(e.Salience),
		Aliases: names[1:min(len(names), MaxNames+1)], ExternalIDs: externalIDs(e.ExternalIds), Spans: spans,
	})
	return true
}

// entityNames returns the name and then the other names, none twice; nil when the
// name holds no letter, digit or symbol.
func entityNames(e *aiclient.Entity) []string {
	names := []string{stored(e.Name)}
	seen := map[string]bool{kgl.NormalizeName(names[0]): true}
	if seen[""] {
		return nil
	}
	for _, alias := range deref(e.Aliases) {
		alias = stored(alias)
		if key := kgl.NormalizeName(alias); key != "" && !seen[key] {
			seen[key] = true
			names = append(names, alias)
		}
	}
	return names
}

func externalIDs(ids *[]aiclient.ExternalID) []kgl.ExternalID {
	found := []kgl.ExternalID{}
	for _, id := range deref(ids) {
		x := kgl.ExternalID{Scheme: id.Scheme, Value: stored(id.Value)}
		if x.Value != "" && !slices.Contains(found, x) && len(found) < MaxNames {
			found = append(found, x)
		}
	}
	return found
}

// relationships reads the relationships, the surest ones first.
func (r *answerReader) relationships(es []aiclient.Relationship) {
	for i := range es {
		edge, ok := r.relationship(&es[i])
		if !ok {
			r.adjusted.Relationships++
			continue
		}
		r.edges = append(r.edges, edge)
	}
	slices.SortStableFunc(r.edges, func(a, b kgl.ExtractedRelationship) int { return cmp.Compare(b.Confidence, a.Confidence) })
	if over := len(r.edges) - MaxRelationships; over > 0 {
		r.adjusted.Relationships += over
		r.edges = r.edges[:MaxRelationships]
	}
}

// relationship reads one relationship and reports whether it can be stored.
func (r *answerReader) relationship(e *aiclient.Relationship) (edge kgl.ExtractedRelationship, ok bool) {
	edge.From, ok = r.end(e.From, deref(e.FromType))
	if !ok {
		return edge, false
	}
	edge.To, ok = r.end(e.To, deref(e.ToType))
	if !ok || edge.From == edge.To {
		return edge, false
	}
	if edge.Type = typeName(e.Type); edge.Type == "" {
		return edge, false
	}
	from, to := &r.found[edge.From], &r.found[edge.To]
	edge.Fact, edge.ValidFrom, edge.ValidTo = stored(deref(e.Fact)), deref(e.ValidFrom), deref(e.ValidTo)
	edge.Confidence = min(from.Confidence, to.Confidence)
	if e.Confidence != nil {
		edge.Confidence = *e.Confidence
	}
	edge.Evidence, ok = r.evidence(e.Evidence, from.Spans, to.Spans)
	return edge, ok
}

// end returns the entity of a name. Several entities of one name are told apart
// by their type; without one that does, nobody knows which is meant.
func (r *answerReader) end(name, typ string) (int, bool) {
	at := r.byName[kgl.NormalizeName(stored(name))]
	if typ != "" {
		typ = typeName(typ)
		at = slices.DeleteFunc(slices.Clone(at), func(i int) bool { return r.found[i].Type != typ })
	}
	// The same entity may be listed more than once.
	same := func(i int) bool {
		return r.found[i].Type == r.found[at[0]].Type && kgl.NormalizeName(r.found[i].Name) == kgl.NormalizeName(r.found[at[0]].Name)
	}
	if len(at) == 0 || slices.ContainsFunc(at, func(i int) bool { return !same(i) }) {
		return 0, false
	}
	return at[0], true
}

// evidence returns the place that says so: the one that is named, when its quote
// or both ends stand there; else the shortest passage with both ends.
func (r *answerReader) evidence(p *aiclient.Position, from, to []kgl.Span) (kgl.Span, bool) {
	if p != nil && p.Quote != nil {
		if span, moved, ok := r.places.one(*p, nil, nil); ok {
			if moved {
				r.adjusted.Moved++
			}
			return span, true
		}
	}
	if p != nil && p.Quote == nil && p.End-p.Start <= maxQuoteRunes {
		inside := func(s kgl.Span) bool { return s.Start >= p.Start && s.End <= p.End }
		if span, ok := r.places.span(p.Start, p.End); ok && slices.ContainsFunc(from, inside) && slices.ContainsFunc(to, inside) {
			return span, true
		}
	}
	start, end, ok := passage(from, to)
	if !ok {
		return kgl.Span{}, false
	}
	return r.places.span(start, end)
}

// passage returns the shortest stretch that holds a span of each list, unless
// that is longer than maxPassage. Both lists are in order.
func passage(a, b []kgl.Span) (start, end int64, ok bool) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s, e := min(a[i].Start, b[j].Start), max(a[i].End, b[j].End)
		if e-s <= maxPassage && (!ok || e-s < end-start) {
			start, end, ok = s, e, true
		}
		if a[i].Start <= b[j].Start {
			i++
		} else {
			j++
		}
	}
	return start, end, ok
}

// typeName returns a type in the form that is stored: lower case, every other
// character an underscore. Empty when it does not begin with a letter then.
func typeName(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(text)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	typ := strings.TrimRight(b.String(), "_")
	if !kgl.ValidType(typ) {
		return ""
	}
	return typ
}

// stored returns a text without control characters and with single blanks.
func stored(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
