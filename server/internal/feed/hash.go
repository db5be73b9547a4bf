package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"unicode"
	"unicode/utf8"
)

// contentHash is the hex SHA-256 over what a reader sees of an item: title,
// canonical link, summary, sanitised HTML, authors, categories in any order,
// enclosures. White space counts as one space, so that a feed that is only
// formatted anew changes nothing; neither do the order of attributes, dates,
// the id and the moment of the fetch.
func contentHash(it *Item) string {
	var buf []byte
	return contentHashIn(&buf, it)
}

// contentHashIn is contentHash with a buffer that it takes and gives back.
func contentHashIn(buf *[]byte, it *Item) string {
	b := (*buf)[:0]
	parts := func(list ...string) {
		for _, part := range list {
			b = append(append(b, part...), 0) // they are free of NUL, so that it separates them
		}
	}
	end := func() { b = append(b, 0) }
	parts("v1", it.Title, firstText(it.CanonicalURL, it.URL), it.Summary)
	b = append(appendCollapsed(b, it.ContentHTML), 0)
	end()
	for _, a := range it.Authors {
		parts("author", a.Name, a.Email, a.URL)
		end()
	}
	categories := slices.Clone(it.Categories)
	slices.Sort(categories)
	parts(categories...)
	end()
	for _, e := range it.Enclosures {
		parts("enclosure", e.URL, e.Type)
		end()
	}
	*buf = b
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// appendCollapsed appends the words of a text with one space between them.
func appendCollapsed(b []byte, text string) []byte {
	start := len(b)
	for len(text) > 0 {
		if n := collapsedRun(text); n > 0 {
			if len(b) > start && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
			b, text = append(b, text[:n]...), text[n:]
			continue
		}
		_, n := utf8.DecodeRuneInString(text)
		text = text[n:]
	}
	return b
}

// collapsedRun returns how much of a text has nothing to collapse: words with
// one space between two of them. It is 0 when the text begins with white space.
func collapsedRun(text string) int {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ':
			if i == 0 || i+1 == len(text) || text[i+1] <= ' ' || mayBeSpace(text[i+1]) {
				return i
			}
		case c < ' ' && unicode.IsSpace(rune(c)):
			return i
		case mayBeSpace(c):
			if r, _ := utf8.DecodeRuneInString(text[i:]); unicode.IsSpace(r) {
				return i
			}
		}
	}
	return len(text)
}

// mayBeSpace reports whether white space beyond ASCII begins with a byte.
func mayBeSpace(c byte) bool { return c == 0xc2 || c >= 0xe1 && c <= 0xe3 }

// minHashedText is the shortest folded text, in runes, that gets a text hash:
// shorter ones are boilerplate too often ("Read more", "Comments").
const minHashedText = 100

// textHash is the hex SHA-256 of the text folded to what survives a change of
// format: letters and digits in lower case, everything else one space. It is
// empty for short texts.
func textHash(text string) string {
	var buf []byte
	return textHashIn(&buf, text)
}

// textHashIn is textHash with a buffer that it takes and gives back.
func textHashIn(buf *[]byte, text string) string {
	b := slices.Grow((*buf)[:0], len(text))
	space := false
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			i++
			if folded := asciiFold[c]; folded > ' ' {
				if space && len(b) > 0 {
					b = append(b, ' ')
				}
				space = false
				b = append(b, folded)
			} else if folded == ' ' {
				space = true
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if space && len(b) > 0 {
				b = append(b, ' ')
			}
			space = false
			b = utf8.AppendRune(b, unicode.ToLower(r))
		case r != '’':
			space = true
		}
	}
	*buf = b
	if utf8.RuneCount(b) < minHashedText {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// asciiFold is what textHash makes of a character of ASCII: a letter or a digit
// in lower case, a space, or nothing (0) of an apostrophe.
var asciiFold = func() (fold [utf8.RuneSelf]byte) {
	for c := range fold {
		switch {
		case !isASCIIWord(byte(c)) && c != '\'':
			fold[c] = ' '
		case 'A' <= c && c <= 'Z':
			fold[c] = byte(c) + 'a' - 'A'
		case c != '\'':
			fold[c] = byte(c)
		}
	}
	return fold
}()
