package enrich

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const ada, bob = "0198c6f0-0000-7000-8000-00000000000a", "0198c6f0-0000-7000-8000-00000000000b"

// as returns a context in which a user acts.
func (w *world) as(id string, role kgl.Role) context.Context {
	return kgl.WithPrincipal(w.t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: id, Role: role})
}

// onDemand returns a process that extracts on demand. It waits for results as
// long as the test runs, unless cfg says otherwise.
func (w *world) onDemand(x Extractor, cfg OnDemandConfig) *OnDemand {
	w.t.Helper()
	if cfg.Wait == 0 {
		cfg.Wait = time.Hour
	}
	d := NewOnDemand(w.db, w.recorder(), x, w.clock, w.ids, slog.New(slog.DiscardHandler), cfg)
	w.t.Cleanup(d.Close)
	return d
}

func (w *world) request(id string) kgl.ExtractionRequest {
	w.t.Helper()
	r, err := w.db.ExtractionRequest(w.t.Context(), id)
	w.must(err)
	return r
}

// wantRequest wants a state, a failure that contains a text, and as many attempts.
func (w *world) wantRequest(id string, status kgl.RequestStatus, failure string, attempts int64) kgl.ExtractionRequest {
	w.t.Helper()
	r := w.request(id)
	if r.Status != status || !strings.Contains(r.Failure, failure) || (r.Failure == "") != (failure == "") || r.Attempts != attempts {
		w.t.Errorf("the request is %s after %d attempts: %q", r.Status, r.Attempts, r.Failure)
	}
	return r
}

func readAll(_ context.Context, c kgl.Content) (kgl.Extraction, error) { return wholeText(c), nil }

func TestTextIsExtractedAtOnceAndNotKept(t *testing.T) {
	onBoth(t, func(w *world) {
		d := w.onDemand(fake(readAll), OnDemandConfig{})
		r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë", Language: "en"})
		w.must(err)
		x, err := DecodeExtraction(r.Result)
		w.must(err)
		if r.Status != kgl.RequestSucceeded || x.Extractor != "fake" || len(x.Entities) != 1 || x.Entities[0].Name != "Zoë" || x.Entities[0].Spans[0].End != 3 {
			w.t.Errorf("answer %+v: %+v", r, x)
		}
		if r.Text != "" || r.FinishedAt == nil || !r.ExpiresAt.Equal(w.clock.Now().Add(time.Hour)) {
			w.t.Errorf("kept %+v", r)
		}
		w.wantNothing()
	})
}

// What follows from a result is part of it, stored or not.
func TestWhatFollowsIsPartOfTheResult(t *testing.T) {
	w := newWorld(t)
	recorder := NewRecorder(w.db, w.clock, w.ids, func(x kgl.Extraction, text string) kgl.Extraction {
		x.Entities = append(x.Entities, kgl.ExtractedEntity{
			Name: "Derived", Type: "concept", Confidence: 0.1, Spans: []kgl.Span{{Start: 0, End: 1, Quote: text[:1]}},
		})
		return x
	})
	d := NewOnDemand(w.db, recorder, fake(readAll), w.clock, w.ids, slog.New(slog.DiscardHandler), OnDemandConfig{Wait: time.Hour})
	t.Cleanup(d.Close)
	for _, demand := range []Demand{{Text: "Bob"}, {ContentID: w.add("fake", "Bob").ID}} {
		r, err := d.Start(w.as(ada, kgl.RoleUser), demand)
		w.must(err)
		if x, err := DecodeExtraction(r.Result); err != nil || len(x.Entities) != 2 {
			t.Errorf("%+v: %d entities (%v)", demand, len(x.Entities), err)
		}
	}
	w.want("entities", w.entities(), "concept: Bob (1)", "concept: Derived (1)")
}

func TestItemIsExtractedIntoTheGraph(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add("fake", "Zoë")
		r, err := w.onDemand(fake(readAll), OnDemandConfig{}).Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
		w.must(err)
		if r.Status != kgl.RequestSucceeded || r.RunID == nil || len(r.Result) == 0 {
			w.t.Fatalf("answer %+v", r)
		}
		run, err := w.db.Run(w.t.Context(), *r.RunID)
		w.must(err)
		if run.ContentID != c.ID || run.Actor != "user:"+ada || run.TaskID != "" {
			w.t.Errorf("run %+v", run)
		}
		w.want("entities", w.entities(), "concept: Zoë (1)")
	})
}

