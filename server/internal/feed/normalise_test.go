package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	utc := func(y int, m time.Month, d, h, min, s int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"Wed, 28 Oct 2026 08:15:00 +0100":          utc(2026, 10, 28, 7, 15, 0),
		"Wed, 28 Oct 2026 08:15:00 GMT":            utc(2026, 10, 28, 8, 15, 0),
		"28 Oct 26 08:15 EST":                      utc(2026, 10, 28, 13, 15, 0),
		"Wednesday, 28-Oct-26 08:15:00 PDT":        utc(2026, 10, 28, 15, 15, 0),
		"Wed Oct 28 08:15:00 2026":                 utc(2026, 10, 28, 8, 15, 0),
		"Wed Oct 28 08:15:00 CET 2026":             utc(2026, 10, 28, 7, 15, 0),
		"Wed Oct 28 2026 08:15:00 GMT+0200 (CEST)": utc(2026, 10, 28, 6, 15, 0),
		"October 28, 2026 8:15 PM":                 utc(2026, 10, 28, 20, 15, 0),
		"Oct 28th, 2026 at 12:15 a.m.":             utc(2026, 10, 28, 0, 15, 0),
		"28 octobre 2026 08:15":                    utc(2026, 10, 28, 8, 15, 0),
		"Mi, 28 März 2026 08:15:00 +0100":          utc(2026, 3, 28, 7, 15, 0),
		"mer., 28 juil. 2026 08:15:00 +0000":       utc(2026, 7, 28, 8, 15, 0),
		"2026-10-28T08:15:00Z":                     utc(2026, 10, 28, 8, 15, 0),
		"2026-10-28T08:15:00.123456789+05:30":      utc(2026, 10, 28, 2, 45, 0).Add(123456 * time.Microsecond),
		"2026-10-28T08:15:00-0700":                 utc(2026, 10, 28, 15, 15, 0),
		"2026-10-28T08:15Z":                        utc(2026, 10, 28, 8, 15, 0),
		"2026-10-28 08:15:00":                      utc(2026, 10, 28, 8, 15, 0),
		"2026-10-28 08:15:00 +0200":                utc(2026, 10, 28, 6, 15, 0),
		"2026-10-28 08:15:00 UTC":                  utc(2026, 10, 28, 8, 15, 0),
		"2026-10-28":                               utc(2026, 10, 28, 0, 0, 0),
		"2026-10-28T24:00:00Z":                     utc(2026, 10, 29, 0, 0, 0),
		"2026/10/28 08:15":                         utc(2026, 10, 28, 8, 15, 0),
		"20261028T081500Z":                         utc(2026, 10, 28, 8, 15, 0),
		"28.10.2026 08:15":                         utc(2026, 10, 28, 8, 15, 0),
		"10/28/2026 8:15:00 AM":                    utc(2026, 10, 28, 8, 15, 0),
		"28/10/2026":                               utc(2026, 10, 28, 0, 0, 0),
		"1793175300":                               time.Unix(1793175300, 0).UTC(),
		"1793175300000":                            time.Unix(1793175300, 0).UTC(),
		"Wed, 28 Oct 2026 08:15:60 GMT":            utc(2026, 10, 28, 8, 15, 59),
		"Sat, 31 Feb 2026 08:15:00 GMT":            {},
		"This is no date":                          {},
		"yesterday":                                {},
		"28 Oct":                                   {},
		"":                                         {},
		"99:99:99":                                 {},
		"2026-13-28":                               {},
	} {
		got, ok := parseDate(text)
		if ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("parseDate(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
}

func TestDates(t *testing.T) {
	item := func(fields string) Item {
		return mustParse(t, rssDoc(`<item xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><title>t</title>`+fields+`</item>`), testOptions()).Items[0]
	}
	day := time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		fields   string
		want     time.Time
		inferred bool
		warning  WarningCode
	}{
		{"<pubDate>28 Oct 2026</pubDate>", day, false, ""},
		{"<pubDate>nonsense</pubDate><dc:date>2026-10-28</dc:date>", day, false, ""},
		{"<dcterms:created>2026-10-28</dcterms:created>", day, false, ""},
		{"<dcterms:modified>2026-10-28</dcterms:modified>", day, false, ""},
		{"", testNow, true, WarnDateMissing},
		{"<pubDate>nonsense</pubDate>", testNow, true, WarnDateInvalid},
		{"<pubDate>28 Oct 2027</pubDate>", testNow, true, WarnDateFuture},
		{"<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>", testNow, true, WarnDateInvalid},
	} {
		it := item(c.fields)
		got := WarningCode("")
		for _, w := range it.Warnings {
			if strings.HasPrefix(string(w.Code), "date") {
				got = w.Code
			}
		}
		if !it.PublishedAt.Equal(c.want) || it.PublishedInferred != c.inferred || got != c.warning {
			t.Errorf("%s: %v, inferred %v, warning %q", c.fields, it.PublishedAt, it.PublishedInferred, got)
		}
		if x := inspectItem(it); (x.PublishedAt == nil) != c.inferred {
			t.Errorf("%s: inspect shows %v", c.fields, x.PublishedAt)
		}
	}
}

