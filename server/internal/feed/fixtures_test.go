package feed

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func mustParse(t *testing.T, body string, opts Options) *Document {
	t.Helper()
	doc, err := Parse(context.Background(), []byte(body), opts)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	checkDocument(t, t.Name(), doc)
	return doc
}

func TestFixtures(t *testing.T) {
	for _, c := range []struct {
		file, title, link string
		format            Format
		version, language string
	}{
		{"rss2.xml", "Creator Ledger", "https://ledger.example.org/", FormatRSS, "2.0", "en-GB"},
		{"rss091.xml", "Café des créateurs", "http://cafe.example.org/", FormatRSS, "0.91", "fr"},
		{"rdf.xml", "Fund Register", "https://funds.example.net/", FormatRDF, "1.0", "en"},
		{"atom10.xml", "Studio Notes", "https://studio.example.com/blog/index.html", FormatAtom, "1.0", "en"},
		{"atom03.xml", "Old Press", "http://oldpress.example.org/", FormatAtom, "0.3", ""},
		{"podcast.xml", "Two Microphones", "https://mics.example.org", FormatRSS, "2.0", ""},
		{"feed.json", "Maker Diary", "https://maker.example.org/", FormatJSON, "1.1", "en"},
	} {
		t.Run(c.file, func(t *testing.T) {
			doc := mustParse(t, string(fixture(t, c.file)), testOptions())
			m := doc.Feed
			if m.Title != c.title || m.Link != c.link || m.Format != c.format || m.Version != c.version || m.Language != c.language {
				t.Errorf("feed is %+v", m)
			}
			if len(doc.Items) != 12 || doc.Skipped != 0 || doc.Repaired || len(doc.Warnings) != 0 {
				t.Errorf("%d items, %d skipped, repaired %v, warnings %v", len(doc.Items), doc.Skipped, doc.Repaired, doc.Warnings)
			}
			for i, it := range doc.Items {
				if it.URL == "" || it.Title == "" || it.Summary == "" || it.ContentHTML == "" || it.WordCount < 15 || it.TextHash == "" {
					t.Errorf("item %d lacks something: %+v", i, it)
				}
			}
		})
	}
}

func TestRSSItem(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "rss2.xml")), testOptions())
	m, it := doc.Feed, doc.Items[0]
	if m.TTL != 90*time.Minute || !slices.Equal(m.SkipHours, []int{2, 3}) || m.SelfURL != "https://ledger.example.org/feed.xml" ||
		m.ImageURL != "https://ledger.example.org/logo.png" || !m.Updated.Equal(time.Date(2026, 10, 28, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("feed is %+v", m)
	}
	checkEqual(t, "guid", it.GUID, "ledger-100")
	checkEqual(t, "kind", it.IdentityKind, IdentityGUID)
	checkEqual(t, "url", it.URL, "https://ledger.example.org/posts/100?utm_source=rss&utm_medium=feed")
	checkEqual(t, "canonical", it.CanonicalURL, "https://ledger.example.org/posts/100")
	checkEqual(t, "summary", it.Summary, "The Harbour Fund gives up to 12,000 euros to podcasts that document coastal towns.")
	checkEqual(t, "html", it.ContentHTML, `<p>The Harbour Fund gives up to 12,000 euros to podcasts that document coastal towns.</p><p>Applications close on 30 April, and a jury of five decides in June. <a href="https://ledger.example.org/more/0" rel="nofollow noreferrer">Read on</a></p><img alt="Picture 0" src="https://ledger.example.org/img/0.jpg">`)
	checkEqual(t, "text", it.ContentText, "The Harbour Fund gives up to 12,000 euros to podcasts that document coastal towns.\n\nApplications close on 30 April, and a jury of five decides in June. Read on")
	if !slices.Equal(it.Categories, []string{"grants", "news & notes"}) || len(it.Authors) != 1 || it.Authors[0].Name != "Ines Duarte" {
		t.Errorf("categories %v, authors %v", it.Categories, it.Authors)
	}
	if len(it.Enclosures) != 1 || it.Enclosures[0] != (Enclosure{"https://ledger.example.org/img/0.jpg", "image/*", 0}) {
		t.Errorf("enclosures %v", it.Enclosures)
	}
	if !it.PublishedAt.Equal(time.Date(2026, 10, 28, 7, 15, 0, 0, time.UTC)) || it.PublishedInferred {
		t.Errorf("published %v %v", it.PublishedAt, it.PublishedInferred)
	}
}

