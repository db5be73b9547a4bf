package feed

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
	"golang.org/x/text/encoding/charmap"
)

// TestAgreesWithGofeed compares title, link and date of the items of captured
// feeds with what gofeed reads where it reads something. Each difference has a
// rule of this package as its reason; one without is a regression.
func TestAgreesWithGofeed(t *testing.T) {
	reasons := map[string]int{}
	compared := 0
	compare := func(dir string) {
		walkFiles(t, dir, func(path string, body []byte) {
			doc, err := Parse(context.Background(), body, testOptions())
			theirs, gerr := gofeed.NewParser().Parse(bytes.NewReader(body))
			if err != nil || gerr != nil || len(doc.Items) != len(theirs.Items) {
				return // the count of items is compared by TestCapturedFeeds
			}
			for i := range doc.Items {
				it, other := &doc.Items[i], theirs.Items[i]
				compared++
				for field, reason := range map[string]string{
					"title": titleDiffers(it, other), "link": linkDiffers(doc, it, other), "date": dateDiffers(it, other),
				} {
					if reason == "?" {
						t.Errorf("%s, item %d: %s\nis   %q %q %s\ngofeed: %q %q %q %v %q %v", strings.TrimPrefix(path, dir), i, field, it.Title, it.URL, it.PublishedAt,
							other.Title, other.Link, other.Published, other.PublishedParsed, other.Updated, other.UpdatedParsed)
					}
					if reason != "" {
						reasons[field+": "+reason]++
					}
				}
			}
		})
	}
	compare(gofeedDir(t))
	t.Run("captured", func(t *testing.T) { compare(sharedDir(t, "feeds")) })
	t.Logf("%d items compared; differences: %v", compared, reasons)
}

// titleDiffers returns why the title is not that of gofeed: empty when it is,
// "?" when there is no reason.
func titleDiffers(it *Item, other *gofeed.Item) string {
	theirs := collapse(other.Title)
	switch {
	case theirs == "" || it.Title == theirs:
		return ""
	case it.Title == plainLine(other.Title, 1000):
		return "titles are plain text: markup is removed, references are decoded"
	}
	if meant, err := charmap.Windows1252.NewEncoder().String(theirs); err == nil && it.Title == meant {
		return "bytes that are UTF-8 are read as UTF-8, whatever is declared"
	}
	return "?"
}

func linkDiffers(doc *Document, it *Item, other *gofeed.Item) string {
	theirs := strings.TrimSpace(other.Link)
	switch {
	case theirs == "" || it.URL == theirs:
		return ""
	case it.URL == newResolver(doc.Feed.Link, testOptions().BaseURL).link(theirs, false) || it.URL == newResolver(testOptions().BaseURL).link(theirs, false):
		return "links are absolute and in the form of a URL"
	case len(other.Extensions["feedburner"]["origLink"]) > 0 && it.URL == strings.TrimSpace(other.Extensions["feedburner"]["origLink"][0].Value):
		return "a link that feedburner replaced is the one it had before"
	case len(other.Links) > 1 && slices.Contains(other.Links, it.URL):
		return "of several links the best counts, of equal ones the first"
	case it.URL == it.GUID && !strings.Contains(theirs, "?p="):
		return "an empty link names the document and no page; the id that is an address stands in"
	case it.URL[strings.LastIndexByte(it.URL, '/'):] == theirs[strings.LastIndexByte(theirs, '/'):]:
		return "the last segment of a relative xml:base is no folder, unless a slash ends it (RFC 3986)"
	}
	return "?"
}

func dateDiffers(it *Item, other *gofeed.Item) string {
	theirs := other.PublishedParsed
	if theirs == nil {
		theirs = other.UpdatedParsed
	}
	switch {
	case theirs == nil || it.PublishedAt.Equal(theirs.Truncate(time.Microsecond)):
		return ""
	case theirs.After(testNow):
		return "a date in the future is not believed"
	case theirs.Before(firstDay):
		return "a date before 1970-01-02 is none"
	}
	return "?"
}
