package neardup

import (
	"unicode"
	"unicode/utf8"
)

// MaxWords is how much of a text is read, in words. What follows does not
// decide: a copy that is the same so far is the same.
const MaxWords = 1200

// The length of a word, in units, and of one character of the scripts that
// write no spaces between words: words are about two characters long in Chinese
// and Japanese, and about four in Thai, Lao, Khmer and Burmese.
const (
	unitsPerWord     = 4
	unitsPerIdeogram = 2
	unitsPerLetter   = 1
)

// A token is a word, a number, or one character of a script without spaces.
type token struct {
	hash uint64 // of the token in lower case
	kind kind
}

type kind uint8

const (
	number   kind = 1 << iota // has a digit: an amount, a date, a version
	name                      // starts with a capital inside of a sentence
	ideogram                  // a character of Chinese or Japanese
	letter                    // a letter of another script without spaces
)

func (t token) is(k kind) bool { return t.kind&k != 0 }

func (t token) units() int {
	switch {
	case t.is(ideogram):
		return unitsPerIdeogram
	case t.is(letter):
		return unitsPerLetter
	}
	return unitsPerWord
}

func unitsOf(tokens []token) int {
	n := 0
	for _, t := range tokens {
		n += t.units()
	}
	return n
}

// A Text is an article as this package reads it.
type Text struct {
	title []token
	body  []token
	units int // of body
}

// Read reads an article: its title, and its text without markup. Any bytes will
// do. Letters and digits count, case, punctuation and white space do not.
func Read(title, text string) Text {
	t := Text{title: tokenise(title, 64), body: tokenise(text, MaxWords*unitsPerWord)}
	t.units = unitsOf(t.body)
	return t
}

// Words returns the length of the text in words, as far as it is read.
func (t Text) Words() int { return t.units / unitsPerWord }

// FNV-1a, 64 bit (Fowler, Noll, Vo; RFC 9923).
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// tokeniser reads a text rune by rune.
type tokeniser struct {
	out      []token
	units    int
	hash     uint64
	kind     kind
	inWord   bool
	sentence bool // the next word begins a sentence
	maxUnits int
}

func tokenise(text string, maxUnits int) []token {
	z := tokeniser{out: make([]token, 0, min(len(text)/5, maxUnits/unitsPerWord)+1), sentence: true, maxUnits: maxUnits}
	for i := 0; i < len(text) && z.units < maxUnits; {
		if c := text[i]; c < utf8.RuneSelf {
			i++
			if lower := asciiWord[c]; lower != 0 {
				if !z.inWord {
					z.begin(lower != c)
				}
				z.hash = (z.hash ^ uint64(lower)) * fnvPrime
				if c <= '9' {
					z.kind |= number
				}
				continue
			}
			z.mark(c, text[i:])
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		z.rune(r)
	}
	z.end()
	return z.out
}

// asciiWord holds the characters of ASCII that words are made of, in lower case,
// and 0 for the others.
var asciiWord = func() (table [utf8.RuneSelf]byte) {
	for c := range table {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z':
			table[c] = byte(c)
		case 'A' <= c && c <= 'Z':
			table[c] = byte(c + 'a' - 'A')
		}
	}
	return table
}()

// rune takes a character that is not of ASCII.
func (z *tokeniser) rune(r rune) {
	switch {
	case r == '’' || r == '\u00AD' || r == '\u200B' || r == '\u200D': // an apostrophe, and what is not seen
	case r >= 0x0E00 && unicode.IsLetter(r) && spaceless(r) != 0:
		z.end()
		z.add(r)
		z.kind = spaceless(r)
		z.end()
	case unicode.IsLetter(r):
		lower := unicode.ToLower(r)
		z.begin(lower != r)
		z.add(lower)
	case unicode.IsMark(r):
		if z.inWord {
			z.add(r)
		}
	case unicode.IsDigit(r):
		z.begin(false)
		z.add(r)
		z.kind |= number
	default:
		z.end()
		// Ends of sentences, opening quotes, dashes and bullets.
		z.sentence = z.sentence || unicode.Is(unicode.Po, r) || unicode.Is(unicode.Pi, r) || unicode.Is(unicode.Pd, r)
	}
}

// mark takes a character of ASCII that is not of a word; rest is what follows it.
func (z *tokeniser) mark(c byte, rest string) {
	switch {
	case c == ' ':
		z.end()
	case c == '\'':
	case (c == '.' || c == ',' || c == ':') && z.inWord && z.kind&number != 0 && startsWithDigit(rest):
		if c != ',' { // 1.2.3 and 12:30 are one number; so is 5,000, written 5000 elsewhere
			z.add(rune(c))
		}
	default:
		z.end()
		switch c {
		case '.', '!', '?', ':', '\n', '"', '-', '*', '|', ';', '(':
			z.sentence = true
		}
	}
}

func startsWithDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

func (z *tokeniser) begin(capital bool) {
	if z.inWord {
		return
	}
	z.inWord, z.hash, z.kind = true, fnvOffset, 0
	if capital && !z.sentence {
		z.kind = name
	}
}

func (z *tokeniser) add(r rune) {
	if !z.inWord {
		z.begin(false)
	}
	z.hash = (z.hash ^ uint64(r)) * fnvPrime
}

func (z *tokeniser) end() {
	if !z.inWord {
		return
	}
	t := token{hash: mix(z.hash), kind: z.kind}
	z.out = append(z.out, t)
	z.units += t.units()
	z.inWord, z.sentence = false, false
}

// mix spreads the bits of a hash over all of it (the finaliser of MurmurHash3,
// Austin Appleby).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// spaceless returns the kind of a character of a script that writes no spaces
// between words, 0 for others. Korean writes them.
func spaceless(r rune) kind {
	switch {
	case 0x0E00 <= r && r <= 0x0EFF, // Thai, Lao
		0x1000 <= r && r <= 0x109F, // Burmese
		0x1780 <= r && r <= 0x17FF: // Khmer
		return letter
	case 0x3041 <= r && r <= 0x30FF, // Hiragana, Katakana
		0x3400 <= r && r <= 0x4DBF, 0x4E00 <= r && r <= 0x9FFF, 0xF900 <= r && r <= 0xFAFF, 0x20000 <= r && r <= 0x3FFFF: // Han
		return ideogram
	}
	return 0
}
