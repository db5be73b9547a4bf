//go:build drill

package e2e

import (
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// endlessFeeds is a host on which every path is a feed of three items, with the
// names of entities in them.
func endlessFeeds(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/"), ".xml")
		var items []item
		for i := range 3 {
			id := fmt.Sprintf("%s-%d", name, i)
			items = append(items, item{
				guid: "urn:drill:" + id, link: "https://drill.example.org/" + id, title: "Item " + id,
				text: "The Mozilla Foundation gives a grant to " + html.EscapeString(id) +
					" on Patreon, and these words make a text of its own: " + id + strings.Repeat(" "+id, 20),
				published: time.Date(2026, 3, 1, 12, i, 0, 0, time.UTC),
			})
		}
		w.Header().Set("Content-Type", "application/rss+xml")
		fmt.Fprint(w, rssFeed(name, items...))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestDrillKill kills the server forty times under a load of writes, fetches and
// enrichments, some of them while it still starts. A ledger outside of it knows
// what was acknowledged.
func TestDrillKill(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		const rounds = 40
		binary.path(t) // built before the first start is timed
		in, l := newInstallation(t, engine), newLedger()
		var starts []time.Duration
		for round := range rounds {
			if round%8 == 7 { // killed while it starts
				p := in.launch(t, "serve")
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
				p.kill()
			}
			began := time.Now()
			p := in.launch(t, "serve")
			b := p.serving(in)
			starts = append(starts, time.Since(began))
			c := b.asAdmin(t)
			l.verify(t, c)
			before := l.acknowledged.Load()
			// A host of its own: those of the dead processes are left alone until
			// the leases on them end.
			w := l.begin(c, endlessFeeds(t), 6, false)
			wanted := before + 40 + rand.Int64N(80)
			eventually(t, "enough was written", func() string {
				if have := l.acknowledged.Load(); have < wanted {
					return fmt.Sprintf("%d of %d", have, wanted)
				}
				return ""
			})
			p.kill()
			w.wait()
			in.checkEffects(t)
			if t.Failed() {
				t.Fatalf("in round %d:\n%.4000s", round, p.output)
			}
		}
		b := in.launch(t, "serve").serving(in)
		l.verify(t, b.asAdmin(t))
		in.checkEffects(t)
		in.checkFeed(t)
		slices.Sort(starts)
		t.Logf("%s: %d kills, %d writes acknowledged, %d unanswered, %d items seen; start to ready: median %s, longest %s",
			engine, rounds, l.acknowledged.Load(), l.unanswered.Load(), len(l.items),
			starts[len(starts)/2].Round(time.Millisecond), starts[len(starts)-1].Round(time.Millisecond))
		if l.acknowledged.Load() < 40*rounds || len(l.items) < rounds {
			t.Error("too little was written to tell anything")
		}
	})
}
