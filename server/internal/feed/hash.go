package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
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
	h := sha256.New()
	field := func(parts ...string) {
		for _, p := range parts {
			// Fields are free of NUL, so that it separates them.
			_, _ = io.WriteString(h, p+"\x00")
		}
		_, _ = io.WriteString(h, "\x00")
	}
	field("v1", it.Title, firstText(it.CanonicalURL, it.URL), it.Summary, strings.Join(strings.Fields(it.ContentHTML), " "))
	for _, a := range it.Authors {
		field("author", a.Name, a.Email, a.URL)
	}
	categories := slices.Clone(it.Categories)
	slices.Sort(categories)
	field(categories...)
	for _, e := range it.Enclosures {
		field("enclosure", e.URL, e.Type)
	}
	return hex.EncodeToString(h.Sum(nil))
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
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case r != '\'' && r != '’':
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
