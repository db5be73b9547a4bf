package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestRevisionsSayWhatChanged(t *testing.T) {
	base := entry{guid: "g", title: "One", link: "https://a.example/one", text: long, date: onDay(1)}
	for _, tc := range []struct {
		name   string
		change func(e *entry)
		want   string // empty: no revision
	}{
		{"title", func(e *entry) { e.title = "One, corrected" }, "[title]"},
		{"text", func(e *entry) { e.text += " More." }, "[summary content]"},
		{"short text", func(e *entry) { e.text = "Short." }, "[summary content]"},
		{"link", func(e *entry) { e.link += "-moved" }, "[url]"},
		{"title and date", func(e *entry) { e.title, e.date = "Two", onDay(2) }, "[title published_at]"},
		{"categories", func(e *entry) {
			e.date += "</pubDate><category>film</category><category>music</category><pubDate>" + e.date
		}, "[categories]"},
		{"author", func(e *entry) { e.date += "</pubDate><author>ada@example.org (Ada)</author><pubDate>" + e.date }, "[authors]"},
		{"file", func(e *entry) {
			e.date += `</pubDate><enclosure url="https://a.example/a.mp3" type="audio/mpeg" length="5"/><pubDate>` + e.date
		}, "[enclosures]"},
		{"white space", func(e *entry) { e.text = strings.ReplaceAll(e.text, " ", "   ") }, ""},
		{"date only", func(e *entry) { e.date = onDay(2) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				w.read(worker, src, base)
				next := base
				tc.change(&next)
				w.read(worker, src, next)
				c := w.contents(src.ID)[0]
				list, err := w.db.ContentRevisions(t.Context(), c.ID, kgl.Page{Limit: 5})
				w.must(err)
				if tc.want == "" {
					w.want("revisions", len(list.Rows), 0)
					w.want("changed at", c.ChangedAt, c.FetchedAt)
					return
				}
				w.want("revisions", len(list.Rows), 1)
				w.want("changed", list.Rows[0].Changed, tc.want)
				w.want("changed at", c.ChangedAt, w.clock.Now())
				w.want("fetched at", c.FetchedAt, w.clock.Now().Add(-time.Hour))
			})
		})
	}
}

// An item that is edited at every fetch is held after five edits, and is up to
// date once a day from then on; when the feed falls silent it is brought up to
// date, although the document does not change any more.
func TestManyEditsAreHeld(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		version := 0
		edit := func() kgl.Fetch {
			version++
			e := article(1)
			e.text += fmt.Sprintf("Version %d.", version)
			return w.read(worker, src, e, article(2))
		}
		edit()
		for n := 1; n <= maxEdits; n++ {
			w.want("an edit within the limit", edit().ItemsUpdated, 1)
		}
		for range 10 {
			f := edit()
			w.want("an edit above the limit", f.ItemsUpdated, 0)
			w.want("warning", hasKGLWarning(f, warnHeld), true)
			w.want("outcome", f.Outcome, kgl.FetchUnchanged)
		}
		w.want("events of edits", strings.Count(w.events(), "content.updated"), maxEdits)
		item := func() kgl.Content {
			for _, c := range w.contents(src.ID) {
				if c.Title == article(1).title {
					return c
				}
			}
			t.Fatal("the item is gone")
			return kgl.Content{}
		}
		if held := item().Details.Held; held == nil || held.Reason != kgl.HeldOften {
			t.Errorf("the item is marked %+v", held)
		}
		last := version
		w.clock.Advance(editWindow - time.Hour) // the document stays as it is
		w.due(src.ID)
		w.round(worker)
		w.want("up to date after a day", strings.Contains(item().Text, fmt.Sprintf("Version %d.", last)), true)
		w.want("nothing is held any more", w.source(src.ID).State.RereadAt, (*time.Time)(nil))
		w.want("the next edit of that day", edit().ItemsUpdated, 0)
		w.clock.Advance(calmAfter)
		w.want("the first edit after a calm", edit().ItemsUpdated, 1)
		for range 3 {
			w.want("an edit after a calm", edit().ItemsUpdated, 1)
		}
		if held := item().Details.Held; held != nil {
			t.Errorf("the item is still marked %+v", held)
		}
	})
}

// An item that flips between two states makes two revisions a day at most.
func TestFlipsAreHeld(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		flip := func(n int, days int) (updated int64) {
			for i := range n {
				e := article(1)
				if i%2 == 1 {
					e.title = "Another title"
				}
				e.date += strings.Repeat(" ", i%7)
				updated += w.read(worker, src, e, article(2)).ItemsUpdated
			}
			return updated
		}
		w.want("updates of a day", flip(24, 1), 2)
		if held := w.contents(src.ID)[0].Details.Held; held == nil || held.Reason != kgl.HeldFlips {
			t.Errorf("the item is marked %+v", held)
		}
		if n := flip(10*24, 10); n > 11 {
			t.Errorf("%d updates in ten days", n)
		}
		e := article(1)
		e.text += "A real edit."
		w.want("a real edit is taken over", w.read(worker, src, e, article(2)).ItemsUpdated, 1)
	})
}

func TestRevisionsAreBounded(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{Retention: Retention{Revisions: 3}})
		for n := range 6 {
			e := article(1)
			e.title = fmt.Sprintf("Title %d", n)
			w.read(worker, src, e)
			w.clock.Advance(50 * time.Hour)
		}
		list, err := w.db.ContentRevisions(t.Context(), w.contents(src.ID)[0].ID, kgl.Page{Limit: 10})
		w.must(err)
		var titles []string
		for _, r := range list.Rows {
			titles = append(titles, r.Title)
		}
		w.want("kept", titles, "[Title 4 Title 3 Title 2]")
	})
}

// What a document costs that holds nothing new: one look, whatever the bytes.
// A field that nobody sees and that is another one at every fetch costs no write.
func TestKnownItemsCostOneLook(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		list := []entry{article(0), article(1), article(2)}
		w.read(worker, src, list...)
		for n := range 3 {
			w.faults.reset()
			w.read(worker, src, changed(list, func(_ int, e *entry) {
				e.date += fmt.Sprintf("</pubDate><views>%d</views><pubDate>%s", n, onDay(n+1))
			})...)
			w.want("looks", w.faults.looked, map[string]int{"ContentStates": 1})
			w.want("writes", w.faults.writes, map[string]int{"FinishFetch": 1})
		}
		w.faults.reset()
		w.read(worker, src, append(changed(list, func(_ int, e *entry) { e.date = onDay(5) }), article(3))...)
		w.want("looks with a new item", w.faults.looked, map[string]int{"ContentStates": 1, "SimilarContents": 1})
		w.want("moves with a new item", w.faults.writes["MoveContents"], 1)
	})
}
