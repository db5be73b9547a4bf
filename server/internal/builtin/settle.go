package builtin

import "strings"

// learn counts what an occurrence of a name says about its type.
func (d *document) learn(m mention) {
	if m.rule == "" {
		return
	}
	if m.name == "" {
		m.name = d.surface(m.from, m.to)
	}
	key := d.key(m.from, m.to)
	if d.votes[key] == nil {
		d.votes[key] = map[string]float64{}
	}
	c := strength(m.rule)
	d.votes[key][m.typ] += c * c
	if old, ok := d.known[key]; !ok || d.votes[key][m.typ] > d.votes[key][old.typ] || m.typ == old.typ && c > strength(old.rule) {
		d.known[key] = m
	}
}

// strength says how much the word of a rule counts beside that of others. It is
// set by hand: were it the measured precision, which rule decides would depend
// on what is measured, and that on which rule decides.
func strength(rule string) float64 {
	kind, _, _ := strings.Cut(rule, " ")
	switch kind {
	case "list", "birth", "given", "title", "noun", "officer":
		return 0.9
	case "head", "is", "apposition", "place", "who", "short", "quoted":
		return 0.8
	case "verb", "said", "by", "in", "initials":
		return 0.7
	}
	return 0.5
}

// learnShortForms remembers by which parts of a name the document may call it
// later: a person's first and last name, an organization without its last word.
func (d *document) learnShortForms(open []mention) {
	short := map[string]mention{}
	twice := map[string]bool{}
	for _, m := range open {
		whole, ok := d.known[d.key(m.from, m.to)]
		if !ok || m.to-m.from < 2 || whole.typ == typeNationality {
			continue
		}
		for _, part := range d.parts(m) {
			key := d.key(part[0], part[1])
			if old, seen := short[key]; seen && old.name != whole.name {
				twice[key] = twice[key] || old.typ != whole.typ
				continue
			}
			short[key] = mention{name: whole.name, typ: whole.typ, rule: "short form " + whole.typ, alias: true}
		}
	}
	for key, m := range short {
		if old, ok := d.known[key]; twice[key] || ok && strings.HasPrefix(old.rule, "list") {
			continue
		} else if !ok || strength(m.rule) > strength(old.rule) {
			d.known[key] = m
		}
	}
}

// parts returns the ranges of tokens that may stand for a name of several words.
func (d *document) parts(m mention) [][2]int {
	whole := d.known[d.key(m.from, m.to)]
	switch whole.typ {
	case typePerson:
		return [][2]int{{m.to - 1, m.to}, {m.from, m.from + 1}}
	case typeLocation:
		return nil
	}
	var parts [][2]int
	if from := m.from; d.tokens[from].text != "The" && !d.lex.is(d.tokens[from].lower, "common") {
		for to := from + 1; to < m.to; to++ {
			if d.tokens[to-1].kind == word && d.tokens[to-1].capital && d.lex.nouns[d.tokens[to-1].lower] == "" {
				if _, n := lookup(d.lex.names, d.tokens, from, to, false); n == 0 {
					parts = append(parts, [2]int{from, to})
				}
			}
		}
	}
	if d.tokens[m.to-1].kind == word {
		parts = append(parts, [2]int{m.to - 1, m.to})
	}
	return parts
}

// settle gives a name the type of its surest occurrence, or what its shape
// suggests. A name without a type is none.
func (d *document) settle(m mention) mention {
	if strings.HasPrefix(m.rule, "list") {
		return m
	}
	if known, ok := d.known[d.key(m.from, m.to)]; ok && (m.rule == "" || known.alias || known.typ != m.typ) {
		if known.alias {
			m.rule = known.rule
		} else {
			m.rule = "same name " + known.typ
		}
		m.name, m.typ, m.alias = known.name, known.typ, known.alias
		return m
	}
	if m.rule == "" {
		m.typ, m.rule = d.byShape(m)
	}
	m.name = d.surface(m.from, m.to)
	return m
}

// byShape guesses the type of a name that nothing tells of, by its form and by
// where it stands. Each form in each place is a rule of its own, because some
// are no more than noise: those are measured, and not told.
func (d *document) byShape(m mention) (typ, rule string) {
	first := d.tokens[m.from]
	digits, words := false, false
	for _, t := range d.tokens[m.from:m.to] {
		digits = digits || strings.ContainsAny(t.text, "0123456789")
		words = words || d.lex.is(t.lower, "common", "function") || d.lower[t.lower] > 0
	}
	place := d.place(m)
	switch n := m.to - m.from; {
	case digits:
		return typeMisc, "shape digits" + place
	case n == 1 && first.upper && len(first.text) == len([]rune(first.text)):
		return typeOrganization, "shape capitals" + place
	case n == 1 && place == ", by":
		return typeOrganization, "shape word" + place
	case n == 1 && place == ", listed":
		return typePerson, "shape word" + place
	case n == 1 && d.capitals[first.lower] > 1:
		return typeMisc, "shape word often" + place
	case n == 1:
		return typeMisc, "shape word" + place
	case n < 4 && direction(first.lower):
		return typeLocation, "shape direction"
	case words && first.text == "The":
		return typeMisc, "shape the words"
	case words && n == 2:
		return typeMisc, "shape two known words" + place
	case words:
		return typeMisc, "shape known words" + place
	case n == 2:
		return typePerson, "shape two words" + place
	default:
		return typeMisc, "shape words"
	}
}

// place says where a name stands, as far as it tells names from other words.
func (d *document) place(m mention) string {
	t, ok := d.before(m.from)
	switch {
	case d.tokens[m.from].first || !ok:
		return ", first"
	case t.lower == "the":
		return ", the"
	case t.lower == "by":
		return ", by"
	case t.lower == "of" || t.lower == "and" || t.lower == "or":
		return ", of"
	case t.text == ",":
		return ", listed"
	case t.kind == mark:
		return ", mark"
	case d.lex.is(t.lower, "english"):
		return ", small word"
	}
	return ", word"
}

func direction(w string) bool {
	switch strings.TrimSuffix(w, "ern") {
	case "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest", "upper", "lower", "central":
		return true
	}
	return false
}
