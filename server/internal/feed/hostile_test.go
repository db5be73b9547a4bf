package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The cases of documents that are built to harm their reader. Each is named by
// its number in the list of security cases; security_test.go has more documents
// for most of them. None may take longer or more memory than a damaged document
// may.

func costOf(t *testing.T, name string, body []byte, opts Options) (*Document, error) {
	t.Helper()
	doc, took, taken, err := measuredParse(t, body, opts)
	if took > maxDamageTime || taken > maxDamageBytes {
		t.Errorf("%s: took %v and %d MiB", name, took, taken>>20)
	}
	return doc, err
}

// TestCase23Entities: billion laughs, quadratic blow-up, XXE and XInclude expand
// and load nothing, also in a document that has to be repaired.
func TestCase23Entities(t *testing.T) {
	const laughs = `<!DOCTYPE rss [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>`
	quadratic := `<!DOCTYPE rss [<!ENTITY a "` + strings.Repeat("A", 50_000) + `">]>`
	item := func(title string) string {
		return rssDoc(`<item><title>` + title + `</title><link>https://s.example.org/1</link></item>`)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("kept-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{
		"billion laughs":  laughs + item("x &d; y"),
		"quadratic":       quadratic + item(strings.Repeat("&a;", 5_000)),
		"XXE":             `<!DOCTYPE rss [<!ENTITY x SYSTEM "file://` + secret + `">]>` + item("x &x; y"),
		"parameter":       `<!DOCTYPE rss [<!ENTITY % p SYSTEM "file://` + secret + `"> %p;]>` + item("x"),
		"external subset": `<!DOCTYPE rss SYSTEM "file://` + secret + `">` + item("x"),
		"XInclude":        item(`x <xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://` + secret + `" parse="text"/>`),
	} {
		for _, damage := range []string{"", "<"} {
			parsed, err := costOf(t, name, []byte(doc+damage), testOptions())
			if err != nil || len(parsed.Items) != 1 {
				t.Errorf("%s%s: %v", name, damage, err)
				continue
			}
			if it := parsed.Items[0]; len(it.Title) > 1010 || strings.Contains(it.Title+it.ContentText, "haha") || strings.Contains(it.Title+it.ContentText, "kept-secret") || strings.Contains(it.Title, "AAAA") {
				t.Errorf("%s%s: title %q", name, damage, it.Title)
			}
		}
	}
}

// TestCase24Doctype: the document type of RSS 0.91 is harmless.
func TestCase24Doctype(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "rss091.xml")), testOptions())
	if len(doc.Items) != 12 || doc.Repaired || hasWarning(doc, WarnDoctype) {
		t.Errorf("%d items, warnings %v", len(doc.Items), doc.Warnings)
	}
}

