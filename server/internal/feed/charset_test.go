package feed

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// TestCharsetPrecedence follows RFC 7303, section 3.2 and its examples: the byte
// order mark, the charset parameter, the XML declaration; and what the bytes
// are, against all of them.
func TestCharsetPrecedence(t *testing.T) {
	const latin, greek, russian, japan = "<a>Grüße, Café crème à Ürün</a>", "<a>Καλημέρα κόσμε, πάντα</a>", "<a>Доброе утро, мир и труд</a>", "<a>港町を記録する番組に助成します</a>"
	with := func(decl, text string) string { return `<?xml version="1.0" encoding="` + decl + `"?>` + text }
	as := func(e encoding.Encoding, text string) string {
		out, err := e.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const utf8Mark = "\xEF\xBB\xBF"
	for _, c := range []struct{ name, body, contentType, want, warnings string }{
		{"mark before parameter and declaration", utf8Mark + with("windows-1251", latin), "text/xml; charset=koi8-r", latin, ""},
		{"parameter before declaration", as(charmap.Windows1251, with("koi8-r", russian)), "text/xml; charset=windows-1251", russian, ""},
		{"declaration without parameter", as(charmap.KOI8R, with("koi8-r", russian)), "text/xml", russian, ""},
		{"UTF-8 without either", latin, "application/rss+xml", latin, ""},
		{"bytes before parameter: UTF-8", with("utf-8", latin), "text/xml; charset=iso-8859-1", latin, "charset"},
		{"bytes before declaration: UTF-8", with("iso-8859-1", greek), "", greek, "charset"},
		{"parameter UTF-8 that is not, then declaration", as(charmap.ISO8859_7, with("iso-8859-7", greek)), "text/xml; charset=utf-8", greek, "charset"},
		{"declaration UTF-8 that is not, then nothing", as(charmap.Windows1252, with("utf-8", latin)), "", latin, "charset bad_bytes"},
		{"parameter of a Latin charset, text of another script", as(charmap.Windows1251, with("windows-1251", russian)), "text/xml; charset=iso-8859-1", russian, "charset"},
		{"parameter of a Latin charset, text of Japan", as(japanese.EUCJP, with("euc-jp", japan)), "text/xml; charset=iso-8859-1", japan, "charset"},
		{"parameter of another script, Latin text", as(charmap.Windows1252, with("windows-1252", "<a>été café là où crème brûlée dîner forêt hôtel naïve garçon élève à ça Noël</a>")), "text/xml; charset=windows-1251", "<a>été café là où crème brûlée dîner forêt hôtel naïve garçon élève à ça Noël</a>", "charset"},
		{"unknown parameter, then declaration", as(japanese.ShiftJIS, with("Shift_JIS", japan)), "text/xml; charset=x-sjis-99", japan, "charset"},
		{"GB2312 is GBK", as(simplifiedchinese.GBK, with("gb2312", "<a>海岛驻地计划，创作者</a>")), "", "<a>海岛驻地计划，创作者</a>", ""},
		{"ISO-8859-1 is windows-1252", as(charmap.Windows1252, with("iso-8859-1", "<a>“so” – fünf €</a>")), "", "<a>“so” – fünf €</a>", ""},
		{"a refused charset", with("hz-gb-2312", latin), "", latin, "charset"},
		{"quoted and broken headers", as(charmap.Windows1251, russian), `text/xml; charset="windows-1251" charset=x`, russian, ""},
		{"mark of UTF-16 on ASCII", "\xFF\xFE" + "<a>plain text</a>", "", "<a>plain text</a>", "charset"},
	} {
		got, n := decodedText(t, c.body, c.contentType)
		if i := strings.Index(got, "?>"); i >= 0 {
			got = got[i+2:]
		}
		checkEqual(t, c.name, got, c.want)
		checkEqual(t, c.name+": warnings", codes(n.list), c.warnings)
	}
}

func TestUTF16AndUTF32(t *testing.T) {
	const doc = `<?xml version="1.0" encoding="utf-8"?><a>Grüße 🌊</a>`
	for _, d := range encodingDamages() {
		if !strings.HasPrefix(d.name, "UTF-16") && !strings.HasPrefix(d.name, "UTF-32") || d.encode == nil || strings.Contains(d.name, "cut") {
			continue
		}
		got, _ := decodedText(t, string(d.encode([]byte(doc))), d.contentType)
		checkEqual(t, d.name, got, doc)
	}
	if got, _ := decodedText(t, "\xFE\xFF\x00<\x00a\xD8\x00\x00>", ""); got != "<a\uFFFD>" {
		t.Errorf("half a pair becomes %q", got)
	}
}

func TestFirstNonASCII(t *testing.T) {
	for size := range 40 {
		b := bytes.Repeat([]byte("a"), size)
		checkEqual(t, "ASCII", firstNonASCII(b), size)
		for i := range b {
			b[i] = 0x80
			checkEqual(t, "first", firstNonASCII(b), i)
			b[i] = 'a'
		}
	}
}
