package enrich

import "strings"

// maxRunTokens bounds the words of a name; a longer row of capitals is a
// headline in capitals, not a name.
const maxRunTokens = 8

// maxRunRunes bounds a name in code points: longer rows come from text that is
// not prose.
const maxRunRunes = 120

// span is a name at tokens[from:to].
type span struct {
	from, to   int
	name, typ  string
	confidence float64
}

// typing is what the document says about a name elsewhere.
type typing struct {
	name, typ  string
	confidence float64
	unsure     bool // two different names share this short form
}

// recognizer finds the names of one document: first those whose type shows in
// their own words or beside them, then, with what it learned, the rest.
type recognizer struct {
	lex   *lexicon
	known map[string]typing // by normalised name or short form
	text  string            // that the tokens are of
}

func newRecognizer(lex *lexicon) *recognizer {
	return &recognizer{lex: lex, known: map[string]typing{}}
}

// recognize returns the names in order. Names learned in earlier calls for the
// same document (its title) help with later ones.
func (r *recognizer) recognize(text string, tokens []token) []span {
	r.text = text
	var found, open []span
	for i := 0; i < len(tokens); {
		from, to := r.capitalRun(tokens, i)
		if from < to {
			f, o := r.classify(tokens, from, to)
			found, open = append(found, f...), append(open, o...)
		}
		i = max(to, i+1)
	}
	for _, s := range found {
		r.learn(tokens, s)
	}
	covered := make([]bool, len(tokens))
	found = r.retype(found, covered)
	for _, s := range open {
		if t, ok := r.known[nameKey(tokens[s.from:s.to])]; ok && !t.unsure {
			found = appendSpan(found, covered, span{from: s.from, to: s.to, name: t.name, typ: t.typ, confidence: t.confidence * 0.9})
		}
	}
	found = r.concepts(tokens, found, covered)
	return sortSpans(found, len(tokens))
}

// capitalRun returns the first row of capitalised words from token i on, as
// far as the next token that is not of a row: names such as "Centre for the
// Arts" include small words between capitals.
func (r *recognizer) capitalRun(tokens []token, i int) (from, to int) {
	if !r.inName(tokens, i) {
		return i, i
	}
	to = i + 1
	for to < len(tokens) {
		next := r.nextInRun(tokens, to)
		if next < 0 {
			break
		}
		to = next + 1
	}
	return i, to
}

// nextInRun returns the index of the token that continues a row which ends
// before token i, or -1.
func (r *recognizer) nextInRun(tokens []token, i int) int {
	if tokens[i].gap != gapSpace || tokens[i-1].possessive {
		return -1
	}
	if r.inName(tokens, i) || tokens[i].number && len(tokens[i].lower) == 4 {
		return i
	}
	if !r.connects(tokens, i) {
		return -1
	}
	j := i + 1
	if j < len(tokens) && tokens[j].lower == "the" && tokens[j].gap == gapSpace {
		j++
	}
	if j < len(tokens) && r.inName(tokens, j) && tokens[j].gap == gapSpace {
		return j
	}
	return -1
}

// inName reports whether token i is a capitalised word that a name may hold.
// Headlines have capitals on verbs and small words as well.
func (r *recognizer) inName(tokens []token, i int) bool {
	l := tokens[i].lower
	return tokens[i].capital && !r.lex.stop[l] && (!r.lex.company[l] || r.lex.heads[l] != "") && !r.lex.speech[l] && !r.isTitle(tokens, i)
}

// connects reports whether token i may stand inside a name: "of" behind a word
// such as Institute, "for" behind one such as Fund, particles in personal names.
// "The Aurora Fund of Northlight" is two names.
func (r *recognizer) connects(tokens []token, i int) bool {
	head := r.lex.heads[tokens[i-1].lower]
	switch tokens[i].lower {
	case "of":
		return head == "organization" || head == "event"
	case "for":
		return head != ""
	case "de", "van", "von", "der", "den", "la", "da", "do", "di", "del", "du", "al":
		return true
	}
	return false
}

