package feed

import (
	"bytes"
	"html"
	"strconv"
	"unicode/utf8"
)

// attr is one attribute of a start tag. Its value is as written, without
// quotes, references not decoded.
type attr struct {
	name       []byte
	value      []byte
	start, end int // in the scanner's source
}

// text returns the decoded value.
func (a attr) text() string { return html.UnescapeString(string(a.value)) }

// attrScanner reads the attributes of a start tag, from behind its name.
type attrScanner struct {
	src     []byte
	pos     int
	attrEnd int  // where the attributes end, before "/>" or ">"
	closed  bool // the tag ends in "/>"
	bad     bool // not as XML wants it
	broken  bool // the tag has no '>'
}

// next returns the next attribute, false behind the end of the tag.
func (s *attrScanner) next() (attr, bool) {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case isSpace(c):
			s.pos++
		case c == '>':
			s.end(s.pos, 1)
			return attr{}, false
		case c == '/' && s.pos+1 < len(s.src) && s.src[s.pos+1] == '>':
			s.closed = true
			s.end(s.pos, 2)
			return attr{}, false
		case c == '<':
			s.broken = true
			s.end(s.pos, 0)
			return attr{}, false
		case isNameStart(c):
			return s.attribute(), true
		default:
			s.bad = true
			s.pos++
		}
	}
	s.broken = true
	s.end(s.pos, 0)
	return attr{}, false
}

func (s *attrScanner) end(at, skip int) {
	s.attrEnd = at
	s.pos = at + skip
}

func (s *attrScanner) attribute() attr {
	a := attr{name: tagName(s.src[s.pos:]), start: s.pos}
	s.pos += len(a.name)
	a.end = s.pos
	if !validName(a.name) {
		s.bad = true
	}
	i := s.pos
	for i < len(s.src) && isSpace(s.src[i]) {
		i++
	}
	if i >= len(s.src) || s.src[i] != '=' {
		s.bad = true
		return a
	}
	i++
	for i < len(s.src) && isSpace(s.src[i]) {
		i++
	}
	s.pos = i
	if i < len(s.src) && (s.src[i] == '"' || s.src[i] == '\'') {
		a.value = s.quoted(s.src[i])
	} else {
		a.value = s.unquoted()
	}
	if badReference(a.value) {
		s.bad = true
	}
	a.end = s.pos
	return a
}

// quoted reads a value up to its closing quote. A value in which a tag starts
// behind a '>' has lost its quote: it ends with the tag.
func (s *attrScanner) quoted(quote byte) []byte {
	rest := s.src[s.pos+1:]
	end := bytes.IndexByte(rest, quote)
	scope := rest
	if end >= 0 {
		scope = rest[:end]
	}
	if lt := bytes.IndexByte(scope, '<'); end < 0 || lt >= 0 {
		s.bad = true
		if cut := feedTagIn(scope); cut >= 0 {
			s.pos += 1 + cut
			return rest[:cut]
		}
		if gt := bytes.IndexByte(scope, '>'); gt >= 0 && (end < 0 || lt > gt) {
			end = gt
			if gt > 0 && rest[gt-1] == '/' {
				end--
			}
			s.pos += 1 + end
			return rest[:end]
		}
		if end < 0 {
			s.pos = len(s.src)
			return rest
		}
	}
	if cut := lostQuote(rest, end); cut >= 0 {
		s.bad = true
		s.pos += 1 + cut
		return rest[:cut]
	}
	s.pos += 1 + end + 1
	return rest[:end]
}

// feedTagIn returns where in a value a tag of the feed's own elements starts, -1
// when none does. The value has lost its end before that.
func feedTagIn(value []byte) int {
	for i := 0; ; i++ {
		j := bytes.IndexByte(value[i:], '<')
		if j < 0 {
			return -1
		}
		i += j
		name := bytes.TrimPrefix(value[i+1:], []byte("/"))
		if isFeedElement(tagName(name)) {
			return i
		}
	}
}

// lostQuote returns where a value was meant to end whose closing quote is the
// opening one of the next attribute, as in rel="alternate href="x": before that
// attribute. It returns -1 for other values.
func lostQuote(b []byte, end int) int {
	if end == 0 || b[end-1] != '=' || end+1 >= len(b) || isSpace(b[end+1]) || b[end+1] == '>' || b[end+1] == '/' {
		return -1
	}
	i := end - 1
	for i > 0 && isNameByte(b[i-1]) {
		i--
	}
	if i == 0 || !isSpace(b[i-1]) || !validName(b[i:end-1]) {
		return -1
	}
	return i - 1
}

func (s *attrScanner) unquoted() []byte {
	s.bad = true
	start := s.pos
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		if isSpace(c) || c == '>' || c == '<' {
			break
		}
		if c == '/' && s.pos+1 < len(s.src) && s.src[s.pos+1] == '>' {
			break
		}
		s.pos++
	}
	return s.src[start:s.pos]
}

// findAttr returns the decoded value of the attribute with the given name, in
// its exact spelling, from the attributes of a start tag.
func findAttr(body []byte, name string) (string, bool) {
	if !bytes.Contains(body, []byte(name)) {
		return "", false
	}
	s := attrScanner{src: body}
	for {
		a, ok := s.next()
		if !ok {
			return "", false
		}
		if string(a.name) == name {
			return a.text(), true
		}
	}
}

// badReference reports whether b holds a numeric character reference to a
// character that XML forbids, which makes a strict parser give up.
func badReference(b []byte) bool {
	for {
		i := bytes.Index(b, []byte("&#"))
		if i < 0 {
			return false
		}
		b = b[i:]
		if size, r := numericReference(b); size > 0 && !validXMLRune(r) {
			return true
		}
		b = b[2:]
	}
}

// badReferenceAt reports whether the '&' that b starts with starts no reference
// that XML knows: a character that it allows, or one of its five entities.
func badReferenceAt(b []byte) bool {
	if len(b) > 1 && b[1] == '#' {
		size, r := numericReference(b)
		return size == 0 || !validXMLRune(r)
	}
	for _, name := range [...]string{"lt;", "gt;", "amp;", "quot;", "apos;"} {
		if len(b) > len(name) && string(b[1:1+len(name)]) == name {
			return false
		}
	}
	return true
}

// numericReference returns the length and the rune of the numeric character
// reference at the start of b; 0 when there is none.
func numericReference(b []byte) (int, rune) {
	if len(b) < 2 || b[1] != '#' {
		return 0, 0
	}
	end := bytes.IndexByte(b[:min(len(b), 16)], ';')
	if end < 3 {
		return 0, 0
	}
	digits, base := string(b[2:end]), 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, 0
	}
	return end + 1, rune(v)
}

// validXMLRune is the Char production of XML 1.0, section 2.2.
func validXMLRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
