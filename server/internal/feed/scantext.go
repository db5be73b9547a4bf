package feed

import (
	"bytes"
	"html"
	"strings"
)

// cutText shortens one run of text that is longer than any field may become,
// and takes long ones that the parser need not read out of the document.
func (s *scanner) cutText(t token) {
	limit := 2*s.limits.MaxHTML + 1024
	if t.end-t.start <= limit {
		s.lift(t)
		return
	}
	from, to := t.start+limit, t.end
	if t.kind == tokCDATA {
		to -= len("]]>")
	}
	for from > t.start && (s.src[from]&0xC0 == 0x80 || s.src[from] == ']') {
		from--
	}
	if i := bytes.LastIndexByte(s.src[from-64:from], '&'); i >= 0 && t.kind == tokText {
		from += i - 64
	}
	s.notes.add(WarnFieldCut, "a text of %d bytes was cut to %d", t.end-t.start, limit)
	s.edit(from, to-from, "")
}

// decodeText returns the text of an element from its source.
func decodeText(src []byte) string {
	const open = "<![CDATA["
	var b strings.Builder
	for {
		before, rest, found := bytes.Cut(src, []byte(open))
		b.WriteString(html.UnescapeString(string(before)))
		if !found {
			return strings.TrimSpace(b.String())
		}
		inside, after, _ := bytes.Cut(rest, []byte("]]>"))
		b.Write(inside)
		src = after
	}
}
