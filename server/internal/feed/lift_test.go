package feed

import (
	"context"
	"html"
	"strings"
	"testing"
)

func TestLift(t *testing.T) {
	long := strings.Repeat("words and words ", 20)
	escaped := strings.Repeat("&lt;p&gt;a &amp;amp; b&#8217;s&lt;/p&gt;\n", 10)
	ns := `xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"`
	for _, c := range []struct {
		name, item string
		lifted     bool
	}{
		{"text", `<description>` + long + `</description>`, true},
		{"CDATA", `<content:encoded> <![CDATA[` + long + `<b>x</b>]]>
			</content:encoded>`, true},
		{"escaped", `<description>` + escaped + `</description>`, true},
		{"extension", `<itunes:summary>` + escaped + `</itunes:summary>`, true},
		{"short", `<description>short</description>`, false},
		{"elements", `<description>` + long + `<b>x</b></description>`, false},
		{"two parts", `<description>` + long + `<![CDATA[x]]></description>`, false},
		{"unusual references", `<description>` + long + `&hellip;</description>`, false},
		{"windows-1252 by number", `<description>` + long + `&#146;</description>`, false},
		{"title", `<title>` + long + `</title>`, false},
		{"deeper", `<x><description>` + long + `</description></x>`, false},
		{"blank", `<title>t</title><description><![CDATA[` + strings.Repeat(" ", 300) + `]]></description>`, false},
	} {
		src := []byte(`<rss version="2.0" ` + ns + `><channel><title>T</title><item><guid>1</guid>` + c.item + `</item></channel></rss>`)
		o, err := scan(src, Limits{}.withDefaults(), &notes{})
		if err != nil || !o.sound {
			t.Fatalf("%s: %v", c.name, err)
		}
		if have := strings.Contains(string(o.document()), liftedMark); have != c.lifted {
			t.Errorf("%s: lifted is %v", c.name, have)
		}
		whole := *o
		whole.edits = nil
		for _, e := range o.edits {
			if !strings.HasPrefix(e.ins, liftedMark) {
				whole.edits = append(whole.edits, e)
			}
		}
		for i, outline := range []*outline{o, &whole} {
			raw, err := outline.parse(context.Background(), outline.document())
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			doc, err := normalise(context.Background(), raw, Options{Now: testNow, Limits: Limits{}.withDefaults()}, &notes{})
			if err == nil {
				err = doc.finishAll(context.Background())
			}
			if err != nil || len(doc.Items) != 1 {
				t.Fatalf("%s: %v", c.name, err)
			}
			if i == 0 {
				c.name += ": " + doc.Items[0].ContentHTML
			} else if !strings.HasSuffix(c.name, ": "+doc.Items[0].ContentHTML) {
				t.Errorf("%s\nwithout lifting: %s", c.name, doc.Items[0].ContentHTML)
			}
		}
	}
}

// TestLiftInAtom checks the types of Atom: what is no escaped text stays.
func TestLiftInAtom(t *testing.T) {
	long := strings.Repeat("words &amp;amp; words ", 20)
	for attrs, want := range map[string]bool{
		``: true, ` type="text"`: true, ` type="html"`: true, ` type="HTML" xml:lang="de"`: true, ` type="text/html" mode="escaped"`: true,
		` type="xhtml"`: false, ` type="text/html" mode="xml"`: false, ` type="image/png"`: false, ` mode="base64"`: false, ` type="application/xhtml+xml"`: false,
	} {
		src := `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><content` + attrs + `>` + long + `</content></entry></feed>`
		o, err := scan([]byte(src), Limits{}.withDefaults(), &notes{})
		if err != nil || !o.sound {
			t.Fatal(err)
		}
		if have := strings.Contains(string(o.document()), liftedMark); have != want {
			t.Errorf("content%s: lifted is %v", attrs, have)
		}
	}
}

// TestForgedMarks puts marks into a document: they are text, or stand for what
// they name once, so that no document grows.
func TestForgedMarks(t *testing.T) {
	long := strings.Repeat("words and words ", 20)
	head := `<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><item><guid>1</guid><description>`
	mark := markOf(len(head), len(head)+len(long))
	doc := mustParse(t, head+long+`</description><itunes:summary>`+mark+`</itunes:summary></item>`+
		`<item><guid>2</guid><description>`+mark+`</description></item><item><guid>3</guid><description>`+liftedMark+`1-999999</description></item>`+
		`<item><guid>4</guid><title>`+mark+`</title><description>`+liftedMark+`x</description></item></channel></rss>`, testOptions())
	if len(doc.Items) != 4 {
		t.Fatalf("%d items", len(doc.Items))
	}
	for i, want := range []string{strings.TrimSpace(long), "", liftedMark + "1-999999", liftedMark + "x"} {
		if have := doc.Items[i].ContentText; have != want {
			t.Errorf("item %d is %q, want %q", i, have, want)
		}
	}
	checkEqual(t, "title", doc.Items[3].Title, mark)
}

func FuzzReferences(f *testing.F) {
	for _, s := range []string{"a &lt;b&gt; &amp;amp; &quot;&apos;&nbsp;&#65;&#x1F680;", "&#0;&#11;&#146;&#xFFFE;&#xD800;&#1114112;", "&;&&#;&#x;&am", "&copy=2;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !knownReferences([]byte(s)) {
			return
		}
		if have, want := decodeReferences(s), html.UnescapeString(s); have != want {
			t.Fatalf("%q is %q, want %q", s, have, want)
		}
	})
}