func TestIdentity(t *testing.T) {
	doc := mustParse(t, rssDoc(`
		<item><guid>a</guid><title>one</title><link>https://s.example.org/1</link></item>
		<item><guid>b</guid><title>two</title><link>https://s.example.org/2</link></item>
		<item><guid>b</guid><title>three</title><link>https://s.example.org/3</link></item>
		<item><guid>b</guid><title>four</title><link>https://s.example.org/same</link></item>
		<item><guid>b</guid><title>five</title><link>https://s.example.org/same?utm_source=x</link></item>
		<item><title>six</title><link>https://s.example.org/6#x</link></item>
		<item><title>seven</title></item>
		<item><guid>a</guid><title>one</title><link>https://s.example.org/1</link></item>
		<item><guid>`+strings.Repeat("g", 600)+`</guid><title>eight</title></item>`), testOptions())
	want := []struct {
		kind IdentityKind
		key  string
	}{
		{IdentityGUID, "a"}, {IdentityURL, "https://s.example.org/2"}, {IdentityURL, "https://s.example.org/3"},
		{IdentityHash, ""}, {IdentityHash, ""}, {IdentityURL, "https://s.example.org/6"}, {IdentityHash, ""}, {IdentityGUID, "sha256:"},
	}
	if len(doc.Items) != len(want) || doc.Skipped != 1 || !hasWarning(doc, WarnGUIDRepeated) || !hasWarning(doc, WarnItemRepeated) {
		t.Fatalf("%d items, %d skipped, %v", len(doc.Items), doc.Skipped, doc.Warnings)
	}
	for i, w := range want {
		if it := doc.Items[i]; it.IdentityKind != w.kind || !strings.HasPrefix(it.IdentityKey, w.key) {
			t.Errorf("item %d: %s %q, want %s %q", i, it.IdentityKind, it.IdentityKey, w.kind, w.key)
		}
	}
}

func TestContentHash(t *testing.T) {
	hash := func(fields string) string {
		return mustParse(t, rssDoc(`<item><guid>1</guid>`+fields+`</item>`), testOptions()).Items[0].ContentHash
	}
	const base = `<title>t</title><link>https://s.example.org/1</link><category>a</category><category>b</category><description><![CDATA[<p><a title="x" href="/y">z</a> w</p>]]></description>`
	same := []string{
		strings.Replace(base, `title="x" href="/y"`, `href='/y'   title='x'`, 1),
		strings.Replace(base, "</a> w", "</a>\n   w", 1),
		strings.Replace(base, "<title>t", "<title> t\n", 1),
		strings.Replace(base, "/1<", "/1?utm_source=feed<", 1),
		strings.Replace(base, "<category>a</category><category>b</category>", "<category>b</category><category>a</category>", 1),
		base + "<pubDate>28 Oct 2026</pubDate>",
	}
	for _, s := range same {
		if hash(s) != hash(base) {
			t.Errorf("the hash changes for %s", s)
		}
	}
	for _, s := range []string{
		strings.Replace(base, "<title>t", "<title>T", 1),
		strings.Replace(base, "/1<", "/2<", 1),
		strings.Replace(base, `/y"`, `/x"`, 1),
		strings.Replace(base, "w</p>", "v</p>", 1),
		base + `<author>Ann</author>`,
		base + `<enclosure url="https://s.example.org/a.mp3" type="audio/mpeg"/>`,
	} {
		if hash(s) == hash(base) {
			t.Errorf("the hash stays for %s", s)
		}
	}
}

