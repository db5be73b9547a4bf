package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"unicode/utf16"
)

// damage is a way in which feeds of the wild are broken. A nil result means
// that a document offers no place for it.
type damage struct {
	name  string
	apply func(doc []byte, r *rand.Rand) []byte
}

// replaceNth replaces one occurrence of old, chosen at random.
func replaceNth(old, replacement string) func([]byte, *rand.Rand) []byte {
	return func(doc []byte, r *rand.Rand) []byte {
		n := bytes.Count(doc, []byte(old))
		if n == 0 {
			return nil
		}
		skip, pos := r.Intn(n), 0
		for ; skip >= 0; skip-- {
			pos += bytes.Index(doc[pos:], []byte(old)) + len(old)
		}
		out := append([]byte(nil), doc[:pos-len(old)]...)
		return append(append(out, replacement...), doc[pos:]...)
	}
}

// inText inserts something into the text of an item's title.
func inText(insert string) func([]byte, *rand.Rand) []byte {
	return replaceNth("</title>", insert+"</title>")
}

func prepend(s string) func([]byte, *rand.Rand) []byte {
	return func(doc []byte, _ *rand.Rand) []byte { return append([]byte(s), doc...) }
}

func itemTag(doc []byte) string {
	if bytes.Contains(doc, []byte("</entry>")) {
		return "entry"
	}
	return "item"
}

func toUTF16(order binary.ByteOrder, bom bool) func([]byte, *rand.Rand) []byte {
	return func(doc []byte, _ *rand.Rand) []byte {
		var out []byte
		if bom {
			out = append(out, 0, 0)
			order.PutUint16(out, 0xFEFF)
		}
		for _, u := range utf16.Encode([]rune(string(toUTF8(doc, "", &notes{})))) {
			out = append(out, 0, 0)
			order.PutUint16(out[len(out)-2:], u)
		}
		return out
	}
}

func damages() []damage {
	return []damage{
		{"truncated at half", func(d []byte, _ *rand.Rand) []byte { return d[:len(d)/2] }},
		{"truncated anywhere", func(d []byte, r *rand.Rand) []byte { return d[:len(d)/2+r.Intn(len(d)/2)] }},
		{"a < b", inText(" a < b")},
		{"a <b c", inText(" a <b c")},
		{"stray ampersand", inText(" R&D & more &")},
		{"undeclared entity", inText(" &nbsp;&eacute;&hellip;&unknown;")},
		{"illegal reference", inText(" &#11;&#x1F;")},
		{"control characters", inText(" \x0b\x00\x1f")},
		{"one bad byte", inText(" caf\xe9 \xff")},
		{"]]> in text", inText(" ]]> ")},
		{"warning before", prepend("<br />\n<b>Warning</b>: Undefined index in <b>/srv/a.php</b> on line <b>3</b><br />\n")},
		{"blank before", prepend("\n\n  \t")},
		{"long comment before", prepend("<!-- " + strings.Repeat("x ", 2500) + "-->")},
		{"long text before", prepend(strings.Repeat("lorem ipsum ", 420))},
		{"junk after", func(d []byte, _ *rand.Rand) []byte { return append(bytes.Clone(d), "<script>x()</script></body>"...) }},
		{"xml 1.1", replaceNth(`<?xml version="1.0"`, `<?xml version="1.1"`)},
		{"bogus encoding", func(d []byte, r *rand.Rand) []byte {
			for _, e := range []string{"UTF-8", "utf-8"} {
				if out := replaceNth(`encoding="`+e+`"`, `encoding="x-klingon"`)(d, r); out != nil {
					return out
				}
			}
			return nil
		}},
		{"utf-16le bom", toUTF16(binary.LittleEndian, true)},
		{"utf-16be bare", toUTF16(binary.BigEndian, false)},
		{"missing item end", func(d []byte, r *rand.Rand) []byte { return replaceNth("</"+itemTag(d)+">", "")(d, r) }},
		{"missing title end", replaceNth("</title>", "")},
		{"missing description end", replaceNth("</description>", "")},
		{"missing content end", replaceNth("</content>", "")},
		{"missing root end", func(d []byte, r *rand.Rand) []byte { return d[:bytes.LastIndex(d, []byte("</"))] }},
		{"missing cdata end", replaceNth("]]>", "")},
		{"unquoted attribute", replaceNth(`type="text/html"`, `type=text/html`)},
		{"lost quote", replaceNth(`rel="alternate"`, `rel="alternate`)},
		{"early root end", func(d []byte, r *rand.Rand) []byte {
			return replaceNth("</"+itemTag(d)+">", "</"+itemTag(d)+"></channel></rss></feed>")(d, r)
		}},
		{"double dash comment", func(d []byte, r *rand.Rand) []byte {
			return replaceNth("</"+itemTag(d)+">", "</"+itemTag(d)+"><!-- a -- b -->")(d, r)
		}},
		{"raw html", replaceNth("</description>", "<p>One<br>two<img src=x></p><a href='y'>z</description>")},
		{"stray end tag", replaceNth("</link>", "</link></b></div>")},
		{"wrong case", replaceNth("</title>", "</TITLE>")},
		{"twice", func(d []byte, _ *rand.Rand) []byte { return append(bytes.Clone(d), d...) }},
	}
}

