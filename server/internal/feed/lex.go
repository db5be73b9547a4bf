package feed

import "bytes"

// tokenKind is what a piece of markup is.
type tokenKind uint8

const (
	tokText tokenKind = iota // character data, with any '<' that starts no markup
	tokCDATA
	tokComment
	tokPI
	tokDoctype
	tokStart
	tokEnd
	tokGarbage // a tag that the document breaks off in
)

// token is a piece of src[start:end].
type token struct {
	kind       tokenKind
	start, end int
	name       []byte // of a start or end tag, as written, with its prefix
	body       []byte // attributes of a start tag; content of CDATA
	closed     bool   // a start tag ends in "/>"
	bad        bool   // not as XML wants it
	broken     bool   // a start tag without its '>'
}

// lexer cuts a document into tokens. It never fails and always moves on:
// whatever is no markup is text, and a token that is not as XML wants it is
// marked. It knows nothing of nesting.
type lexer struct {
	src []byte
	pos int

	// mending is set when the document is known to be damaged: then a comment,
	// an instruction or a document type that swallows the structure of the feed
	// is taken for one that has lost its end.
	mending bool

	// Where the end marks are that were last looked for. They keep a document
	// full of unended sections from costing the square of its size.
	comment, pi, section ahead
	itemStarts, itemEnds [4]ahead
	doctypes             int
}

// ahead remembers that the first occurrence of a mark at or behind from is at
// at, which is the length of the source when there is none.
type ahead struct {
	from, at int
	known    bool
}

func (a *ahead) find(src []byte, from int, mark string) int {
	if !a.known || from < a.from || from > a.at {
		a.known, a.from, a.at = true, from, len(src)
		if i := bytes.Index(src[from:], []byte(mark)); i >= 0 {
			a.at = from + i
		}
	}
	return a.at
}

// next returns the next token, false at the end.
func (l *lexer) next() (token, bool) {
	if l.pos >= len(l.src) {
		return token{}, false
	}
	t := token{start: l.pos}
	if !l.markupAt(l.pos) {
		l.text(&t)
	} else {
		l.markup(&t)
	}
	t.end = l.pos
	return t, true
}

// markupAt reports whether the '<' at i starts markup.
func (l *lexer) markupAt(i int) bool {
	if l.src[i] != '<' || i+1 >= len(l.src) {
		return false
	}
	switch c := l.src[i+1]; c {
	case '/':
		return i+2 < len(l.src) && isNameStart(l.src[i+2])
	case '!':
		rest := l.src[i+2:]
		return bytes.HasPrefix(rest, []byte("--")) || bytes.HasPrefix(rest, []byte("[CDATA[")) || hasPrefixFold(rest, "doctype")
	case '?':
		return true
	default:
		return isNameStart(c)
	}
}

func (l *lexer) text(t *token) {
	t.kind = tokText
	for {
		i := bytes.IndexByte(l.src[l.pos:], '<')
		if i < 0 {
			l.pos = len(l.src)
			break
		}
		l.pos += i
		if l.markupAt(l.pos) {
			break
		}
		t.bad = true
		l.pos++
	}
	text := l.src[t.start:l.pos]
	if !t.bad && (badReference(text) || bytes.Contains(text, []byte("]]>"))) {
		t.bad = true
	}
}

func (l *lexer) markup(t *token) {
	switch rest := l.src[l.pos:]; {
	case rest[1] == '/':
		l.endTag(t)
	case rest[1] == '?':
		t.kind = tokPI
		l.skipTo(t, &l.pi, l.pos+2, "?>")
	case rest[1] != '!':
		l.startTag(t)
	case rest[2] == '-':
		t.kind = tokComment
		l.skipTo(t, &l.comment, l.pos+4, "-->")
		if !t.bad && bytes.Contains(l.src[t.start+4:l.pos-3], []byte("--")) {
			t.bad = true
		}
	case rest[2] == '[':
		l.cdata(t)
	default:
		t.kind = tokDoctype
		l.doctype(t)
	}
}

// skipTo ends a token behind its end mark. Without one it ends with its first
// '>', before the next tag of the feed, or with the document.
func (l *lexer) skipTo(t *token, memo *ahead, from int, mark string) {
	i := memo.find(l.src, from, mark)
	if i < len(l.src) && !(l.mending && l.swallows(from, i)) {
		l.pos = i + len(mark)
		return
	}
	l.skipToGT(t)
}

