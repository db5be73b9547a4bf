package feed

import (
	"bytes"
	"encoding/binary"
	"mime"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// toUTF8 finds the charset of a document and converts it. The order is that of
// RFC 7303, section 3.2: the byte order mark, the charset parameter of the
// Content-Type header, the XML declaration, UTF-8. As in browsers, what the
// bytes are wins against what is said about them:
//
//   - zero bytes around the first character are UTF-16 or UTF-32;
//   - bytes that are UTF-8 beyond ASCII, which does not happen by chance, are
//     UTF-8, whatever is declared;
//   - a label that is unknown, that the bytes contradict, or that does not
//     look like a language with these bytes, gives way to the next one.
//
// What is neither is UTF-8 with bytes that are not, which cleanUTF8 mends: valid
// tells whether there are such bytes.
func toUTF8(body []byte, contentType string, n *notes) (text []byte, valid bool) {
	if text, ok := fromMarked(body, n); ok {
		return text, utf8.Valid(text)
	}
	if text, ok := fromBareUnicode(body); ok {
		return text, true
	}
	labels := labelsOf(body, contentType)
	valid = utf8.Valid(body)
	if valid && saysUTF8(labels) {
		return body, true
	}
	multi, bad := countUTF8(body)
	if multi+bad == 0 && bytes.IndexByte(body, 0x1b) < 0 {
		for _, l := range labels {
			lookUp(l, n)
		}
		return body, true // ASCII
	}
	enc, name := chooseEncoding(body, labels, multi, bad, n)
	if enc == nil {
		return body, valid
	}
	out, _, err := transform.Bytes(enc.NewDecoder(), body)
	if err != nil {
		n.mend(WarnCharset, "declared as %s, but the bytes are not", name)
		return body, valid
	}
	return out, true
}

// saysUTF8 reports whether no label says anything else than UTF-8.
func saysUTF8(labels []label) bool {
	for _, l := range labels {
		if l.text != "utf-8" {
			return false
		}
	}
	return true
}

// fromMarked reads a document with a byte order mark.
func fromMarked(body []byte, n *notes) ([]byte, bool) {
	for _, m := range []struct {
		mark string
		read func([]byte) []byte
	}{
		{"\xEF\xBB\xBF", func(b []byte) []byte { return b }},
		{"\xFF\xFE\x00\x00", func(b []byte) []byte { return fromUTF32(b, binary.LittleEndian) }},
		{"\x00\x00\xFE\xFF", func(b []byte) []byte { return fromUTF32(b, binary.BigEndian) }},
		{"\xFF\xFE", func(b []byte) []byte { return fromUTF16(b, binary.LittleEndian) }},
		{"\xFE\xFF", func(b []byte) []byte { return fromUTF16(b, binary.BigEndian) }},
	} {
		if rest, found := bytes.CutPrefix(body, []byte(m.mark)); found {
			if len(m.mark) == 2 && wronglyMarked(rest) {
				n.mend(WarnCharset, "marked as UTF-16, but the bytes are not")
				return rest, true
			}
			return m.read(rest), true
		}
	}
	return nil, false
}

// wronglyMarked reports whether a document that is marked as UTF-16 starts with
// plain ASCII: the mark was put there by mistake, or the rest converted without
// it.
func wronglyMarked(b []byte) bool {
	b = b[:min(len(b), 8)]
	return len(b) == 8 && b[0] == '<' && isASCII(b) && bytes.IndexByte(b, 0) < 0
}

// fromBareUnicode reads UTF-16 and UTF-32 without a byte order mark, known by
// the zero bytes around the first characters, which are white space, '<' or a
// bracket.
func fromBareUnicode(body []byte) ([]byte, bool) {
	if len(body) < 4 {
		return nil, false
	}
	plain := func(b byte) bool { return b == '<' || b == '{' || b == '[' || isSpace(b) }
	zero := func(i int) bool { return body[i] == 0 }
	switch {
	case zero(0) && zero(1) && zero(2) && plain(body[3]):
		return fromUTF32(body, binary.BigEndian), true
	case plain(body[0]) && zero(1) && zero(2) && zero(3):
		return fromUTF32(body, binary.LittleEndian), true
	case zero(0) && plain(body[1]) && zero(2) && !zero(3):
		return fromUTF16(body, binary.BigEndian), true
	case plain(body[0]) && zero(1) && !zero(2) && zero(3):
		return fromUTF16(body, binary.LittleEndian), true
	}
	return nil, false
}

func fromUTF16(body []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(body)/2)
	for i := 0; i+2 <= len(body); i += 2 {
		r := rune(order.Uint16(body[i:]))
		if utf16.IsSurrogate(r) {
			pair := unicode.ReplacementChar
			if i+4 <= len(body) {
				pair = utf16.DecodeRune(r, rune(order.Uint16(body[i+2:])))
			}
			if r = pair; r != unicode.ReplacementChar {
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func fromUTF32(body []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(body)/2)
	for i := 0; i+4 <= len(body); i += 4 {
		r := order.Uint32(body[i:])
		if r > utf8.MaxRune {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, rune(r))
	}
	return out
}

// label is a charset that a document is said to have.
type label struct {
	text string
	by   string // who says so
}

// labelsOf returns the labels of a document, in their precedence.
func labelsOf(body []byte, contentType string) []label {
	var out []label
	for _, l := range [...]label{
		{headerCharset(contentType), "the Content-Type header"},
		{xmlDeclaredCharset(body), "the XML declaration"},
	} {
		if l.text = strings.ToLower(strings.TrimSpace(l.text)); l.text != "" {
			out = append(out, l)
		}
	}
	return out
}

// lookUp returns the charset of a label; nil when it is not known. "replacement"
// stands for charsets that browsers refuse to read.
func lookUp(l label, n *notes) (encoding.Encoding, string) {
	enc, name := charset.Lookup(l.text)
	if enc == nil || name == "replacement" {
		n.add(WarnCharset, "%s names the charset %q, which is not known", l.by, clip(l.text, 40))
		return nil, ""
	}
	return enc, name
}

// chooseEncoding returns the first charset that is declared and that the bytes
// do not contradict; nil for UTF-8.
func chooseEncoding(body []byte, labels []label, multi, bad int, n *notes) (encoding.Encoding, string) {
	type candidate struct {
		label
		enc  encoding.Encoding
		name string
	}
	var candidates []candidate
	for _, l := range labels {
		enc, name := lookUp(l, n)
		switch {
		case enc == nil:
		case strings.HasPrefix(name, "utf-") || looksLikeUTF8(name, body, multi, bad):
			// UTF-16 was told by its bytes: what is declared as such is not.
			if bad <= multi {
				if name != "utf-8" {
					n.add(WarnCharset, "%s says %s, but the bytes are UTF-8", l.by, name)
				}
				return nil, ""
			}
			n.add(WarnCharset, "%s says %s, but the bytes are not", l.by, name)
		default:
			candidates = append(candidates, candidate{l, enc, name})
		}
	}
	for i, c := range candidates {
		rest := candidates[i+1:]
		if len(rest) > 0 && rest[0].name != c.name && implausible(c.name, body) && !implausible(rest[0].name, body) {
			n.add(WarnCharset, "%s says %s, but the bytes look like %s", c.by, c.name, rest[0].name)
			continue
		}
		return c.enc, c.name
	}
	return nil, ""
}

// looksLikeUTF8 reports whether a document that declares another charset is
// UTF-8. In the charsets of East Asia a few characters may look like UTF-8 by
// chance, more do not; ISO-2022-JP is made of ASCII bytes. A few bytes that are
// not UTF-8 do not outweigh many characters that are.
func looksLikeUTF8(declared string, body []byte, multi, bad int) bool {
	switch {
	case declared == "iso-2022-jp":
		return false
	case isEastAsian(declared):
		return bad == 0 && (multi >= 4 || amongLetters(body))
	}
	return multi > 4*bad
}

// amongLetters reports whether the bytes beyond ASCII stand next to letters of
// ASCII, as the letters of a European language do.
func amongLetters(body []byte) bool {
	letter := func(i int) bool { return i >= 0 && i < len(body) && isNameStart(body[i]) && body[i] != '_' }
	found := false
	for i := firstNonASCII(body); i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		from := i
		for i < len(body) && body[i] >= utf8.RuneSelf {
			i++
		}
		if !letter(from-1) && !letter(i) {
			return false
		}
		found = true
	}
	return found
}

func isEastAsian(name string) bool {
	switch name {
	case "gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr":
		return true
	}
	return false
}

// implausible reports whether bytes do not look like a language in a charset.
// In the Latin script letters beyond ASCII stand among letters of ASCII; in
// other scripts, and in the charsets of East Asia, they stand together.
func implausible(name string, body []byte) bool {
	high, together := 0, 0
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		from := i
		for i < len(body) && body[i] >= utf8.RuneSelf {
			i++
		}
		high += i - from
		if i-from >= 4 {
			together += i - from
		}
	}
	if high < 16 {
		return false
	}
	switch name {
	case "windows-1252", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-10", "iso-8859-13", "iso-8859-14",
		"iso-8859-15", "iso-8859-16", "windows-1250", "windows-1254", "windows-1257", "macintosh":
		return 2*together > high
	}
	return 10*together < high
}

// headerCharset returns the charset of a Content-Type header, also of one that
// is not well formed.
func headerCharset(contentType string) string {
	if contentType == "" {
		return ""
	}
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		return params["charset"]
	}
	_, rest, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	rest = strings.TrimLeft(rest, " \"'")
	if end := strings.IndexAny(rest, " \"';,"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// xmlDeclaredCharset returns the encoding of the XML declaration, also when
// something else stands before it.
func xmlDeclaredCharset(body []byte) string {
	head := body[:min(len(body), 4096)]
	start := bytes.Index(head, []byte("<?xml"))
	if start < 0 {
		return ""
	}
	head = head[start:]
	if end := bytes.IndexByte(head, '>'); end >= 0 {
		head = head[:end]
	}
	_, rest, ok := bytes.Cut(head, []byte("encoding"))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \t\r\n=\\")
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return ""
	}
	return strings.TrimRight(string(rest[1:1+end]), `\`)
}

// countUTF8 counts the characters of several bytes and the bytes that are not
// UTF-8.
func countUTF8(b []byte) (multi, bad int) {
	for i := firstNonASCII(b); i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			bad++
		} else {
			multi++
		}
		i += size
	}
	return multi, bad
}

func isASCII(b []byte) bool { return firstNonASCII(b) == len(b) }

// firstNonASCII returns where the first byte beyond ASCII is, the length of b
// when there is none. It looks at eight bytes at a time.
func firstNonASCII(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 != 0 {
			break
		}
	}
	for ; i < len(b); i++ {
		if b[i] >= utf8.RuneSelf {
			return i
		}
	}
	return len(b)
}