func TestSlowExtractionIsAnsweredLater(t *testing.T) {
	w := newWorld(t)
	goOn, done := make(chan struct{}), make(chan struct{})
	d := w.onDemand(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		defer close(done)
		<-goOn
		return wholeText(c), nil
	}), OnDemandConfig{Wait: time.Millisecond})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	w.must(err)
	if r.Status != kgl.RequestRunning || r.FinishedAt != nil {
		t.Errorf("answer %+v", r)
	}
	close(goOn)
	<-done
	d.group.Wait()
	w.wantRequest(r.ID, kgl.RequestSucceeded, "", 1)
}

func TestOnlyTheOwnerReadsAnExtraction(t *testing.T) {
	w := newWorld(t)
	d := w.onDemand(fake(readAll), OnDemandConfig{})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	w.must(err)
	for name, c := range map[string]struct {
		ctx  context.Context
		code kgl.Code
	}{
		"the owner":        {w.as(ada, kgl.RoleUser), ""},
		"an administrator": {w.as(bob, kgl.RoleAdmin), ""},
		"a moderator":      {w.as(bob, kgl.RoleModerator), kgl.CodeNotFound},
		"nobody":           {w.t.Context(), kgl.CodeNotFound},
	} {
		if _, err := d.Get(c.ctx, r.ID); kgl.ErrorCode(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.clock.Advance(time.Hour)
	_, err = d.Get(w.as(ada, kgl.RoleUser), r.ID)
	wantCode(t, "after an hour", err, kgl.CodeNotFound)
	w.clock.Advance(time.Microsecond)
	_, err = d.RunOnce(t.Context())
	w.must(err)
	_, err = w.db.ExtractionRequest(t.Context(), r.ID)
	wantCode(t, "the row", err, kgl.CodeNotFound)
}

func TestExtractionsThatMeanNothingAreRefused(t *testing.T) {
	w := newWorld(t)
	c, empty := w.add("fake", "Zoë"), w.add("fake", " ")
	d := w.onDemand(fake(readAll), OnDemandConfig{})
	for name, tt := range map[string]struct {
		demand Demand
		code   kgl.Code
	}{
		"nothing":             {Demand{}, kgl.CodeInvalid},
		"both":                {Demand{ContentID: c.ID, Text: "a"}, kgl.CodeInvalid},
		"a blank text":        {Demand{Text: " \n"}, kgl.CodeInvalid},
		"a text with NUL":     {Demand{Text: "a\x00"}, kgl.CodeInvalid},
		"a long text":         {Demand{Text: strings.Repeat("é", 100_001)}, kgl.CodeInvalid},
		"an item's language":  {Demand{ContentID: c.ID, Language: "en"}, kgl.CodeInvalid},
		"no such item":        {Demand{ContentID: ada}, kgl.CodeNotFound},
		"an item without any": {Demand{ContentID: empty.ID}, kgl.CodeConflict},
	} {
		_, err := d.Start(w.as(ada, kgl.RoleUser), tt.demand)
		wantCode(t, name, err, tt.code)
	}
	w.withdraw()
	_, err := d.Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
	wantCode(t, "a withdrawn source", err, kgl.CodeConsentDenied)
}

func TestConsentWithdrawnDuringAnExtraction(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "Zoë")
	d := w.onDemand(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		w.withdraw()
		return wholeText(c), nil
	}), OnDemandConfig{})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
	w.must(err)
	w.wantRequest(r.ID, kgl.RequestFailed, "does not allow", 1)
	w.wantNothing()
}

// In a transaction of the caller, as with an Idempotency-Key, waiting would keep
// all others from writing.
func TestWorkBeginsWithTheCommit(t *testing.T) {
	onBoth(t, func(w *world) {
		d := w.onDemand(fake(readAll), OnDemandConfig{})
		var r kgl.ExtractionRequest
		start := func(ctx context.Context, _ kgl.Store) (err error) {
			r, err = d.Start(ctx, Demand{Text: "Zoë"})
			return err
		}
		w.must(w.db.InTx(w.as(ada, kgl.RoleUser), start))
		if r.Status != kgl.RequestRunning {
			w.t.Errorf("answer %+v", r)
		}
		d.group.Wait()
		w.wantRequest(r.ID, kgl.RequestSucceeded, "", 1)
		rollback := errors.New("roll back")
		if err := w.db.InTx(w.as(ada, kgl.RoleUser), func(ctx context.Context, tx kgl.Store) error {
			return errors.Join(start(ctx, tx), rollback)
		}); !errors.Is(err, rollback) {
			w.t.Fatal(err)
		}
		d.group.Wait()
		_, err := w.db.ExtractionRequest(w.t.Context(), r.ID)
		wantCode(w.t, "rolled back", err, kgl.CodeNotFound)
	})
}

