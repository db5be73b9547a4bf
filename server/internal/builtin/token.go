package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind says what a token is.
type kind uint8

const (
	word   kind = iota // begins with a letter
	number             // begins with a digit
	mark               // one character that is neither
)

// token is a word, a number or a mark. start and end count code points of the
// text, from and to its bytes.
type token struct {
	text, lower string
	from, to    int
	start, end  int
	sentence    int
	kind        kind
	capital     bool // a word with an upper-case letter
	upper       bool // a word of upper-case letters only, two or more
	spaced      bool // white space, or nothing, stands before it
	line        bool // begins a line
	first       bool // the first word of a sentence, a line or a quotation
	possessive  bool // "'s" follows, which belongs to no token
	headline    bool // its sentence has capitals on most words
}

// abbreviations take a full stop that ends no sentence and belongs to them.
const abbreviations = " dr mr mrs ms prof st inc ltd co corp jr sr gen gov sen rep lt col maj capt sgt rev bros mt ft no vs "

// tokenize splits text into tokens in one pass and stops after limit code points.
func tokenize(text string, limit int) []token {
	t := tokenizer{text: text, limit: limit, line: true, spaced: true}
	t.tokens = make([]token, 0, min(len(text), 4*limit)/5+1)
	for t.pos < len(t.text) && t.count < t.limit {
		t.next()
	}
	splitSentences(t.tokens)
	return t.tokens
}

type tokenizer struct {
	text         string
	limit        int
	pos, count   int // in bytes and in code points
	line, spaced bool
	tokens       []token
}

// next reads a word, a mark or white space. What is no text parts as a line
// break does, so that nothing that is found holds it.
func (t *tokenizer) next() {
	r, size := utf8.DecodeRuneInString(t.text[t.pos:])
	switch {
	case wordRune(r):
		t.word()
	case unicode.IsSpace(r), r == utf8.RuneError, r == 0:
		t.spaced = true
		t.line = t.line || !unicode.IsSpace(r) || strings.ContainsRune("\n\r\u2028\u2029", r)
		t.pos += size
		t.count++
	default:
		t.put(t.pos, t.count, t.pos+size, t.count+1, mark)
		t.pos += size
		t.count++
	}
}

// word reads letters, digits and marks with single joiners between them, such
// as an apostrophe, a hyphen, or the stops of "U.S.".
func (t *tokenizer) word() {
	from, start := t.pos, t.count
	first, _ := utf8.DecodeRuneInString(t.text[t.pos:])
	var last rune
	for t.pos < len(t.text) {
		r, size := utf8.DecodeRuneInString(t.text[t.pos:])
		if !wordRune(r) {
			next, _ := utf8.DecodeRuneInString(t.text[t.pos+size:])
			if !joins(last, r, next) {
				break
			}
		}
		last = r
		t.pos += size
		t.count++
	}
	k := word
	if unicode.IsDigit(first) {
		k = number
	}
	if t.pos < len(t.text) && t.text[t.pos] == '.' && takesStop(t.text[from:t.pos]) {
		t.pos++
		t.count++
	}
	t.add(from, start, t.pos, t.count, k)
}

// joins reports whether r joins two characters of one word.
func joins(last, r, next rune) bool {
	switch r {
	case '\'', '’', '-', '&', '.':
		return wordRune(next) && last != r
	case ',':
		return unicode.IsDigit(last) && unicode.IsDigit(next)
	}
	return false
}

// takesStop reports whether a full stop behind the word belongs to it: "U.S.",
// "Inc.", the "J." of a name.
func takesStop(w string) bool {
	if n := utf8.RuneCountInString(w); n == 1 {
		r, _ := utf8.DecodeRuneInString(w)
		return unicode.IsUpper(r)
	} else if n <= 4 && strings.Contains(abbreviations, " "+strings.ToLower(w)+" ") {
		return w != "no"
	}
	if !strings.Contains(w, ".") {
		return false
	}
	for part := range strings.SplitSeq(w, ".") {
		if utf8.RuneCountInString(part) != 1 {
			return false
		}
	}
	return true
}

// tails are parted from a capitalised word that a hyphen joins them to.
var tails = []string{"-based", "-born", "-led", "-backed", "-owned", "-funded", "-style", "-area", "-wide", "-speaking"}