func TestTextHash(t *testing.T) {
	long := strings.Repeat("The fund's call is open until May. ", 4)
	if textHash(long) == "" || textHash(long) != textHash(strings.ToUpper(strings.ReplaceAll(long, " ", "\n\n"))) {
		t.Error("formatting changes the text hash")
	}
	if textHash(long) == textHash(long+"x") || textHash(long[:90]) != "" {
		t.Error("the text hash is too broad")
	}
}

func TestWordCount(t *testing.T) {
	for text, want := range map[string]int{"": 0, "one two,three": 3, "it's 5pm": 2, "創作者経済": 5, "naïve—café": 2} {
		if got := wordCount(text); got != want {
			t.Errorf("wordCount(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestRelativeLinks(t *testing.T) {
	for _, c := range []struct{ name, body, url, html string }{
		{"rss, site", `<rss version="2.0"><channel><link>https://site.example.com/news/</link><item><link>a</link><description>&lt;a href="b"&gt;x&lt;/a&gt;</description></item></channel></rss>`,
			"https://site.example.com/news/a", "https://site.example.com/news/b"},
		{"rss, document", `<rss version="2.0"><channel><item><link>/a/c</link><description>&lt;a href="b"&gt;x&lt;/a&gt;</description></item></channel></rss>`,
			"https://feeds.example.org/a/c", "https://feeds.example.org/a/b"},
		{"rss, xml:base", `<rss version="2.0" xml:base="https://base.example.com/x/y"><channel><item><link>a</link><description>&lt;a href="b"&gt;x&lt;/a&gt;</description></item></channel></rss>`,
			"https://base.example.com/x/a", "https://base.example.com/x/b"},
		{"atom, document", `<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="p"/><content type="html">&lt;a href="b"&gt;x&lt;/a&gt;</content></entry></feed>`,
			"https://feeds.example.org/a/p", "https://feeds.example.org/a/b"},
		{"atom, entry base", `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://base.example.com/x/"><entry xml:base="z/"><link href="p"/><content type="html" xml:base="/c/">&lt;a href="b"&gt;x&lt;/a&gt;</content></entry></feed>`,
			"https://base.example.com/x/z/p", "https://base.example.com/c/b"},
	} {
		it := mustParse(t, c.body, testOptions()).Items[0]
		checkEqual(t, c.name, it.URL, c.url)
		checkEqual(t, c.name, strings.Contains(it.ContentHTML, `href="`+c.html+`"`), true)
	}
}

func TestAuthors(t *testing.T) {
	for text, want := range map[string]Author{
		"ann@example.org (Ann Li)":       {Name: "Ann Li", Email: "ann@example.org"},
		"Ann Li (ann@example.org)":       {Name: "Ann Li", Email: "ann@example.org"},
		"Ann Li &lt;ann@example.org&gt;": {Name: "Ann Li", Email: "ann@example.org"},
		"ann@example.org":                {Name: "ann", Email: "ann@example.org"},
		"Ann Li (editor)":                {Name: "Ann Li (editor)"},
		"Ann &amp; Bo":                   {Name: "Ann & Bo"},
	} {
		it := mustParse(t, rssDoc(`<item><title>t</title><author>`+text+`</author></item>`), testOptions()).Items[0]
		if len(it.Authors) != 1 || it.Authors[0] != want {
			t.Errorf("%q gives %+v, want %+v", text, it.Authors, want)
		}
	}
}

func TestInspect(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "rss2.xml"))[:4000], testOptions())
	body, err := json.Marshal(Inspect(doc))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Feed     map[string]any
		Items    []map[string]any
		Repaired bool
		Warnings []struct{ Code, Message string }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Feed["title"] != "Creator Ledger" || got.Feed["format"] != "rss" || !got.Repaired || len(got.Warnings) == 0 || got.Warnings[0].Code == "" {
		t.Errorf("inspection is %s", body)
	}
	for _, key := range []string{"guid", "url", "title", "published_at", "authors", "summary", "content_html"} {
		if _, ok := got.Items[0][key]; !ok {
			t.Errorf("an item lacks %q", key)
		}
	}
	if empty, _ := json.Marshal(Inspect(&Document{})); strings.Contains(string(empty), ":null") && !strings.Contains(string(empty), `"updated_at":null`) {
		t.Errorf("a list is null: %s", empty)
	}
}

