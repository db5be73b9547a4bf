package feed

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// decode is the first stage: it returns the document as valid UTF-8 without
// characters that XML forbids. A gzip file is unpacked, the charset found (see
// charset.go), and what does not fit it is mended byte by byte: a single bad
// byte costs no more than itself.
func decode(body []byte, contentType string, maxBytes int, n *notes) ([]byte, error) {
	n.enter(StageDecode)
	body, err := gunzip(body, maxBytes, n)
	if err != nil {
		return nil, err
	}
	if len(body) > maxBytes {
		return nil, tooLarge(maxBytes)
	}
	body, valid := toUTF8(body, contentType, n)
	if !valid || firstForbidden(body) < len(body) {
		body = cleanUTF8(body, n)
	}
	text := trimMarks(body, n)
	if len(text) > maxBytes {
		return nil, tooLarge(maxBytes)
	}
	noteDoubleEncoding(text, n)
	n.reportMends(text)
	return text, nil
}

func tooLarge(maxBytes int) error {
	return kgl.Errorf(kgl.CodeTooLarge, "the document is larger than %d bytes", maxBytes)
}

// maxGzipLayers is how often a document may be packed: servers that pack a file
// which is packed already are met, more than that only in bombs.
const maxGzipLayers = 2

// gunzip unpacks a document that was stored as a gzip file, which servers hand
// out without saying so. A cut-off file yields what can be unpacked.
func gunzip(body []byte, maxBytes int, n *notes) ([]byte, error) {
	for layer := 0; len(body) >= 3 && body[0] == 0x1f && body[1] == 0x8b && body[2] == 8; layer++ {
		if layer == maxGzipLayers {
			return nil, invalid("the document is packed more than %d times", maxGzipLayers)
		}
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, kgl.Wrap(err, kgl.CodeFeedInvalid, "the document is a gzip file that cannot be read")
		}
		out, err := io.ReadAll(io.LimitReader(zr, int64(maxBytes)+1))
		if len(out) > maxBytes {
			return nil, tooLarge(maxBytes)
		}
		if err != nil && (len(out) == 0 || !brokenOff(err)) {
			return nil, kgl.Wrap(err, kgl.CodeFeedInvalid, "the document is a gzip file that cannot be read")
		}
		if err != nil {
			n.mend(WarnCompressed, "the document is a gzip file that is damaged; what could be unpacked was read")
		} else {
			n.add(WarnCompressed, "the document is a gzip file")
		}
		body = out
	}
	return body, nil
}

// brokenOff reports whether an error says that a gzip file is cut off, or that
// something stands behind it, or that its bytes differ from its checksum: what
// was unpacked until then is as good as any damaged document.
func brokenOff(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}

// suspicious marks the bytes that forbiddenAt has to look at.
var suspicious = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = c != '\t' && c != '\n' && c != '\r'
	}
	t[0x7F], t[0xC2], t[0xEF] = true, true, true
	return t
}()

// firstForbidden returns where the first character is that clean removes, the
// length of b when there is none.
func firstForbidden(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if plainASCII(binary.LittleEndian.Uint64(b[i:])) {
			continue
		}
		for j := i; j < i+8; j++ {
			if suspicious[b[j]] && forbiddenAt(b, j) > 0 {
				return j
			}
		}
	}
	for ; i < len(b); i++ {
		if suspicious[b[i]] && forbiddenAt(b, i) > 0 {
			return i
		}
	}
	return len(b)
}

// plainASCII reports whether all eight bytes of x are from 0x20 to 0x7E. The
// borrow of a subtraction marks a byte that is too small, also one behind it
// that is not: then the answer is no, which is safe.
func plainASCII(x uint64) bool {
	const each = 0x0101010101010101
	low := x - 0x20*each          // the high bit of a byte below 0x20 is set
	del := (x ^ 0x7F*each) - each // that of a byte that is 0x7F as well
	return (x|low|del)&(0x80*each) == 0
}

// forbiddenAt returns the length of the forbidden character at i, 0 when it is
// none: the C0 controls other than tab, newline and return, DEL, the C1
// controls, and U+FFFE and U+FFFF, which XML 1.0 forbids or discourages.
func forbiddenAt(b []byte, i int) int {
	switch c := b[i]; {
	case c < 0x20:
		if c != '\t' && c != '\n' && c != '\r' {
			return 1
		}
	case c == 0x7F:
		return 1
	case c == 0xC2:
		if i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] < 0xA0 {
			return 2
		}
	case c == 0xEF:
		if i+2 < len(b) && b[i+1] == 0xBF && b[i+2] >= 0xBE {
			return 3
		}
	}
	return 0
}

// cleanUTF8 returns b as valid UTF-8 without forbidden characters. A byte that
// starts no character is read as windows-1252; a character that was cut off
// becomes U+FFFD; NEL becomes a newline, as XML 1.1 reads it, in JSON, whose
// strings may not have one, a space; other forbidden characters go.
func cleanUTF8(b []byte, n *notes) []byte {
	nel := byte('\n')
	if jsonStart(b) >= 0 {
		nel = ' '
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf && !suspicious[c] {
			out = append(out, c)
			i++
			continue
		}
		if size := forbiddenAt(b, i); size > 0 {
			if size == 2 && b[i+1] == 0x85 {
				out = append(out, nel)
			}
			n.mark(WarnControlChars, len(out))
			i += size
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError || size > 1 {
			out = append(out, b[i:i+size]...)
			i += size
			continue
		}
		n.mark(WarnBadBytes, len(out))
		if cut := cutSequence(b[i:]); cut > 1 {
			out = utf8.AppendRune(out, utf8.RuneError)
			i += cut
			continue
		}
		if r := charmap.Windows1252.DecodeByte(c); r >= 0xA0 {
			out = utf8.AppendRune(out, r)
		}
		i++
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

// trimMarks removes byte order marks that stand behind white space or another
// mark, as they do when files are joined.
func trimMarks(text []byte, n *notes) []byte {
	for {
		rest, found := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("\uFEFF"))
		if !found {
			return text
		}
		n.mend(WarnCharset, "a byte order mark stands where none belongs")
		text = rest
	}
}

// noteDoubleEncoding tells a publisher that the text was encoded as UTF-8
// twice: "Ã©" stands where "é" was meant. It is only told, not undone: nobody
// but the publisher knows whether it was meant.
func noteDoubleEncoding(text []byte, n *notes) {
	marks := 0
	// The lead bytes C2 to C5 and E2 of UTF-8 become U+00C2 and so on when they
	// are encoded again, and what follows them becomes a character that
	// ISO-8859-1 or windows-1252 has from 80 to BF.
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], 0xC3)
		if i < 0 || at+i+2 >= len(text) {
			break
		}
		at += i + 2
		if lead := text[at-1]; lead >= 0x82 && lead <= 0x85 || lead == 0xA2 {
			r, _ := utf8.DecodeRune(text[at:])
			if c, ok := charmap.Windows1252.EncodeRune(r); ok && c >= 0x80 && c <= 0xBF || r >= 0x80 && r <= 0x9F {
				marks++
			}
		}
	}
	if marks < 3 {
		return
	}
	if multi, _ := countUTF8(text); 3*marks >= multi {
		n.add(WarnDoubleEncoded, "the text seems to be encoded as UTF-8 twice, %d times; it was left as it is", marks)
	}
}