// swallows reports whether src[from:to] ends an item that it does not start:
// what is left out of a feed on purpose is whole.
func (l *lexer) swallows(from, to int) bool {
	end, start := len(l.src), len(l.src)
	for i, tag := range [...]string{"</item>", "</entry>", "</rss:item>", "</atom:entry>"} {
		end = min(end, l.itemEnds[i].find(l.src, from, tag))
	}
	for i, tag := range [...]string{"<item", "<entry", "<rss:item", "<atom:entry"} {
		start = min(start, l.itemStarts[i].find(l.src, from, tag))
	}
	return end < to && start > end
}

// skipToGT ends a token that is not ended behind its first '>', or before the
// first tag of the feed's own elements, where that comes before.
func (l *lexer) skipToGT(t *token) {
	t.bad = true
	rest := l.src[l.pos:]
	end := bytes.IndexByte(rest, '>') + 1
	if end == 0 {
		end = len(rest)
	}
	for i := 1; i < end; i++ {
		j := bytes.IndexByte(rest[i:end], '<')
		if j < 0 {
			break
		}
		i += j
		name := tagName(rest[min(i+1, len(rest)):])
		if len(name) == 0 {
			name = tagName(rest[min(i+2, len(rest)):])
		}
		if isFeedElement(name) {
			end = i
			break
		}
	}
	l.pos += end
}

// cdata ends with its end mark. A section that another one starts in before
// that has lost its mark: it ends with the next end tag.
func (l *lexer) cdata(t *token) {
	const open = "<![CDATA["
	t.kind = tokCDATA
	from := l.pos + len(open)
	end := l.section.find(l.src, from, "]]>")
	scope := l.src[from:end]
	if end == len(l.src) || bytes.Contains(scope, []byte(open)) {
		t.bad = end == len(l.src)
		if i := lostCDATAEnd(scope); i >= 0 {
			t.bad = true
			end = from + i
			t.body, l.pos = l.src[from:end], end
			return
		}
	}
	t.body, l.pos = scope, min(end+len("]]>"), len(l.src))
}

// lostCDATAEnd finds where a CDATA section without an end mark was meant to
// end: at the end tag of an element that feeds wrap in CDATA and HTML does not
// know. It returns -1 when there is none.
func lostCDATAEnd(b []byte) int {
	for i := 0; ; {
		j := bytes.Index(b[i:], []byte("</"))
		if j < 0 {
			return -1
		}
		i += j
		name := tagName(b[i+2:])
		if isCDATAHolder(local(name)) {
			return i
		}
		i += 2
	}
}

// doctype ends with the '>' that is outside of quotes, comments and the
// internal subset; without one at the first '>'.
func (l *lexer) doctype(t *token) {
	depth := 0
	if l.doctypes++; l.doctypes > 4 {
		l.skipToGT(t)
		return
	}
	for i := l.pos + 2; i < len(l.src); i++ {
		switch c := l.src[i]; c {
		case '"', '\'':
			j := bytes.IndexByte(l.src[i+1:], c)
			if j < 0 {
				l.skipToGT(t)
				return
			}
			i += j + 1
		case '[':
			depth++
		case ']':
			depth--
		case '<':
			if bytes.HasPrefix(l.src[i:], []byte("<!--")) {
				j := bytes.Index(l.src[i:], []byte("-->"))
				if j < 0 {
					l.skipToGT(t)
					return
				}
				i += j + 2
			}
		case '>':
			if depth <= 0 {
				if l.mending && feedTagIn(l.src[l.pos+2:i]) >= 0 {
					l.skipToGT(t)
					return
				}
				l.pos = i + 1
				return
			}
		}
	}
	l.skipToGT(t)
}

func (l *lexer) endTag(t *token) {
	t.kind = tokEnd
	t.name = tagName(l.src[l.pos+2:])
	i := l.pos + 2 + len(t.name)
	for i < len(l.src) && l.src[i] != '>' && l.src[i] != '<' {
		if !isSpace(l.src[i]) {
			t.bad = true
		}
		i++
	}
	if i < len(l.src) && l.src[i] == '>' {
		i++
	} else {
		t.bad = true
	}
	if !validName(t.name) {
		t.bad = true
	}
	l.pos = i
}

func (l *lexer) startTag(t *token) {
	t.kind = tokStart
	t.name = tagName(l.src[l.pos+1:])
	if !validName(t.name) {
		t.bad = true
	}
	from := l.pos + 1 + len(t.name)
	as := attrScanner{src: l.src, pos: from}
	n := 0
	for {
		if _, ok := as.next(); !ok {
			break
		}
		n++
	}
	t.bad = t.bad || as.bad || n > maxAttributes
	t.body = l.src[from:as.attrEnd]
	l.pos = as.pos
	t.closed = as.closed
	if as.broken {
		t.bad, t.broken = true, true
		if as.pos == len(l.src) {
			t.kind = tokGarbage
		}
	}
}
