package enrich

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
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
	t     *testing.T
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

func newWorld(t *testing.T) *world {
	t.Helper()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	if err := migrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, url)
}

func newWorldOn(t *testing.T, url string) *world {
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
	w.must(w.db.CreateTasks(w.t.Context(), []kgl.EnrichmentTask{NewTask(c, extractor, w.ids, now)}))
	return c
}

// revise stores another text as the next revision, with its task.
func (w *world) revise(c kgl.Content, extractor, text string) kgl.Content {
	w.t.Helper()
	c.Revision++
	c.Text, c.ContentHash, c.UpdatedAt = text, w.ids.NewID(), w.clock.Now()
	w.must(w.db.ReviseContent(w.t.Context(), c))
	w.must(w.db.CreateTasks(w.t.Context(), []kgl.EnrichmentTask{NewTask(c, extractor, w.ids, w.clock.Now())}))
	return c
}

func (w *world) worker(x Extractor, cfg Config) *Worker {
	return NewWorker(w.db, x, w.clock, w.ids, slog.New(slog.DiscardHandler), w, cfg)
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
	list, err := w.db.Relationships(w.t.Context(), kgl.RelationshipFilter{}, kgl.Page{Limit: 100})
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
	es, err := w.db.EventsAfter(w.t.Context(), kgl.EventPosition{}, 1000)
	w.must(err)
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

const sentence = "Polar Press acquired Pictura Studios."

func TestWorkerStoresAResultWithItsEvents(t *testing.T) {
	w := newWorld(t)
	c := w.add(kgl.ExtractorMock, sentence)
	w.runOnce(w.worker(NewMock(), Config{}), 1)

	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.want("entities", w.entities(), "organization: Pictura Studios (1)", "organization: Polar Press (1)")
	w.want("relationships", w.relationships(), "Polar Press acquires Pictura Studios (1)")
	w.want("events", w.events(), "entity.created", "entity.created", "relationship.created", "content.processed")
	list, err := w.db.ContentEntities(t.Context(), c.ID, kgl.Page{Limit: 10})
	w.must(err)
	m := list.Rows[1].Mentions[0]
	if m.Quote != "Polar Press" || m.Start != 0 || m.End != 11 || m.Revision != 1 || m.Extractor != kgl.ExtractorMock {
		t.Errorf("mention %+v", m)
	}
	w.runOnce(w.worker(NewMock(), Config{}), 0)
	if got := w.outcomes(); got != "map[processed:1]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestWorkerReplacesTheResultOfAnEarlierRevision(t *testing.T) {
	w := newWorld(t)
	worker := w.worker(NewMock(), Config{})
	c := w.add(kgl.ExtractorMock, sentence)
	w.runOnce(worker, 1)
	w.clock.Advance(time.Hour)
	c = w.revise(c, kgl.ExtractorMock, "Polar Press is based in Oslo, and Polar Press likes it.")
	w.runOnce(worker, 1)

	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.want("entities", w.entities(), "location: Oslo (1)", "organization: Pictura Studios (0)", "organization: Polar Press (2)")
	w.want("relationships", w.relationships(), "Polar Press located_in Oslo (1)")
	if got := w.events(); !slices.Contains(got, "relationship.deleted") || !slices.Contains(got, "entity.updated") {
		t.Errorf("events %q: no relationship.deleted, or no entity.updated for the surer name", got)
	}
}

// The same result again, as after a crash between commit and answer.
func TestWorkerRepeatsNoEffect(t *testing.T) {
	w := newWorld(t)
	worker := w.worker(NewMock(), Config{})
	c := w.add(kgl.ExtractorMock, sentence)
	w.runOnce(worker, 1)
	entities, relationships, events := w.entities(), w.relationships(), len(w.events())
	w.clock.Advance(time.Hour)
	w.revise(c, kgl.ExtractorMock, sentence)
	w.runOnce(worker, 1)

	w.want("entities", w.entities(), entities...)
	w.want("relationships", w.relationships(), relationships...)
	w.want("events", w.events()[events:], "content.processed")
}

func TestWorkerSkipsItemsWithoutText(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", " \n ")
	w.runOnce(w.worker(fake(func(context.Context, kgl.Content) (kgl.Extraction, error) {
		return kgl.Extraction{}, errors.New("called for nothing")
	}), Config{}), 1)
	w.wantStatus(c.ID, kgl.ContentSkipped)
	w.want("events", w.events(), "content.processed")
}

func TestWorkerRetriesWithBackoffAndGivesUp(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	worker := w.worker(fake(func(context.Context, kgl.Content) (kgl.Extraction, error) {
		return kgl.Extraction{}, errors.New("the model is out\x00")
	}), Config{MaxAttempts: 3, RetryBase: 10 * time.Second, RetryMax: 15 * time.Second})

	w.runOnce(worker, 1)
	w.wantStatus(c.ID, kgl.ContentNew)
	for _, wait := range []time.Duration{10 * time.Second, 15 * time.Second} {
		w.clock.Advance(wait - time.Microsecond)
		w.runOnce(worker, 0)
		w.clock.Advance(time.Microsecond)
		w.runOnce(worker, 1)
	}
	w.wantStatus(c.ID, kgl.ContentFailed)
	w.want("events", w.events(), "content.failed")
	w.clock.Advance(24 * time.Hour)
	w.runOnce(worker, 0)
	if got := w.outcomes(); got != "map[buried:1 retried:2]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestWorkerGivesUpATaskThatStopsWorkers(t *testing.T) {
	w := newWorld(t)
	c := w.add(kgl.ExtractorMock, sentence)
	for range 2 { // two workers died with the task in hand
		now := w.clock.Now()
		if ts, err := w.db.ClaimTasks(t.Context(), kgl.ExtractorMock, "dead", now, now.Add(time.Minute), 1); err != nil || len(ts) != 1 {
			t.Fatalf("claimed %d: %v", len(ts), err)
		}
		w.clock.Advance(2 * time.Minute)
	}
	w.runOnce(w.worker(NewMock(), Config{MaxAttempts: 2}), 1)
	w.wantStatus(c.ID, kgl.ContentFailed)
}

func TestWorkerFaultOfOneTaskIsNotThatOfOthers(t *testing.T) {
	for name, fault := range map[string]fake{
		"panic": func(context.Context, kgl.Content) (kgl.Extraction, error) { panic("boom") },
		"error": func(context.Context, kgl.Content) (kgl.Extraction, error) {
			return kgl.Extraction{}, errors.New("no")
		},
		"quote of another text": func(context.Context, kgl.Content) (kgl.Extraction, error) {
			return wholeText(content("", "another text")), nil
		},
		"result under another name": func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
			x := wholeText(c)
			x.Extractor = kgl.ExtractorManual
			return x, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, bad, last := w.add("fake", "first"), w.add("fake", "bad"), w.add("fake", "last")
			w.runOnce(w.worker(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
				if c.ID == bad.ID {
					return fault(ctx, c)
				}
				return wholeText(c), nil
			}), Config{}), 3)
			w.wantStatus(first.ID, kgl.ContentProcessed)
			w.wantStatus(bad.ID, kgl.ContentNew)
			w.wantStatus(last.ID, kgl.ContentProcessed)
			w.want("entities", w.entities(), "concept: first (1)", "concept: last (1)")
		})
	}
}

