package feed

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func decodedText(t *testing.T, body, contentType string) (string, *notes) {
	t.Helper()
	n := &notes{}
	text, err := decode([]byte(body), contentType, 1<<20, n)
	if err != nil {
		t.Fatalf("decode %.60q: %v", body, err)
	}
	return string(text), n
}

func codes(list []Warning) string {
	var out []string
	for _, w := range list {
		out = append(out, string(w.Code))
	}
	return strings.Join(out, " ")
}

func zipped(body string, layers int) string {
	for range layers {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(body))
		w.Close()
		body = b.String()
	}
	return body
}

func TestDecodeMendsBytes(t *testing.T) {
	for _, c := range []struct{ name, body, want, warnings string }{
		{"clean", "<a>é\t\r\n</a>", "<a>é\t\r\n</a>", ""},
		{"a byte of windows-1252 among UTF-8", "<a>é caf\xe9 \x93q\x94</a>", "<a>é café “q”</a>", "bad_bytes"},
		{"a character that is cut off", "<a>x\xe2\x80 y</a>", "<a>x\uFFFD y</a>", "bad_bytes"},
		{"overlong", "<a>\xc0\xbc</a>", "<a>À¼</a>", "bad_bytes"},
		{"NUL and controls", "<a>\x00b\x0b\x1f\x7f</a>", "<a>b</a>", "control_chars"},
		{"NEL is a line", "<a>b\u0085c\u0092</a>", "<a>b\nc</a>", "control_chars"},
		{"NEL in JSON is a space", "{\"a\": \"b\u0085c\u0092\"}", "{\"a\": \"b c\"}", "control_chars"},
		{"no characters", "<a>\uFFFE\uFFFF</a>", "<a></a>", "control_chars"},
		{"replacement character stays", "<a>\uFFFD</a>", "<a>\uFFFD</a>", ""},
		{"UTF-7", "<a>+ADw-script+AD4-</a>", "<a>+ADw-script+AD4-</a>", ""},
		{"marks", " \uFEFF\n\uFEFF<a/>", "<a/>", "charset"},
		{"encoded twice", "<a>Ã©tÃ© Ã  lâ€™eau</a>", "<a>Ã©tÃ© Ã  lâ€™eau</a>", "double_encoded"},
		{"once only", "<a>Ã São Paulo, été à l’eau, Âge</a>", "<a>Ã São Paulo, été à l’eau, Âge</a>", ""},
	} {
		got, n := decodedText(t, c.body, "")
		checkEqual(t, c.name, got, c.want)
		checkEqual(t, c.name+": warnings", codes(n.list), c.warnings)
	}
}

// TestDecodeSaysWhere checks that a publisher learns how often and where.
func TestDecodeSaysWhere(t *testing.T) {
	_, n := decodedText(t, "<a>\n\nx\xe9\n\xe9</a>", "")
	if len(n.list) != 1 || !strings.Contains(n.list[0].Message, "2 times, first in line 3") {
		t.Errorf("warnings are %v", n.list)
	}
	if len(n.stages) != 1 || n.stages[0].Name != StageDecode || !n.stages[0].Mended || len(n.stages[0].Warnings) != 1 {
		t.Errorf("stages are %+v", n.stages)
	}
}

func TestDecodeGzip(t *testing.T) {
	doc := strings.Repeat("<item>text</item>", 200)
	got, n := decodedText(t, zipped(doc, 1), "")
	checkEqual(t, "one layer", got, doc)
	checkEqual(t, "warnings", codes(n.list), "compressed")
	got, _ = decodedText(t, zipped(doc, 2), "")
	checkEqual(t, "two layers", got, doc)
	whole := zipped(doc, 1)
	got, n = decodedText(t, whole[:len(whole)-8], "")
	checkEqual(t, "cut off", got, doc)
	checkEqual(t, "cut off: mended", n.repaired, true)
	got, _ = decodedText(t, whole+"junk", "")
	checkEqual(t, "junk behind", got, doc)
	for name, body := range map[string]string{"three layers": zipped(doc, 3), "header only": whole[:12]} {
		if _, err := decode([]byte(body), "", 1<<20, &notes{}); !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := decode([]byte(whole), "", len(doc)-1, &notes{}); !kgl.Is(err, kgl.CodeTooLarge) {
		t.Errorf("too large: error %v", err)
	}
}

// TestFirstForbidden holds the fast way equal to the plain one.
func TestFirstForbidden(t *testing.T) {
	plain := func(b []byte) int {
		for i := range b {
			if forbiddenAt(b, i) > 0 {
				return i
			}
		}
		return len(b)
	}
	for _, text := range []string{"plain ascii text of some length", "tab\t line\n é ж 日本 \u007e", "x\u00a0y\u0080z"} {
		for at := range len(text) {
			for c := range 256 {
				b := []byte(text)
				b[at] = byte(c)
				if got, want := firstForbidden(b), plain(b); got != want {
					t.Fatalf("%q: %d, want %d", b, got, want)
				}
			}
		}
	}
}

// FuzzDecode checks that any bytes become valid UTF-8 without forbidden
// characters, within the limit, and that decoding again changes nothing.
func FuzzDecode(f *testing.F) {
	addFixtures(f)
	f.Add([]byte("\xFF\xFE<\x00a\x00"), "")
	f.Add([]byte("<a>\xe9\x00\xc2\x85\xef\xbf\xbf</a>"), "text/xml; charset=shift_jis")
	f.Add([]byte(zipped("<a/>", 2)), "application/gzip")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		n := &notes{}
		text, err := decode(body, contentType, 1<<16, n)
		if err != nil {
			if code := kgl.ErrorCode(err); code != kgl.CodeFeedInvalid && code != kgl.CodeTooLarge {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !utf8.Valid(text) || firstForbidden(text) < len(text) || len(text) > 1<<16 {
			t.Fatalf("%q becomes %q", body, text)
		}
		for _, p := range n.places {
			if p.at > len(text) {
				t.Fatalf("a place at %d of %d", p.at, len(text))
			}
		}
		if bytes.IndexByte(text, 0x1b) < 0 && !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) && !bytes.Contains(text, []byte("<?xml")) {
			if again := cleanUTF8(text, &notes{}); !bytes.Equal(again, text) {
				t.Fatalf("%q becomes %q", text, again)
			}
		}
	})
}
