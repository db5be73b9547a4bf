package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The cases of the project's list of security cases that this package answers
// for, by their numbers. Other tests go deeper into each.

// TestCase27ManyItems: 20,000 items, and a million that are empty: capped and
// flagged, in bounded memory.
func TestCase27ManyItems(t *testing.T) {
	number := func(i int) any { return i }
	for name, c := range map[string]struct {
		body  string
		items int
		most  uint64 // bytes allocated for a byte of the document
	}{
		"rss, 20,000":       {rssDoc(nested("<item><guid>%d</guid><title>t</title></item>", 20_000, number)), 2000, 24},
		"rss, a million":    {rssDoc(nested("<item/>", 1_000_000)), 0, 8},
		"atom, 20,000":      {`<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>` + nested("<entry><id>urn:%d</id><title>t</title></entry>", 20_000, number) + `</feed>`, 2000, 24},
		"json, 20,000":      {`{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.TrimSuffix(nested(`{"id":"%d","title":"t"},`, 20_000, number), ",") + `]}`, 2000, 24},
		"json, a million":   {`{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.TrimSuffix(nested(`{},`, 1_000_000), ",") + `]}`, 0, 40},
		"rss, not ended":    {rssDoc(nested("<item><guid>%d</guid><title>t</title>", 20_000, number)), 2000, 60},
		"rdf, 20,000":       {`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>T</title></channel>` + nested(`<item rdf:about="urn:%d"><title>t</title></item>`, 20_000, number) + `</rdf:RDF>`, 2000, 24},
		"rss, 20,000 alike": {rssDoc(nested("<item><guid>1</guid><title>t</title></item>", 20_000)), 1, 24},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		doc, err := ParseDeferred(context.Background(), []byte(c.body), testOptions())
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		taken := (after.TotalAlloc - before.TotalAlloc) / uint64(len(c.body))
		if len(doc.Items) != c.items || !hasWarning(doc, WarnTooManyItems) || taken > c.most {
			t.Errorf("%s: %d items, warnings %v, %d bytes for one of the document", name, len(doc.Items), doc.Warnings, taken)
		}
	}
}

// TestCase28LongTitle: a title of 20 MB is truncated, in every format.
func TestCase28LongTitle(t *testing.T) {
	title := strings.Repeat("long títle ", 20<<20/12)
	for name, body := range map[string]string{
		"rss":        rssDoc(`<item><guid>1</guid><title>` + title + `</title></item>`),
		"rss, CDATA": rssDoc(`<item><guid>1</guid><title><![CDATA[` + title + `]]></title></item>`),
		"atom":       `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title type="html">` + title + `</title></entry></feed>`,
		"json":       `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"` + title + `"}]}`,
		"not ended":  `<rss version="2.0"><channel><item><guid>1</guid><title>` + title,
	} {
		start := time.Now()
		doc := mustParse(t, body, testOptions())
		if took := time.Since(start); len(doc.Items) != 1 || took > 20*time.Second {
			t.Fatalf("%s: %d items after %v", name, len(doc.Items), took)
		}
		if got := doc.Items[0].Title; utf8.RuneCountInString(got) > 1000 || !strings.HasPrefix(got, "long títle long") {
			t.Errorf("%s: the title has %d runes", name, utf8.RuneCountInString(got))
		}
	}
}

// TestCase31SanitiseTwice: what was sanitised is sanitised again to the same.
// The corpora go through it in TestSharedXSS, TestCapturedFeeds, FuzzSanitise.
func TestCase31SanitiseTwice(t *testing.T) {
	for _, src := range []string{
		`<p>a<p>b<ul><li>c<li>d`, `<table><td><table><td>x`, `<a href=x><a href=y>z`, `<b><i></b></i>`, `&amp;lt;script&amp;gt;`, `<img src=x alt='"&quot;&amp;quot;'>`,
		`<a href="https://e.example.org/?a=1&b=2&amp;c=3">x</a>`, "<pre>\n\n a\t</pre>", "a\r\nb\rc", `<p title="&#13;&#10;x">y`, `<blockquote cite="//e.example.org">x`, `<q>"'</q>`,
		`<svg><p>x</svg>`, `<details open><summary>x</details>`, strings.Repeat("<div>", 200) + "x", strings.Repeat("<li>", 150), `<p lang="en_us">x`, "\u00a0<p>\u00a0</p>", `<br/><hr/><wbr>`,
	} {
		once := sanitise(src, newResolver("https://e.example.org/a/"), 1<<20, 1<<20)
		twice := sanitise(once.html, newResolver("https://e.example.org/a/"), 1<<20, 1<<20)
		if once != twice {
			t.Errorf("%.80q\nonce  %.300q\ntwice %.300q", src, once, twice)
		}
	}
}

