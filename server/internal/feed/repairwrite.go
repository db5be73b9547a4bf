package feed

import "bytes"

// The writing half of the repairer: whatever is written is well formed.

// writeStart writes a start tag with its first attributes, quoted, escaped and
// each name once; typ, unless empty, replaces the value of "type".
func (r *repairer) writeStart(t token, typ string, closed bool) {
	r.out.WriteByte('<')
	r.out.Write(t.name)
	as := attrScanner{src: t.body}
	var seen [][]byte
attrs:
	for range maxAttributes {
		a, ok := as.next()
		if !ok {
			break
		}
		if !validName(a.name) {
			continue
		}
		for _, name := range seen {
			if bytes.Equal(name, a.name) {
				continue attrs
			}
		}
		seen = append(seen[:min(len(seen), 64)], a.name)
		value := a.value
		if typ != "" && string(a.name) == "type" {
			value = []byte(typ)
		}
		r.out.WriteByte(' ')
		r.out.Write(a.name)
		r.out.WriteString(`="`)
		r.writeEscaped(value, t.start, true)
		r.out.WriteByte('"')
	}
	if closed {
		r.out.WriteByte('/')
	}
	r.out.WriteByte('>')
}

// writeContent writes the content of a text field, src[from:to]: CDATA sections
// as they are, everything else as text, tags included.
func (r *repairer) writeContent(from, to int) {
	lx := lexer{src: r.src[:to], pos: from, mending: true}
	for {
		i := bytes.Index(lx.src[lx.pos:], []byte("<![CDATA["))
		if i < 0 {
			r.writeText(lx.pos, to)
			return
		}
		r.writeText(lx.pos, lx.pos+i)
		lx.pos += i
		t, _ := lx.next()
		if t.bad {
			r.notes.mark(WarnSection, t.start)
		}
		r.writeCDATA(t.body)
	}
}

func (r *repairer) writeCDATA(body []byte) {
	r.out.WriteString("<![CDATA[")
	r.out.Write(bytes.ReplaceAll(body, []byte("]]>"), []byte("]]&gt;")))
	r.out.WriteString("]]>")
}

// writeText writes src[from:to] as text.
func (r *repairer) writeText(from, to int) { r.writeEscaped(r.src[from:to], from, false) }

// writeEscaped writes text or an attribute's value, which stands at at.
// References stay as they are, except those to characters that XML forbids,
// which become a space.
func (r *repairer) writeEscaped(b []byte, at int, quoted bool) {
	from := 0
	flush := func(i, skip int, ins string) {
		r.out.Write(b[from:i])
		r.out.WriteString(ins)
		from = i + skip
	}
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '<':
			flush(i, 1, "&lt;")
			if quoted || i+1 == len(b) || b[i+1] != '/' && b[i+1] != '!' && !isNameStart(b[i+1]) {
				r.notes.mark(WarnBareLess, at+i)
			}
		case c == '"' && quoted:
			flush(i, 1, "&quot;")
		case c == '>' && !quoted && (i == 0 || b[i-1] == ']'):
			flush(i, 1, "&gt;")
		case c == '&':
			if !r.hasEntities && badReferenceAt(b[i:]) {
				r.notes.mark(WarnReference, at+i)
			}
			if size, rn := numericReference(b[i:]); size > 0 && !validXMLRune(rn) {
				flush(i, size, " ")
				i += size - 1
			}
		}
	}
	r.out.Write(b[from:])
}