// abandon stores a request as a process leaves it that is killed at work.
func (w *world) abandon(demand Demand, attempts int64) string {
	w.t.Helper()
	lease := w.clock.Now().Add(time.Minute)
	r := kgl.ExtractionRequest{
		ID: w.ids.NewID(), Owner: "user:" + ada, Text: demand.Text, Status: kgl.RequestRunning, Attempts: attempts, LeaseUntil: &lease,
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(24 * time.Hour),
	}
	if demand.ContentID != "" {
		r.ContentID = &demand.ContentID
	}
	w.must(w.db.CreateExtractionRequest(w.t.Context(), r))
	return r.ID
}

func TestAbandonedExtractionsAreTakenUp(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add("fake", "Bob")
		text, item := w.abandon(Demand{Text: "Zoë"}, 1), w.abandon(Demand{ContentID: c.ID}, 1)
		d := w.onDemand(fake(readAll), OnDemandConfig{})
		w.runRequests(d, 0) // their leases go on
		w.clock.Advance(time.Minute)
		w.runRequests(d, 2)
		w.wantRequest(text, kgl.RequestSucceeded, "", 2)
		w.wantRequest(item, kgl.RequestSucceeded, "", 2)
		w.runRequests(d, 0)
		w.want("events", w.events(), "entity.created", "content.processed")
	})
}

func (w *world) runRequests(d *OnDemand, n int) {
	w.t.Helper()
	got, err := d.RunOnce(w.t.Context())
	if err != nil || got != n {
		w.t.Fatalf("%d requests were taken up (%v), want %d", got, err, n)
	}
}

// The killed process comes back after another one took its request up.
func TestAbandonedExtractionIsStoredOnce(t *testing.T) {
	w := newWorld(t)
	id := w.abandon(Demand{Text: "Zoë"}, 1)
	old := w.request(id)
	w.clock.Advance(time.Minute)
	w.runRequests(w.onDemand(fake(readAll), OnDemandConfig{}), 1)
	stored := w.wantRequest(id, kgl.RequestSucceeded, "", 2)
	late := w.onDemand(fake(func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
		return kgl.Extraction{Extractor: "fake"}, nil
	}), OnDemandConfig{})
	lease := w.clock.Now().Add(time.Minute)
	old.LeaseUntil = &lease // its clock is behind
	late.work(w.t.Context(), old)
	if r := w.request(id); string(r.Result) != string(stored.Result) {
		t.Errorf("the result became %s", r.Result)
	}
}

func TestExtractionThatStopsProcessesFails(t *testing.T) {
	w := newWorld(t)
	id := w.abandon(Demand{Text: "Zoë"}, 3)
	w.clock.Advance(time.Minute)
	w.runRequests(w.onDemand(fake(readAll), OnDemandConfig{MaxAttempts: 3}), 1)
	w.wantRequest(id, kgl.RequestFailed, "internal fault", 4)
}

func TestFailingExtractionIsTriedAgainAndFails(t *testing.T) {
	w := newWorld(t)
	d := w.onDemand(fake(func(context.Context, kgl.Content) (kgl.Extraction, error) {
		return kgl.Extraction{}, kgl.Errorf(kgl.CodeUnavailable, "the model is overloaded")
	}), OnDemandConfig{MaxAttempts: 2, PollInterval: 10 * time.Second})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	w.must(err)
	w.wantRequest(r.ID, kgl.RequestPending, "", 1)
	w.runRequests(d, 0)
	w.clock.Advance(10 * time.Second)
	w.runRequests(d, 1)
	r = w.wantRequest(r.ID, kgl.RequestFailed, "the model is overloaded", 2)
	if r.Text != "" || r.FinishedAt == nil {
		t.Errorf("kept %+v", r)
	}
}

