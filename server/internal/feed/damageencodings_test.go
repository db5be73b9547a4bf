package feed

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func toUTF16(order binary.ByteOrder, bom bool) func([]byte) []byte {
	return func(doc []byte) []byte {
		var out []byte
		if bom {
			out = append(out, 0, 0)
			order.PutUint16(out, 0xFEFF)
		}
		for _, u := range utf16.Encode([]rune(string(doc))) {
			out = append(out, 0, 0)
			order.PutUint16(out[len(out)-2:], u)
		}
		return out
	}
}

func toUTF32(order binary.ByteOrder, bom bool) func([]byte) []byte {
	return func(doc []byte) []byte {
		var out []byte
		if bom {
			out = append(out, 0, 0, 0, 0)
			order.PutUint32(out, 0xFEFF)
		}
		for _, r := range string(doc) {
			out = append(out, 0, 0, 0, 0)
			order.PutUint32(out[len(out)-4:], uint32(r))
		}
		return out
	}
}

// in writes a document in a charset; nil for one that cannot be written in it,
// that is ASCII, or that was encoded twice, which this would undo.
func in(e encoding.Encoding) func([]byte) []byte {
	return func(doc []byte) []byte {
		out, err := e.NewEncoder().Bytes(doc)
		if multi, bad := countUTF8(out); err != nil || multi > bad || multi+bad == 0 {
			return nil
		}
		return out
	}
}

func withPrefix(prefix string, next func([]byte) []byte) func([]byte) []byte {
	return func(doc []byte) []byte {
		if next != nil {
			if doc = next(doc); doc == nil {
				return nil
			}
		}
		return append([]byte(prefix), doc...)
	}
}

func gzipped(cut int) func([]byte) []byte {
	return func(doc []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(doc); err != nil || w.Close() != nil {
			return nil
		}
		return b.Bytes()[:b.Len()-cut]
	}
}

// oneItemIn writes the text of one item in another charset than the rest.
func oneItemIn(e encoding.Encoding) changer {
	return one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		for _, c := range it.children {
			text := s.doc[c.text.from:c.text.to]
			out, err := e.NewEncoder().Bytes(text)
			if err == nil && !isASCII(text) && c.whole != it.key && c.whole != it.link {
				return &change{c.text.from, c.text.len(), string(out)}
			}
		}
		return nil
	})
}

