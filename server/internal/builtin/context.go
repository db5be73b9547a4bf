package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// context tells the type of a name by its words and by what stands beside it.
func (d *document) context(m mention) (typ, rule string) {
	for _, tell := range []func(mention) (string, string){
		d.byBirth, d.byCopula, d.byTitle, d.byNounBefore, d.byApposition, d.byGivenName, d.byInitials, d.byVerb, d.byAuthor, d.byPlace,
	} {
		if typ, rule = tell(m); typ != "" {
			return typ, rule
		}
	}
	return "", ""
}

// personal reports whether a row has the length of a person's name.
func (d *document) personal(m mention) bool { return m.to-m.from >= 2 && m.to-m.from <= 4 }

// byBirth reads "(born 1950" and "(1890-1960)" behind a name.
func (d *document) byBirth(m mention) (string, string) {
	t, ok := d.after(m.to)
	if !ok || t.text != "(" {
		return "", ""
	}
	dates := 0
	for i := m.to + 1; i < len(d.tokens) && i < m.to+14 && d.tokens[i].text != ")"; i++ {
		switch l := d.tokens[i].lower; {
		case l == "born" || l == "b" || l == "née" || l == "died":
			return typePerson, "birth"
		case d.tokens[i].kind == number && len(l) == 4:
			dates++
		case d.tokens[i].kind == number && len(l) == 9 && strings.ContainsAny(l, "-"):
			dates += 2
		}
	}
	if dates >= 2 && d.personal(m) {
		return typePerson, "birth"
	}
	return "", ""
}

// byCopula reads "X is a village in", "X was an American film director".
func (d *document) byCopula(m mention) (string, string) {
	i := m.to
	if t, ok := d.after(i); ok && t.text == "(" {
		for i < len(d.tokens) && i < m.to+20 && d.tokens[i].text != ")" {
			i++
		}
		i++
	}
	t, ok := d.after(min(i, len(d.tokens)))
	if ok && t.text == "," {
		i++
		t, ok = d.after(i)
	}
	if !ok || t.lower != "is" && t.lower != "was" && t.lower != "are" && t.lower != "were" {
		return "", ""
	}
	if t, ok = d.after(i + 1); !ok || t.lower != "a" && t.lower != "an" && t.lower != "the" && t.lower != "one" {
		return "", ""
	}
	return d.fits(m, d.nounPhrase(i+2), "is a")
}

// nounPhrase returns the type of the last known noun of the phrase that begins
// at token i.
func (d *document) nounPhrase(i int) string {
	typ := ""
	for n := 0; n < 9; n, i = n+1, i+1 {
		t, ok := d.after(i)
		if !ok || t.kind == mark || d.lex.is(t.lower, "function") || d.lex.is(t.lower, "negation") {
			break
		}
		if noun := d.noun(t.lower); noun != "" {
			typ = noun
		} else if typ != "" && d.lex.verbs[t.lower] != "" {
			break
		}
	}
	return typ
}

// noun returns the type of what a common noun, singular or plural, calls.
func (d *document) noun(w string) string {
	if typ := d.lex.nouns[w]; typ != "" {
		return typ
	}
	if one, plural := strings.CutSuffix(w, "s"); plural {
		if stem, ies := strings.CutSuffix(one, "ie"); ies {
			one = stem + "y"
		}
		if typ := d.lex.nouns[one]; typ != typeWork { // "records" and "plays" are verbs
			return typ
		}
	}
	if d.lex.is(w, "title") {
		return typePerson
	}
	return ""
}

// fits refuses what cannot be: a long name of a person.
func (d *document) fits(m mention, typ, rule string) (string, string) {
	if typ == "" || typ == typePerson && m.to-m.from > 4 {
		return "", ""
	}
	return typ, rule + " " + typ
}

// byTitle reads a title or a role before a name.
func (d *document) byTitle(m mention) (string, string) {
	t, ok := d.before(m.from)
	if !ok || t.possessive || !d.lex.is(t.lower, "title") || m.to-m.from > 4 {
		return "", ""
	}
	return typePerson, "title"
}

// byNounBefore reads "the band X", "the city of X".
func (d *document) byNounBefore(m mention) (string, string) {
	t, ok := d.before(m.from)
	if !ok || t.possessive {
		return "", ""
	}
	if t.lower == "of" && m.from > 1 {
		if noun := d.lex.nouns[d.tokens[m.from-2].lower]; noun == typeLocation {
			return noun, "noun of " + noun
		}
		if d.lex.is(d.tokens[m.from-2].lower, "officer") {
			return typeOrganization, "officer of"
		}
		return "", ""
	}
	noun := d.lex.nouns[t.lower]
	return d.fits(m, noun, "noun before")
}