// TestCase32OutputThatGrows: text that grows when it is escaped is capped by
// what comes out, in the document too.
func TestCase32OutputThatGrows(t *testing.T) {
	for name, src := range map[string]string{
		"quotes in attributes": strings.Repeat(`<a href="https://e.example.org/" title='"""""""""""""""""""""""""""""""'>x</a>`, 500),
		"ampersands":           strings.Repeat("&amp;", 20_000),
		"less than":            strings.Repeat("< ", 40_000),
		"relative links":       strings.Repeat(`<a href="1">x</a>`, 4000),
		"links without rel":    strings.Repeat(`<a href="https://e.example.org/">x</a>`, 4000),
		"open tags":            strings.Repeat("<b>", 30_000),
		"open items":           strings.Repeat("<li>x", 30_000),
		"controls":             strings.Repeat("\r&#13;", 20_000),
	} {
		const most = 30_000
		got := sanitise(src, newResolver("https://long.name.of.a.host.example.org/with/a/path/that/is/long/"), most, most)
		if len(got.html) > most || len(got.text) > most+utf8.UTFMax || !utf8.ValidString(got.html) || strings.Count(got.html, "<b>") != strings.Count(got.html, "</b>") {
			t.Errorf("%s: %d bytes of HTML, %d of text", name, len(got.html), len(got.text))
		}
		opts := testOptions()
		opts.Limits.MaxHTML, opts.Limits.MaxText = most, most
		it := mustParse(t, rssDoc(`<item><guid>1</guid><description>`+html.EscapeString(src)+`</description></item>`), opts).Items[0]
		if len(it.ContentHTML) > most || len(it.ContentText) > most+utf8.UTFMax || utf8.RuneCountInString(it.Summary) > 1000 {
			t.Errorf("%s: an item has %d bytes of HTML, %d of text", name, len(it.ContentHTML), len(it.ContentText))
		}
	}
}

// TestCase33HostileAddresses: javascript:, data: and the like are dropped from
// every field that holds an address, in every format.
func TestCase33HostileAddresses(t *testing.T) {
	for _, address := range []string{
		"javascript:alert(1)", " JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "java&#10;script:alert(1)", "data:text/html;base64,PHNjcmlwdD4=", "vbscript:x", "file:///etc/passwd",
		"blob:https://e.example.org/1", "javascript://e.example.org/%0aalert(1)", "feed:javascript:alert(1)", "view-source:https://e.example.org/", "about:blank",
	} {
		rss := `<rss version="2.0" ` + mediaSpaces + `><channel><title>T</title><link>A</link><image><url>A</url></image><itunes:image href="A"/><itunes:new-feed-url>A</itunes:new-feed-url>
			<atom:link rel="self" href="A"/><item><title>t</title><guid isPermaLink="true">A</guid><link>A</link><comments>A</comments><enclosure url="A" type="image/png"/><image><url>A</url></image>
			<itunes:image href="A"/><media:thumbnail url="A"/><media:content url="A" type="image/png"/><podcast:transcript url="A"/><podcast:chapters url="A"/><podcast:person href="A">Bo</podcast:person>
			<atom:author><atom:name>n</atom:name><atom:uri>A</atom:uri></atom:author><description>&lt;a href="A"&gt;x&lt;/a&gt;&lt;img src="A"&gt;&lt;q cite="A"&gt;y&lt;/q&gt;</description></item></channel></rss>`
		atom := `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><link href="A"/><link rel="self" href="A"/><logo>A</logo><entry><id>A</id><title>t</title><link href="A"/><link rel="enclosure" href="A" type="image/png"/>
			<link rel="replies" href="A"/><author><name>n</name><uri>A</uri></author><content type="html">&lt;a href="A"&gt;x&lt;/a&gt;&lt;img src="A"&gt;&lt;q cite="A"&gt;y&lt;/q&gt;</content></entry></feed>`
		quoted, err := json.Marshal(html.UnescapeString(address))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(fmt.Sprintf(`<a href="%s">x</a><img src="%[1]s"><q cite="%[1]s">y</q>`, address))
		if err != nil {
			t.Fatal(err)
		}
		feedJSON := `{"version":"https://jsonfeed.org/version/1.1","title":"T","home_page_url":A,"feed_url":A,"icon":A,"items":[{"id":"1","url":A,"external_url":A,"image":A,"banner_image":A,
			"authors":[{"name":"n","url":A}],"attachments":[{"url":A,"mime_type":"image/png"}],"content_html":` + string(body) + `}]}`
		for format, doc := range map[string]*Document{
			"rss":  mustParse(t, strings.NewReplacer(`"A"`, `"`+address+`"`, ">A<", ">"+address+"<").Replace(rss), testOptions()),
			"atom": mustParse(t, strings.NewReplacer(`"A"`, `"`+address+`"`, ">A<", ">"+address+"<").Replace(atom), testOptions()),
			"json": mustParse(t, regexp.MustCompile(`([:,])A\b`).ReplaceAllStringFunc(feedJSON, func(s string) string { return s[:1] + string(quoted) }), testOptions()),
		} {
			m, it := doc.Feed, doc.Items[0]
			addresses := []string{m.Link, m.SelfURL, m.ImageURL, m.MovedTo, it.URL, it.CanonicalURL, it.CommentsURL, it.ImageURL}
			for _, a := range it.Authors {
				addresses = append(addresses, a.URL)
			}
			for _, e := range it.Enclosures {
				addresses = append(addresses, e.URL)
			}
			if it.Media != nil {
				addresses = append(addresses, it.Media.ChaptersURL)
				for _, p := range it.Media.Persons {
					addresses = append(addresses, p.URL)
				}
				for _, tr := range it.Media.Transcripts {
					addresses = append(addresses, tr.URL)
				}
			}
			if left := strings.Join(addresses, ""); left != "" || it.ContentHTML != "x<q>y</q>" {
				t.Errorf("%q in %s leaves %q and %q", address, format, left, it.ContentHTML)
			}
		}
	}
}

