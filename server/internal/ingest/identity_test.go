package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// entry is an item of a feed that a test writes. Fields that are empty are not
// published.
type entry struct {
	guid, title, link, text, date string
}

// onDay returns a date of publication in March 2026.
func onDay(n int) string {
	return time.Date(2026, 2, n, 10, 0, 0, 0, time.UTC).Format(time.RFC1123Z)
}

// document returns a feed of entries.
func document(entries ...entry) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><rss version="2.0"><channel><title>alpha</title><link>https://a.example/</link>`)
	for _, e := range entries {
		b.WriteString("<item>")
		for _, f := range [][2]string{{"guid", e.guid}, {"title", e.title}, {"link", e.link}, {"description", e.text}, {"pubDate", e.date}} {
			if f[1] != "" {
				fmt.Fprintf(&b, "<%s>%s</%s>", f[0], f[1], f[0])
			}
		}
		b.WriteString("</item>")
	}
	return b.String() + "</channel></rss>"
}

// article returns the n-th of some articles that have nothing in common but
// their feed.
func article(n int) entry {
	words := []string{"grants", "films", "music", "games", "radio", "books", "dance", "comics"}
	return entry{
		guid: fmt.Sprintf("http://a.example/?p=%d", n), title: "About " + words[n%len(words)], link: fmt.Sprintf("http://a.example/%s-%d", words[n%len(words)], n),
		text: strings.Repeat(fmt.Sprintf("The %s programme number %d opens in spring. ", words[n%len(words)], n), 8), date: onDay(n + 1),
	}
}

// changed returns entries with a change made to each.
func changed(entries []entry, change func(n int, e *entry)) []entry {
	out := slices.Clone(entries)
	for i := range out {
		change(i, &out[i])
	}
	return out
}

// read has the worker read a document of the source's.
func (w *world) read(worker *Worker, src kgl.Source, entries ...entry) kgl.Fetch {
	w.t.Helper()
	w.clock.Advance(time.Hour)
	w.due(src.ID)
	w.web.serve(src.URL, answer(200, document(entries...)))
	w.round(worker)
	return w.fetches(src.ID)[0]
}

