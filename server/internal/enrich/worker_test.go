package enrich

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

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
		return wholeText(c), w.db.DeleteContent(ctx, c.ID, kgl.RemovedByPerson, w.clock.Now())
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
		"sqlite":   func(t *testing.T) *world { return newWorld(t) },
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
	w.wantNotAttempted("fake", waiting.ID)
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
	w.wantNotAttempted("fake", c.ID)
	if got := w.outcomes(); got != "map[released:1]" {
		t.Errorf("outcomes %s", got)
	}
}