func TestAtomItem(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "atom10.xml")), testOptions())
	for i, it := range doc.Items[:3] {
		checkEqual(t, "guid", it.GUID, "tag:studio.example.com,2026:Post/"+string(rune('0'+i))+"?A=%7e")
		checkEqual(t, "url", it.URL, "https://studio.example.com/blog/2026/post-"+string(rune('0'+i))+".html")
		checkEqual(t, "enclosure", it.Enclosures[0].URL, "https://studio.example.com/blog/audio/"+string(rune('0'+i))+".mp3")
		checkEqual(t, "author", it.Authors[0], Author{Name: "Ines Duarte", URL: "https://studio.example.com/people/ines"})
		checkEqual(t, "category", it.Categories[0], "Studio")
	}
	checkEqual(t, "title html", doc.Items[1].Title, "Lumen changes how it shares advertising income new")
	checkEqual(t, "title xhtml", doc.Items[2].Title, "Workshop: budgets for small film teams new")
	checkEqual(t, "entities", strings.Contains(doc.Items[2].ContentText, "insure & finance"), true)
	checkEqual(t, "text", doc.Items[0].ContentHTML[:len("<p>The Harbour")], "<p>The Harbour")
	checkEqual(t, "image", strings.Contains(doc.Items[1].ContentHTML, `src="https://studio.example.com/blog/pics/1.png"`), true)
	checkEqual(t, "link", strings.Contains(doc.Items[2].ContentHTML, `href="https://studio.example.com/blog/more/2.html"`), true)
	checkEqual(t, "language", doc.Items[4].Language, "de")
	checkEqual(t, "fraction", doc.Items[0].PublishedAt, time.Date(2026, 10, 28, 7, 0, 0, 5e8, time.UTC))
}

func TestRDFItem(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "rdf.xml")), testOptions())
	checkEqual(t, "ttl", doc.Feed.TTL, 6*time.Hour)
	for _, it := range doc.Items[:2] {
		checkEqual(t, "guid", it.GUID, it.URL)
		checkEqual(t, "inferred", it.PublishedInferred, false)
	}
}

func TestJSONItem(t *testing.T) {
	doc := mustParse(t, string(fixture(t, "feed.json")), testOptions())
	checkEqual(t, "numeric id", doc.Items[1].GUID, "1701")
	if it := doc.Items[2]; !slices.Equal(it.Categories, []string{"single", "double"}) || it.Authors[0].Name != "Tom Okafor" {
		t.Errorf("categories %v, authors %v", it.Categories, it.Authors)
	}
	checkEqual(t, "content_text", strings.HasPrefix(doc.Items[3].ContentHTML, "<p>"), true)
	checkEqual(t, "attachment", doc.Items[4].Enclosures[0], Enclosure{"https://maker.example.org/a.mp3", "audio/mpeg", 12345})
}

func checkEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%v, want\n%v", what, got, want)
	}
}

func TestNotAFeed(t *testing.T) {
	for _, body := range []string{
		"", " ", "hello", "<html><body>no</body></html>", "<!DOCTYPE html><p>x", "{}", `{"items": 3}`, "[1,2]", "<?xml version='1.0'?>",
		"<opml version='2.0'><body/></opml>", "\x00\x01\x02", "{", "<",
	} {
		if doc, err := Parse(context.Background(), []byte(body), testOptions()); !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Errorf("%q: %v, %v", body, doc, err)
		}
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"rss2.xml", "feed.json"} {
		if _, err := Parse(ctx, fixture(t, name), testOptions()); err != context.Canceled {
			t.Errorf("%s: %v", name, err)
		}
	}
}