func TestIdentityScenarios(t *testing.T) {
	three := []entry{article(0), article(1), article(2)}
	live := func(n int) entry {
		return entry{guid: fmt.Sprintf("live-%d", n), title: fmt.Sprintf("Update %d", n), link: "https://a.example/live",
			text: strings.Repeat(fmt.Sprintf("At %d o'clock something new was said. ", n), 12), date: onDay(n)}
	}
	for _, tc := range []struct {
		name      string
		before    []entry
		after     []entry
		items     int // stored in the end
		created   int64
		updated   int64
		rewritten bool // the identities are those of the last document
	}{
		{"nothing changed", three, three, 3, 0, 0, true},
		{"all ids from http to https", three, changed(three, func(_ int, e *entry) {
			e.guid = strings.Replace(e.guid, "http:", "https:", 1)
		}), 3, 0, 0, true},
		{"all ids and links from http to https", three, changed(three, func(_ int, e *entry) {
			e.guid, e.link = strings.Replace(e.guid, "http:", "https:", 1), strings.Replace(e.link, "http:", "https:", 1)
		}), 3, 0, 0, true},
		{"another domain", three, changed(three, func(_ int, e *entry) {
			e.guid, e.link = strings.Replace(e.guid, "a.example", "b.example", 1), strings.Replace(e.link, "a.example", "b.example", 1)
		}), 3, 0, 3, true},
		{"from a permalink to a tag URI", changed(three, func(_ int, e *entry) { e.guid = e.link }), changed(three, func(n int, e *entry) {
			e.guid = fmt.Sprintf("tag:a.example,2026:%d", n)
		}), 3, 0, 0, true},
		{"a fragment is added", changed(three, func(_ int, e *entry) { e.guid = e.link }), changed(three, func(_ int, e *entry) {
			e.guid = e.link + "#comments"
		}), 3, 0, 0, true},
		{"from ?p=12 to a pretty permalink", changed(three, func(_ int, e *entry) { e.link = e.guid }), changed(three, func(n int, e *entry) {
			e.link = fmt.Sprintf("http://a.example/2026/post-%d/", n)
			e.guid = e.link
		}), 3, 0, 3, true},
		{"another software: ids, summaries", three, changed(three, func(n int, e *entry) {
			e.guid, e.text = fmt.Sprintf("urn:uuid:0000000%d-0000-4000-8000-000000000000", n), "Read more"
		}), 3, 0, 3, true},
		{"ids appear", changed(three, func(_ int, e *entry) { e.guid = "" }), three, 3, 0, 0, true},
		{"ids disappear", three, changed(three, func(_ int, e *entry) { e.guid = "" }), 3, 0, 0, true},
		{"all ids become equal", three, changed(three, func(_ int, e *entry) { e.guid = "http://a.example/" }), 3, 0, 0, true},
		{"all ids were equal", changed(three, func(_ int, e *entry) { e.guid = "http://a.example/" }), three, 3, 0, 0, true},
		{"an id is repeated", three, append(changed(three, func(_ int, e *entry) { e.guid = three[0].guid }), article(3)), 4, 1, 0, true},
		{"a page for all posts, both listed", []entry{live(1)}, []entry{live(2), live(1)}, 2, 1, 0, true},
		{"a page for all posts, one after the other", []entry{live(1)}, []entry{live(2)}, 2, 1, 0, false},
		{"a page for all posts, with one title", []entry{live(1)}, changed([]entry{live(2)}, func(_ int, e *entry) { e.title = "Update 1" }), 2, 1, 0, false},
		{"posts that differ in a fragment", changed([]entry{live(1)}, func(_ int, e *entry) { e.guid = e.link + "#1" }),
			changed([]entry{live(2)}, func(_ int, e *entry) { e.guid = e.link + "#2" }), 2, 1, 0, false},
		{"a weekly post with the same words", []entry{{guid: "w1", title: "Weekly call", link: "https://a.example/w1", text: long, date: onDay(1)}},
			[]entry{{guid: "w2", title: "Weekly call", link: "https://a.example/w2", text: long, date: onDay(8)}}, 2, 1, 0, false},
		{"two posts with the same words", []entry{{guid: "w1", title: "Call", link: "https://a.example/w1", text: long, date: onDay(1)}},
			[]entry{{guid: "w2", title: "Call", link: "https://a.example/w2", text: long, date: onDay(1)}, {guid: "w3", title: "Call", link: "https://a.example/w3", text: long, date: onDay(1)}}, 3, 2, 0, false},
		{"an id that moves to another page is trusted", []entry{article(1)}, changed([]entry{article(1)}, func(_ int, e *entry) { e.link += "-moved" }), 1, 0, 1, true},
		{"short posts under another domain", []entry{{guid: "http://a.example/s/1", title: "Hello", link: "http://a.example/s/1", text: "Short.", date: onDay(3)}},
			[]entry{{guid: "https://b.example/x1", title: "Hello", link: "https://b.example/x1", text: "Short.", date: onDay(3)}}, 1, 0, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				w.read(worker, src, tc.before...)
				first := map[string]bool{}
				for _, c := range w.contents(src.ID) {
					first[c.ID] = true
				}
				f := w.read(worker, src, tc.after...)
				w.want("created", f.ItemsCreated, tc.created)
				w.want("updated", f.ItemsUpdated, tc.updated)
				items := w.contents(src.ID)
				w.want("items", len(items), tc.items)
				kept := 0
				for _, c := range items {
					if first[c.ID] {
						kept++
					}
				}
				w.want("rows that kept their ids", kept, len(tc.before))
				if !tc.rewritten {
					return
				}
				w.faults.reset()
				f = w.read(worker, src, append(slices.Clone(tc.after), entry{guid: "extra", title: "Extra", link: "https://a.example/extra", date: onDay(20)})...)
				w.want("the next fetch knows all at once", fmt.Sprint(f.ItemsCreated, f.ItemsUpdated), "1 0")
				w.want("items in the end", len(w.contents(src.ID)), tc.items+1)
			})
		})
	}
}
