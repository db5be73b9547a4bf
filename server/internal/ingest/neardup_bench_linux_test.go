package ingest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/neardup"
)

var nearItems = flag.Int("near-items", 5000, "items that are stored before BenchmarkNearDuplicates measures")

// BenchmarkNearDuplicates measures what the search for nearly equal texts adds
// to storing an item, in transactions of 30 items as ingestion uses them: reading
// the text and making keys, storing them, finding candidates, comparing. CPU is
// that of this process, which on SQLite is all; on Postgres see the time.
//
//	go test ./server/internal/ingest -run xxx -bench NearDuplicates -benchmem -near-items 100000
func BenchmarkNearDuplicates(b *testing.B) {
	onBenchEngines(b, func(b *testing.B, w *world) {
		worker := w.worker(Config{})
		r := rand.New(rand.NewPCG(1, 1))
		sources := make([]kgl.Source, 50)
		for i := range sources {
			sources[i] = w.addAt(fmt.Sprintf("h%d.example", i))
		}
		for stored := 0; stored < *nearItems; stored += 1000 {
			storeArticles(b, w, worker, r, sources, 1000)
		}
		b.ReportAllocs()
		b.ResetTimer()
		var spent [4]time.Duration
		items, candidates, most := 0, 0, 0
		for range b.N {
			cs := articles(w, r, sources[r.IntN(len(sources))], 30)
			w.must(w.db.InTx(b.Context(), func(ctx context.Context, tx kgl.Store) error {
				_, err := tx.CreateContents(ctx, cs)
				w.must(err)
				at := cpuTime()
				lap := func(n int) {
					now := cpuTime()
					spent[n] += now - at
					at = now
				}
				texts := readItems(cs)
				keys := make([]kgl.ContentKeys, len(cs))
				for i, c := range cs {
					keys[i] = keysOf(c.ID, c.SourceID, c.FetchedAt, texts[c.ID])
				}
				lap(0)
				heads, err := tx.NearHeads(ctx, keys, start.Add(-nearWindow), maxCompared)
				w.must(err)
				lap(1)
				w.must(tx.PutContentKeys(ctx, keys))
				lap(2)
				for _, h := range heads {
					candidates, most = candidates+len(h), max(most, len(h))
				}
				_, err = worker.findNear(ctx, tx, keys, texts, start.Add(-nearWindow))
				lap(3)
				return err
			}))
			items += len(cs)
		}
		perItem := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(items) }
		b.ReportMetric(perItem(spent[0]), "us-keys/item")
		b.ReportMetric(perItem(spent[1]), "us-find/item")
		b.ReportMetric(perItem(spent[2]), "us-store/item")
		b.ReportMetric(perItem(spent[3]-spent[1]), "us-compare/item")
		b.ReportMetric(float64(candidates)/float64(items), "candidates/item")
		b.ReportMetric(float64(most), "candidates-max")
	})
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func storeArticles(b *testing.B, w *world, worker *Worker, r *rand.Rand, sources []kgl.Source, n int) {
	b.Helper()
	var cs []kgl.Content
	for range n {
		cs = append(cs, articles(w, r, sources[r.IntN(len(sources))], 1)...)
	}
	_, err := w.db.CreateContents(b.Context(), cs)
	w.must(err)
	keys := make([]kgl.ContentKeys, len(cs))
	for i, c := range cs {
		keys[i] = keysOf(c.ID, c.SourceID, c.FetchedAt, neardup.Read(c.Title, c.Text))
	}
	w.must(w.db.PutContentKeys(b.Context(), keys))
}

// articles returns items of about 300 words; a tenth repeats an earlier one, and
// a tenth is made from one template.
func articles(w *world, r *rand.Rand, s kgl.Source, n int) []kgl.Content {
	cs := make([]kgl.Content, n)
	for i := range cs {
		seed := r.Uint64()
		switch r.IntN(10) {
		case 0:
			seed = uint64(r.IntN(1000))
		case 1:
			cs[i] = w.item(s, "A grant", award(fmt.Sprint("w", seed), fmt.Sprint(seed)))
			continue
		}
		own := rand.New(rand.NewPCG(seed, 2))
		words := make([]string, 300)
		for k := range words {
			words[k] = fmt.Sprintf("%c%x", 'a'+rune(own.IntN(26)), own.IntN(3000))
		}
		cs[i] = w.item(s, "A title", strings.Join(words, " "))
	}
	return slices.Clip(cs)
}
