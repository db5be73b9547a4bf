package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func hasKGLWarning(f kgl.Fetch, code string) bool {
	return slices.ContainsFunc(f.Warnings, func(w kgl.Warning) bool { return w.Code == code })
}

// A feed that gives its items new ids at every fetch, and a new item at every
// third: none is stored twice, none is lost, and known ones cost no write once
// the drift was seen.
func TestDriftingIDs(t *testing.T) {
	for name, drift := range map[string]func(fetch int, e *entry){
		"a session in the id":  func(fetch int, e *entry) { e.guid = fmt.Sprintf("%s&amp;session=%d", e.guid, fetch) },
		"random ids":           func(fetch int, e *entry) { e.guid = shortHash(fmt.Sprint(e.title, fetch)) },
		"random ids, no dates": func(fetch int, e *entry) { e.guid, e.date = shortHash(fmt.Sprint(e.title, fetch)), "" },
		"random ids, volatile texts": func(fetch int, e *entry) {
			e.guid, e.text = shortHash(fmt.Sprint(e.title, fetch)), e.text+fmt.Sprint(fetch, " views")
		},
		"a session in the id and the link": func(fetch int, e *entry) { e.link = fmt.Sprintf("%s?visit=%d", e.link, fetch); e.guid = e.link },
	} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				const fetches = 20
				published := 6
				for fetch := range fetches {
					if fetch > 0 && fetch%3 == 0 {
						published++
					}
					var list []entry
					for n := max(0, published-8); n < published; n++ { // the oldest leave the feed
						e := article(n)
						e.title = fmt.Sprintf("%s, part %d", e.title, n)
						drift(fetch, &e)
						list = append(list, e)
					}
					slices.Reverse(list)
					w.faults.reset()
					f := w.read(worker, src, list...)
					w.want(fmt.Sprintf("items after fetch %d", fetch), len(w.contents(src.ID)), published)
					unstable := fetch >= driftFetches
					w.want(fmt.Sprintf("the warning of fetch %d", fetch), hasKGLWarning(f, warnUnstableIDs), unstable)
					w.want(fmt.Sprintf("the state after fetch %d", fetch), w.source(src.ID).State.UnstableIDs, unstable)
					if fetch > driftFetches+1 && fetch%3 != 0 && !strings.Contains(name, "volatile") {
						w.want(fmt.Sprintf("writes of fetch %d", fetch), w.faults.writes, map[string]int{"FinishFetch": 1})
					}
				}
				if reason := w.source(src.ID).State.HealthReason; !strings.Contains(reason, "new ids") {
					t.Errorf("the reason %q does not tell of the ids", reason)
				}
			})
		})
	}
}

// A migration of all ids, once, is no drift; and ids that settle count again.
func TestDriftEnds(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		list := []entry{article(0), article(1), article(2)}
		reads := 0
		with := func(version int) { // other bytes at every fetch
			reads++
			w.read(worker, src, changed(list, func(_ int, e *entry) {
				e.guid, e.date = fmt.Sprintf("%s&amp;v=%d", e.guid, version), e.date+strings.Repeat(" ", reads)
			})...)
		}
		unstable := func() bool { return w.source(src.ID).State.UnstableIDs }
		for _, version := range []int{1, 2, 2, 3, 3, 4, 5, 5} {
			with(version)
			w.want("unstable after single changes", unstable(), false)
		}
		for version := 6; version < 9; version++ {
			with(version)
		}
		w.want("unstable", unstable(), true)
		for range settledFetches + 1 {
			w.want("unstable while they settle", unstable(), true)
			with(9)
		}
		w.want("unstable in the end", unstable(), false)
		list = append(list, article(3))
		for range 3 {
			with(9)
		}
		w.want("items", len(w.contents(src.ID)), 4)
		for _, c := range w.contents(src.ID) {
			w.want("identity of "+c.Title, c.IdentityKind, kgl.IdentityGUID)
		}
		w.want("unstable later", unstable(), false)
	})
}