// survivors counts the titles of the sound document that are found again.
func survivors(want map[string]bool, doc *Document) int {
	n := 0
	seen := map[string]bool{}
	for _, it := range doc.Items {
		for title := range want {
			if !seen[title] && strings.Contains(it.Title+" "+it.ContentText+" "+it.URL, title) {
				seen[title] = true
				n++
				break
			}
		}
	}
	return n
}

// measureDamage damages documents in every way and returns the share of items
// that survive, in all and by the kind of damage. Items of which the damage
// itself takes the most are still counted: the share cannot reach one.
func measureDamage(t *testing.T, docs map[string][]byte, rounds int) (share float64, byKind map[string][2]int) {
	t.Helper()
	byKind = map[string][2]int{}
	total, alive := 0, 0
	for name, doc := range docs {
		sound, err := Parse(context.Background(), doc, testOptions())
		if err != nil || len(sound.Items) == 0 {
			continue
		}
		want := map[string]bool{}
		for _, it := range sound.Items {
			want[it.URL] = true
		}
		for _, d := range damages() {
			r := rand.New(rand.NewSource(1))
			for range rounds {
				broken := d.apply(doc, r)
				if broken == nil {
					continue
				}
				possible := len(want)
				if strings.HasPrefix(d.name, "truncated") {
					possible = bytes.Count(broken, []byte("<"+itemTag(doc)+">")) + bytes.Count(broken, []byte("<"+itemTag(doc)+" ")) - 1
				}
				got, err := Parse(context.Background(), broken, testOptions())
				n := 0
				if err == nil {
					n = min(survivors(want, got), possible)
				} else {
					t.Logf("%s, %s: %v", name, d.name, err)
				}
				k := byKind[d.name]
				byKind[d.name] = [2]int{k[0] + n, k[1] + possible}
				total += possible
				alive += n
			}
		}
	}
	return float64(alive) / float64(total), byKind
}

func reportDamage(t *testing.T, share float64, byKind map[string][2]int) {
	var names []string
	for name := range byKind {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		k := byKind[name]
		t.Logf("%-24s %5d of %5d  %.1f %%", name, k[0], k[1], 100*float64(k[0])/float64(max(k[1], 1)))
	}
	t.Logf("all %.2f %%", 100*share)
}

func TestDamagedFixtures(t *testing.T) {
	docs := map[string][]byte{}
	for _, name := range []string{"rss2.xml", "rss091.xml", "rdf.xml", "atom10.xml", "atom03.xml", "podcast.xml"} {
		docs[name] = fixture(t, name)
	}
	share, byKind := measureDamage(t, docs, 3)
	reportDamage(t, share, byKind)
	if share < 0.98 {
		t.Errorf("%.2f %% of the items survive, want 98 %%", 100*share)
	}
}

func TestDamagedCapturedFeeds(t *testing.T) {
	dir := sharedDir(t, "feeds/codehollow")
	docs := map[string][]byte{}
	walkFiles(t, dir, func(path string, body []byte) {
		if len(docs) < 12 && len(body) < 60_000 && strings.HasSuffix(path, ".xml") {
			docs[filepath.Base(path)] = body
		}
	})
	share, byKind := measureDamage(t, docs, 1)
	reportDamage(t, share, byKind)
	if share < 0.97 {
		t.Errorf("%.2f %% of the items survive, want 97 %%", 100*share)
	}
}
