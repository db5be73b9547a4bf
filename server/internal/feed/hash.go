package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// contentHash is the hex SHA-256 over what a reader sees of an item: title,
// canonical link, summary, sanitised HTML, authors, categories in any order,
// enclosures. White space counts as one space, so that a feed that is only
// formatted anew changes nothing; neither do the order of attributes, dates,
// the id and the moment of the fetch.
func contentHash(it *Item) string {
	b := make([]byte, 0, len(it.Title)+len(it.Summary)+len(it.ContentHTML)+1024)
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
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// appendCollapsed appends the words of a text with one space between them.
func appendCollapsed(b []byte, text string) []byte {
	start := len(b)
	for word := range strings.FieldsSeq(text) {
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, word...)
	}
	return b
}

// minHashedText is the shortest folded text, in runes, that gets a text hash:
// shorter ones are boilerplate too often ("Read more", "Comments").
const minHashedText = 100

// textHash is the hex SHA-256 of the text folded to what survives a change of
// format: letters and digits in lower case, everything else one space. It is
// empty for short texts.
func textHash(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && isASCIIWord(byte(r)):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
		case r < utf8.RuneSelf:
			space = space || r != '\''
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case r != '’':
			space = true
		}
	}
	folded := b.String()
	if utf8.RuneCountInString(folded) < minHashedText {
		return ""
	}
	sum := sha256.Sum256([]byte(folded))
	return hex.EncodeToString(sum[:])
}