func TestFaultyExtractorsEndTheRequest(t *testing.T) {
	w := newWorld(t)
	for name, x := range map[string]fake{
		"panic": func(context.Context, kgl.Content) (kgl.Extraction, error) { panic("secret") },
		"lies": func(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
			x := wholeText(c)
			x.Entities[0].Spans[0].Quote = "another"
			return x, nil
		},
	} {
		r, err := w.onDemand(x, OnDemandConfig{MaxAttempts: 1}).Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
		w.must(err)
		if r.Status != kgl.RequestFailed || r.Failure == "" || strings.Contains(r.Failure, "secret") {
			t.Errorf("%s: %s %q", name, r.Status, r.Failure)
		}
	}
}

func TestItemThatIsEditedDuringAnExtractionIsReadAgain(t *testing.T) {
	w := newWorld(t)
	c := w.add("fake", "Zoë")
	d := w.onDemand(fake(func(_ context.Context, read kgl.Content) (kgl.Extraction, error) {
		if read.Revision == 1 {
			w.revise(c, "fake", "Bob")
		}
		return wholeText(read), nil
	}), OnDemandConfig{})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
	w.must(err)
	w.wantRequest(r.ID, kgl.RequestPending, "", 1)
	w.runRequests(d, 1)
	w.wantRequest(r.ID, kgl.RequestSucceeded, "", 2)
	w.want("entities", w.entities(), "concept: Bob (1)")
}

func TestClosingGivesRequestsBack(t *testing.T) {
	w := newWorld(t)
	begun := make(chan struct{})
	d := w.onDemand(fake(func(ctx context.Context, _ kgl.Content) (kgl.Extraction, error) {
		close(begun)
		<-ctx.Done()
		return kgl.Extraction{}, ctx.Err()
	}), OnDemandConfig{Wait: time.Millisecond})
	r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	w.must(err)
	<-begun
	d.Close()
	if r = w.wantRequest(r.ID, kgl.RequestPending, "", 1); r.Text != "Zoë" {
		t.Errorf("the text became %q", r.Text)
	}
	w.runRequests(w.onDemand(fake(readAll), OnDemandConfig{}), 1) // at once, by another process
	w.wantRequest(r.ID, kgl.RequestSucceeded, "", 2)
}

func TestTooManyWaitingExtractionsAreRefused(t *testing.T) {
	w := newWorld(t)
	goOn := make(chan struct{})
	d := w.onDemand(fake(func(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
		<-goOn
		return wholeText(c), nil
	}), OnDemandConfig{Wait: time.Nanosecond, Concurrency: 1})
	for range maxDemandWaiting {
		_, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
		w.must(err)
	}
	_, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	wantCode(t, "one more", err, kgl.CodeUnavailable)
	close(goOn)
	d.group.Wait()
	_, err = d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
	w.must(err)
}

func TestWhereTheModuleComesForItsWork(t *testing.T) {
	onBoth(t, func(w *world) {
		d := w.onDemand(fake(readAll), OnDemandConfig{Pull: true})
		_, err := d.Start(w.as(ada, kgl.RoleUser), Demand{Text: "Zoë"})
		wantCode(w.t, "a text", err, kgl.CodeConflict)
		w.add(kgl.LaneAI, "Others wait too.")
		c := w.add(kgl.LaneAI, meeting)
		r, err := d.Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
		w.must(err)
		w.runRequests(d, 0) // it is not for this process
		w.wantRequest(r.ID, kgl.RequestPending, "", 0)
		task := w.claim(kgl.LaneAI)
		if task.ContentID != c.ID || task.Priority != demandPriority {
			w.t.Fatalf("the first task is %+v", task)
		}
		run := w.record(w.result("ner@2", task, c, "Zoë", "Bob"))
		if r = w.wantRequest(r.ID, kgl.RequestSucceeded, "", 0); r.RunID == nil || *r.RunID != run.ID {
			w.t.Errorf("ended by %v", r.RunID)
		}
		// A task that is given up ends the request as well.
		r, err = d.Start(w.as(ada, kgl.RoleUser), Demand{ContentID: c.ID})
		w.must(err)
		w.must(w.db.BuryTask(w.t.Context(), *w.claim(kgl.LaneAI), "no", w.clock.Now()))
		w.runRequests(d, 0)
		w.wantRequest(r.ID, kgl.RequestFailed, "could not be extracted", 0)
	})
}