// isTitle reports whether token i is a person's title and not a part of a name
// such as "Director Grant".
func (r *recognizer) isTitle(tokens []token, i int) bool {
	if !r.lex.titles[tokens[i].lower] {
		return false
	}
	return i+1 >= len(tokens) || tokens[i+1].gap != gapSpace || r.lex.heads[tokens[i+1].lower] == ""
}

// classify splits a row of capitals into names with a type and names whose
// type is still open.
func (r *recognizer) classify(tokens []token, from, to int) (found, open []span) {
	from, to = r.trim(tokens, from, to)
	if from >= to || to-from > maxRunTokens || tokens[to-1].end-tokens[from].start > maxRunRunes {
		return nil, nil
	}
	if typ := r.headType(tokens, from, to); typ != "" {
		return []span{r.span(tokens, from, to, typ, 0.8)}, nil
	}
	for i := from; i < to; i++ {
		e, n := lookup(r.lex.names, tokens, i, to)
		if n == 0 || n == 1 && r.commonWord(tokens, i) {
			continue
		}
		found, open = r.classify(tokens, from, i)
		found = append(found, span{from: i, to: i + n, name: e.name, typ: e.typ, confidence: 0.9})
		f, o := r.classify(tokens, i+n, to)
		return append(found, f...), append(open, o...)
	}
	if typ, confidence := r.contextType(tokens, from, to); typ != "" {
		return []span{r.span(tokens, from, to, typ, confidence)}, nil
	}
	return nil, []span{{from: from, to: to}}
}

// commonWord reports whether token i, which is the name of a platform, is
// probably just a word at the start of a sentence.
func (r *recognizer) commonWord(tokens []token, i int) bool {
	if tokens[i].gap != gapStop || !r.lex.ambiguous[tokens[i].lower] {
		return false
	}
	after := neighbour(tokens, i+1, i+1)
	return !tokens[i].possessive && !r.lex.company[after] && !r.lex.speech[after]
}

// trim drops words that are no part of a name from both ends: words that a
// sentence begins with, and years.
func (r *recognizer) trim(tokens []token, from, to int) (int, int) {
	for from < to && (tokens[from].number || tokens[from].gap == gapStop && r.lex.leading[tokens[from].lower]) {
		from++
	}
	for from < to && tokens[to-1].number {
		to--
	}
	return from, to
}

// headType returns the type that the last word of a name tells, or the word
// before "of" or "for": "Aurora Fund", "Centre for Digital Arts".
func (r *recognizer) headType(tokens []token, from, to int) string {
	if to-from < 2 {
		return ""
	}
	for i := from; i < to; i++ {
		if l := tokens[i].lower; (l == "of" || l == "for") && i > from {
			return r.lex.heads[tokens[i-1].lower]
		}
	}
	return r.lex.heads[tokens[to-1].lower]
}

// contextType tells the type of a name from its first word and from what stands
// beside it. A single letter is no name.
func (r *recognizer) contextType(tokens []token, from, to int) (string, float64) {
	if tokens[to-1].end-tokens[from].start < 2 {
		return "", 0
	}
	personal := to-from >= 2 && to-from <= 4
	before, after := neighbour(tokens, from-1, from), neighbour(tokens, to, to)
	switch {
	case personal && r.lex.given[tokens[from].lower]:
		return "person", 0.85
	case personal && (r.lex.titles[before] || r.lex.speech[before] || r.lex.speech[after]):
		return "person", 0.75
	case before == "in" && from >= 2 && (tokens[from-2].lower == "based" || tokens[from-2].lower == "headquartered"):
		return "location", 0.6
	}
	if typ := r.lex.nouns[before]; typ != "" && typ != "person" {
		return typ, 0.65
	}
	if typ := r.apposition(tokens, to); typ != "" && (typ != "person" || personal) {
		return typ, 0.7
	}
	if r.lex.company[after] && to-from <= 4 {
		return "organization", 0.55
	}
	return "", 0
}

