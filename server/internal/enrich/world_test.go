package enrich

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

var postgresTemplate = pgtest.NewTemplate(migrateUp)

func migrateUp(ctx context.Context, url string) error {
	m, err := store.NewMigrator(url)
	if err != nil {
		return err
	}
	return m.Up(ctx)
}

// world is a database with one source, a clock and a source of ids.
type world struct {
	t     testing.TB
	db    *store.DB
	clock *kgl.FakeClock
	ids   kgl.IDSource

	source  string
	mu      sync.Mutex
	metrics map[Outcome]int
}

// EnrichmentTask implements Metrics.
func (w *world) EnrichmentTask(_ string, o Outcome, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.metrics[o]++
}

func (w *world) outcomes() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprint(w.metrics)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	if err := migrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, url)
}

func newWorldOn(t testing.TB, url string) *world {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	clock := kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := &world{t: t, db: db, clock: clock, ids: kgl.NewUUIDv7(clock, rand.Reader), metrics: map[Outcome]int{}}
	w.source = w.ids.NewID()
	now := clock.Now()
	w.must(db.CreateSource(t.Context(), kgl.Source{
		ID: w.source, URL: "https://feed.example/", URLKey: "https://feed.example/", Host: "feed.example",
		Tags: []string{}, Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// add stores an item with this text and the task for it.
func (w *world) add(extractor, text string) kgl.Content {
	w.t.Helper()
	now := w.clock.Now()
	c := kgl.Content{ID: w.ids.NewID(), SourceID: w.source, IdentityKind: kgl.IdentityGUID, Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now}
	c.GUID, c.IdentityKey = c.ID, c.ID
	c.Title, c.Text, c.PublishedAt, c.ContentHash = "A title", text, now, c.ID
	c.Authors, c.Categories, c.Enclosures = []kgl.Author{}, []string{}, []kgl.Enclosure{}
	ids, err := w.db.CreateContents(w.t.Context(), []kgl.Content{c})
	if err != nil || len(ids) != 1 {
		w.t.Fatalf("stored %v: %v", ids, err)
	}
	w.must(w.db.CreateTasks(w.t.Context(), []kgl.EnrichmentTask{kgl.NewEnrichmentTask(w.ids, now, c.ID, c.SourceID, c.Revision, extractor)}))
	return c
}

// revise stores another text as the next revision, with its task.
func (w *world) revise(c kgl.Content, extractor, text string) kgl.Content {
	w.t.Helper()
	c.Revision++
	c.Text, c.ContentHash, c.UpdatedAt = text, w.ids.NewID(), w.clock.Now()
	w.must(w.db.ReviseContent(w.t.Context(), c))
	w.must(w.db.CreateTasks(w.t.Context(), []kgl.EnrichmentTask{kgl.NewEnrichmentTask(w.ids, w.clock.Now(), c.ID, c.SourceID, c.Revision, extractor)}))
	return c
}

func (w *world) worker(x Extractor, cfg Config) *Worker {
	return NewWorker(w.db, NewRecorder(w.db, w.clock, w.ids, nil), x, w.clock, w.ids, slog.New(slog.DiscardHandler), w, cfg)
}

// runOnce runs one batch and wants n tasks in it.
func (w *world) runOnce(worker *Worker, n int) {
	w.t.Helper()
	got, err := worker.RunOnce(w.t.Context())
	if err != nil || got != n {
		w.t.Fatalf("a batch of %d tasks (%v), want %d", got, err, n)
	}
}

func (w *world) wantStatus(id string, want kgl.ContentStatus) {
	w.t.Helper()
	c, err := w.db.Content(w.t.Context(), id)
	w.must(err)
	if c.Status != want {
		w.t.Errorf("status %q, want %q", c.Status, want)
	}
}

// wantNotAttempted wants the tasks of these items, and no others, to be there to
// be claimed now, none of them attempted. It claims them.
func (w *world) wantNotAttempted(extractor string, contentIDs ...string) {
	w.t.Helper()
	now := w.clock.Now()
	ts, err := w.db.ClaimTasks(w.t.Context(), extractor, "test", now, now.Add(time.Minute), 100)
	w.must(err)
	got := []string{}
	for _, t := range ts {
		got = append(got, t.ContentID)
		if t.Attempts != 1 {
			w.t.Errorf("%d attempts with this claim", t.Attempts)
		}
	}
	w.want("tasks", got, contentIDs...)
}

// entities returns "type: name (mentions)" of all entities.
func (w *world) entities() []string {
	w.t.Helper()
	list, err := w.db.Entities(w.t.Context(), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 100})
	w.must(err)
	out := []string{}
	for _, e := range list.Rows {
		out = append(out, fmt.Sprintf("%s: %s (%d)", e.Type, e.Name, e.MentionCount))
	}
	return out
}

// relationships returns "from type to (evidence)" of all relationships.
func (w *world) relationships() []string {
	w.t.Helper()
	list, err := w.db.Relationships(w.t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 100})
	w.must(err)
	out := []string{}
	for _, r := range list.Rows {
		out = append(out, fmt.Sprintf("%s %s %s (%d)", r.From.Name, r.Type, r.To.Name, r.EvidenceCount))
	}
	return out
}

// events returns the types of all events, in order.
func (w *world) events() []string {
	w.t.Helper()
	es := storetest.Events(w.t, w.db)
	out := []string{}
	for _, e := range es {
		out = append(out, string(e.Type))
	}
	return out
}

func (w *world) want(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// fake is an extractor made of a function.
type fake func(ctx context.Context, c kgl.Content) (kgl.Extraction, error)

func (fake) Name() string { return "fake" }
func (f fake) Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
	return f(ctx, c)
}

// wholeText finds one concept: the whole text.
func wholeText(c kgl.Content) kgl.Extraction {
	return kgl.Extraction{Extractor: "fake", Entities: []kgl.ExtractedEntity{{
		Name: c.Text, Type: "concept", Confidence: 0.5,
		Spans: []kgl.Span{{Start: 0, End: int64(len([]rune(c.Text))), Quote: c.Text}},
	}}}
}
