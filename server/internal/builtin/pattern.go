package builtin

import (
	"slices"
	"strings"
)

// pattern is one phrase of relations.txt.
type pattern struct {
	words    []string // in lower case; "#" is an amount, "_" a word or two
	relation string
	rule     string
	before   []string // types of the names before it
	behind   []string
	reversed bool // it leads from the name behind to the name before
	near     bool // both names stand right beside it
	certain  bool // it is true of guesses, too
	pair     bool // it relates two names that stand before it
}

// parsePatterns reads relations.txt.
func parsePatterns(list []string) map[string][]pattern {
	patterns := map[string][]pattern{}
	for _, line := range list {
		fields := strings.Split(line, ":")
		if len(fields) != 4 {
			continue
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		var p pattern
		fields[0], p.certain = strings.CutPrefix(fields[0], "~ ")
		p.relation, p.reversed = strings.CutPrefix(fields[3], "<")
		before, second, pair := strings.Cut(fields[0], "&")
		p.pair = pair
		p.before, p.behind = strings.Fields(before), strings.Fields(fields[2])
		if pair {
			p.behind = strings.Fields(second)
		}
		phrases := strings.Split(fields[1], "|")
		p.rule = p.relation + " " + strings.Trim(phrases[0], "! ")
		for _, phrase := range phrases {
			q := p
			phrase, q.near = strings.CutPrefix(strings.TrimSpace(phrase), "!")
			q.words = strings.Fields(phrase)
			first := patterns[q.words[0]]
			at := slices.IndexFunc(first, func(o pattern) bool { return len(o.words) < len(q.words) })
			if at < 0 {
				at = len(first)
			}
			patterns[q.words[0]] = slices.Insert(first, at, q)
		}
	}
	return patterns
}

// link relates two mentions, by their index, through the phrase at token at.
type link struct {
	from, to int
	at       int
	pattern  pattern
}

// The reach of a phrase: the tokens between it and its names, and the names of a
// list such as "A, B and C".
const (
	maxReach = 12
	maxList  = 5
)

// links finds the relationships of the document. For every token it looks at the
// few names beside it, so that the work grows with the text.
func (d *document) links() []link {
	if !d.prose {
		return nil
	}
	var links []link
	next := 0 // the first mention behind the token
	for i := 0; i < len(d.tokens); i++ {
		for next < len(d.found) && d.found[next].from <= i {
			next++
		}
		if next > 0 && d.found[next-1].to > i && !(d.found[next-1].typ == typeAmount) {
			if d.tokens[i].possessive && d.found[next-1].to == i+1 {
				links = append(links, d.possessive(next-1, i)...)
			}
			continue
		}
		links = append(links, d.phrases(i, next)...)
	}
	links = append(links, d.roles()...)
	return append(links, d.deadlines()...)
}

// phrases applies the longest pattern that begins at token i and relates
// something.
func (d *document) phrases(i, next int) []link {
	length := 0
	var links []link
	for _, p := range d.lex.relations[d.tokens[i].lower] {
		if len(p.words) < length {
			break
		}
		to := d.matches(p, i)
		if to == 0 || !p.certain && d.doubtful(i) || p.relation == "works_for" && d.former(i) {
			continue
		}
		found := d.apply(p, i, to, next)
		links = append(links, found...)
		if len(found) > 0 || len(p.words) > 1 {
			length = len(p.words)
		}
	}
	return links
}

// matches returns the end of a pattern that begins at token i, or 0.
func (d *document) matches(p pattern, i int) int {
	at := i
	for k, w := range p.words {
		if at >= len(d.tokens) || d.tokens[at].sentence != d.tokens[i].sentence {
			return 0
		}
		switch w {
		case "#":
			end := d.mentionAt(at, typeAmount)
			for n := 0; end == 0 && n < 2 && at+1 < len(d.tokens) && k > 0; n++ { // "raised more than #"
				at++
				end = d.mentionAt(at, typeAmount)
			}
			if end == 0 {
				return 0
			}
			at = end
		case "_":
			at++
			if k+1 < len(p.words) && at < len(d.tokens) && d.tokens[at].lower != p.words[k+1] {
				at++
			}
		default:
			if d.tokens[at].lower != w {
				return 0
			}
			at++
		}
	}
	return at
}

// mentionAt returns the end of the mention of a type that begins at token i.
func (d *document) mentionAt(i int, typ string) int {
	if !d.taken[i] {
		return 0
	}
	k, ok := slices.BinarySearchFunc(d.found, i, func(m mention, at int) int { return m.from - at })
	if !ok || d.found[k].typ != typ {
		return 0
	}
	return d.found[k].to
}

// apply relates the names before a phrase tokens[from:to] with those behind it.
func (d *document) apply(p pattern, from, to, next int) []link {
	subjects := d.subjects(p, from, next)
	if len(subjects) == 0 {
		return nil
	}
	var links []link
	if p.pair {
		if len(subjects) == 2 {
			links = append(links, link{from: subjects[1], to: subjects[0], at: from, pattern: p})
		}
		return links
	}
	for _, o := range d.objects(p, to, next) {
		for _, s := range subjects {
			if d.guessed(s) || d.guessed(o) {
				continue
			}
			l := link{from: s, to: o, at: from, pattern: p}
			if p.reversed {
				l.from, l.to = o, s
			}
			links = append(links, l)
		}
	}
	return links
}

// guessed reports whether a mention is so unsure that what is said of it is not
// worth telling.
func (d *document) guessed(k int) bool {
	return d.lex.confidence(d.found[k].rule) < minPairConfidence
}

// subjects returns the nearest fitting name before token i, or the name that
// "The fund" stands for, and those that it is listed with.
func (d *document) subjects(p pattern, i, next int) []int {
	reach := maxReach
	if p.near {
		reach = 0
	}
	sentence := d.tokens[i].sentence
	for k := next - 1; k >= 0; k-- {
		m := d.found[k]
		if d.tokens[m.from].sentence != sentence || i-m.to > reach {
			break
		}
		if !slices.Contains(p.before, m.typ) {
			continue
		}
		list := []int{k}
		for n := k - 1; n >= 0 && !p.near && (len(list) > 1 || d.joined(n, k)) && len(list) < maxList && slices.Contains(p.before, d.found[n].typ) && d.coordinated(d.found[n], d.found[n+1]); n-- {
			list = append(list, n)
		}
		return list
	}
	if k := d.antecedent(i, p.before); k >= 0 && !p.near {
		return []int{k}
	}
	return nil
}

// objects returns the nearest fitting name behind the phrase that ends at token
// to, and those that it is listed with.
func (d *document) objects(p pattern, to, next int) []int {
	reach := maxReach
	if p.near {
		reach = 0
	}
	var list []int
	for k := next; k < len(d.found) && len(list) < maxList; k++ {
		m := d.found[k]
		if m.from < to {
			continue
		}
		if d.tokens[m.from].sentence != d.tokens[to-1].sentence || len(list) == 0 && m.from-to > reach {
			break
		}
		if len(list) > 0 && !d.coordinated(d.found[k-1], m) || len(list) == 0 && d.parted(to, m.from) {
			break
		}
		if slices.Contains(p.behind, m.typ) {
			list = append(list, k)
		} else if len(list) > 0 {
			break
		}
	}
	if len(list) > 1 && (p.near || !d.joined(list[len(list)-2], list[len(list)-1])) {
		return list[:1]
	}
	return list
}

// joined reports whether an "and" or "or" stands between two mentions: names
// that only commas part may be anything to each other.
func (d *document) joined(a, b int) bool {
	for _, t := range d.tokens[d.found[a].to:max(d.found[a].to, d.found[b].from)] {
		if t.lower == "and" || t.lower == "or" || t.lower == "&" {
			return true
		}
	}
	return false
}

// parted reports whether tokens[from:to], between a phrase and a name, hold what
// makes the name the object of something else.
func (d *document) parted(from, to int) bool {
	for _, t := range d.tokens[from:to] {
		if t.kind == mark && strings.Contains(";—(", t.text) || d.lex.is(t.lower, "between") {
			return true
		}
	}
	return false
}

// antecedent returns the mention that a sentence's "The fund", "The company",
// "It" or "She" stands for: the last one of the sentences before whose type is that of
// the noun. The phrase is at token i.
func (d *document) antecedent(i int, types []string) int {
	start := i
	for start > 0 && d.tokens[start-1].sentence == d.tokens[i].sentence {
		start--
	}
	if i-start > maxReach || i-start < 1 {
		return -1
	}
	var nouns []string
	switch t := d.tokens[start]; t.lower {
	case "the", "this":
		for k := start + 1; k <= i && k <= start+3 && !d.tokens[k].capital && d.tokens[k].kind == word; k++ {
			if d.tokens[k].lower == "amount" {
				nouns = antecedents(typeGrant)
			} else {
				nouns = antecedents(d.lex.nouns[d.tokens[k].lower])
			}
			if nouns != nil {
				break
			}
		}
	case "it", "each":
		nouns = types
	case "he", "she":
		nouns = []string{typePerson}
	default:
		return -1
	}
	k, _ := slices.BinarySearchFunc(d.found, start, func(m mention, at int) int { return m.from - at })
	for k--; k >= 0 && d.tokens[d.found[k].from].sentence >= d.tokens[i].sentence-2; k-- {
		if typ := d.found[k].typ; slices.Contains(nouns, typ) && slices.Contains(types, typ) {
			return k
		}
	}
	return -1
}

// antecedents returns the types that a noun of a type can stand for.
func antecedents(noun string) []string {
	switch noun {
	case typeGrant, typeProgram:
		return []string{typeGrant, typeProgram}
	case typeOrganization, typePlatform:
		return []string{typeOrganization, typePlatform}
	case "":
		return nil
	}
	return []string{noun}
}

// possessive applies the patterns of "Patreon's Creator Relief Fund".
func (d *document) possessive(k, i int) []link {
	var links []link
	for _, p := range d.lex.relations["'s"] {
		if len(p.words) > 3 || !slices.Contains(p.before, d.found[k].typ) {
			continue
		}
		at := i + 1
		if !d.sequence(p.words[1:], at) || d.doubtful(i) && !p.certain {
			continue
		}
		at += len(p.words) - 1
		if k+1 < len(d.found) && d.found[k+1].from-at <= 1 && d.found[k+1].from >= at && slices.Contains(p.behind, d.found[k+1].typ) && d.tokens[at-1].sentence == d.tokens[d.found[k+1].from].sentence {
			l := link{from: k, to: k + 1, at: i, pattern: p}
			if p.reversed {
				l.from, l.to = l.to, l.from
			}
			links = append(links, l)
		}
	}
	return links
}

func (d *document) sequence(words []string, at int) bool {
	for k, w := range words {
		if at+k >= len(d.tokens) || d.tokens[at+k].lower != w {
			return false
		}
	}
	return true
}

// doubtful reports whether the sentence of token i is a question, or says in the
// part before it, or a few words behind it, that something is not, or only may
// be.
func (d *document) doubtful(i int) bool {
	sentence := d.tokens[i].sentence
	for k := i; k >= 0 && d.tokens[k].sentence == sentence && i-k <= maxDoubt; k-- {
		l := d.tokens[k].lower
		if d.lex.is(l, "negation", "hedge") || strings.HasSuffix(l, "n't") {
			return true
		}
		if l == "but" || d.tokens[k].kind == mark && strings.Contains("\"”“;:—", l) {
			break
		}
	}
	for k := i; k < len(d.tokens) && k-i <= maxDoubt && d.tokens[k].sentence == sentence; k++ {
		if d.tokens[k].text == "?" {
			return true
		}
		if k-i <= 4 && k > i && d.lex.is(d.tokens[k].lower, "negation") {
			return true
		}
	}
	return false
}

// former reports whether a few words before token i say that it is over.
func (d *document) former(i int) bool {
	for k := i; k >= 0 && k > i-4 && d.tokens[k].sentence == d.tokens[i].sentence; k-- {
		switch d.tokens[k].lower {
		case "former", "formerly", "past", "ex", "late", "previously", "once":
			return true
		}
	}
	return false
}

// maxDoubt is how far from a phrase, in tokens, a doubt is looked for.
const maxDoubt = 40