func TestWorkerDropsItsResultWhenTheLeaseIsLost(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	w.runOnce(w.worker(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		w.clock.Advance(time.Hour) // so long that the lease ended and another worker took over
		now := w.clock.Now()
		_, err := w.db.ClaimTasks(ctx, "fake", "other", now, now.Add(time.Hour), 1)
		return wholeText(c), err
	}), Config{Lease: time.Minute}), 1)
	w.wantStatus(c.ID, kgl.ContentProcessing)
	w.want("entities", w.entities())
	w.want("events", w.events())
	if got := w.outcomes(); got != "map[lost:1]" {
		t.Errorf("outcomes %s", got)
	}
}

func TestWorkerDropsTheResultOfATextThatWasReplaced(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "old")
	edited := false
	worker := w.worker(fake(func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
		if !edited {
			edited = true
			w.revise(c, "fake", "new")
		}
		return wholeText(c), nil
	}), Config{})
	w.runOnce(worker, 1)
	w.want("entities", w.entities())
	w.wantStatus(c.ID, kgl.ContentNew)
	w.runOnce(worker, 1)
	w.want("entities", w.entities(), "concept: new (1)")
	w.wantStatus(c.ID, kgl.ContentProcessed)
}

func TestWorkerForgetsTasksOfDeletedItems(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "text")
	w.runOnce(w.worker(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		return wholeText(c), w.db.DeleteContent(ctx, c.ID)
	}), Config{}), 1)
	w.want("entities", w.entities())
	if _, err := w.db.Content(t.Context(), c.ID); !kgl.Is(err, kgl.CodeNotFound) {
		t.Errorf("error %v", err)
	}
}

