package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// followOverlap is how far behind the newest change that it has seen a follower
// begins anew, as docs/ingestion.md tells it to.
const followOverlap = 5 * time.Minute

// follower reads what changed, as other modules do.
type follower struct {
	w        *world
	revision map[string]int64 // of each item, as it was seen last
	newest   time.Time
}

// read reads all pages of what changed behind the newest change, less the overlap.
func (f *follower) read(ctx context.Context) error {
	from := f.newest.Add(-followOverlap)
	for page := (kgl.Page{Limit: 7}); ; {
		list, err := f.w.db.Contents(ctx, kgl.ContentFilter{ChangedAfter: from, Duplicates: kgl.DuplicatesAll}, kgl.ContentByChange, false, page)
		if err != nil {
			return err
		}
		for _, c := range list.Rows {
			f.revision[c.ID] = max(f.revision[c.ID], c.Revision)
			if c.ChangedAt.After(f.newest) {
				f.newest = c.ChangedAt
			}
		}
		if page.After = list.Next; page.After == nil {
			return nil
		}
	}
}

// growing is a feed that has an item more at each request, and another text in
// the one before.
func growing(name string) func(outbound.Request) (*outbound.Response, error) {
	var asked atomic.Int64
	return func(r outbound.Request) (*outbound.Response, error) {
		n := int(asked.Add(1))
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf("%s%d|Text %d of %s.", name, i, i, name)
			if i < n-1 {
				items[i] += " It was edited."
			}
		}
		resp := answer(200, rss(name, items...))
		resp.FinalURL = r.URL
		return resp, nil
	}
}

// TestFollowersMissNoChange: writers commit while a follower reads, some of them
// later than others that have a later time.
func TestFollowersMissNoChange(t *testing.T) {
	const writers, rounds, most = 6, 10, 20 * time.Second
	onEngines(t, func(t *testing.T, w *world) {
		// All that a round moves the clock is less than the overlap.
		if 2*writers*most >= followOverlap {
			t.Fatal("the rounds are too long")
		}
		later := func() { w.clock.Advance(rand.N(most)) }
		w.faults.before = func(call string, _ any) error {
			if call == "CreateContents" {
				later() // between the time of the fetch and its commit
			}
			return nil
		}
		workers, ids := make([]*Worker, writers), make([]string, writers)
		for i := range writers {
			url := fmt.Sprintf("https://h%d.example/feed", i)
			ids[i] = w.add(url).ID
			w.web.script(url, growing(fmt.Sprintf("feed%d-", i)))
			workers[i] = w.worker(Config{Owner: fmt.Sprint("worker", i), Lease: 24 * time.Hour})
		}
		f := &follower{w: w, revision: map[string]int64{}, newest: start}
		done, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-done:
					ended <- f.read(context.WithoutCancel(t.Context()))
					return
				default:
					if err := f.read(t.Context()); err != nil {
						ended <- err
						return
					}
				}
			}
		}()
		for range rounds {
			w.clock.Advance(time.Hour)
			var round sync.WaitGroup
			for i, worker := range workers {
				w.due(ids[i])
				round.Go(func() {
					later()
					for _, lease := range worker.claim(t.Context(), 1) {
						worker.workHost(t.Context(), lease)
					}
				})
			}
			round.Wait()
		}
		close(done)
		w.must(<-ended)
		stored, edited := 0, 0
		for _, id := range ids {
			for _, c := range w.contents(id) {
				stored++
				if c.Revision > 1 {
					edited++
				}
				if f.revision[c.ID] != c.Revision {
					t.Errorf("revision %d of %s was seen, want %d", f.revision[c.ID], strings.TrimSpace(c.Title), c.Revision)
				}
			}
		}
		w.want("items that were seen", len(f.revision), stored)
		// A claim may find all hosts in the hands of the others; their turn comes later.
		if stored < writers*rounds/2 || edited < stored/2 {
			t.Errorf("%d items, %d of them edited", stored, edited)
		}
	})
}
