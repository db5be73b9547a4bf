package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// parseInSteps is Parse by way of ParseDeferred and Finish.
func parseInSteps(t *testing.T, body []byte, opts Options) (*Document, int, error) {
	t.Helper()
	body = bytes.Clone(body)
	doc, err := ParseDeferred(context.Background(), body, opts)
	for i := range body {
		body[i] = '!' // the items must not look at it any more
	}
	if err != nil {
		return nil, 0, err
	}
	open := 0
	for i := range doc.Items {
		it := &doc.Items[i]
		if it.Finished() {
			continue
		}
		open++
		if it.GUID == "" && it.URL == "" || it.IdentityKey == "" || it.RawHash == "" || it.ContentHash != "" || it.ContentHTML != "" {
			t.Errorf("item %d is unfinished as %+v", i, it)
		}
		if err := it.Finish(context.Background()); err != nil || !it.Finished() {
			t.Fatalf("item %d: Finish: %v", i, err)
		}
	}
	return doc, open, nil
}

func checkSameDocument(t *testing.T, name string, body []byte) (open int) {
	t.Helper()
	want, werr := Parse(context.Background(), body, testOptions())
	got, open, gerr := parseInSteps(t, body, testOptions())
	if fmt.Sprint(werr) != fmt.Sprint(gerr) {
		t.Fatalf("%s: Parse: %v, in steps: %v", name, werr, gerr)
	}
	if werr == nil && !reflect.DeepEqual(want, got) {
		for i := range min(len(want.Items), len(got.Items)) {
			if !reflect.DeepEqual(want.Items[i], got.Items[i]) {
				t.Errorf("%s: item %d is\n%+v in steps\n%+v", name, i, want.Items[i], got.Items[i])
			}
		}
		t.Errorf("%s: %d items in steps, %d at once", name, len(got.Items), len(want.Items))
	}
	return open
}

func TestParseDeferredIsParse(t *testing.T) {
	for _, name := range []string{"rss2.xml", "rss091.xml", "rdf.xml", "atom10.xml", "atom03.xml", "podcast.xml", "feed.json"} {
		if open := checkSameDocument(t, name, fixture(t, name)); open != 12 {
			t.Errorf("%s: %d of 12 items were left unfinished", name, open)
		}
	}
	checkSameDocument(t, "no feed", []byte("<html>"))
	t.Run("captured", func(t *testing.T) {
		dir, open := sharedDir(t, "feeds"), 0
		walkFiles(t, dir, func(path string, body []byte) {
			open += checkSameDocument(t, strings.TrimPrefix(path, dir+string(filepath.Separator)), body)
		})
		t.Logf("%d items were left unfinished", open)
	})
}

