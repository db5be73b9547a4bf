package feed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func rssDoc(items string) string {
	return `<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><link>https://s.example.org/</link>` + items + `</channel></rss>`
}

func nested(open string, n int, args ...func(i int) any) string {
	var b strings.Builder
	for i := range n {
		if len(args) > 0 {
			fmt.Fprintf(&b, open, args[0](i))
		} else {
			b.WriteString(open)
		}
	}
	return b.String()
}

// TestHostileDocuments parses documents that are built to exhaust a parser:
// each ends at once, with an error or with what is harmless.
func TestHostileDocuments(t *testing.T) {
	number := func(i int) any { return i }
	laughs := `<!DOCTYPE rss [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY x SYSTEM "file:///etc/passwd">]>`
	for _, c := range []struct {
		name, body string
		wantErr    bool
		check      func(*Document) bool
	}{
		{"billion laughs", laughs + rssDoc(`<item><title>&c; &x;</title><link>https://s.example.org/1</link></item>`), false,
			func(d *Document) bool {
				return len(d.Items[0].Title) < 20 && !strings.Contains(d.Items[0].Title, "haha")
			}},
		{"xinclude", rssDoc(`<item><title>x</title><description><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/></description></item>`), false,
			func(d *Document) bool { return !strings.Contains(d.Items[0].ContentText, "root:") }},
		{"nesting", rssDoc(`<item>` + nested("<a>", 10000) + nested("</a>", 10000) + `</item>`), true, nil},
		{"nesting without end", rssDoc(`<item>` + nested("<a>", 10000)), true, nil},
		{"nested namespaces", rssDoc(nested(`<a xmlns:n%d="urn:x">`, 8000, number)), true, nil},
		{"namespaces on one element", rssDoc(`<item ` + nested(` xmlns:n%d="urn:x"`, 5000, number) + `></item>`), true, nil},
		{"wide namespaces", `<rss version="2.0"` + nested(` xmlns:n%d="urn:x"`, 250, number) + `><channel>` + nested("<item><a/><b/></item>", 100_000) + `</channel></rss>`, true, nil},
		{"elements", rssDoc(`<item><title>t</title>` + nested("<category>c</category>", 400_000) + `</item>`), false,
			func(d *Document) bool {
				return len(d.Items) == 1 && len(d.Items[0].Categories) == 1 && hasWarning(d, WarnTooManyTags)
			}},
		{"empty items", rssDoc(nested("<item/>", 1_000_000)), false,
			func(d *Document) bool { return len(d.Items) == 0 && hasWarning(d, WarnTooManyItems) }},
		{"items", rssDoc(nested("<item><guid>%d</guid><title>t</title></item>", 20_000, number)), false,
			func(d *Document) bool {
				return len(d.Items) == 2000 && d.Items[1999].GUID == "1999" && hasWarning(d, WarnTooManyItems)
			}},
		{"unended comments", rssDoc(nested("<!-- x <item>", 300_000)), false, nil},
		{"unended cdata", rssDoc(nested("<![CDATA[</title>", 300_000)), false, nil},
		{"cdata in cdata", rssDoc(nested("<![CDATA[</title>", 300_000) + "]]>"), false, nil},
		{"unended doctypes", nested("<!DOCTYPE [ '", 300_000) + rssDoc(""), false, nil},
		{"unended instructions", nested("<?x ", 500_000), true, nil},
		{"unended titles", rssDoc("<item>" + nested("<title>", 500_000)), false, nil},
		{"unended fields", rssDoc("<item>" + nested("<dc:a%d>", 100_000, number)), false, nil},
		{"quotes", rssDoc("<item>" + nested(`<a b="`, 300_000)), false, nil},
		{"ends", rssDoc(nested("</x>", 1_000_000)), false, nil},
		{"less than", rssDoc("<item><title>" + nested("<", 2_000_000)), false, nil},
		{"references", rssDoc("<item><title>" + nested("&#11;", 1_000_000)), false, nil},
		{"deep html", rssDoc("<item><description>&lt;div&gt;" + nested("&lt;div&gt;", 200_000) + "</description></item>"), false, nil},
		{"json nesting", `{"items":` + nested("[", 100_000), true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			doc, err := Parse(context.Background(), []byte(c.body), testOptions())
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v, %v", took, err)
			}
			switch {
			case c.wantErr && !kgl.Is(err, kgl.CodeFeedInvalid):
				t.Errorf("error is %v", err)
			case c.check != nil && (err != nil || !c.check(doc)):
				t.Errorf("document is %+v, %v", doc, err)
			}
		})
	}
}

