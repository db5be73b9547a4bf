package feed

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The texts of items are most of a document, and nothing in them is for the
// parser, which reads character by character. So the scanner takes long ones
// out and leaves a short mark, which the items that come back from the parser
// hold instead. What is taken out is decoded when the item is finished.

// minLifted is the length in bytes from which a text is taken out.
const minLifted = 200

const liftedMark = "kgl-lifted:"

// lift takes a text out of the document that the parser gets. It must be all
// that a field with content holds, and need no decoding but of the references
// that decodeReferences knows.
func (s *scanner) lift(t token) bool {
	if t.end-t.start < minLifted || len(s.stack) < 2 || s.skipping > 0 || s.stack[len(s.stack)-2].kind != frameItem {
		return false
	}
	f := s.stack[len(s.stack)-1]
	switch local(f.name) {
	case "description", "encoded", "content", "summary", "fulltext":
	default:
		return false
	}
	if f.kind != frameOther || !s.isAlone(t, f) || local(s.root) == "feed" && !s.isEscapedText(f) {
		return false
	}
	inner := s.src[t.start:t.end]
	if t.kind == tokText && !knownReferences(inner) || len(bytes.TrimSpace(bytes.TrimPrefix(inner, []byte("<![CDATA[")))) <= len("]]>") {
		return false
	}
	s.edit(t.start, t.end-t.start, markOf(t.start, t.end))
	return true
}

// isAlone reports whether an element holds one text, and white space around it.
func (s *scanner) isAlone(t token, f frame) bool {
	after := bytes.TrimLeft(s.src[t.end:min(len(s.src), t.end+1024)], " \t\r\n")
	return bytes.HasPrefix(after, []byte("</")) && (f.inner == t.start || len(bytes.TrimSpace(s.src[f.inner:t.start])) == 0)
}

// isEscapedText reports whether an element of Atom says that its content is
// text or escaped HTML.
func (s *scanner) isEscapedText(f frame) bool {
	open := bytes.LastIndexByte(s.src[:f.inner], '<')
	if open < 0 {
		return false
	}
	tag := s.src[open+1+len(f.name) : f.inner]
	typ, _ := findAttr(tag, "type")
	mode, _ := findAttr(tag, "mode")
	switch strings.ToLower(typ) {
	case "", "text", "html", "text/html", "text/plain":
		return mode == "" || strings.EqualFold(mode, "escaped")
	}
	return false
}

func markOf(start, end int) string {
	return liftedMark + strconv.Itoa(start) + "-" + strconv.Itoa(end)
}

// putBack replaces the marks in the fields of an item by the texts, as they
// stand in the source.
func (o *outline) putBack(raw *rawItem) {
	raw.content = o.unlift(raw.content)
	raw.summary = o.unlift(raw.summary)
}

func (o *outline) unlift(list []markup) []markup {
	kept := list[:0]
	for _, m := range list {
		if !strings.HasPrefix(m.value, liftedMark) {
			kept = append(kept, m)
			continue
		}
		e := o.lifted(m.value)
		switch {
		case e == nil: // the document itself says so
			kept = append(kept, m)
		case e.ins != "":
			e.ins = "" // once: copies of the mark would make a small document a large one
			kept = append(kept, markupOf(o.src[e.at:e.at+e.del], m.typ))
		}
	}
	return kept
}

// lifted returns the edit that left a mark; nil when none did.
func (o *outline) lifted(mark string) *edit {
	from, to, _ := strings.Cut(mark[len(liftedMark):], "-")
	start, err := strconv.Atoi(from)
	end, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || mark != markOf(start, end) {
		return nil
	}
	i := sort.Search(len(o.edits), func(i int) bool { return o.edits[i].at >= start })
	for ; i < len(o.edits) && o.edits[i].at == start; i++ {
		if e := &o.edits[i]; e.del == end-start && (e.ins == mark || e.ins == "") {
			return e
		}
	}
	return nil
}

// markupOf returns a text as it stands in the source.
func markupOf(src []byte, typ string) markup {
	if inside, ok := bytes.CutPrefix(src, []byte("<![CDATA[")); ok {
		return markup{value: string(bytes.TrimSuffix(inside, []byte("]]>"))), typ: typ}
	}
	return markup{value: string(bytes.TrimSpace(src)), typ: typ, escaped: bytes.IndexByte(src, '&') >= 0}
}

// decoded returns markup without the references of XML.
func (m markup) decoded() markup {
	if m.escaped {
		m.value, m.escaped = decodeReferences(m.value), false
	}
	return m
}

// knownReferences reports whether decodeReferences knows all references of a
// text.
func knownReferences(src []byte) bool {
	for {
		i := bytes.IndexByte(src, '&')
		if i < 0 {
			return true
		}
		src = src[i:]
		if _, n := reference(src); n == 0 {
			return false
		}
		src = src[1:]
	}
}

// reference reads the reference that a text begins with: one of the five of
// XML, a no-break space, or a character by number. n is its length; 0 when it
// is none of them.
func reference[T string | []byte](src T) (r rune, n int) {
	end := 2
	for end < len(src) && end < 10 && src[end] != ';' {
		end++
	}
	if end >= len(src) || src[end] != ';' {
		return 0, 0
	}
	n = end + 1
	switch name := string(src[1:end]); name {
	case "lt":
		return '<', n
	case "gt":
		return '>', n
	case "amp":
		return '&', n
	case "quot":
		return '"', n
	case "apos":
		return '\'', n
	case "nbsp":
		return '\u00a0', n
	default:
		if name[0] != '#' || len(name) < 2 {
			return 0, 0
		}
		digits, base := name[1:], 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		v, err := strconv.ParseUint(digits, base, 32)
		// The numbers from 128 to 159 are meant as windows-1252: others decode them.
		if err != nil || v < ' ' && v != '\t' && v != '\n' && v != '\r' || v >= 0x7f && v < 0xa0 || v >= 0xfffe && v <= 0xffff || !utf8.ValidRune(rune(v)) {
			return 0, 0
		}
		return rune(v), n
	}
}

// decodeReferences replaces the references that reference knows.
func decodeReferences(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i >= 0 {
		out = append(out, s[:i]...)
		r, n := reference(s[i:])
		if n == 0 {
			r, n = '&', 1
		}
		out = utf8.AppendRune(out, r)
		s = s[i+n:]
		i = strings.IndexByte(s, '&')
	}
	return string(append(out, s...))
}
