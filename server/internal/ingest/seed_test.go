package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func opml(feeds ...string) []byte {
	var b strings.Builder
	b.WriteString(`<opml version="2.0"><body><outline text="Film &amp; video">`)
	for _, f := range feeds {
		fmt.Fprintf(&b, `<outline type="rss" text="Feed of %[1]s" xmlUrl="%[1]s"/>`, f)
	}
	b.WriteString(`</outline></body></opml>`)
	return []byte(b.String())
}

// urls returns the URLs of all sources, in their order.
func (w *world) urls() string {
	w.t.Helper()
	l, err := w.db.Sources(w.t.Context(), kgl.SourceFilter{}, kgl.SourceByTitle, kgl.Page{Limit: 100})
	w.must(err)
	var list []string
	for _, s := range l.Rows {
		list = append(list, s.URL)
	}
	return strings.Join(list, " ")
}

func TestDefaultSeeds(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		done, err := w.sources.Seed(t.Context(), DefaultSeeds)
		w.must(err)
		w.want("added", fmt.Sprint(done.Added, len(done.Refused)), "5 0")
		list, err := feed.ParseOPML(t.Context(), DefaultSeeds)
		w.must(err)
		for _, sub := range list {
			if !strings.HasPrefix(sub.FeedURL, "https://") || sub.Title == "" {
				t.Errorf("seed %+v has no title or no safe URL", sub)
			}
		}
	})
}

func TestSeedsOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		list := opml("https://a.example/feed", "http://127.0.0.1/private", "https://b.example/feed", "https://www.a.example/feed")
		done, err := w.sources.Seed(t.Context(), list)
		w.must(err)
		w.want("added", done.Added, 2)
		w.want("refused", len(done.Refused), 1)
		if !strings.Contains(fmt.Sprint(done.Refused), "http://127.0.0.1/private") {
			t.Errorf("%v does not name the feed", done.Refused)
		}
		l, err := w.db.Sources(t.Context(), kgl.SourceFilter{}, kgl.SourceByTitle, kgl.Page{Limit: 5})
		w.must(err)
		first := l.Rows[0]
		w.want("first source", fmt.Sprint(first.Title, first.TitleIsManual, first.Tags, first.CreatedBy), "Feed of https://a.example/feedfalse [film & video]")

		// What a person deleted does not come back with the next start.
		w.must(w.sources.Delete(t.Context(), first.ID, nil))
		done, err = w.sources.Seed(t.Context(), list)
		w.must(err)
		w.want("added by the second start", done.Added, 0)
		w.want("sources", w.urls(), "https://b.example/feed")
	})
}

func TestSeedsThatAreNoList(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		_, err := w.sources.Seed(t.Context(), []byte("<html></html>"))
		w.wantCode(err, kgl.CodeFeedInvalid)
		done, err := w.sources.Seed(t.Context(), opml("https://a.example/feed"))
		w.must(err)
		w.want("added when the list was mended", done.Added, 1)
	})
}

func TestSeedsOfReplicas(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		list := opml("https://a.example/feed", "https://b.example/feed", "https://c.example/feed")
		const replicas = 4
		added, errs := make([]Subscribed, replicas), make([]error, replicas)
		var group sync.WaitGroup
		begin := make(chan struct{})
		for i := range replicas {
			sources := NewSources(w.open(), w.client(), w.clock, w.ids, nil)
			group.Go(func() {
				<-begin
				added[i], errs[i] = sources.Seed(t.Context(), list)
			})
		}
		close(begin)
		group.Wait()
		total := 0
		for i, err := range errs {
			w.must(err)
			total += added[i].Added
		}
		w.want("added by all", total, 3)
		w.want("sources", w.urls(), "https://a.example/feed https://b.example/feed https://c.example/feed")
		w.want("events", w.events(), "source.created source.created source.created")
	})
}

func TestSubscribe(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.add("https://a.example/feed")
		done, err := w.sources.Subscribe(t.Context(), []feed.Subscription{
			{FeedURL: "https://a.example/feed"},
			{FeedURL: "ftp://b.example/feed"},
			{FeedURL: "https://c.example/feed", Title: strings.Repeat("long ", 100) + "\x1b[2J", Categories: []string{" ", strings.Repeat("x", 50), "a\tb"}},
		})
		w.must(err)
		w.want("done", fmt.Sprint(done.Added, len(done.Refused)), "1 1")
		c, err := w.db.SourceByURLKey(t.Context(), mustKey(t, "https://c.example/feed"))
		w.must(err)
		w.want("tags", c.Tags, []string{strings.Repeat("x", 40), "a b"})
		w.want("title", c.Title, strings.TrimSpace(strings.Repeat("long ", 60)))
	})
}

func mustKey(t *testing.T, url string) string {
	t.Helper()
	key, err := feed.CanonicalURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