func hasWarning(d *Document, code WarningCode) bool {
	for _, w := range d.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

func TestHugeTitle(t *testing.T) {
	title := strings.Repeat("long title ", 2<<20)
	doc := mustParse(t, rssDoc(`<item><title>`+title+`</title><link>https://s.example.org/1</link></item>`), testOptions())
	if got := utf8.RuneCountInString(doc.Items[0].Title); got > 1000 || got < 900 {
		t.Errorf("title has %d runes", got)
	}
	if _, err := Parse(context.Background(), []byte(rssDoc(title)), Options{Limits: Limits{MaxBytes: 1 << 20}}); !kgl.Is(err, kgl.CodeTooLarge) {
		t.Errorf("error is %v", err)
	}
}

func TestMemoryOfManyItems(t *testing.T) {
	body := []byte(rssDoc(nested("<item/>", 1_000_000)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Parse(context.Background(), body, testOptions()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("a million empty items took %d MiB", used>>20)
	}
}

func TestHostileLinks(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", " JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "\x01javascript:alert(1)"} {
		doc := mustParse(t, rssDoc(`<item><title>t</title><link>`+link+`</link><enclosure url="`+link+`" type="a/b"/>
			<atom:author xmlns:atom="http://www.w3.org/2005/Atom"><atom:name>n</atom:name><atom:uri>`+link+`</atom:uri></atom:author>
			<description>&lt;a href="`+link+`"&gt;x&lt;/a&gt;</description></item>`), testOptions())
		it := doc.Items[0]
		if it.URL != "" || len(it.Enclosures) != 0 || it.Authors[0].URL != "" || it.ContentHTML != "x" {
			t.Errorf("%q gives %+v", link, it)
		}
	}
}

func TestTitlesHoldNoMarkup(t *testing.T) {
	atom := func(title string) string {
		return `<feed xmlns="http://www.w3.org/2005/Atom"><entry>` + title + `<id>1</id></entry></feed>`
	}
	for body, want := range map[string]string{
		atom(`<title type="html">A &lt;b&gt;bold&lt;/b&gt; &lt;script&gt;x()&lt;/script&gt;claim &amp;amp; more</title>`):              "A bold claim & more",
		atom(`<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>bold</b> claim &amp; more</div></title>`):             "A bold claim & more",
		atom(`<title type="text">A bold claim &amp; more, a &lt; b</title>`):                                                           "A bold claim & more, a < b",
		atom(`<title>A <![CDATA[<img src=x onerror=alert(1)>]]>claim</title>`):                                                         "A claim",
		rssDoc(`<item><title>Map&lt;String&gt; &amp;amp; &lt;em&gt;List&lt;/em&gt;</title><link>https://s.example.org/</link></item>`): "Map<String> & List",
		rssDoc(`<item><title><![CDATA[<svg onload=alert(1)>Caf&eacute;]]></title><link>https://s.example.org/</link></item>`):          "Café",
		rssDoc(`<item><title>  two` + "\n\t" + `lines &#8217;quoted&#8217; </title><link>https://s.example.org/</link></item>`):        "two lines ’quoted’",
	} {
		if got := mustParse(t, body, testOptions()).Items[0].Title; got != want {
			t.Errorf("title is %q, want %q", got, want)
		}
	}
}

func TestCharsets(t *testing.T) {
	const umlaut = "Grüße aus Ürün"
	latin := func(s string) string {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r))
		}
		return string(b)
	}
	item := rssDoc(`<item><title>` + umlaut + `</title><link>https://s.example.org/</link></item>`)
	decl := func(s, enc string) string {
		return strings.Replace(s, `version="1.0"`, `version="1.0" encoding="`+enc+`"`, 1)
	}
	for _, c := range []struct{ name, body, contentType string }{
		{"utf-8", item, ""},
		{"bom", "\xEF\xBB\xBF" + item, "text/xml; charset=iso-8859-1"},
		{"header", latin(item), "text/xml; charset=iso-8859-1"},
		{"declaration", latin(decl(item, "ISO-8859-1")), "text/xml; charset=utf-8"},
		{"declaration lies", decl(item, "ISO-8859-1"), ""},
		{"header lies", item, "text/xml; charset=windows-1252"},
		{"unknown", decl(item, "x-none"), "text/xml; charset=nonsense"},
		{"utf-7 label", decl(item, "utf-7"), ""},
		{"utf-16 label", decl(item, "utf-16"), ""},
		{"nothing", latin(item), ""},
		{"declaration lies, header does not", cyrillicBytes(decl(item, "utf-8"), umlaut), "text/xml; charset=windows-1251; charset=windows-1251"},
		{"utf-32", string(utf32(item)), ""},
	} {
		doc := mustParse(t, c.body, Options{ContentType: c.contentType, Now: testNow})
		want := umlaut
		if strings.Contains(c.name, "header does not") {
			want = "Привет"
		}
		checkEqual(t, c.name, doc.Items[0].Title, want)
	}
}

