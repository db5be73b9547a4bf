package builtin

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"slices"
	"strings"
)

//go:embed data/*.txt
var data embed.FS

// listed is one spelling of a name of the lists.
type listed struct {
	words    []string // in lower case, as the tokenizer splits them
	spelling string
	name     string // the spelling that stands for all
	typ      string
	common   bool // a common word, too
}

// lexicon holds the lists of data/. It is not changed once it is built.
type lexicon struct {
	names     map[string][]listed // by first word, longest first
	concepts  map[string][]listed
	given     map[string]bool
	last      map[string]string // words that end a name -> its type
	first     map[string]string // words that begin one -> its type
	nouns     map[string]string
	verbs     map[string]string
	words     map[string]map[string]bool // sets of words.txt and cues.txt
	relations map[string][]pattern       // by first word, longest first
	precision map[string]tally
}

func newLexicon() *lexicon {
	l := &lexicon{
		names: map[string][]listed{}, concepts: map[string][]listed{}, given: map[string]bool{},
		last: map[string]string{}, first: map[string]string{}, nouns: map[string]string{}, verbs: map[string]string{},
		words: map[string]map[string]bool{},
	}
	addNames(l.names, lines("platforms"), typePlatform)
	addNames(l.names, lines("organizations"), typeOrganization)
	addNames(l.names, items("places"), typeLocation)
	addNames(l.names, plurals(items("nationalities")), typeNationality)
	addNames(l.names, lines("events"), typeEvent)
	addNames(l.names, lines("products"), typeProduct)
	addNames(l.concepts, lines("concepts"), typeConcept)
	for _, line := range lines("given") {
		for name := range strings.FieldsSeq(line) {
			l.given[strings.ToLower(name)] = true
		}
	}
	for _, file := range []string{"heads", "cues", "words"} {
		for _, line := range lines(file) {
			l.addWords(line)
		}
	}
	l.relations = parsePatterns(lines("relations"))
	l.precision = parsePrecision(lines("precision"))
	return l
}

// addWords reads a line "[type] key: word word".
func (l *lexicon) addWords(line string) {
	key, list, _ := strings.Cut(line, ":")
	typ, key, typed := strings.Cut(key, " ")
	if !typed {
		typ, key = "", typ
	}
	var types map[string]string
	switch key {
	case "last":
		types = l.last
	case "first":
		types = l.first
	case "noun":
		types = l.nouns
	case "verb":
		types = l.verbs
	}
	if types == nil && l.words[key] == nil {
		l.words[key] = map[string]bool{}
	}
	for w := range strings.FieldsSeq(list) {
		if types == nil {
			l.words[key][w] = true
		} else if types[w] == "" {
			types[w] = typ
		}
	}
}

// lines returns the lines of a list, without its comments.
func lines(name string) []string {
	text, err := data.ReadFile("data/" + name + ".txt")
	if err != nil {
		return nil // a test reads every list
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

// listsHash tells the lists of one build from those of another.
func listsHash() string {
	h := sha256.New()
	entries, err := data.ReadDir("data")
	if err != nil {
		return ""
	}
	for _, e := range entries {
		text, _ := data.ReadFile("data/" + e.Name())
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// items returns the entries of a list that is parted by commas.
func items(name string) []string {
	var list []string
	for _, line := range lines(name) {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	}
	return list
}

// plurals adds to each name of a people the word for more than one of it.
func plurals(entries []string) []string {
	for i, e := range entries {
		if name, _, _ := strings.Cut(e, "="); !strings.HasSuffix(name, "s") && !strings.HasSuffix(name, "sh") && !strings.HasSuffix(name, "ese") {
			entries[i] = e + "=" + name + "s"
		}
	}
	return entries
}

// addNames parses entries "name=spelling=spelling". Spellings are split as text
// is, so that they match what the tokenizer makes of it.
func addNames(index map[string][]listed, entries []string, typ string) {
	for _, entry := range entries {
		entry, common := strings.CutPrefix(entry, "?")
		spellings := strings.Split(entry, "=")
		for _, s := range spellings {
			e := listed{spelling: s, name: spellings[0], typ: typ, common: common}
			for _, t := range tokenize(s, len(s)) {
				e.words = append(e.words, t.lower)
			}
			at := slices.IndexFunc(index[e.words[0]], func(o listed) bool { return len(o.words) < len(e.words) })
			if at < 0 {
				at = len(index[e.words[0]])
			}
			index[e.words[0]] = slices.Insert(index[e.words[0]], at, e)
		}
	}
}

// lookup returns the longest entry whose words are tokens[i:i+n], n > 0, before
// end. anyCase matches names without capitals.
func lookup(index map[string][]listed, tokens []token, i, end int, anyCase bool) (listed, int) {
	for _, e := range index[tokens[i].lower] {
		if n := len(e.words); i+n <= end && sameWords(tokens[i:i+n], e, anyCase) {
			return e, n
		}
	}
	return listed{}, 0
}

// sameWords reports whether the tokens are the entry as it is written or, when
// it is longer than four letters, all in capitals.
func sameWords(tokens []token, e listed, anyCase bool) bool {
	at := 0
	for k, t := range tokens {
		if t.lower != e.words[k] || k > 0 && (t.line || tokens[k-1].possessive) {
			return false
		}
		if anyCase || t.kind == mark {
			continue
		}
		n := strings.Index(e.spelling[at:], t.text)
		if n < 0 && !(t.upper && len(t.text) > 4) {
			return false
		}
		if n >= 0 {
			at += n + len(t.text)
		}
	}
	return true
}

// is reports whether w is in one of the sets of words.txt or cues.txt.
func (l *lexicon) is(w string, sets ...string) bool {
	for _, s := range sets {
		if l.words[s][w] {
			return true
		}
	}
	return false
}
