package feed

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestRepairWarnings checks that each kind of damage is named, at its document
// and at the item that it is in, and at no other.
func TestRepairWarnings(t *testing.T) {
	good := `<item><guid>1</guid><title>one</title></item>`
	bad := func(inside string) string {
		return rssDoc(good + `<item><guid>2</guid><title>two</title>` + inside + `</item><item><guid>3</guid><title>three</title></item>`)
	}
	for _, c := range []struct {
		name, doc string
		code      WarningCode
	}{
		{"bare <", bad(`<description>a < b</description>`), WarnBareLess},
		{"reference", bad(`<description>&#11; a < b</description>`), WarnReference},
		{"attribute", bad(`<source url=x>s</source>`), WarnAttribute},
		{"no tag", bad(`<1a>`), WarnBareLess},
		{"unclosed", bad(`<description>text`), WarnUnclosed},
		{"stray", bad(`</b>`), WarnStray},
		{"section", bad(`<description><![CDATA[text</description>`), WarnSection},
		{"misspelt", bad(`<descripton>text</description>`), WarnTag},
		{"bad byte", bad("<description>caf\xe9</description>"), WarnBadBytes},
		{"control", bad("<description>\x00</description>"), WarnControlChars},
		{"item end", strings.Replace(bad(``), `two</title></item>`, `two</title>`, 1), WarnItemSplit},
	} {
		doc := mustParse(t, c.doc, testOptions())
		if len(doc.Items) != 3 || !doc.Repaired || !hasWarning(doc, c.code) {
			t.Errorf("%s: %d items, warnings %v", c.name, len(doc.Items), doc.Warnings)
			continue
		}
		if c.code == WarnItemSplit {
			continue // two items are beside the damage
		}
		for i, it := range doc.Items {
			if it.Repaired != (i == 1) || hasCode(it.Warnings, c.code) != (i == 1) {
				t.Errorf("%s: item %d: repaired %v, %v", c.name, i, it.Repaired, it.Warnings)
			}
		}
	}
}

// TestRepairMisspeltNames reads elements whose names lost, gained or changed a
// byte.
func TestRepairMisspeltNames(t *testing.T) {
	for name, doc := range map[string]string{
		"start tag":   rssDoc(`<item><guid>1</guid><itle>one</title><link>https://s.example.org/1</link></item>`),
		"end tag":     rssDoc(`<item><guid>1</guid><title>one</tilte><link>https://s.example.org/1</link></item>`),
		"item":        rssDoc(`<itm><guid>1</guid><title>one</title><link>https://s.example.org/1</link></item><item><guid>2</guid></item>`),
		"merged":      rssDoc(`<item><guid>1</guid><titleone</title><link>https://s.example.org/1</link></item>`),
		"lost start":  rssDoc(`<item><guid>0</guid><title>zero</title></item><title>one</title><guid>1</guid><link>https://s.example.org/1</link></item>`),
		"lost border": rssDoc(`<item><title>zero</title><guid>0</guid><title>one</title><guid>1</guid><link>https://s.example.org/1</link></item>`),
		"swallowed":   rssDoc(`<item><guid>0</guid><enclosure url="https://x` + "\n" + `<item><guid>1</guid><title>one</title><link>https://s.example.org/1</link></item>`),
	} {
		parsed := mustParse(t, doc, testOptions())
		found := false
		for _, it := range parsed.Items {
			found = found || it.GUID == "1" && it.Title == "one" && it.URL == "https://s.example.org/1"
		}
		if !found {
			t.Errorf("%s: items %+v", name, parsed.Items)
		}
	}
}

// TestTruncatedKeys checks that an item that the document ends in never gets a
// part of an id or link: it would be stored as another item.
func TestTruncatedKeys(t *testing.T) {
	body := string(fixture(t, "rss2.xml"))
	whole := mustParse(t, body, testOptions())
	known := map[string]bool{"": true}
	for _, it := range whole.Items {
		known[it.GUID], known[it.URL] = true, true
	}
	for end := len(body) / 3; end < len(body); end += 7 {
		doc, err := Parse(context.Background(), []byte(body[:end]), testOptions())
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		for _, it := range doc.Items {
			if !known[it.GUID] || !known[it.URL] || it.GUID == "" {
				t.Fatalf("cut at %d: id %q, link %q", end, it.GUID, it.URL)
			}
		}
	}
}

// FuzzRepair checks that whatever is repaired is sound for the scan and the
// parser, unless it is refused.
func FuzzRepair(f *testing.F) {
	addFixtures(f)
	for _, s := range []string{`<rss><channel><item><title>a<b</title></item>`, `<feed><entry><id>1<!-- </entry>`, `<item><guid>1</guid><titlex</title>`, `<!DOCTYPE a [<rss><item a="<item>`} {
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		text, err := decode(body, contentType, 1<<16, &notes{})
		if err != nil {
			return
		}
		n := &notes{}
		mended, starts, err := repairItems(text, n)
		if err != nil {
			if !kgl.Is(err, kgl.CodeFeedInvalid) {
				t.Fatalf("error %v", err)
			}
			return
		}
		o, err := scan(mended, Limits{}.withDefaults(), &notes{muted: true})
		if err != nil {
			return
		}
		if !o.sound || !utf8.Valid(mended) {
			t.Fatalf("repaired at %d\n%q\nto\n%q", o.stoppedAt, text, mended)
		}
		if len(starts) != len(o.items)+o.skipped {
			t.Fatalf("%d starts, %d items\n%q\n%q", len(starts), len(o.items), text, mended)
		}
		if _, err := o.parse(context.Background(), o.document()); err != nil {
			t.Fatalf("%v\n%q\n%q", err, text, o.document())
		}
		for _, p := range n.places {
			if p.at < 0 || p.at > len(text) {
				t.Fatalf("a place at %d of %d", p.at, len(text))
			}
		}
	})
}
