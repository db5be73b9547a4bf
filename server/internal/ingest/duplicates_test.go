package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// long is a text that is long enough to be compared.
var long = strings.Repeat("A grant for creators of short films opens in spring. ", 8)

// heads returns "title of the source: title of the head's source" for every
// folded item.
func (w *world) heads(sources ...kgl.Source) string {
	w.t.Helper()
	name := map[string]string{}
	for _, s := range sources {
		for _, c := range w.contents(s.ID) {
			name[c.ID] = s.Host
		}
	}
	var list []string
	for _, s := range sources {
		for _, c := range w.contents(s.ID) {
			if c.DuplicateOf != "" {
				list = append(list, s.Host+"->"+name[c.DuplicateOf])
			}
		}
	}
	return strings.Join(list, " ")
}

func (w *world) addAt(host string) kgl.Source { return w.add("https://" + host + "/feed") }

func TestDuplicatesAcrossSources(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		a, b, c := w.addAt("a.example"), w.addAt("b.example"), w.addAt("c.example")
		w.web.serve(a.URL, answer(200, rss("a", "story|short|https://news.example/story?utm_source=a")))
		w.web.serve(b.URL, answer(200, rss("b", "repost|short too|http://www.news.example/story")))
		w.web.serve(c.URL, answer(200, rss("c", "alone|"+long)))
		w.round(worker)
		first, second := a, b
		if w.contents(b.ID)[0].ID < w.contents(a.ID)[0].ID {
			first, second = b, a
		}
		w.want("heads", w.heads(a, b, c), second.Host+"->"+first.Host)
		w.want("events", strings.Count(w.events(), "duplicate_linked"), 1)

		d := w.addAt("d.example")
		w.web.serve(d.URL, answer(200, rss("d", "copy|"+strings.ToUpper(long))))
		w.clock.Advance(time.Second)
		w.round(worker)
		w.want("heads with the same text", w.heads(c, d), "d.example->c.example")
		links, err := w.db.Duplicates(t.Context(), w.contents(c.ID)[0].ID, kgl.Page{Limit: 5})
		w.must(err)
		w.want("reason", links.Rows[0].Reason, kgl.DuplicateSameText)
	})
}

// An edit makes an item the same as one that came later: the one that was seen
// first stays the head.
func TestEditedIntoADuplicate(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		a := w.addAt("a.example")
		w.web.serve(a.URL, answer(200, rss("a", "one|A first draft")))
		w.round(worker)
		w.clock.Advance(time.Minute)
		b := w.addAt("b.example")
		w.web.serve(b.URL, answer(200, rss("b", "two|"+long)))
		w.round(worker)
		w.want("heads before", w.heads(a, b), "")

		w.clock.Advance(time.Minute)
		w.due(a.ID)
		w.web.serve(a.URL, answer(200, rss("a", "one|"+long)))
		w.round(worker)
		w.want("heads", w.heads(a, b), "b.example->a.example")

		w.due(b.ID)
		w.web.serve(b.URL, answer(200, rss("b", "two|Something else altogether")))
		w.round(worker)
		w.want("heads after the sameness ended", w.heads(a, b), "")
	})
}

// Workers store the same story from several sources at the same time: none sees
// the uncommitted rows of the others, and yet one group is made.
func TestConcurrentDuplicates(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.want("heads of one story", w.headsStoredAtOnce(4, func(i int) string {
			return rss("feed", fmt.Sprintf("item-%d|%s|https://news.example/story", i, long))
		}), 1)
	})
}

// headsStoredAtOnce has n sources with the given documents fetched and stored at
// the same time, and returns how many items are not folded afterwards.
func (w *world) headsStoredAtOnce(n int, document func(i int) string) (heads int) {
	w.t.Helper()
	var sources []kgl.Source
	for i := range n {
		s := w.addAt(fmt.Sprintf("h%d.example", i))
		w.web.serve(s.URL, answer(200, document(i)))
		sources = append(sources, s)
	}
	worker := w.worker(Config{})
	var inserted sync.WaitGroup
	if w.db.Engine() == "postgres" {
		// All have inserted their item before the first looks for duplicates.
		// SQLite has one writer, so nobody could wait for another there.
		inserted.Add(n)
		w.faults.before = func(call string, _ any) error {
			if call == "FindDuplicates" {
				inserted.Done()
				inserted.Wait()
			}
			return nil
		}
	}
	var group sync.WaitGroup
	for _, l := range worker.claim(w.t.Context(), n) {
		group.Go(func() { worker.workHost(w.t.Context(), l) })
	}
	group.Wait()
	for _, s := range sources {
		for _, c := range w.contents(s.ID) {
			if c.DuplicateOf == "" {
				heads++
			}
		}
	}
	return heads
}