// TestCase34TitleMarkup: no title leaks markup, whatever its type says.
func TestCase34TitleMarkup(t *testing.T) {
	hostile := []string{`<b>Grants</b> open`, `<img src=x onerror=alert(1)>Grants open`, `<script>alert(1)</script>Grants open`, `<svg/onload=alert(1)>Grants open`, `<a href="javascript:x()">Grants</a> open`, `<style>x{}</style>Grants open`}
	for _, title := range hostile {
		escaped, quoted := html.EscapeString(title), ""
		if b, err := json.Marshal(title); err == nil {
			quoted = string(b)
		}
		inAtom := func(attrs, value string) string {
			return `<feed xmlns="http://www.w3.org/2005/Atom"><title` + attrs + `>` + value + `</title><entry><id>1</id><title` + attrs + `>` + value + `</title></entry></feed>`
		}
		for name, body := range map[string]string{
			"rss":            strings.Replace(rssDoc(`<item><guid>1</guid><title>`+escaped+`</title></item>`), "<title>T<", "<title>"+escaped+"<", 1),
			"rss, CDATA":     strings.Replace(rssDoc(`<item><guid>1</guid><title><![CDATA[`+title+`]]></title></item>`), "<title>T<", "<title><![CDATA["+title+"]]><", 1),
			"atom":           inAtom("", escaped),
			"atom, text":     inAtom(` type="text"`, escaped),
			"atom, html":     inAtom(` type="html"`, escaped),
			"atom, CDATA":    inAtom(` type="html"`, "<![CDATA["+title+"]]>"),
			"atom, escaped":  inAtom(` type="text/html" mode="escaped"`, escaped),
			"atom, media":    `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"><title>` + escaped + `</title><entry><id>1</id><media:title>` + escaped + `</media:title></entry></feed>`,
			"json":           `{"version":"https://jsonfeed.org/version/1.1","title":` + quoted + `,"items":[{"id":"1","title":` + quoted + `}]}`,
			"escaped twice":  rssDoc(`<item><guid>1</guid><title>` + html.EscapeString(escaped) + `</title></item>`),
			"xhtml elements": inAtom(` type="xhtml"`, `<div xmlns="http://www.w3.org/1999/xhtml"><b>Grants</b> open<script>alert(1)</script></div>`),
		} {
			doc := mustParse(t, body, testOptions())
			for _, have := range []string{doc.Feed.Title, doc.Items[0].Title} {
				if name == "escaped twice" { // it shows the markup as text
					if have != "T" && have != title && have != "Grants open" {
						t.Errorf("%s: %q", name, have)
					}
				} else if have != "Grants open" {
					t.Errorf("%s: the title of %q is %q", name, title, have)
				}
			}
		}
	}
}

// TestSharedTitles puts the payloads of the captured corpus into titles.
func TestSharedTitles(t *testing.T) {
	dir := sharedDir(t, "vectors")
	var list []struct{ Payload string }
	readJSON(t, filepath.Join(dir, "dompurify/expect.json"), &list)
	if _, err := os.Stat(dir); err != nil || len(list) < 100 {
		t.Fatalf("%d payloads, %v", len(list), err)
	}
	for _, c := range list {
		title := plainLine(c.Payload, 1000)
		z := active.FindString(title)
		if z != "" && !strings.Contains(html.UnescapeString(c.Payload), z) {
			t.Errorf("%.200q becomes the title %.200q", c.Payload, title)
		}
	}
}