func TestItemCapKeepsFeedFields(t *testing.T) {
	body := `<rss version="2.0"><channel>` + nested("<item><title>t%d</title></item>", 10, func(i int) any { return i }) + `<title>Late title</title></channel></rss>`
	doc := mustParse(t, body, Options{Now: testNow, Limits: Limits{MaxItems: 4}})
	checkEqual(t, "items", fmt.Sprint(len(doc.Items), " ", doc.Items[3].Title), "4 t3")
	checkEqual(t, "title", doc.Feed.Title, "Late title")
}

func TestItemsThatSayLittle(t *testing.T) {
	doc := mustParse(t, rssDoc(`
		<item><guid>only-an-id</guid></item>
		<item><guid>id-2</guid><title>t</title><content:encoded><![CDATA[<iframe src="https://v.example.org/1"></iframe>]]></content:encoded><description>About the video</description></item>
		<item></item><item/>
		<item><guid>https://s.example.org/p/4</guid><title>permalink</title></item>`), testOptions())
	if len(doc.Items) != 3 || doc.Skipped != 2 || !hasWarning(doc, WarnItemEmpty) {
		t.Fatalf("%d items, %d skipped, %v", len(doc.Items), doc.Skipped, doc.Warnings)
	}
	checkEqual(t, "an id that is no address", doc.Items[0].URL, "")
	checkEqual(t, "content of which nothing stays", doc.Items[1].ContentText, "About the video")
	checkEqual(t, "permalink", doc.Items[2].URL, "https://s.example.org/p/4")
}

func TestSeveralChannels(t *testing.T) {
	doc := mustParse(t, `<rss version="2.0"><channel><title>A</title><item><title>1</title></item></channel>
		<channel><title>B</title><item><title>2</title></item></channel></rss>`, testOptions())
	checkEqual(t, "items", len(doc.Items), 2)
	checkEqual(t, "repaired", doc.Repaired, true)
}

func TestTruncatedItemIsMarked(t *testing.T) {
	body := string(fixture(t, "rss2.xml"))
	doc := mustParse(t, body[:len(body)/2], testOptions())
	for i, it := range doc.Items {
		marked := false
		for _, w := range it.Warnings {
			marked = marked || w.Code == WarnTruncated
		}
		if marked != (i == len(doc.Items)-1) {
			t.Errorf("item %d of %d: marked %v", i, len(doc.Items), marked)
		}
	}
}

func TestSalvage(t *testing.T) {
	for _, name := range []string{"rss2.xml", "rdf.xml", "atom10.xml"} {
		n := &notes{}
		o, err := scan(fixture(t, name), Limits{}.withDefaults(), n)
		if err != nil || !o.sound {
			t.Fatalf("%s: sound %v, %v", name, o.sound, err)
		}
		raw, err := o.salvage(context.Background(), n)
		if err != nil || len(raw.items) != 12 || raw.title.value == "" || n.repaired {
			t.Errorf("%s: %+v, %v", name, raw, err)
		}
		whole, err := o.parse(context.Background(), o.document())
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw.items {
			if raw.items[i].id != whole.items[i].id || raw.items[i].title != whole.items[i].title {
				t.Errorf("%s: item %d is %+v alone and %+v in the whole", name, i, raw.items[i], whole.items[i])
			}
		}
	}
}