// cyrillicBytes puts a greeting in windows-1251 in the place of a text.
func cyrillicBytes(body, text string) string {
	return strings.Replace(body, text, "\xcf\xf0\xe8\xe2\xe5\xf2", 1)
}

func utf32(s string) []byte {
	out := []byte{0, 0, 0xFE, 0xFF}
	for _, r := range s {
		out = append(out, byte(r>>24), byte(r>>16), byte(r>>8), byte(r))
	}
	return out
}

func TestSharedXMLBombs(t *testing.T) {
	dir := sharedDir(t, "vectors/xml-bombs")
	walkFiles(t, dir, func(path string, body []byte) {
		start := time.Now()
		doc, err := Parse(context.Background(), body, testOptions())
		took := time.Since(start)
		name := filepath.Base(path)
		items := 0
		if doc != nil {
			items = len(doc.Items)
			for _, it := range doc.Items {
				if strings.Contains(it.ContentText+it.Title, "root:") {
					t.Errorf("%s: a file was read", name)
				}
			}
		}
		if filepath.Base(filepath.Dir(path)) == "own" {
			t.Logf("%-28s %8v %d items, %v", name, took.Round(time.Millisecond), items, err)
		}
		switch name {
		case "nest-10000.xml", "ns-nest-2000.xml", "ns-nest-8000.xml", "xmlbase-nest-8000.xml":
			if !kgl.Is(err, kgl.CodeFeedInvalid) || took > 100*time.Millisecond {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		}
	})
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
}

func TestInvalidUTF8(t *testing.T) {
	body := bytes.ReplaceAll(fixture(t, "rss2.xml"), []byte("grant"), []byte("\xC3\x28\x80\xFF\xF0\x9F\x98"))
	doc := mustParse(t, string(body), testOptions())
	checkEqual(t, "items", len(doc.Items), 12)
	checkEqual(t, "repaired", doc.Repaired, true)
}

// TestManyAttributes gives an element more attributes than anybody means: the
// first ones are read, in memory that does not grow with their number.
func TestManyAttributes(t *testing.T) {
	doc := []byte(`<rss version="2.0"><channel><title>t</title><item><title>one</title><link rel="x"` +
		strings.Repeat(` a="b"`, 1<<20) + `/></item><item><title>two</title></item></channel></rss>`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	parsed, err := Parse(t.Context(), doc, Options{Now: time.Unix(0, 0)})
	runtime.ReadMemStats(&after)
	if err != nil || len(parsed.Items) != 2 {
		t.Fatalf("%+v %v", parsed, err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 4*uint64(len(doc)) {
		t.Errorf("%d bytes were allocated for a document of %d", taken, len(doc))
	}
}
