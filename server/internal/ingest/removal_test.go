package ingest

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

// What a person deleted stays away under every identity, until it is edited.
func TestDeletedItemsStayAway(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(e *entry)
		back   bool
	}{
		{"as it was", func(*entry) {}, false},
		{"with another date", func(e *entry) { e.date = onDay(20) }, false},
		{"under https", func(e *entry) {
			e.guid, e.link = strings.Replace(e.guid, "http:", "https:", 1), strings.Replace(e.link, "http:", "https:", 1)
		}, false},
		{"under another id", func(e *entry) { e.guid = "tag:a.example,2026:1" }, false},
		{"under another domain", func(e *entry) {
			e.guid, e.link = strings.Replace(e.guid, "a.example", "b.example", 1), strings.Replace(e.link, "a.example", "b.example", 1)
		}, false},
		{"under another id and page", func(e *entry) { e.guid, e.link = "x1", "https://a.example/other" }, false},
		{"edited", func(e *entry) { e.text += "And there is more." }, true},
		{"edited under another id", func(e *entry) { e.guid, e.text = "x1", e.text+"And there is more." }, true},
		{"another post on its page", func(e *entry) { e.guid, e.title, e.text, e.date = "x1", "Quite another", long, onDay(9) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				one, two := article(1), article(2)
				w.read(worker, src, one, two)
				contents := NewContents(w.db, w.clock, w.ids)
				for _, c := range w.contents(src.ID) {
					if c.Title == one.title {
						w.must(contents.DeleteContent(t.Context(), c.ID, nil))
					}
				}
				tc.change(&one)
				want := 1
				if tc.back {
					want = 2
				}
				for range 3 {
					w.read(worker, src, one, two, entry{guid: fmt.Sprint(w.clock.Now()), title: "filler"})
					w.want("items besides", len(w.contents(src.ID))-strings.Count(w.titles(src.ID), "filler"), want)
				}
			})
		})
	}
}

// What is remembered of a deleted item is forgotten when the feed has not listed
// it for ninety days in which it was read, and the listing is noted once a day.
func TestDeletionsAreForgotten(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		one, two := article(1), article(2)
		w.read(worker, src, one, two)
		gone := w.contents(src.ID)[0]
		w.must(NewContents(w.db, w.clock, w.ids).DeleteContent(t.Context(), gone.ID, nil))
		listed := []entry{one, two}
		if gone.Title == two.title {
			two = one
		}
		remembered := func() int {
			states, err := w.db.ContentStates(t.Context(), src.ID, []kgl.ContentIdentity{{Kind: gone.IdentityKind, Key: gone.IdentityKey}})
			w.must(err)
			return len(states)
		}
		reads := func(with ...entry) {
			w.faults.reset()
			w.read(worker, src, append(with, entry{guid: fmt.Sprint(w.clock.Now()), title: "filler"})...)
		}
		for range 25 {
			reads(listed...)
		}
		w.want("notes of the last hour", w.faults.writes["SeeRemoved"], 0)
		for range 100 { // days
			w.clock.Advance(24 * time.Hour)
			reads(listed...)
			w.want("notes of a day", w.faults.writes["SeeRemoved"], 1)
		}
		w.want("remembered while it is listed", remembered(), 1)
		w.clock.Advance(200 * 24 * time.Hour) // the feed could not be read
		reads(listed...)
		w.want("remembered after a long silence", remembered(), 1)
		for range 91 {
			w.clock.Advance(24 * time.Hour)
			reads(two)
		}
		w.want("remembered in the end", remembered(), 0)
	})
}

type removals map[string]int

func (r removals) Removed(kind string, n int) { r[kind] += n }

func (w *world) keeper(cfg Retention, owner string) (*Keeper, removals) {
	r := removals{}
	return NewKeeper(cfg, owner, w.db, w.clock, w.ids, slog.New(slog.DiscardHandler), r), r
}

func TestRetentionOfItems(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, other := w.add(feedURL), w.add("https://b.example/feed")
		worker := w.worker(Config{})
		var list []entry
		for n := range 8 {
			list = append(list, article(n))
		}
		w.read(worker, src, list...)
		w.read(worker, other, entry{guid: "b", title: "Other", text: "old", link: "https://b.example/b", date: onDay(1)})
		keeper, removed := w.keeper(Retention{MaxItems: 5}, "k1")
		w.must(keeper.Once(t.Context()))
		w.want("removed", removed, removals{"content": 3})
		var titles []string
		for n := 3; n < 8; n++ {
			titles = append(titles, article(n).title)
		}
		slices.Sort(titles)
		w.want("the newest stay", w.titles(src.ID), strings.Join(titles, ", "))
		w.want("another source", w.titles(other.ID), "Other")
		w.want("events", strings.Count(w.events(), "content.deleted"), 3)

		for range 2 { // they are still listed, also under other ids
			f := w.read(worker, src, list...)
			w.want("created", f.ItemsCreated, 0)
			list = changed(list, func(_ int, e *entry) { e.guid = strings.Replace(e.guid, "http:", "https:", 1) })
		}
		list = changed(list, func(n int, e *entry) { // an edit does not bring one back, publishing it anew does
			e.text += "More."
			if n == 0 {
				e.date = w.clock.Now().Add(time.Minute).Format(time.RFC1123Z)
			}
		})
		w.clock.Advance(time.Hour)
		f := w.read(worker, src, list...)
		w.want("created when one was published anew", f.ItemsCreated, 1)
	})
}

func TestRetentionByAge(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src := w.add(feedURL)
		cfg := Retention{MaxAge: 26 * 24 * time.Hour} // the world begins on March 1, the articles on February 1
		worker := w.worker(Config{Retention: cfg})
		list := []entry{article(0), article(1), article(6), article(7)}
		f := w.read(worker, src, list...)
		w.want("what is too old is not stored", f.ItemsCreated, 2)
		w.clock.Advance(5 * 24 * time.Hour)
		keeper, removed := w.keeper(cfg, "k1")
		w.must(keeper.Once(t.Context()))
		w.want("removed", removed, removals{"content": 2})
		f = w.read(worker, src, list...)
		w.want("created", f.ItemsCreated, 0)
	})
}

// One replica at a time runs retention.
func TestRetentionIsClaimed(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.read(worker, src, article(0), article(1), article(2))
		first, _ := w.keeper(Retention{MaxItems: 2}, "k1")
		second, removed := w.keeper(Retention{MaxItems: 1}, "k2")
		w.must(first.Once(t.Context()))
		w.must(second.Once(t.Context()))
		w.want("removed by the second", removed, removals{})
		w.clock.Advance(retentionClaim)
		w.must(second.Once(t.Context()))
		w.want("removed by the second when the claim ran out", removed, removals{"content": 1})
	})
}

func TestRetentionOfEvents(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.read(worker, src, article(0), article(1))
		es := storetest.EventsBehind(t, w.db, kgl.EventPosition{}, 3)
		old := es[0].Position
		w.clock.Advance(31 * 24 * time.Hour)
		w.read(worker, src, article(0), article(1), article(2))
		keeper, removed := w.keeper(Retention{Events: 30 * 24 * time.Hour}, "k1")
		w.must(keeper.Once(t.Context()))
		w.want("removed", removed, removals{"event": 3})
		_, err := w.db.EventsAfter(t.Context(), old, 10)
		w.wantCode(err, kgl.CodeCursorExpired)
		w.want("events behind the last that was dropped", len(storetest.EventsBehind(t, w.db, es[2].Position, 1)), 1)
		w.want("events from the beginning", w.events(), "content.created")
	})
}
