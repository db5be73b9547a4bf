package demo

import (
	"context"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestGazette reads the damaged feed as the service does: all items come back,
// and the document says that it was mended.
func TestGazette(t *testing.T) {
	s := newServer(t, kgl.NewFakeClock(start()))
	if page := body(t, get(t, s, base+gazettePath)); !strings.Contains(page, `rel="alternate"`) {
		t.Errorf("the page announces no feed: %s", page)
	}
	res := get(t, s, base+gazettePath+"news.rss")
	doc, err := feed.Parse(context.Background(), []byte(body(t, res)), feed.Options{
		ContentType: res.Header.Get("Content-Type"), BaseURL: base + gazettePath + "news.rss", Now: start(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !doc.Repaired || len(doc.Items) != gazetteStories+3 {
		t.Fatalf("repaired %t, %d items: %v", doc.Repaired, len(doc.Items), doc.Warnings)
	}
	for _, title := range []string{"Grants & prizes of the week — café edition", "A letter without a date", "An item that ends with the document"} {
		found := false
		for _, it := range doc.Items {
			found = found || it.Title == title && it.PublishedInferred && strings.HasPrefix(it.URL, base+gazettePath)
		}
		if !found {
			t.Errorf("no item %q", title)
		}
	}
	for _, f := range s.Feeds() {
		if strings.Contains(f.URL, gazettePath) {
			t.Error("the gazette is subscribed")
		}
	}
}