func TestDeferredIdentity(t *testing.T) {
	item := func(guid, link, text string) string {
		return "<item><guid isPermaLink='false'>" + guid + "</guid><link>" + link + "</link><description>" + text + "</description></item>"
	}
	for _, c := range []struct {
		name            string
		items           string
		finished, total int
	}{
		{"different ids", item("a", "/1", "x") + item("b", "/2", "x"), 0, 2},
		{"one id, different links", item("a", "/1", "x") + item("a", "/2", "x"), 0, 2},
		{"the same item twice", item("a", "/1", "x") + item("a", "/1", "x") + item("b", "/1", "x"), 1, 2},
		{"the same but for its form", item("a", "/1", "x") + item("a", "/1", "<![CDATA[<p onclick='y'>x]]>"), 1, 1},
		{"one address, two contents", item("a", "/1", "x") + item("a", "/1", "y") + item("b", "/2", "z"), 2, 3},
		{"nothing but a title", "<item><title>x</title></item>" + item("a", "", "x"), 1, 2},
	} {
		doc, err := ParseDeferred(context.Background(), []byte(rssDoc(c.items)), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		finished := 0
		for _, it := range doc.Items {
			if it.Finished() {
				finished++
			}
		}
		if finished != c.finished || len(doc.Items) != c.total {
			t.Errorf("%s: %d of %d items are finished, want %d of %d", c.name, finished, len(doc.Items), c.finished, c.total)
		}
		checkSameDocument(t, c.name, []byte(rssDoc(c.items)))
	}
}

func TestRawHash(t *testing.T) {
	hash := func(doc string, opts Options) string {
		t.Helper()
		d, err := ParseDeferred(context.Background(), []byte(doc), opts)
		if err != nil {
			t.Fatal(err)
		}
		return d.Items[0].RawHash
	}
	const item = `<item><title>t</title><guid>1</guid><link>/1</link><category>a</category><description>d</description><pubDate>28 Oct 2026</pubDate></item>`
	base := hash(rssDoc(item), testOptions())
	if len(base) != 32 {
		t.Fatalf("hash %q", base)
	}
	later := testOptions()
	later.Now = later.Now.Add(time.Hour)
	elsewhere := testOptions()
	elsewhere.BaseURL = "https://mirror.example.org/feed"
	for name, same := range map[string]string{
		"later":              hash(rssDoc(item), later),
		"another item added": hash(rssDoc(item+`<item><title>u</title></item>`), testOptions()),
		"read elsewhere":     hash(rssDoc(item), elsewhere), // links resolve against the site
		"not taken":          hash(rssDoc(strings.Replace(item, "<guid", "<x:n xmlns:x='urn:x'>3</x:n><guid", 1)), testOptions()),
	} {
		if same != base {
			t.Errorf("%s: the hash changed", name)
		}
	}
	for name, other := range map[string]string{
		"title":           hash(rssDoc(strings.Replace(item, ">t<", ">u<", 1)), testOptions()),
		"date":            hash(rssDoc(strings.Replace(item, "28 Oct", "27 Oct", 1)), testOptions()),
		"markup":          hash(rssDoc(strings.Replace(item, ">d<", ">&lt;i>d&lt;/i><", 1)), testOptions()),
		"category":        hash(rssDoc(strings.Replace(item, ">a<", ">b<", 1)), testOptions()),
		"moved text":      hash(rssDoc(strings.Replace(strings.Replace(item, ">t<", "><", 1), ">d<", ">td<", 1)), testOptions()),
		"site":            hash(strings.Replace(rssDoc(item), "s.example.org", "z.example.org", 1), testOptions()),
		"xml:base":        hash(rssDoc(strings.Replace(item, "<item", "<item xml:base='/x/'", 1)), testOptions()),
		"feed's language": hash(strings.Replace(rssDoc(item), "<title>T", "<language>de</language><title>T", 1), testOptions()),
		"feed's author":   hash(strings.Replace(rssDoc(item), "<title>T", "<managingEditor>Ann</managingEditor><title>T", 1), testOptions()),
	} {
		if other == base {
			t.Errorf("%s: the hash is the same", name)
		}
	}
	own := strings.Replace(item, "<guid", "<author>Bo</author><guid", 1)
	if hash(rssDoc(own), testOptions()) != hash(strings.Replace(rssDoc(own), "<title>T", "<managingEditor>Ann</managingEditor><title>T", 1), testOptions()) {
		t.Error("the hash of an item with an author depends on the feed's")
	}
}

func TestFinish(t *testing.T) {
	doc, err := ParseDeferred(context.Background(), fixture(t, "rss2.xml"), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := doc.Items[0].Finish(ended); !errors.Is(err, context.Canceled) || doc.Items[0].Finished() {
		t.Errorf("Finish after the end: %v", err)
	}
	copies := make([]Item, 8)
	var wg sync.WaitGroup
	for i := range copies {
		copies[i] = doc.Items[0]
		wg.Go(func() {
			if err := copies[i].Finish(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range copies {
		if !reflect.DeepEqual(copies[i], copies[0]) || copies[i].ContentText == "" {
			t.Errorf("copy %d differs", i)
		}
	}
	again := copies[0]
	if err := again.Finish(ended); err != nil || !reflect.DeepEqual(again, copies[0]) {
		t.Errorf("Finish again: %v", err)
	}
	broken := Item{GUID: "x", pending: &pending{}} // without a scope it panics
	if err := broken.Finish(context.Background()); err == nil || broken.Finished() {
		t.Errorf("a broken item: %v", err)
	}
}

// FuzzDeferred checks for any document that reading it in two steps gives the
// items of reading it at once.
func FuzzDeferred(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		if len(body) < 1<<16 {
			checkSameDocument(t, contentType, body)
		}
	})
}
