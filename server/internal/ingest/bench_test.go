package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// BenchmarkIngestNewItems measures new items per second from the bytes of a
// document to their commit, without network: one worker, documents of 30 items
// with a body of about 3 KB each, and one enrichment task for each item.
func BenchmarkIngestNewItems(b *testing.B) {
	onBenchEngines(b, func(b *testing.B, w *world) {
		benchmarkRounds(b, w, 30, func(round int) string { return benchPage(round, 30) })
	})
}

// BenchmarkIngestKnownItems measures items per second that are met again in a
// document whose bytes changed and whose items did not.
func BenchmarkIngestKnownItems(b *testing.B) {
	onBenchEngines(b, func(b *testing.B, w *world) {
		page := benchPage(0, 30)
		benchmarkRounds(b, w, 30, func(round int) string { return fmt.Sprintf("%s<!-- %d -->", page, round) })
	})
}

// BenchmarkIngestFewNewItems measures documents of 30 items of which three are
// new, as those of most feeds are.
func BenchmarkIngestFewNewItems(b *testing.B) {
	onBenchEngines(b, func(b *testing.B, w *world) {
		benchmarkRounds(b, w, 30, func(round int) string {
			const sentence = "The programme pays &lt;b&gt;small grants&lt;/b&gt; to people who make films, music and games. "
			list := make([]string, 30)
			for i := range list {
				list[i] = fmt.Sprintf("item-%d|%s", 3*round+i, strings.Repeat(sentence, 30))
			}
			return rss("bench", list...)
		})
	})
}

// onBenchEngines runs a benchmark on SQLite, and on Postgres where a server for
// it is named: one that a test starts would not be set up for speed.
func onBenchEngines(b *testing.B, run func(b *testing.B, w *world)) {
	b.Run("sqlite", func(b *testing.B) {
		url := "sqlite:///" + filepath.Join(b.TempDir(), "kgl.db")
		if err := store.MigrateUp(context.Background(), url); err != nil {
			b.Fatal(err)
		}
		run(b, newWorld(b, url))
	})
	if os.Getenv(pgtest.EnvURL) != "" {
		b.Run("postgres", func(b *testing.B) { run(b, newWorld(b, postgresTemplate.NewDatabase(b))) })
	}
}

func benchmarkRounds(b *testing.B, w *world, items int, page func(round int) string) {
	src := w.add(feedURL)
	round := 0
	w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
		round++
		return answer(200, page(round)), nil
	})
	worker := NewWorker(Config{Owner: "bench", Extractors: []string{"mock"}}, w.db, w.web, w.clock, w.ids,
		slog.New(slog.DiscardHandler), w.metrics, nil)
	w.round(worker)
	b.ResetTimer()
	for range b.N {
		w.clock.Advance(time.Minute)
		w.due(src.ID)
		if w.round(worker) != 1 {
			b.Fatal("the source was not due")
		}
	}
	b.ReportMetric(float64(b.N*items)/b.Elapsed().Seconds(), "items/s")
	if w.source(src.ID).Status != kgl.SourceActive {
		b.Fatal("the feed could not be stored")
	}
}

func benchPage(round, items int) string {
	const sentence = "The programme pays &lt;b&gt;small grants&lt;/b&gt; to people who make films, music and games. "
	list := make([]string, items)
	for i := range list {
		list[i] = fmt.Sprintf("item-%d-%d|%s", round, i, strings.Repeat(sentence, 30))
	}
	return rss("bench", list...)
}
