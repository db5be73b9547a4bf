package feed

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// decode returns the document as valid UTF-8 without characters that XML
// forbids. The charset comes from, in this order: the byte order mark, the
// zero bytes of UTF-16 and UTF-32 around the first character, the XML
// declaration, the Content-Type header, UTF-8. A declared single-byte charset
// gives way to UTF-8 when the bytes are valid UTF-8 beyond ASCII, which does not
// happen by chance. Bytes that are not UTF-8 in a UTF-8 document are read as
// windows-1252, one by one: a single bad byte costs no more than itself.
func decode(body []byte, contentType string, maxBytes int, n *notes) ([]byte, error) {
	body, err := gunzip(body, maxBytes, n)
	if err != nil {
		return nil, err
	}
	if len(body) > maxBytes {
		return nil, tooLarge(maxBytes)
	}
	text := toUTF8(body, contentType, n)
	if len(text) > maxBytes {
		return nil, tooLarge(maxBytes)
	}
	return stripControls(text, n), nil
}

func tooLarge(maxBytes int) error {
	return kgl.Errorf(kgl.CodeTooLarge, "the document is larger than %d bytes", maxBytes)
}

// gunzip unpacks a document that was stored as a gzip file, which servers hand
// out without saying so. A cut-off file yields what can be unpacked.
func gunzip(body []byte, maxBytes int, n *notes) ([]byte, error) {
	if len(body) < 3 || body[0] != 0x1f || body[1] != 0x8b || body[2] != 8 {
		return body, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, kgl.Wrap(err, kgl.CodeFeedInvalid, "the document is a gzip file that cannot be read")
	}
	out, err := io.ReadAll(io.LimitReader(zr, int64(maxBytes)+1))
	if len(out) > maxBytes {
		return nil, tooLarge(maxBytes)
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, kgl.Wrap(err, kgl.CodeFeedInvalid, "the document is a gzip file that cannot be read")
	}
	n.add(WarnCompressed, "the document is a gzip file")
	return out, nil
}

func toUTF8(body []byte, contentType string, n *notes) []byte {
	switch {
	case bytes.HasPrefix(body, []byte{0xEF, 0xBB, 0xBF}):
		return mendUTF8(body[3:], n)
	case bytes.HasPrefix(body, []byte{0xFF, 0xFE, 0, 0}):
		return fromUTF32(body[4:], binary.LittleEndian)
	case bytes.HasPrefix(body, []byte{0, 0, 0xFE, 0xFF}):
		return fromUTF32(body[4:], binary.BigEndian)
	case bytes.HasPrefix(body, []byte{0xFF, 0xFE}):
		return fromUTF16(body[2:], binary.LittleEndian)
	case bytes.HasPrefix(body, []byte{0xFE, 0xFF}):
		return fromUTF16(body[2:], binary.BigEndian)
	}
	if text, ok := fromBareUnicode(body); ok {
		return text
	}
	enc, name := declaredEncoding(body, contentType, n)
	if enc == nil {
		return mendUTF8(body, n)
	}
	if isUTF8InFact(body, name) {
		if !isASCII(body) {
			n.add(WarnCharset, "declared as %s, but the bytes are UTF-8", name)
		}
		return body
	}
	out, _, err := transform.Bytes(enc.NewDecoder(), body)
	if err != nil {
		n.mend(WarnCharset, "declared as %s, but the bytes are not", name)
		return mendUTF8(body, n)
	}
	return out
}

