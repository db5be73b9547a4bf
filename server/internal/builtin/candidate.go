package builtin

import "strings"

// names finds the names of the document: first those that show their type
// themselves or by what stands beside them, then, with what was learned, the
// rest.
func (d *document) names() {
	var open []mention
	for i := 0; i < len(d.tokens); {
		to := d.run(i)
		if m, ok := d.quotation(i); ok {
			open = append(open, m)
			i = m.to
			continue
		}
		if to == i {
			if m, ok := d.listedAt(i); ok {
				open = append(open, m)
				i = m.to
				continue
			}
			i++
			continue
		}
		open = append(open, d.split(i, to)...)
		i = to
	}
	for i := range open {
		m := &open[i]
		if m.to <= m.from {
			continue
		}
		if m.rule == "" {
			m.typ, m.rule = d.context(*m)
		}
		d.learn(*m)
	}
	d.learnShortForms(open)
	d.learnAcronyms(open)
	d.beside(open)
	for _, m := range open {
		if m = d.settle(m); m.typ != "" {
			d.take(m)
		}
	}
}

// maxTitleTokens bounds a quoted title; longer quotations are speech.
const maxTitleTokens = 9

// quotation finds the title between the quotation marks that token i opens.
func (d *document) quotation(i int) (mention, bool) {
	if !d.prose || !strings.Contains("\"“", d.tokens[i].text) || d.tokens[i].kind != mark || !d.tokens[i].spaced && i > 0 && d.tokens[i-1].text != "(" {
		return mention{}, false
	}
	to := i + 1
	for to < len(d.tokens) && !d.tokens[to].line && to-i <= maxTitleTokens+1 && !strings.Contains("\"”", d.tokens[to].text) {
		to++
	}
	if to >= len(d.tokens) || d.tokens[to].line || to-i > maxTitleTokens+1 || to == i+1 || d.tokens[to].kind != mark {
		return mention{}, false
	}
	from := i + 1
	for to > from && strings.Contains(".,;!?", d.tokens[to-1].text) {
		to--
	}
	words, capitals := 0, 0
	for _, t := range d.tokens[from:to] {
		if t.kind != word || !t.capital && d.lex.is(t.lower, "function", "particle") {
			continue
		}
		words++
		if t.capital {
			capitals++
		}
	}
	if words == 0 || capitals < words || !d.tokens[from].capital && d.tokens[from].kind == word {
		return mention{}, false
	}
	rule := "quoted words"
	if to-from == 1 {
		rule = "quoted word"
	}
	return mention{from: from, to: to, typ: typeWork, rule: rule}, true
}

// listedAt finds a listed name that begins without a capital, such as itch.io.
func (d *document) listedAt(i int) (mention, bool) {
	if d.taken[i] || d.tokens[i].capital && d.tokens[i].kind == word {
		return mention{}, false
	}
	e, n := lookup(d.lex.names, d.tokens, i, len(d.tokens), false)
	if n == 0 || e.common {
		return mention{}, false
	}
	return d.listedMention(e, i, n), true
}

func (d *document) listedMention(e listed, i, n int) mention {
	return mention{from: i, to: i + n, name: e.name, typ: e.typ, rule: "list " + e.typ}
}

// split parts a row of capitals into names.
func (d *document) split(from, to int) []mention {
	from, to = d.trim(from, to)
	if from >= to {
		return nil
	}
	if e, n := lookup(d.lex.names, d.tokens, from, len(d.tokens), false); n >= to-from && !d.taken[from+n-1] {
		if e.common && !d.nameHere(from) {
			return nil
		}
		return []mention{d.listedMention(e, from, n)}
	}
	if m, ok := d.titled(from, to); ok {
		return m
	}
	if typ := d.headType(from, to); typ != "" && !d.tokens[from].headline {
		return d.headed(from, to, typ)
	}
	if at := d.innerTitle(from, to); at > 0 {
		return append(d.split(from, at), d.split(at, to)...)
	}
	if m, ok := d.innerListed(from, to); ok {
		return m
	}
	if !d.prose || d.tokens[from].headline && d.capitals[d.tokens[from].lower] == 0 || d.tokens[to-1].end-d.tokens[from].start > maxNameRunes {
		return nil
	}
	if to-from == 1 && !d.nameHere(from) {
		return nil
	}
	return []mention{{from: from, to: to}}
}

