package feed

import (
	"context"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestScanTellsSoundFromDamaged(t *testing.T) {
	sound := func(inside string) string {
		return `<rss version="2.0" xmlns:a="urn:a"><channel><item><title>x</title>` + inside + `</item></channel></rss>`
	}
	for doc, want := range map[string]bool{
		sound(``): true,
		sound(`<a:b c="d" e='f'/><!-- x --><![CDATA[<b>]]><?pi x?>&lt;&#8217;`):                  true,
		`<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x "<y>">]>` + sound(``) + "\n<!-- end -->": true,
		sound(`&nbsp;&x; a & b`):     true, // marked, but the parser reads it
		sound(`<b>`):                 false,
		sound(`</b>`):                false,
		sound(`a < b`):               false,
		sound(`<b c=d/>`):            false,
		sound(`<b c="<"/>`):          false,
		sound(`&#11;`):               false,
		sound(`]]>`):                 false,
		sound(`<!-- a -- b -->`):     false,
		sound(`<![CDATA[ x`):         false,
		sound(``) + `x`:              false,
		sound(``) + sound(``):        false,
		`x` + sound(``):              false,
		`<html><body></body></html>`: false,
		`<rss><channel></channel><channel></channel></rss>`: false,
		``: false,
	} {
		o, err := scan([]byte(doc), Limits{}.withDefaults(), &notes{})
		if err != nil || o.sound != want {
			t.Errorf("%s: sound %v, %v", doc, o.sound, err)
		}
	}
}

// TestScanMarksWhatTheParserForgives checks the warnings about documents that
// are read as they are.
func TestScanMarksWhatTheParserForgives(t *testing.T) {
	item := `<item><guid>1</guid><title>x</title></item>`
	for name, c := range map[string]struct{ doc, warnings string }{
		"nothing":        {rssDoc(item), ""},
		"entity":         {rssDoc(item + `<item><guid>2</guid><title>a &nbsp; b</title></item>`), "reference"},
		"bare ampersand": {rssDoc(`<item><guid>1</guid><title>R&D</title></item>`), "reference"},
		"own entities":   {strings.Replace(rssDoc(`<item><guid>1</guid><title>&x;</title></item>`), "<rss", `<!DOCTYPE rss SYSTEM "x.dtd"><rss`, 1), ""},
		"prefix":         {rssDoc(`<item><guid>1</guid><title>x</title><dc:date>2020-01-01</dc:date><dc:date/></item>`), "prefix"},
		"XML 1.1":        {strings.Replace(rssDoc(item), "1.0", "1.1", 1), "declaration"},
		"namespace":      {`<feed xmlns="http://www.w3.org/2005/atom/"><entry><id>1</id><title>x</title></entry></feed>`, "namespace"},
	} {
		doc := mustParse(t, c.doc, testOptions())
		checkEqual(t, name, strings.TrimSpace(codes(doc.Warnings)), c.warnings)
		checkEqual(t, name+": repaired", doc.Repaired, c.warnings != "")
		checkEqual(t, name+": stages", len(doc.Stages), 4)
		if name == "entity" && (doc.Items[0].Repaired || !doc.Items[1].Repaired || !hasCode(doc.Items[1].Warnings, WarnReference)) {
			t.Errorf("%s: items %+v", name, doc.Items)
		}
	}
}

// TestNamespaceOfTheRoot reads documents whose root has the namespace of
// something else, in which the parser alone finds nothing.
func TestNamespaceOfTheRoot(t *testing.T) {
	entry := `<entry><id>1</id><title>x</title></entry>`
	prefixed := `<atom:entry><atom:id>1</atom:id><atom:title>x</atom:title></atom:entry>`
	item := `<item><guid>1</guid><title>x</title></item>`
	for name, doc := range map[string]string{
		"misspelt":           `<feed xmlns="https://www.w3.org/2005/Atom">` + entry + `</feed>`,
		"Atom 0.3 draft":     `<feed version="0.3" xmlns="http://purl.org/atom/ns#draft-ietf-atompub">` + entry + `</feed>`,
		"prefix, undeclared": `<atom:feed>` + prefixed + `</atom:feed>`,
		"prefix, misspelt":   `<atom:feed xml:base="https://b.example.org/" xmlns:atom="http://www.w3.org/2005/Atom/">` + prefixed + `</atom:feed>`,
		"Atom's in RSS":      `<rss version="2.0" xmlns="http://www.w3.org/2005/Atom"><channel><title>T</title>` + item + `</channel></rss>`,
		"none in RDF":        `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.1/">` + item + `</rdf:RDF>`,
	} {
		parsed := mustParse(t, doc, testOptions())
		if len(parsed.Items) != 1 || parsed.Items[0].GUID != "1" || parsed.Items[0].Title != "x" {
			t.Errorf("%s: %+v %v", name, parsed.Items, parsed.Warnings)
		}
	}
}

// FuzzScan checks that a document which the scan calls sound is one that the
// parser reads, with all of its items.
func FuzzScan(f *testing.F) {
	addFixtures(f)
	f.Add([]byte(`<rss xmlns:a="x" xmlns="y"><channel a:b='c'><item/><item><![CDATA[]]]]></item></channel></rss>`), "")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		text, err := decode(body, contentType, 1<<16, &notes{})
		if err != nil {
			return
		}
		limits := Limits{MaxItems: 50}.withDefaults()
		o, err := scan(text, limits, &notes{})
		if err != nil {
			if !kgl.Is(err, kgl.CodeFeedInvalid) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !o.sound {
			return
		}
		if len(o.items) > limits.MaxItems {
			t.Fatalf("%d items", len(o.items))
		}
		if _, err := o.parse(context.Background(), o.document()); err != nil {
			t.Fatalf("%q is sound, but: %v\n%q", text, err, o.document())
		}
	})
}