// neighbour returns the lower-case word at i when only space separates it from
// the name; boundary is the index of the token whose gap lies between.
func neighbour(tokens []token, i, boundary int) string {
	if i < 0 || boundary >= len(tokens) || tokens[boundary].gap != gapSpace {
		return ""
	}
	return tokens[i].lower
}

// apposition reads ", a video platform" or ", founder of" behind a name and
// returns the type that its noun tells.
func (r *recognizer) apposition(tokens []token, i int) string {
	if i >= len(tokens) || tokens[i].gap != gapComma {
		return ""
	}
	for n := 0; n < 6 && i < len(tokens); n, i = n+1, i+1 {
		if n > 0 && tokens[i].gap != gapSpace || tokens[i].capital {
			return ""
		}
		if typ := r.lex.nouns[tokens[i].lower]; typ != "" {
			return typ
		}
		if r.lex.speech[tokens[i].lower] || r.lex.company[tokens[i].lower] {
			return ""
		}
	}
	return ""
}

// learn remembers a name and the short forms that the document may use later:
// a person's last name, an organization without "Studio" or "Inc".
func (r *recognizer) learn(tokens []token, s span) {
	key := nameKey(tokens[s.from:s.to])
	if old, ok := r.known[key]; !ok || s.confidence > old.confidence {
		r.known[key] = typing{name: s.name, typ: s.typ, confidence: s.confidence}
	}
	switch {
	case s.to-s.from < 2:
	case s.typ == "person":
		r.learnShort(nameKey(tokens[s.to-1:s.to]), s)
	case s.typ == "organization" && r.lex.heads[tokens[s.to-1].lower] == s.typ:
		r.learnShort(nameKey(tokens[s.from:s.to-1]), s)
	}
}

func (r *recognizer) learnShort(key string, s span) {
	old, ok := r.known[key]
	if ok && old.name != s.name {
		old.unsure = true
		r.known[key] = old
		return
	}
	if !ok {
		r.known[key] = typing{name: s.name, typ: s.typ, confidence: s.confidence * 0.9}
	}
}

// retype gives every occurrence of a name the type of its surest one.
func (r *recognizer) retype(found []span, covered []bool) []span {
	var kept []span
	for _, s := range found {
		if t, ok := r.known[normalize(s.name)]; ok && t.confidence > s.confidence {
			s.typ, s.name = t.typ, t.name
		}
		kept = appendSpan(kept, covered, s)
	}
	return kept
}

// concepts adds the known concepts that no name covers.
func (r *recognizer) concepts(tokens []token, found []span, covered []bool) []span {
	for i := 0; i < len(tokens); i++ {
		if e, n := lookup(r.lex.concepts, tokens, i, len(tokens)); n > 0 {
			found = appendSpan(found, covered, span{from: i, to: i + n, name: e.name, typ: e.typ, confidence: 0.6})
			i += n - 1
		}
	}
	return found
}

// appendSpan adds a span unless it overlaps one that was added before.
func appendSpan(spans []span, covered []bool, s span) []span {
	for i := s.from; i < s.to; i++ {
		if covered[i] {
			return spans
		}
	}
	for i := s.from; i < s.to; i++ {
		covered[i] = true
	}
	return append(spans, s)
}

// sortSpans orders spans that do not overlap by their start, in linear time.
func sortSpans(spans []span, tokens int) []span {
	at := make([]int, tokens)
	for i, s := range spans {
		at[s.from] = i + 1
	}
	sorted := make([]span, 0, len(spans))
	for _, i := range at {
		if i > 0 {
			sorted = append(sorted, spans[i-1])
		}
	}
	return sorted
}

// span returns the name as it is written, with its white space folded.
func (r *recognizer) span(tokens []token, from, to int, typ string, confidence float64) span {
	written := r.text[tokens[from].from:tokens[to-1].to]
	return span{from: from, to: to, name: strings.Join(strings.Fields(written), " "), typ: typ, confidence: confidence}
}

func nameKey(tokens []token) string {
	words := make([]string, 0, len(tokens))
	for _, t := range tokens {
		words = append(words, t.text)
	}
	return normalize(strings.Join(words, " "))
}