// trim drops words from the left of a row that only begin a sentence.
func (d *document) trim(from, to int) (int, int) {
	if from < to && d.tokens[from].first && d.opensOnly(from, to) {
		from++
		for from < to && !d.capitalised(from) {
			from++ // "Members of the ..."
		}
	}
	for to > from && (d.tokens[to-1].kind == mark || to-from > 1 && d.tokens[to-1].upper && d.lex.is(d.tokens[to-1].lower, "title")) {
		to-- // "Micro Focus CTO"
	}
	return from, to
}

// opensOnly reports whether the first word of a row that begins a sentence has its
// capital for no other reason.
func (d *document) opensOnly(from, to int) bool {
	t := d.tokens[from]
	typ := d.headType(from, to)
	if to-from > 2 && typ == "" && d.lex.given[d.tokens[from+1].lower] && !d.lex.given[t.lower] {
		return true // "Cartoonist Ana Lobo"
	}
	switch {
	case !d.lex.is(t.lower, "common"), d.capitals[t.lower] > d.lower[t.lower]:
		return false
	case to-from > 1 && !derived(t.lower) && !strings.HasSuffix(t.lower, "s") && !d.lex.is(t.lower, "lead"):
		return false
	case typ == typeGrant, typ == typeProgram, typ == typeOrganization && to-from > 2:
		return false
	}
	_, n := lookup(d.lex.names, d.tokens, from, to, false)
	return n == 0
}

// nameHere reports whether the single word at token i is a name, and not a word
// with the capital of a sentence's beginning, or of emphasis.
func (d *document) nameHere(i int) bool {
	t := d.tokens[i]
	if len(t.text) < 2 || d.lex.is(t.lower, "noise") {
		return false
	}
	e, n := lookup(d.lex.names, d.tokens, i, i+1, false)
	switch {
	case n > 0:
		return !e.common || !t.first && !t.headline || d.capitals[t.lower] > 0 || d.subject(i+1)
	case d.lex.is(t.lower, "common", "title"), d.lex.nouns[t.lower] != "", d.lex.last[t.lower] != "":
		return false
	case t.first || t.headline:
		return d.capitals[t.lower] > d.lower[t.lower] || d.lower[t.lower] == 0 && !t.headline && d.lex.verbs[t.lower] == "" && (t.upper || t.possessive || !derived(t.lower))
	}
	return d.capitals[t.lower] >= d.lower[t.lower]
}

// derived reports whether a word ends as words do that are no names.
func derived(w string) bool {
	for _, suffix := range []string{"ing", "ly", "tion", "tions", "ness", "ment", "ments", "ity", "ities", "ers", "ists", "ed", "ism"} {
		if strings.HasSuffix(w, suffix) && len(w) > len(suffix)+2 {
			return true
		}
	}
	return false
}

// subject reports whether the verb at token i makes the word before it a name.
func (d *document) subject(i int) bool {
	t, ok := d.after(i)
	return ok && (d.lex.verbs[t.lower] != "" || t.lower == "has" || t.lower == "is" || t.lower == "will")
}

