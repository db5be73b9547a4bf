package feed

import (
	"bytes"
	"unicode/utf8"
)

// The reading half of the JSON repairer: what a damaged text, key or number was
// meant to be.

// maxLookAhead bounds how far is looked to tell whether a quote ends a text.
const maxLookAhead = 256

// maxComment bounds how far the end of a comment is looked for.
const maxComment = 4096

// skipBlank returns the first place at or behind i that is neither white space
// nor a comment, and whether there was a comment. A comment that is not ended
// ends with its line.
func skipBlank(src []byte, i int) (at int, comment bool) {
	for i < len(src) {
		switch c := src[i]; {
		case isSpace(c):
			i++
		case bytes.HasPrefix(src[i:], []byte("\u00a0")) || bytes.HasPrefix(src[i:], []byte("\u2028")):
			_, size := utf8.DecodeRune(src[i:])
			i += size
			comment = true
		case c == '/' && i+1 < len(src) && (src[i+1] == '/' || src[i+1] == '*') || c == '#':
			i = skipComment(src, i)
			comment = true
		default:
			return i, comment
		}
	}
	return i, comment
}

func skipComment(src []byte, i int) int {
	if src[i] == '/' && src[i+1] == '*' {
		if end := bytes.Index(src[i+2:min(len(src), i+maxComment)], []byte("*/")); end >= 0 {
			return i + 2 + end + 2
		}
	}
	if end := bytes.IndexByte(src[i:], '\n'); end >= 0 {
		return i + end + 1
	}
	return len(src)
}

// quoteAt returns the length of a quote at i, and the quote that ends what it
// begins; 0 when there is none.
func quoteAt(src []byte, i int) (size int, end string) {
	switch c := src[i]; {
	case c == '"':
		return 1, `"`
	case c == '\'':
		return 1, `'`
	case c == 0xE2:
		for _, q := range []struct{ open, end string }{{"\u201c", "\u201d"}, {"\u201d", "\u201d"}, {"\u2018", "\u2019"}} {
			if bytes.HasPrefix(src[i:], []byte(q.open)) {
				return len(q.open), q.end
			}
		}
	}
	return 0, ""
}

// keyAt returns the end of a member's key with its colon at i, as in "title":
// or title: or 'title':, 0 when there is none.
func keyAt(src []byte, i int) int {
	src = src[:min(len(src), i+maxLookAhead)]
	size, end := 0, ""
	if i < len(src) {
		size, end = quoteAt(src, i)
	}
	i += size
	from := i
	for i < len(src) && isKeyByte(src[i]) {
		i++
	}
	if i == from {
		return 0
	}
	if size > 0 {
		if !bytes.HasPrefix(src[i:], []byte(end)) {
			return 0
		}
		i += len(end)
	}
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	// "http://" is no key
	if i < len(src) && src[i] == ':' && !(size == 0 && bytes.HasPrefix(src[i:], []byte("://"))) {
		return i + 1
	}
	return 0
}

// keyWithoutColon reports whether a key that has lost its colon starts at i,
// behind its quote.
func keyWithoutColon(b []byte, i int) bool {
	from := i
	for i < len(b) && isKeyByte(b[i]) {
		i++
	}
	if i >= len(b) {
		return i > from // the document ends in it
	}
	if i == from || b[i] != '"' {
		return false
	}
	for i++; i < len(b) && isSpace(b[i]); i++ {
	}
	return i < len(b) && bytes.IndexByte([]byte(`{["0123456789`), b[i]) >= 0
}

func isKeyByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '$'
}

// textEnd finds the end of a text that starts behind its quote at from: where
// it ends, and where reading goes on. Three kinds of damage blur it: quotes
// inside of the text that are not escaped, a closing quote that is missing, and
// the end of the document.
func textEnd(src []byte, from int, quote string, inArray bool) (end, next int, ended bool) {
	for i := from; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\\':
			i++
		case c == quote[0] && bytes.HasPrefix(src[i:], []byte(quote)):
			if lost, ok := lostTextEnd(src, from, i); ok {
				return lost, lost, true
			}
			if endsText(src, i+len(quote), inArray) {
				return i, i + len(quote), true
			}
		}
	}
	return len(src), len(src), false
}

// endsText reports whether what follows a quote at i is what follows a text.
func endsText(src []byte, i int, inArray bool) bool {
	window := src[:min(len(src), i+maxLookAhead)]
	i, _ = skipBlank(window, i)
	if i >= len(window) {
		return true
	}
	switch window[i] {
	case '}', ']':
		return true
	case ',':
		i, _ = skipBlank(window, i+1)
		if i >= len(window) || bytes.IndexByte([]byte("}],{["), window[i]) >= 0 || keyAt(src, i) > 0 {
			return true
		}
		size, _ := quoteAt(window, i)
		return size > 0 && (inArray || keyWithoutColon(window, i+size))
	}
	return keyAt(src, i) > 0
}

// lostTextEnd recognises a quote at i as the opening one of the next member's
// key, and returns where the text before it was meant to end: at the comma
// between the two, or at the brackets between this object and the next.
func lostTextEnd(src []byte, from, i int) (int, bool) {
	if keyAt(src, i) == 0 {
		return 0, false
	}
	back := func(end int, set string) int {
		for end > from && bytes.IndexByte([]byte(set), src[end-1]) >= 0 {
			end--
		}
		return end
	}
	const blank = " \t\r\n"
	end := back(i, blank)
	if end > from && src[end-1] == '{' {
		end = back(end-1, blank)
		if end == from || src[end-1] != ',' {
			return 0, false
		}
		brackets := back(end-1, blank+"}]")
		return brackets, bytes.IndexByte(src[brackets:end], '}') >= 0
	}
	if end == from || src[end-1] != ',' {
		return 0, false
	}
	return end - 1, true
}

// wordEnd returns the end of a number, a name or a text without quotes.
func wordEnd(src []byte, i int) int {
	for i < len(src) && bytes.IndexByte([]byte(",}]\"\n\r{["), src[i]) < 0 {
		i++
	}
	return i
}

// isJSONNumber is the number of RFC 8259, section 6.
func isJSONNumber(b []byte) bool {
	digits := func() bool {
		from := len(b)
		for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
			b = b[1:]
		}
		return len(b) < from
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		return digits() && len(b) == 0
	}
	return len(b) == 0
}