// fromBareUnicode reads UTF-16 and UTF-32 without a byte order mark, known by
// the zero bytes around the first character, which is '<' or '{'.
func fromBareUnicode(body []byte) ([]byte, bool) {
	if len(body) < 4 {
		return nil, false
	}
	first := func(b byte) bool { return b == '<' || b == '{' }
	zero := func(i int) bool { return body[i] == 0 }
	switch {
	case zero(0) && zero(1) && zero(2) && first(body[3]):
		return fromUTF32(body, binary.BigEndian), true
	case first(body[0]) && zero(1) && zero(2) && zero(3):
		return fromUTF32(body, binary.LittleEndian), true
	case zero(0) && first(body[1]) && zero(2) && !zero(3):
		return fromUTF16(body, binary.BigEndian), true
	case first(body[0]) && zero(1) && !zero(2) && zero(3):
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

// declaredEncoding returns the first charset that the document or its header
// declares and that is known; nil for UTF-8 and when nothing is declared.
func declaredEncoding(body []byte, contentType string, n *notes) (encoding.Encoding, string) {
	for _, label := range []string{xmlDeclaredCharset(body), headerCharset(contentType)} {
		label = strings.ToLower(strings.TrimSpace(label))
		if label == "" {
			continue
		}
		enc, name := charset.Lookup(label)
		if enc == nil || name == "replacement" {
			n.add(WarnCharset, "the declared charset %q is not known", clip(label, 40))
			continue
		}
		if strings.HasPrefix(name, "utf-") {
			// UTF-16 was told by its bytes above: whoever got here is not.
			if multi, bad := countUTF8(body); bad <= multi {
				return nil, "utf-8"
			}
			continue
		}
		return enc, name
	}
	return nil, ""
}

// headerCharset returns the charset of a Content-Type header, also of one that
// is not well formed.
func headerCharset(contentType string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		return params["charset"]
	}
	_, rest, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	rest, _, _ = strings.Cut(rest, ";")
	return strings.Trim(rest, " \"'")
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
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return ""
	}
	return string(rest[1 : 1+end])
}

// isUTF8InFact reports whether a document that declares another charset is
// UTF-8. In the charsets of East Asia a few characters may look like UTF-8 by
// chance, more do not; ISO-2022-JP is made of ASCII bytes.
func isUTF8InFact(body []byte, declared string) bool {
	multi, bad := countUTF8(body)
	switch {
	case bad > 0 || declared == "iso-2022-jp":
		return false
	case declared == "gbk" || declared == "gb18030" || declared == "big5" || declared == "euc-jp" || declared == "shift_jis" || declared == "euc-kr":
		return multi == 0 || multi >= 8
	}
	return true
}

// countUTF8 counts the characters of several bytes and the bytes that are not
// UTF-8.
func countUTF8(b []byte) (multi, bad int) {
	for i := 0; i < len(b); {
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

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mendUTF8 returns b as valid UTF-8. A byte that starts nothing is read as
// windows-1252; a sequence that was cut off becomes U+FFFD.
func mendUTF8(b []byte, n *notes) []byte {
	if utf8.Valid(b) {
		return b
	}
	n.mend(WarnCharset, "some bytes are not UTF-8; they were read as windows-1252")
	out := make([]byte, 0, len(b)+len(b)/8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r != utf8.RuneError || size > 1 {
			out = append(out, b[:size]...)
			b = b[size:]
			continue
		}
		if cut := cutSequence(b); cut > 1 {
			out = utf8.AppendRune(out, utf8.RuneError)
			b = b[cut:]
			continue
		}
		out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(b[0]))
		b = b[1:]
	}
	return out
}

// cutSequence returns the length of an incomplete UTF-8 sequence at the start
// of b that has at least one continuation byte, else 0.
func cutSequence(b []byte) int {
	want := 0
	switch {
	case b[0] >= 0xE1 && b[0] <= 0xEF:
		want = 3
	case b[0] >= 0xF1 && b[0] <= 0xF4:
		want = 4
	default:
		return 0
	}
	size := 1
	for size < want && size < len(b) && b[size]&0xC0 == 0x80 {
		size++
	}
	if size == 1 || size == want {
		return 0
	}
	return size
}

// stripControls removes what XML 1.0 forbids: C0 controls other than tab,
// newline and return, U+FFFE and U+FFFF; and the C1 controls, of which NEL
// becomes a newline as in XML 1.1.
func stripControls(b []byte, n *notes) []byte {
	i := 0
	for i < len(b) && !forbiddenAt(b, i) {
		i++
	}
	if i == len(b) {
		return b
	}
	n.mend(WarnControlChars, "characters that are not allowed in a feed were removed")
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for i < len(b) {
		if !forbiddenAt(b, i) {
			out = append(out, b[i])
			i++
			continue
		}
		switch {
		case b[i] == 0xC2:
			if b[i+1] == 0x85 {
				out = append(out, '\n')
			}
			i += 2
		case b[i] == 0xEF:
			i += 3
		default:
			i++
		}
	}
	return out
}

func forbiddenAt(b []byte, i int) bool {
	switch c := b[i]; {
	case c < 0x20:
		return c != '\t' && c != '\n' && c != '\r'
	case c == 0x7F:
		return true
	case c == 0xC2:
		return i+1 < len(b) && b[i+1] < 0xA0
	case c == 0xEF:
		return i+2 < len(b) && b[i+1] == 0xBF && b[i+2] >= 0xBE
	}
	return false
}