// TestCase25And26Structure: namespaces and nesting that would cost the parser
// the square of their number are refused by the scan, before anything is
// parsed; also behind damage that makes the repairer read them first.
func TestCase25And26Structure(t *testing.T) {
	number := func(i int) any { return i }
	for name, doc := range map[string]string{
		"nested namespaces":  rssDoc(nested(`<a xmlns:n%d="urn:x">`, 8000, number)),
		"closed namespaces":  rssDoc(`<item>` + nested(`<a xmlns:n%d="urn:x">`, 8000, number) + nested("</a>", 8000) + `</item>`),
		"nested bases":       rssDoc(`<item>` + nested(`<a xml:base="a%d/">`, 8000, number) + nested("</a>", 8000) + `</item>`),
		"nesting of 10,000":  rssDoc(`<item>` + nested("<a>", 10_000) + nested("</a>", 10_000) + `</item>`),
		"nesting of 257":     rssDoc(`<item>` + nested("<a>", 257) + nested("</a>", 257) + `</item>`),
		"nesting in damage":  rssDoc(`<item><title>a < b</title>` + nested("<a>", 10_000) + nested("</a>", 10_000) + `</item>`),
		"namespaces, damage": rssDoc(`<item><title>a < b</title>` + nested(`<a xmlns:n%d="urn:x">`, 8000, number)),
		"JSON":               `{"items":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`,
		"JSON, damage":       `{"items":` + strings.Repeat("[", 10_000),
	} {
		_, took, _, err := measuredParse(t, []byte(doc), testOptions())
		if !kgl.Is(err, kgl.CodeFeedInvalid) || took > 100*time.Millisecond {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
	fits := rssDoc(`<item><title>x</title><guid>1</guid>` + nested("<a>", 250) + nested("</a>", 250) + `</item>`)
	if doc := mustParse(t, fits, testOptions()); len(doc.Items) != 1 || doc.Repaired {
		t.Errorf("nesting of 253: %v", doc.Warnings)
	}
}

// TestCase27Items: 20,000 items, and a million empty ones, are cut to the limit
// and flagged, in bounded memory, sound or damaged.
func TestCase27Items(t *testing.T) {
	number := func(i int) any { return i }
	million := nested("<item/>", 1_000_000)
	for name, c := range map[string]struct {
		doc  string
		code WarningCode
	}{
		"20,000 items":             {rssDoc(nested("<item><guid>%d</guid><title>t</title></item>", 20_000, number)), WarnTooManyItems},
		"20,000 items, damaged":    {rssDoc(nested("<item><guid>%d</guid><title>t</title></item>", 20_000, number) + "<"), WarnTooManyItems},
		"20,000 items without end": {rssDoc(nested("<item><guid>%d</guid><title>t</title>", 20_000, number)), WarnTooManyItems},
		"20,000 entries":           {`<feed xmlns="http://www.w3.org/2005/Atom">` + nested("<entry><id>%d</id></entry>", 20_000, number) + `</feed>`, WarnTooManyItems},
		"20,000 in JSON":           {`{"items":[{"id":"x"}` + nested(`,{"id":"%d"}`, 20_000, number) + `]}`, WarnTooManyItems},
		"a million":                {rssDoc(million), WarnTooManyItems},
		"a million, damaged":       {rssDoc(million + "<"), WarnTooManyItems},
		"a million in JSON":        {`{"items":[{}` + strings.Repeat(",{}", 1_000_000) + `]}`, WarnTooManyItems},
	} {
		doc, err := costOf(t, name, []byte(c.doc), testOptions())
		if err != nil || len(doc.Items) > 2000 || !hasWarning(doc, c.code) || doc.Skipped < 18_000 {
			t.Errorf("%s: %v, %+v", name, err, doc)
		}
	}
}

// TestCase28HugeFields: a title, a body and an attribute of 20 MB are cut.
func TestCase28HugeFields(t *testing.T) {
	huge := strings.Repeat("long words ", 20<<20/11)
	for name, doc := range map[string]string{
		"title":     rssDoc(`<item><guid>1</guid><title>` + huge + `</title></item>`),
		"CDATA":     rssDoc(`<item><guid>1</guid><title><![CDATA[` + huge + `]]></title></item>`),
		"damaged":   rssDoc(`<item><guid>1</guid><title>a < ` + huge + `</title></item>`),
		"unended":   rssDoc(`<item><guid>1</guid><title>` + huge),
		"body":      rssDoc(`<item><guid>1</guid><description>` + huge + `</description></item>`),
		"attribute": rssDoc(`<item><guid>1</guid><title x="` + huge + `">t</title></item>`),
		"JSON":      `{"items":[{"id":"1","title":"` + huge + `"}]}`,
	} {
		doc, err := costOf(t, name, []byte(doc), testOptions())
		if err != nil || len(doc.Items) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if it := doc.Items[0]; utf8.RuneCountInString(it.Title) > 1000 || len(it.ContentHTML) > 1<<20 || len(it.ContentText) > 512<<10 {
			t.Errorf("%s: %d, %d and %d bytes", name, len(it.Title), len(it.ContentHTML), len(it.ContentText))
		}
	}
}

// TestCase29Bytes: bytes that are no text become valid UTF-8 or an error.
func TestCase29Bytes(t *testing.T) {
	base := rssDoc(`<item><guid>1</guid><title>TEXT</title><description>TEXT</description></item>`)
	for name, text := range map[string]string{
		"invalid UTF-8": "\x80\xbf\xc0\xaf\xf5\x80\xfe\xff\xed\xa0\x80", "NUL": "\x00\x00", "UTF-7": "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
		"noncharacters": "\uFFFE\uFFFF\U0001FFFE", "bidi": "\u202e\u2066x", "escapes": "\x1b[31m\x1b]0;x\x07",
	} {
		for _, label := range []string{"", "utf-7", "utf-16", "iso-2022-kr", "shift_jis"} {
			opts := testOptions()
			opts.ContentType = "text/xml; charset=" + label
			body := strings.ReplaceAll(base, "TEXT", "a"+text+"b")
			doc, err := Parse(context.Background(), []byte(body), opts)
			if err != nil {
				if !kgl.Is(err, kgl.CodeFeedInvalid) {
					t.Errorf("%s, %s: %v", name, label, err)
				}
				continue
			}
			checkDocument(t, name+", "+label, doc)
			for _, it := range doc.Items {
				if strings.Contains(it.Title+it.ContentHTML, "<script") {
					t.Errorf("%s, %s: %q", name, label, it.Title)
				}
			}
		}
	}
}

// TestCase29NaughtyStrings puts hostile strings into every place of a document,
// as text, as CDATA, as they are, and in JSON.
func TestCase29NaughtyStrings(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(sharedDir(t, "vectors/naughty-strings"), "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(body, &list); err != nil || len(list) < 400 {
		t.Fatal(len(list), err)
	}
	for _, s := range list {
		var escaped bytes.Buffer
		if err := xml.EscapeText(&escaped, []byte(s)); err != nil {
			t.Fatal(err)
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		in := func(x string) string {
			return rssDoc(`<item><guid>` + x + `</guid><title>` + x + `</title><link>` + x + `</link><category>` + x + `</category><author>` + x + `</author><description>` + x + `</description></item><item><guid>good</guid></item>`)
		}
		for form, doc := range map[string]string{
			"text": in(escaped.String()), "CDATA": in("<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]") + "]]>"), "raw": in(s),
			"JSON": fmt.Sprintf(`{"items":[{"id":%s,"title":%s,"url":%s,"content_html":%s,"tags":[%s]},{"id":"good"}]}`, quoted, quoted, quoted, quoted, quoted),
		} {
			parsed, err := Parse(context.Background(), []byte(doc), testOptions())
			if err != nil {
				t.Errorf("%s %q: %v", form, s, err)
				continue
			}
			checkDocument(t, fmt.Sprintf("%s %q", form, s), parsed)
			if n := len(parsed.Items); n == 0 || parsed.Items[n-1].GUID != "good" {
				t.Errorf("%s %q: the item beside it is lost", form, s)
			}
		}
	}
}

// TestRepairIsLinear repairs documents in which each piece of damage makes the
// repairer look far ahead.
func TestRepairIsLinear(t *testing.T) {
	const many = 200_000
	for name, doc := range map[string]string{
		"comments that swallow":     rssDoc(nested("<!-- x>", many) + "</item>-->"),
		"instructions that swallow": rssDoc(nested("<?x >", many) + "</item>?>"),
		"doctypes":                  rssDoc(nested("<!DOCTYPE a [ ]>", many) + "<"),
		"quotes and tags":           rssDoc(nested(`<a b='<item c="`, many)),
		"misspelt fields":           rssDoc("<item>" + nested("<titl>x</title>", many/4)),
		"merged fields":             rssDoc("<item>" + nested("<titleA</title>", many/4)),
		"misspelt items":            rssDoc(nested("<itm>", many) + "<item></item>"),
		"titles":                    rssDoc("<item>" + nested("<title>a</titel>", many/4)),
		"splits":                    rssDoc(nested("<title>a</title><guid>b</guid>", many/8) + "<"),
		"fields without end":        rssDoc("<item>" + nested("<dc:a>", 200) + nested("<description>x", many/4)),
		"CDATA in fields":           rssDoc("<item><title>" + nested("<![CDATA[x", many)),
		"html":                      rssDoc("<item>" + nested("<div><title>", many/8)),
		"JSON numbers":              `{"items":[` + strings.Repeat("1 ", many) + `]`,
		"JSON words":                `{"items":[` + strings.Repeat("a b ", many) + `]`,
		"JSON quotes":               `{"items":[{"a":"` + strings.Repeat(`" `, many),
		"JSON keys":                 `{"items":[{` + strings.Repeat(`"a" "b" {`, 60) + strings.Repeat(`"a":`, many),
		"JSON blanks":               `{"items":[{"a":"` + strings.Repeat(`"`+strings.Repeat(" ", 300), many/300) + `,`,
		"JSON closers":              `{"items":[{` + strings.Repeat("] /* x */ ", many/2),
		"JSON braces":               `{"items":[` + strings.Repeat("{} } , ", many/2),
		"JSON escapes":              `{"items":[{"title":"` + strings.Repeat(`\q\u12`, many),
		"JSON comments":             `{"items":[` + strings.Repeat("/*\n", many),
		"bad bytes":                 rssDoc("<item><title>" + strings.Repeat("\xe9\x00", many)),
	} {
		if _, err := costOf(t, name, []byte(doc), testOptions()); err != nil && !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGzipBombs unpacks files that are small and become large.
func TestGzipBombs(t *testing.T) {
	walkFiles(t, sharedDir(t, "vectors/gzip-bombs"), func(path string, body []byte) {
		if filepath.Base(path) == "not-gzip.gz" {
			return // it is an empty feed
		}
		opts := testOptions()
		opts.Limits.MaxBytes = 8 << 20
		doc, err := costOf(t, filepath.Base(path), body, opts)
		if err == nil || !kgl.Is(err, kgl.CodeTooLarge) && !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Errorf("%s: %+v, %v", filepath.Base(path), doc, err)
		}
	})
}
