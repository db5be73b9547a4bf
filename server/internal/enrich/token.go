package enrich

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// gap says what stands between a token and the one before it.
type gap int

const (
	gapSpace gap = iota // white space, or an ampersand
	gapComma
	gapOther // other punctuation
	gapStop  // the end of a sentence or line, or the start of the text
)

// token is one word. Offsets count code points; the byte offsets slice the text.
type token struct {
	text, lower string
	start, end  int64
	from, to    int
	gap         gap
	sentence    int
	capital     bool // begins with an upper-case letter
	number      bool // begins with a digit
	possessive  bool // an 's followed, which is not part of the token
}

// abbreviations are words after which a full stop does not end the sentence.
const abbreviations = " dr mr mrs ms prof st vs inc ltd co no jr sr "

// tokenize splits a text into words in one pass, and stops after limit code
// points.
func tokenize(text string, limit int64) []token {
	t := tokenizer{text: text, limit: limit, gap: gapStop}
	for t.next() {
	}
	return t.tokens
}

type tokenizer struct {
	text     string
	limit    int64
	pos      int   // in bytes
	count    int64 // in code points
	gap      gap   // of the next token
	sentence int
	tokens   []token
}

// next reads either one word or one rune between words.
func (t *tokenizer) next() bool {
	r, size := utf8.DecodeRuneInString(t.text[t.pos:])
	if size == 0 || t.count >= t.limit {
		return false
	}
	if wordRune(r) {
		t.word()
		return true
	}
	t.pos += size
	t.count++
	t.gap = max(t.gap, t.gapOf(r))
	return true
}

func (t *tokenizer) gapOf(r rune) gap {
	switch r {
	case 0, utf8.RuneError, '\n', '\r', '\u2028', '\u2029', '!', '?', '。', '！', '？':
		return gapStop
	case '.', '…':
		if t.abbreviated() {
			return gapSpace
		}
		return gapStop
	case ',', '、':
		return gapComma
	case '&':
		return gapSpace
	}
	if unicode.IsSpace(r) {
		return gapSpace
	}
	return gapOther
}

// abbreviated reports whether the last word is an abbreviation or an initial.
func (t *tokenizer) abbreviated() bool {
	if len(t.tokens) == 0 {
		return false
	}
	last := t.tokens[len(t.tokens)-1]
	if last.to != t.pos-1 {
		return false
	}
	return last.capital && last.end-last.start == 1 || strings.Contains(abbreviations, " "+last.lower+" ")
}

// word reads a word: letters, digits and marks, with single joiners such as an
// apostrophe or a hyphen between them.
func (t *tokenizer) word() {
	from, start := t.pos, t.count
	for t.pos < len(t.text) {
		r, size := utf8.DecodeRuneInString(t.text[t.pos:])
		if !wordRune(r) {
			next, _ := utf8.DecodeRuneInString(t.text[t.pos+size:])
			if !strings.ContainsRune("'’-.&", r) || !wordRune(next) {
				break
			}
		}
		t.pos += size
		t.count++
	}
	t.add(from, start, t.pos, t.count)
}

// add stores a word; a possessive ending is cut off, and "Lisbon-based" becomes
// two words.
func (t *tokenizer) add(from int, start int64, to int, end int64) {
	text := t.text[from:to]
	if head, found := strings.CutSuffix(text, "-based"); found && head != "" {
		middle := start + int64(utf8.RuneCountInString(head))
		t.put(from, start, from+len(head), middle, false)
		t.put(from+len(head)+1, middle+1, to, end, false)
		return
	}
	for _, suffix := range []string{"'s", "’s"} {
		if head, found := strings.CutSuffix(text, suffix); found && head != "" {
			t.put(from, start, from+len(head), end-2, true)
			return
		}
	}
	t.put(from, start, to, end, false)
}

func (t *tokenizer) put(from int, start int64, to int, end int64, possessive bool) {
	text := t.text[from:to]
	first, _ := utf8.DecodeRuneInString(text)
	if t.gap == gapStop {
		t.sentence++
	}
	t.tokens = append(t.tokens, token{
		text: text, lower: strings.ToLower(text),
		start: start, end: end, from: from, to: to,
		gap: t.gap, sentence: t.sentence,
		capital: unicode.IsUpper(first) || unicode.IsTitle(first),
		number:  unicode.IsNumber(first), possessive: possessive,
	})
	t.gap = gapSpace
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}
