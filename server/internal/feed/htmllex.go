package feed

import (
	"bytes"
	"html"
)

// htmlAttr is an attribute with its value decoded.
type htmlAttr struct{ key, value string }

// htmlLexer cuts what the policy wrote into tags and text. The policy writes
// one form only: <name key="value">, </name>, with every '<', '>', '&' and
// quote that is none of these written as a reference. What has another form is
// text: it is written as a reference again, so that nothing becomes a tag here
// that was none before.
type htmlLexer struct {
	src []byte
	pos int

	text  []byte     // of text: with references
	name  []byte     // of a tag; nil for text
	end   bool       // an end tag
	attrs []htmlAttr // of a start tag
}

// next reads the next tag or text; false at the end.
func (lx *htmlLexer) next() bool {
	if lx.pos >= len(lx.src) {
		return false
	}
	rest := lx.src[lx.pos:]
	if rest[0] == '<' {
		if n := lx.tag(rest); n > 0 {
			lx.pos += n
			return true
		}
	}
	n := bytes.IndexByte(rest[1:], '<') + 1
	if n == 0 {
		n = len(rest)
	}
	lx.name, lx.text = nil, rest[:n]
	lx.pos += n
	return true
}

// tag reads the tag that src begins with and returns its length; 0 when it is
// none.
func (lx *htmlLexer) tag(src []byte) int {
	i := 1
	lx.end, lx.attrs = false, lx.attrs[:0]
	if i < len(src) && src[i] == '/' {
		lx.end = true
		i++
	}
	from := i
	for i < len(src) && isTagNameByte(src[i]) {
		i++
	}
	if lx.name = src[from:i]; len(lx.name) == 0 {
		return 0
	}
	for i < len(src) {
		switch {
		case src[i] == '>':
			return i + 1
		case src[i] == '/' && i+1 < len(src) && src[i+1] == '>' && !lx.end:
			return i + 2
		case src[i] == ' ' && !lx.end:
			n := lx.attr(src[i+1:])
			if n == 0 {
				return 0
			}
			i += 1 + n
		default:
			return 0
		}
	}
	return 0
}

// attr reads key="value" and returns its length; 0 when src begins with
// something else.
func (lx *htmlLexer) attr(src []byte) int {
	eq := bytes.IndexByte(src, '=')
	if eq <= 0 || eq+1 >= len(src) || src[eq+1] != '"' {
		return 0
	}
	for _, c := range src[:eq] {
		if !isTagNameByte(c) && c != '-' && c != ':' {
			return 0
		}
	}
	n := bytes.IndexByte(src[eq+2:], '"')
	if n < 0 {
		return 0
	}
	lx.attrs = append(lx.attrs, htmlAttr{attrName(src[:eq]), unescapeHTML(src[eq+2 : eq+2+n])})
	return eq + 2 + n + 1
}

func isTagNameByte(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// attrName returns the name of an attribute, without a copy for the usual ones.
func attrName(name []byte) string {
	switch string(name) {
	case "href":
		return "href"
	case "rel":
		return "rel"
	case "src":
		return "src"
	case "alt":
		return "alt"
	case "title":
		return "title"
	case "width":
		return "width"
	case "height":
		return "height"
	}
	return string(name)
}

func unescapeHTML(src []byte) string {
	if bytes.IndexByte(src, '&') < 0 {
		return string(src)
	}
	return html.UnescapeString(string(src))
}