// twiceEncoded encodes the characters beyond ASCII of all texts twice.
func twiceEncoded(s *subject, _ *rand.Rand) []change {
	out := []change{}
	for i, b := range s.doc {
		if b >= utf8.RuneSelf {
			out = append(out, change{i, 1, string(charmap.ISO8859_1.DecodeByte(b))})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func encodingDamages() []damage {
	declared := func(name string) changer {
		return declaration(fmt.Sprintf(`<?xml version="1.0" encoding="%s"?>`, name))
	}
	const header = "text/xml; charset="
	return []damage{
		{name: "bogus label", apply: declared("x-klingon")},
		{name: "empty label", apply: declared("")},
		{name: "misspelt label", apply: declared("uft8")},
		{name: "label in smart quotes", apply: declaration(`<?xml version=“1.0” encoding=“UTF-8”?>`)},
		{name: "UTF-8 labelled ISO-8859-1", apply: declared("ISO-8859-1")},
		{name: "UTF-8 labelled US-ASCII", apply: declared("us-ascii")},
		{name: "UTF-8 labelled UTF-16", apply: declared("UTF-16")},
		{name: "UTF-8 labelled GBK", apply: declared("gb2312")},
		{name: "UTF-8, HTTP says ISO-8859-1", apply: unchanged, contentType: header + "ISO-8859-1"},
		{name: "UTF-8, HTTP says UTF-16", apply: unchanged, contentType: header + "utf-16le"},
		{name: "UTF-8, HTTP says nonsense", apply: unchanged, contentType: "text/html;;charset=\"none"},
		{name: "BOM and a wrong label", apply: declared("windows-1252"), encode: withPrefix("\xEF\xBB\xBF", nil), contentType: header + "koi8-r"},
		{name: "two BOMs", apply: unchanged, encode: withPrefix("\xEF\xBB\xBF\xEF\xBB\xBF", nil)},
		{name: "blank, then BOM", apply: unchanged, encode: withPrefix("\n \xEF\xBB\xBF", nil)},
		{name: "BOM encoded twice", apply: unchanged, encode: withPrefix("\u00ef\u00bb\u00bf", nil)},
		{name: "windows-1252 labelled UTF-8", apply: unchanged, encode: in(charmap.Windows1252)},
		{name: "windows-1252 without label", apply: declaration(""), encode: in(charmap.Windows1252)},
		{name: "windows-1252 labelled ISO-8859-1", apply: declared("iso-8859-1"), encode: in(charmap.Windows1252)},
		{name: "windows-1252 labelled, HTTP says UTF-8", apply: declared("windows-1252"), encode: in(charmap.Windows1252), contentType: header + "utf-8"},
		{name: "windows-1252 by HTTP, labelled UTF-8", apply: unchanged, encode: in(charmap.Windows1252), contentType: header + "windows-1252"},
		{name: "ISO-8859-1 by HTTP alone", apply: declaration(""), encode: in(charmap.ISO8859_1), contentType: header + "iso-8859-1"},
		{name: "windows-1251 by HTTP alone", apply: declaration(""), encode: in(charmap.Windows1251), contentType: header + "windows-1251"},
		{name: "windows-1251 labelled, HTTP says UTF-8", apply: declared("windows-1251"), encode: in(charmap.Windows1251), contentType: header + "utf-8"},
		{name: "KOI8-R by HTTP, labelled UTF-8", apply: unchanged, encode: in(charmap.KOI8R), contentType: header + "koi8-r"},
		{name: "Shift_JIS labelled, HTTP says UTF-8", apply: declared("Shift_JIS"), encode: in(japanese.ShiftJIS), contentType: header + "utf-8"},
		{name: "EUC-JP by HTTP", apply: declaration(""), encode: in(japanese.EUCJP), contentType: header + "euc-jp"},
		{name: "GBK labelled GB2312", apply: declared("gb2312"), encode: in(simplifiedchinese.GBK)},
		{name: "one item in windows-1252", apply: oneItemIn(charmap.Windows1252)},
		{name: "one item in windows-1252, labelled so", apply: both(declared("windows-1252"), oneItemIn(charmap.Windows1252))},
		{name: "UTF-8 encoded twice", apply: twiceEncoded},
		{name: "UTF-16LE with BOM", apply: unchanged, encode: toUTF16(binary.LittleEndian, true)},
		{name: "UTF-16BE with BOM", apply: unchanged, encode: toUTF16(binary.BigEndian, true)},
		{name: "UTF-16LE bare", apply: unchanged, encode: toUTF16(binary.LittleEndian, false)},
		{name: "UTF-16BE bare, HTTP says UTF-8", apply: unchanged, encode: toUTF16(binary.BigEndian, false), contentType: header + "utf-8"},
		{name: "UTF-16LE, blank first", apply: before("\r\n"), encode: toUTF16(binary.LittleEndian, false), contentType: header + "utf-16"},
		{name: "UTF-16LE with BOM, HTTP says BE", apply: unchanged, encode: toUTF16(binary.LittleEndian, true), contentType: header + "utf-16be"},
		{name: "UTF-16 cut in a character", apply: unchanged, encode: func(doc []byte) []byte {
			out := toUTF16(binary.LittleEndian, true)(doc)
			return out[:len(out)-1]
		}},
		{name: "UTF-16 without its last byte order", apply: one(inTitle("\x00")), encode: toUTF16(binary.BigEndian, true)},
		{name: "UTF-32LE with BOM", apply: unchanged, encode: toUTF32(binary.LittleEndian, true)},
		{name: "UTF-32BE bare", apply: unchanged, encode: toUTF32(binary.BigEndian, false)},
		{name: "gzip file", apply: unchanged, encode: gzipped(0)},
		{name: "gzip file without its end", apply: unchanged, encode: gzipped(8)},
		{name: "gzip file twice", apply: unchanged, encode: func(doc []byte) []byte { return gzipped(0)(gzipped(0)(doc)) }},
	}
}
