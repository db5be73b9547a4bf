package feed

import (
	"bytes"
	"strings"
)

// The writing half of the JSON repairer: whatever is written is valid JSON.

// element reads a text, number or word as a value; false when the document
// ends inside of one that is worth nothing in parts.
func (r *jsonRepairer) element(key string) bool {
	inArray := r.top().closer == ']'
	if inArray {
		r.separate()
	}
	size, quote := quoteAt(r.src, r.pos)
	if size == 0 {
		r.word()
		return true
	}
	from := r.pos + size
	end, next, ended := textEnd(r.src, from, quote, inArray)
	if quote != `"` || !ended || end == next {
		r.notes.mark(WarnJSONString, r.pos)
	}
	r.writeText(r.src[from:end])
	r.pos = next
	if ended {
		return true
	}
	switch key {
	case "title", "content_html", "content_text", "summary", "description":
		return true
	}
	return inArray
}

// word writes what has no quotes: a number or a literal as it is or as JSON
// knows it, else a text.
func (r *jsonRepairer) word() {
	from := r.pos
	for r.pos < len(r.src) && (isKeyByte(r.src[r.pos]) || r.src[r.pos] == '+') {
		r.pos++
	}
	if word := r.src[from:r.pos]; isJSONNumber(word) || string(word) == "true" || string(word) == "false" || string(word) == "null" {
		r.out.Write(word)
		return
	}
	if r.pos = wordEnd(r.src, r.pos); r.pos == from {
		r.pos++
	}
	word := bytes.TrimSpace(r.src[from:r.pos])
	r.notes.mark(WarnJSONString, from)
	switch strings.ToLower(string(word)) {
	case "true":
		r.out.WriteString("true")
	case "false":
		r.out.WriteString("false")
	case "", "null", "none", "nil", "undefined", "nan", "infinity", "-infinity":
		r.out.WriteString("null")
	default:
		r.writeText(word)
	}
}

// writeText writes a text with valid escapes only.
func (r *jsonRepairer) writeText(b []byte) {
	r.out.WriteByte('"')
	from := 0
	put := func(i, skip int, ins string) {
		r.out.Write(b[from:i])
		r.out.WriteString(ins)
		from = i + skip
	}
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			put(i, 1, `\"`)
		case c == '\n':
			put(i, 1, `\n`)
		case c == '\r':
			put(i, 1, `\r`)
		case c < 0x20:
			put(i, 1, " ")
		case c == '\\':
			size, ins := escapeAt(b[i:])
			if ins != "" {
				put(i, size, ins)
			}
			i += size - 1
			continue
		default:
			continue
		}
		r.notes.mark(WarnJSONString, r.pos)
	}
	r.out.Write(b[from:])
	r.out.WriteByte('"')
}

// escapeAt returns the length of the escape that b starts with, and what is to
// be written instead when JSON does not know it.
func escapeAt(b []byte) (size int, ins string) {
	if len(b) < 2 {
		return 1, `\\`
	}
	hex := func(from, digits int) bool {
		for i := from; i < from+digits; i++ {
			if i >= len(b) || !isHexDigit(b[i]) {
				return false
			}
		}
		return true
	}
	switch c := b[1]; {
	case strings.IndexByte(`"\/bfnrt`, c) >= 0:
		return 2, ""
	case c == 'u' && hex(2, 4):
		return 6, ""
	case c == 'x' && hex(2, 2):
		return 4, `\u00` + string(b[2:4])
	case c == '\'':
		return 2, "'"
	case c == '\n':
		return 2, `\n`
	}
	return 1, `\\`
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