// add stores a word without its possessive ending; "Lisbon-based" becomes two.
func (t *tokenizer) add(from, start, to, end int, k kind) {
	w := t.text[from:to]
	for _, tail := range tails {
		if head, found := strings.CutSuffix(w, tail); found && head != "" {
			middle := start + utf8.RuneCountInString(head)
			t.put(from, start, from+len(head), middle, k)
			t.put(from+len(head)+1, middle+1, to, end, word)
			return
		}
	}
	for _, suffix := range []string{"'s", "’s", "'S"} {
		if head, found := strings.CutSuffix(w, suffix); found && head != "" {
			t.put(from, start, from+len(head), end-2, k)
			t.tokens[len(t.tokens)-1].possessive = true
			return
		}
	}
	t.put(from, start, to, end, k)
}

func (t *tokenizer) put(from, start, to, end int, k kind) {
	w := t.text[from:to]
	n := token{text: w, lower: w, from: from, to: to, start: start, end: end, kind: k, spaced: t.spaced, line: t.line}
	if k != mark {
		n.lower = strings.ReplaceAll(strings.ToLower(w), "’", "'")
		n.capital, n.upper = letters(w)
	}
	t.tokens = append(t.tokens, n)
	t.spaced, t.line = false, false
}

// letters reports whether a word has an upper-case letter where a name has one,
// and whether all of its letters, two or more, are upper case.
func letters(w string) (capital, upper bool) {
	ups, lows := 0, 0
	for _, r := range w {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			ups++
		case unicode.IsLetter(r):
			lows++
		}
	}
	return ups > 0, ups > 1 && lows == 0
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// maxSentence bounds a sentence, in tokens; longer ones are not prose. It bounds
// what is looked at around a token, too.
const maxSentence = 250

// splitSentences numbers the sentences and marks the words that begin them.
func splitSentences(tokens []token) {
	sentence, start, begins := 0, 0, true
	for i := range tokens {
		t := &tokens[i]
		if i > 0 && (t.line || endsSentence(tokens, i-1)) {
			sentence, start, begins = sentence+1, i, true
		} else if i-start >= maxSentence {
			sentence, start = sentence+1, i
		}
		t.sentence = sentence
		if t.kind == mark {
			begins = begins || opensQuotation(tokens, i)
			continue
		}
		t.first, begins = begins, false
	}
	for from := 0; from < len(tokens); {
		to := from + 1
		for to < len(tokens) && tokens[to].sentence == tokens[from].sentence {
			to++
		}
		if headline(tokens[from:to]) {
			for i := from; i < to; i++ {
				tokens[i].headline = true
			}
		}
		from = to
	}
}

// endsSentence reports whether a sentence ends with token i.
func endsSentence(tokens []token, i int) bool {
	if i+1 >= len(tokens) || !tokens[i+1].spaced {
		return false
	}
	last := i
	for last > 0 && closing(tokens[last]) && !tokens[last].spaced {
		last--
	}
	next := tokens[i+1]
	switch tokens[last].text {
	case "!", "?", "…", "。", "！", "？":
	case ".":
	default:
		return false
	}
	return next.kind != word || next.capital
}

func closing(t token) bool { return t.kind == mark && strings.Contains(`"”’'»)]`, t.text) }

// opensQuotation reports whether mark i begins a quotation or a list item, whose
// first word has a capital whatever it is.
func opensQuotation(tokens []token, i int) bool {
	if strings.Contains("“‘«\"", tokens[i].text) && tokens[i].spaced {
		return i == 0 || tokens[i-1].kind == mark
	}
	return strings.Contains("•·*–—", tokens[i].text) && (i == 0 || tokens[i].line)
}

// headline reports whether most words of a sentence have capitals, so that they
// say nothing.
func headline(sentence []token) bool {
	words, capitals, marks := 0, 0, 0
	for _, t := range sentence {
		if t.kind != word {
			marks++
		}
		if t.kind != word || len(t.text) < 4 {
			continue
		}
		words++
		if t.capital {
			capitals++
		}
	}
	return words >= 5 && capitals*10 >= words*9 && marks*3 <= len(sentence)
}