// Two extracted names that are one entity by an alias give one row for a place
// and no edge from the entity to itself.
func TestWorkerFoldsAliases(t *testing.T) {
	w := newWorld(t)
	now := w.clock.Now()
	w.must(w.db.CreateEntity(t.Context(), kgl.Entity{
		ID: w.ids.NewID(), Name: "Polar Press", NameKey: "polar press", Type: "organization", Aliases: []string{"Pictura Studios"},
		Confidence: 1, Extractor: kgl.ExtractorManual, Version: 1, CreatedAt: now, UpdatedAt: now,
	}))
	c := w.add(kgl.ExtractorMock, sentence)
	w.runOnce(w.worker(NewMock(), Config{}), 1)
	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.want("entities", w.entities(), "organization: Polar Press (2)")
	w.want("relationships", w.relationships())
}

func TestWorkersShareTheWork(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *world{
		"sqlite":   newWorld,
		"postgres": func(t *testing.T) *world { return newWorldOn(t, postgresTemplate.NewDatabase(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			const items = 40
			for i := range items {
				// Every item names the same entities, in changing order.
				parts := []string{"Polar Press acquired Pictura Studios.", "Twitch partners with YouTube.", fmt.Sprintf("Ada Okafor%c met Zoë Lindqvist.", 'a'+i%26)}
				w.add(kgl.ExtractorMock, strings.Join(append(parts[i%3:], parts[:i%3]...), " "))
			}
			var group sync.WaitGroup
			for i := range 3 {
				worker := w.worker(NewMock(), Config{Owner: fmt.Sprint("worker", i), Batch: 5})
				group.Go(func() {
					for {
						n, err := worker.RunOnce(context.Background())
						if err != nil {
							t.Error(err)
						}
						if n == 0 {
							return
						}
					}
				})
			}
			group.Wait()
			if got := w.outcomes(); got != fmt.Sprintf("map[processed:%d]", items) {
				t.Errorf("outcomes %s", got)
			}
			if got := w.entities(); !slices.Contains(got, fmt.Sprintf("organization: Polar Press (%d)", items)) {
				t.Errorf("entities %q", got)
			}
			if got := w.relationships(); !slices.Contains(got, fmt.Sprintf("Twitch partners_with YouTube (%d)", items)) {
				t.Errorf("relationships %q", got)
			}
		})
	}
}

func TestRunWakesAndStops(t *testing.T) {
	w := newWorld(t)
	began, finish := make(chan struct{}), make(chan struct{})
	worker := w.worker(fake(func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
		close(began)
		<-finish
		return wholeText(c), nil
	}), Config{PollInterval: time.Hour, Concurrency: 1, Grace: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()

	c, waiting := w.add("fake", "text"), w.add("fake", "more text")
	worker.Notify()
	<-began
	cancel()
	close(finish)
	w.must(<-done)
	w.wantStatus(c.ID, kgl.ContentProcessed)
	w.wantStatus(waiting.ID, kgl.ContentNew) // claimed, but not begun: given back at once
	if next, err := w.db.NextTaskAt(t.Context(), "fake"); err != nil || next == nil || next.After(w.clock.Now()) {
		t.Errorf("next task at %v: %v", next, err)
	}
}

func TestRunGivesBackWhatDoesNotEndInTheGrace(t *testing.T) {
	w := newWorld(t)
	began := make(chan struct{})
	worker := w.worker(fake(func(ctx context.Context, _ kgl.Content) (kgl.Extraction, error) {
		close(began)
		<-ctx.Done()
		return kgl.Extraction{}, ctx.Err()
	}), Config{PollInterval: time.Hour, Grace: time.Millisecond})
	c := w.add("fake", "text")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	<-began
	cancel()
	w.must(<-done)
	w.wantStatus(c.ID, kgl.ContentNew)
	if got := w.outcomes(); got != "map[retried:1]" {
		t.Errorf("outcomes %s", got)
	}
}