// byApposition reads ", a video platform" behind a name, and the name's noun
// right behind it ("the Atlanta suburb", "Yamaha guitars").
func (d *document) byApposition(m mention) (string, string) {
	t, ok := d.after(m.to)
	if !ok {
		return "", ""
	}
	if t.text != "," {
		person := d.personal(m) && d.lex.given[d.tokens[m.from].lower]
		if noun := d.noun(t.lower); noun != "" && !person && noun != typePerson && noun != typeLocation && !d.tokens[m.to-1].possessive {
			return d.fits(m, noun, "noun behind")
		}
		return "", ""
	}
	if t, ok = d.after(m.to + 1); !ok {
		return "", ""
	}
	switch {
	case t.lower == "who":
		return typePerson, "who"
	case t.lower == "headquartered" || t.lower == "based" && !d.personal(m):
		return typeOrganization, "based"
	case t.lower == "a" || t.lower == "an" || t.lower == "the" || t.lower == "its" || t.lower == "his" || t.lower == "her" || t.lower == "their":
		return d.fits(m, d.nounPhrase(m.to+2), "apposition")
	case !t.capital && t.kind == word:
		if d.phraseOfRole(m.to + 1) {
			return typePerson, "apposition person"
		}
	}
	return "", ""
}

// phraseOfRole reads "chief executive of", "founder and host of".
func (d *document) phraseOfRole(i int) bool {
	for n := 0; n < 4; n, i = n+1, i+1 {
		t, ok := d.after(i)
		if !ok || t.kind != word || t.capital {
			return false
		}
		if d.noun(t.lower) == typePerson {
			return true
		}
	}
	return false
}

// byGivenName knows a person by the first name.
func (d *document) byGivenName(m mention) (string, string) {
	if d.personal(m) && d.lex.given[d.tokens[m.from].lower] && !d.tokens[m.from].upper {
		return typePerson, "given name"
	}
	return "", ""
}

// byInitials knows a person by "J. K." before a last name.
func (d *document) byInitials(m mention) (string, string) {
	if !d.personal(m) || d.tokens[m.to-1].upper {
		return "", ""
	}
	for i := m.from; i < m.to-1; i++ {
		if w := d.tokens[i].text; utf8.RuneCountInString(w) == 2 && w[len(w)-1] == '.' {
			return typePerson, "initials"
		}
	}
	return "", ""
}

// byVerb reads the verb behind a name, or "said" before it.
func (d *document) byVerb(m mention) (string, string) {
	if t, ok := d.before(m.from); ok && (t.lower == "said" || t.lower == "says") && d.personal(m) {
		return typePerson, "said"
	}
	if !d.lex.given[d.tokens[m.from].lower] && d.objectOf(m.from) {
		return typeOrganization, "object"
	}
	t, ok := d.after(m.to)
	if !ok || d.tokens[m.to-1].possessive {
		return "", ""
	}
	if typ := d.lex.verbs[t.lower]; typ != "" && (typ != typePerson || !d.tokens[m.from].upper) {
		return d.fits(m, typ, "verb")
	}
	return "", ""
}

// objectOf reads "acquired X" and "works for X".
func (d *document) objectOf(i int) bool {
	t, ok := d.before(i)
	if !ok || d.lex.is(t.lower, "object") {
		return ok
	}
	verb, ok := d.before(i - 1)
	return ok && d.lex.is(verb.lower+"-"+t.lower, "object")
}

// byAuthor reads "directed by X" and "acquired by X".
func (d *document) byAuthor(m mention) (string, string) {
	if t, ok := d.before(m.from); !ok || t.lower != "by" || m.from < 2 {
		return "", ""
	}
	l := d.tokens[m.from-2].lower
	if d.lex.is(l, "agent") {
		return typeOrganization, "by organization"
	}
	if !d.personal(m) {
		return "", ""
	}
	if strings.HasSuffix(l, "ed") || strings.HasSuffix(l, "en") || l == "led" || l == "sung" {
		return typePerson, "by person"
	}
	return "", ""
}

// byPlace reads "in X", and "X, Texas".
func (d *document) byPlace(m mention) (string, string) {
	if t, ok := d.after(m.to); ok && t.text == "," && m.to+1 < len(d.tokens) {
		if e, n := lookup(d.lex.names, d.tokens, m.to+1, len(d.tokens), false); n > 0 && e.typ == typeLocation && d.tokens[m.to+1].sentence == t.sentence {
			return typeLocation, "place behind"
		}
	}
	t, ok := d.before(m.from)
	if !ok || m.to-m.from > 3 || !d.lex.is(t.lower, "before") || d.tokens[m.to-1].possessive || camel(d.tokens[m.from].text) {
		return "", ""
	}
	if t.lower == "in" || t.lower == "near" {
		return typeLocation, "in"
	}
	if m.to-m.from > 1 {
		return "", ""
	}
	return typeLocation, "at"
}

// camel reports whether a word has a capital inside, as the names of programs
// have and those of places do not.
func camel(w string) bool {
	for i, r := range w {
		if i > 0 && unicode.IsUpper(r) && !strings.ContainsAny(w[:i], "-'’.") {
			return true
		}
	}
	return false
}
