package enrich

import "strings"

// entry is one spelling of a known name, as lower-case words.
type entry struct {
	words []string
	name  string
	typ   string
}

// lexicon is the parsed form of the lists in words.go. It is read-only once built.
type lexicon struct {
	names     map[string][]entry // by first word, longest first
	concepts  map[string][]entry
	given     map[string]bool
	titles    map[string]bool
	ambiguous map[string]bool
	speech    map[string]bool
	company   map[string]bool
	stop      map[string]bool
	leading   map[string]bool
	heads     map[string]string // word -> type
	nouns     map[string]string
	rules     map[string][]rule // by first word, longest first
}

func newLexicon() *lexicon {
	l := &lexicon{
		names:     map[string][]entry{},
		concepts:  map[string][]entry{},
		given:     wordSet(givenNames),
		titles:    wordSet(titleWords),
		ambiguous: wordSet(ambiguousNames),
		speech:    wordSet(speechVerbs),
		company:   wordSet(companyVerbs),
		stop:      wordSet(stopWords),
		leading:   wordSet(leadingWords),
		heads:     typedWords(nameHeads),
		nouns:     typedWords(typeNouns),
		rules:     parseRules(relationRules),
	}
	addEntries(l.names, platformNames, "platform")
	addEntries(l.names, organizationNames, "organization")
	addEntries(l.names, locationNames, "location")
	addEntries(l.names, eventNames, "event")
	addEntries(l.concepts, conceptNames, "concept")
	return l
}

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

func typedWords(list string) map[string]string {
	types := map[string]string{}
	for line := range strings.Lines(list) {
		typ, words, _ := strings.Cut(line, ":")
		for _, w := range strings.Fields(words) {
			types[w] = typ
		}
	}
	return types
}

// addEntries parses a names list. Its spellings are split as text is, so that
// they match what the tokenizer makes of them.
func addEntries(index map[string][]entry, list, typ string) {
	for line := range strings.Lines(list) {
		spellings := strings.Split(strings.TrimSpace(line), "=")
		for _, s := range spellings {
			words := lowerWords(s)
			index[words[0]] = insertLongestFirst(index[words[0]], entry{words: words, name: spellings[0], typ: typ})
		}
	}
}

func insertLongestFirst(list []entry, e entry) []entry {
	at := len(list)
	for at > 0 && len(list[at-1].words) < len(e.words) {
		at--
	}
	list = append(list, entry{})
	copy(list[at+1:], list[at:])
	list[at] = e
	return list
}

func lowerWords(s string) []string {
	tokens := tokenize(s, int64(len(s)))
	words := make([]string, len(tokens))
	for i, t := range tokens {
		words[i] = t.lower
	}
	return words
}

// lookup returns the longest entry whose words begin at tokens[i] within one
// phrase, and the number of its words.
func lookup(index map[string][]entry, tokens []token, i, end int) (entry, int) {
	for _, e := range index[tokens[i].lower] {
		if n := len(e.words); i+n <= end && samePhrase(tokens[i:i+n], e.words) {
			return e, n
		}
	}
	return entry{}, 0
}

// samePhrase reports whether the tokens are these words with nothing but space
// between them.
func samePhrase(tokens []token, words []string) bool {
	for k, w := range words {
		if tokens[k].lower != w || k > 0 && (tokens[k].gap == gapStop || tokens[k].gap == gapComma) {
			return false
		}
	}
	return true
}