// titled finds "President Barack Obama": a title, which is not part of the name,
// and a person behind it.
func (d *document) titled(from, to int) ([]mention, bool) {
	at := from
	for at < to && d.lex.is(d.tokens[at].lower, "title") {
		at++
	}
	if at == from || at == to || to-at > 4 || d.lex.is(d.tokens[at-1].lower, "of") && !d.lex.given[d.tokens[at].lower] && d.headType(from, to) != "" {
		return nil, false
	}
	if d.tokens[at].kind != word || !d.capitalised(at) {
		return nil, false
	}
	if last := d.tokens[to-1].lower; d.lex.is(last, "title", "common") && !d.lex.given[d.tokens[at].lower] {
		return nil, false // "Chief Human Resources Officer"
	}
	if to-at == 1 && !d.lex.given[d.tokens[at].lower] && !d.lex.is(d.tokens[at-1].lower, "honorific") {
		return nil, false
	}
	if d.headType(at, to) != "" && !d.lex.given[d.tokens[at].lower] {
		return nil, false
	}
	return []mention{{from: at, to: to, typ: typePerson, rule: "title"}}, true
}

// innerTitle returns where the right part of "Twitch CEO Dan Clancy" begins,
// title included, or 0.
func (d *document) innerTitle(from, to int) int {
	for i := from + 1; i < to-1; i++ {
		if d.lex.is(d.tokens[i].lower, "title") && d.capitalised(i+1) && d.capitalised(i-1) {
			return i
		}
	}
	return 0
}

// headType returns the type that a name tells itself: by its last word, by the
// word before its "of" or "for", or by its first word.
func (d *document) headType(from, to int) string {
	if to-from < 2 {
		return ""
	}
	for i := from + 1; i < to; i++ {
		if l := d.tokens[i].lower; (l == "of" || l == "for") && !d.tokens[i].capital {
			head := d.tokens[i-1].lower
			if typ := d.lex.last[head]; typ != "" {
				return typ
			}
			return d.lex.first[head]
		}
	}
	last := to - 1
	for last > from && d.tokens[last].kind != word {
		last--
	}
	if typ := d.lex.last[d.tokens[last].lower]; typ != "" && last > from {
		return typ
	}
	return d.lex.first[d.tokens[from].lower]
}

// headed makes a name of a row that tells its own type. A person's name may end
// with such a word: "Jonah Hill".
func (d *document) headed(from, to int, typ string) []mention {
	person := typ == typeLocation || typ == typeMisc || typ == typeWork
	if person && to-from == 2 && d.lex.given[d.tokens[from].lower] {
		return []mention{{from: from, to: to, typ: typePerson, rule: "given name"}}
	}
	return []mention{{from: from, to: to, typ: typ, rule: "head " + typ}}
}

// innerListed parts a row at a listed name that it begins with: "Russian
// composer", "Netflix Originals".
func (d *document) innerListed(from, to int) ([]mention, bool) {
	e, n := lookup(d.lex.names, d.tokens, from, to, false)
	if n == 0 || e.common {
		return nil, false
	}
	switch e.typ {
	case typeNationality:
		if n == 1 && to-from == 2 && d.lex.given[d.tokens[from].lower] {
			return nil, false // Christian, Maya, Norman and Roman are given names too
		}
		if d.prose && to-from-n >= 2 && !d.tokens[from].headline {
			return []mention{{from: from, to: to, typ: typeOrganization, rule: "nationality first"}}, true
		}
		return append([]mention{d.listedMention(e, from, n)}, d.split(from+n, to)...), true
	case typeOrganization, typePlatform, typeProduct:
		if e.typ == typeProduct {
			return []mention{{from: from, to: to, typ: typeProduct, rule: "product first"}}, true
		}
		if !d.prose || d.tokens[from].headline {
			return []mention{d.listedMention(e, from, n)}, true
		}
		if n == 1 && d.lex.given[d.tokens[from].lower] {
			return nil, false
		}
		return []mention{{from: from, to: to, typ: typeMisc, rule: "brand"}}, true
	case typeLocation:
		if n == 1 && d.lex.given[d.tokens[from].lower] || !d.prose {
			return nil, false
		}
		return []mention{{from: from, to: to, typ: typeOrganization, rule: "place first"}}, true
	}
	return nil, false
}
