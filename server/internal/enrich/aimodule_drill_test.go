//go:build drill

package enrich

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

const (
	drillWaiting = 1500 // what 30 minutes at 50 a minute leave
	drillArrives = 1200 * time.Millisecond
	drillMost    = 10 * time.Minute
)

// TestDrillAIBacklog works off what an outage of half an hour left, while 50 items
// a minute keep coming, with a module that takes its time. The clock is the real
// one.
func TestDrillAIBacklog(t *testing.T) {
	for _, c := range []struct {
		engine      string
		concurrency int
		latency     time.Duration // on average; each item takes a half to one and a half of it
	}{
		{"sqlite", 16, 2 * time.Second}, {"sqlite", 100, 2 * time.Second}, {"sqlite", 100, 10 * time.Second},
		{"postgres", 16, 2 * time.Second}, {"postgres", 100, 2 * time.Second}, {"postgres", 100, 10 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s, %d at once, %v each", c.engine, c.concurrency, c.latency), func(t *testing.T) {
			d := newDrill(t, c.engine)
			fake := aifake.New(t)
			fake.Latency(func() time.Duration { return c.latency/2 + time.Duration(mathrand.Int64N(int64(c.latency))) })
			fake.Down()
			for range drillWaiting {
				d.add(t)
			}
			module := newTestModule(t, d.clock, nil, AIConfig{URL: fake.URL(), Concurrency: c.concurrency})
			worker := NewWorker(d.db, NewRecorder(d.db, d.clock, d.ids, nil), module, d.clock, d.ids, slog.New(slog.DiscardHandler), d, Config{
				Concurrency: c.concurrency, Batch: 4 * c.concurrency, Lease: 10 * time.Minute, ExtractTimeout: 5 * time.Minute,
			})
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- worker.Run(ctx) }()
			time.Sleep(20 * time.Second) // the end of the outage: the breaker is open
			if n := d.outcomes(OutcomeRetried, OutcomeBuried); n > 0 {
				t.Errorf("%d attempts counted during the outage", n)
			}

			fake.Up()
			began := time.Now()
			arrivals := time.NewTicker(drillArrives)
			defer arrivals.Stop()
			for d.outcomes(OutcomeProcessed) < d.added.Load() {
				if time.Since(began) > drillMost {
					t.Fatalf("after %v %d of %d are processed", drillMost, d.outcomes(OutcomeProcessed), d.added.Load())
				}
				select {
				case <-arrivals.C:
					d.add(t)
					worker.Notify()
				case <-time.After(50 * time.Millisecond):
				}
				if d.added.Load()-d.outcomes(OutcomeProcessed) <= int64(2*c.latency/drillArrives)+1 {
					break // only what just came is left
				}
			}
			took := time.Since(began)
			n := d.outcomes(OutcomeProcessed)
			t.Logf("%s, %d at once, %v each: %d items in %v, %.0f a minute; at most %d at the module at once; peak memory of the process %s",
				c.engine, c.concurrency, c.latency, n, took.Round(100*time.Millisecond), float64(n)/took.Minutes(), fake.Peak(), peakMemory(t))
			if n := d.outcomes(OutcomeRetried, OutcomeBuried); n > 0 {
				t.Errorf("%d attempts failed", n)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// drill is a database on the real clock.
type drill struct {
	db     *store.DB
	clock  kgl.Clock
	ids    kgl.IDSource
	source string
	added  atomic.Int64
	ended  map[Outcome]*atomic.Int64
}

// EnrichmentTask implements Metrics.
func (d *drill) EnrichmentTask(_ string, o Outcome, _ time.Duration) { d.ended[o].Add(1) }

// outcomes returns how many tasks ended in one of these ways.
func (d *drill) outcomes(os ...Outcome) (n int64) {
	for _, o := range os {
		n += d.ended[o].Load()
	}
	return n
}

func newDrill(t *testing.T, engine string) *drill {
	t.Helper()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	if engine == "postgres" {
		url = postgresTemplate.NewDatabase(t)
	} else if err := migrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	clock := kgl.ClockFunc(time.Now)
	d := &drill{db: db, clock: clock, ids: kgl.NewUUIDv7(clock, rand.Reader), ended: map[Outcome]*atomic.Int64{}}
	for _, o := range []Outcome{OutcomeProcessed, OutcomeSkipped, OutcomeSuperseded, OutcomeRetried, OutcomeBuried, OutcomeReleased, OutcomeLost, OutcomeWithheld} {
		d.ended[o] = &atomic.Int64{}
	}
	d.source = d.ids.NewID()
	now := clock.Now()
	err = db.CreateSource(t.Context(), kgl.Source{
		ID: d.source, URL: "https://feed.example/", URLKey: "https://feed.example/", Host: "feed.example",
		Tags: []string{}, Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// add stores an item of about 3 KB that names a dozen of 400 entities, and its task.
func (d *drill) add(t *testing.T) {
	t.Helper()
	var text strings.Builder
	for range 12 {
		n := mathrand.IntN(400)
		fmt.Fprintf(&text, "The news about Maker %c%c are that it opened a fund for those who make films, songs and games on their own, and that "+
			"it wants to go on with it for as long as there is money left; who wants some writes a letter of two pages, "+
			"with a plan. ", 'A'+n/20, 'a'+n%20)
	}
	d.addText(t, text.String())
}

// addText stores an item with this text, and its task.
func (d *drill) addText(t *testing.T, text string) {
	t.Helper()
	now := d.clock.Now()
	c := kgl.Content{ID: d.ids.NewID(), SourceID: d.source, IdentityKind: kgl.IdentityGUID, Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now}
	c.GUID, c.IdentityKey = c.ID, c.ID
	c.Title, c.Text, c.PublishedAt, c.ContentHash = "A title", text, now, c.ID
	c.Authors, c.Categories, c.Enclosures = []kgl.Author{}, []string{}, []kgl.Enclosure{}
	err := d.db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
		if _, err := tx.CreateContents(ctx, []kgl.Content{c}); err != nil {
			return err
		}
		return tx.CreateTasks(ctx, []kgl.EnrichmentTask{kgl.NewEnrichmentTask(d.ids, now, c.ID, d.source, 1, kgl.LaneAI)})
	})
	if err != nil {
		t.Fatal(err)
	}
	d.added.Add(1)
}

// peakMemory returns the largest resident size of this process, the fake and the
// test included, where the system tells it.
func peakMemory(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

// TestDrillAIMemory has a hundred items of the largest size at the module at once,
// which answers each with as much as is read of an answer.
func TestDrillAIMemory(t *testing.T) {
	const items = 100
	debug.SetMemoryLimit(400 << 20) // as the binary does, see server/cmd/kgl
	answer := largestAnswer(t)
	var there atomic.Int64
	all := make(chan struct{})
	module := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if there.Add(1) == items {
			close(all)
		}
		<-all
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(module.Close)
	d := newDrill(t, "sqlite")
	text := strings.Repeat("Word of \"a text\" ", 512<<10/17)
	for range items {
		d.addText(t, text)
	}
	m := newTestModule(t, d.clock, nil, AIConfig{URL: module.URL, Concurrency: items})
	m.limiter.limit = items
	worker := NewWorker(d.db, NewRecorder(d.db, d.clock, d.ids, nil), m, d.clock, d.ids, slog.New(slog.DiscardHandler), d, Config{
		Concurrency: items, Batch: items, Lease: 10 * time.Minute, ExtractTimeout: 5 * time.Minute,
	})
	if n, err := worker.RunOnce(t.Context()); err != nil || n != items {
		t.Fatalf("%d tasks: %v", n, err)
	}
	if n := d.outcomes(OutcomeProcessed); n != items {
		t.Errorf("%d processed, want %d", n, items)
	}
	t.Logf("%d items of %d KiB at once, answered with %d KiB each: peak memory of the process, module included: %s", items, len(text)>>10, len(answer)>>10, peakMemory(t))
}

// largestAnswer returns an answer of nearly MaxAIAnswer bytes.
func largestAnswer(t *testing.T) []byte {
	t.Helper()
	word := "Word"
	var a aiclient.Extraction
	for i := range 20 {
		e := aiclient.Entity{Name: word, Type: fmt.Sprintf("kind_%c", 'a'+i), Confidence: 0.5}
		for n := range maxAnswerPositions {
			e.Positions = append(e.Positions, aiclient.Position{Start: int64(n) * 17, End: int64(n)*17 + 4, Quote: &word})
		}
		a.Entities = append(a.Entities, e)
	}
	fact := strings.Repeat("It is so. ", 60)
	for range maxAnswerRelationships - 1000 {
		a.Relationships = append(a.Relationships, aiclient.Relationship{From: word, To: word, FromType: optional("kind_a"), ToType: optional("kind_b"), Type: "is", Fact: &fact})
	}
	body, err := json.Marshal(a)
	if err != nil || len(body) > MaxAIAnswer {
		t.Fatalf("an answer of %d bytes: %v", len(body), err)
	}
	return body
}
