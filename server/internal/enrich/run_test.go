package enrich

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// onBoth runs a test on a database of each engine.
func onBoth(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(newWorld(t)) })
	t.Run("postgres", func(t *testing.T) { test(newWorldOn(t, postgresTemplate.NewDatabase(t))) })
}

// claim leases the next task of a lane.
func (w *world) claim(lane string) *kgl.EnrichmentTask {
	w.t.Helper()
	now := w.clock.Now()
	ts, err := w.db.ClaimTasks(w.t.Context(), lane, "test", now, now.Add(time.Minute), 1)
	w.must(err)
	if len(ts) != 1 {
		w.t.Fatalf("%d tasks claimed", len(ts))
	}
	return &ts[0]
}

func (w *world) recorder() *Recorder { return NewRecorder(w.db, w.clock, w.ids, nil) }

// result is what an extractor found under a lease: that the text's first name
// knows its second one.
func (w *world) result(extractor string, t *kgl.EnrichmentTask, c kgl.Content, names ...string) Result {
	w.t.Helper()
	x := kgl.Extraction{Extractor: extractor, Model: "large", ConfigHash: "abc"}
	for _, name := range names {
		start := int64(slices.Index([]rune(c.Text), []rune(name)[0]))
		x.Entities = append(x.Entities, kgl.ExtractedEntity{
			Name: name, Type: "person", Confidence: 0.9, Salience: 0.5,
			Spans: []kgl.Span{{Start: start, End: start + int64(len([]rune(name))), Quote: name}},
		})
	}
	if len(names) > 1 {
		x.Relationships = []kgl.ExtractedRelationship{{
			From: 0, To: 1, Type: "knows", Fact: "They know each other.", Confidence: 0.8, ValidFrom: "2026-01",
			Evidence: kgl.Span{Start: 0, End: int64(len([]rune(c.Text))), Quote: c.Text},
		}}
	}
	lane := kgl.LaneAI
	if t != nil {
		lane = t.Extractor
	}
	return Result{Lane: lane, Task: t, Content: c, Extraction: x, Actor: "user:ada", StartedAt: w.clock.Now()}
}

func (w *world) record(res Result) kgl.ExtractionRun {
	w.t.Helper()
	run, err := w.recorder().Record(w.t.Context(), res)
	w.must(err)
	return run
}

// withdraw denies AI processing of the source.
func (w *world) withdraw() {
	w.t.Helper()
	_, _, err := w.db.DecideConsents(w.t.Context(), w.source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: false}, "ada", w.clock.Now())
	w.must(err)
}

// wantNothing wants that nothing was found, and that nobody was told so.
func (w *world) wantNothing() {
	w.t.Helper()
	w.want("entities", w.entities())
	w.want("relationships", w.relationships())
	w.want("events", w.events())
	list, err := w.db.Runs(w.t.Context(), kgl.ExtractionRunFilter{}, kgl.Page{Limit: 10})
	w.must(err)
	if len(list.Rows) > 0 {
		w.t.Errorf("runs %+v", list.Rows)
	}
}

func wantCode(t testing.TB, what string, err error, code kgl.Code) {
	t.Helper()
	if !kgl.Is(err, code) {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

const meeting = "Zoë met Bob."

func TestRecordStoresARunWithAllThatBelongsToIt(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		task := w.claim(kgl.LaneAI)
		started := w.clock.Now()
		w.clock.Advance(time.Second)
		res := w.result("ner@2", task, c, "Zoë", "Bob")
		res.StartedAt = started
		run := w.record(res)
		want := kgl.ExtractionRun{
			ID: run.ID, ContentID: c.ID, Revision: 1, Extractor: "ner@2", Model: "large", ConfigHash: "abc", Actor: "user:ada",
			Status: kgl.RunCurrent, TaskID: task.ID, LeaseToken: task.LeaseToken, Entities: 2, Mentions: 2, Relationships: 1,
			StartedAt: started, FinishedAt: w.clock.Now(),
		}
		if run != want {
			w.t.Errorf("run %+v\nwant %+v", run, want)
		}
		if stored, err := w.db.Run(w.t.Context(), run.ID); err != nil || stored != want {
			w.t.Errorf("stored %+v (%v)", stored, err)
		}
		list, err := w.db.ContentEntities(w.t.Context(), c.ID, kgl.Page{Limit: 10})
		w.must(err)
		m := list.Rows[1].Mentions[0]
		if m.Quote != "Zoë" || m.End != 3 || m.Type != "person" || m.Salience != 0.5 || m.Extractor != "ner@2" || m.RunID == nil || *m.RunID != run.ID {
			w.t.Errorf("mention %+v", m)
		}
		edges, err := w.db.Relationships(w.t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 10})
		w.must(err)
		r := edges.Rows[0]
		if r.Fact != "They know each other." || r.ValidFrom != "2026-01" || r.Extractor != "ner@2" || r.EvidenceCount != 1 {
			w.t.Errorf("relationship %+v", r)
		}
		evidence, err := w.db.RelationshipEvidence(w.t.Context(), r.ID, kgl.Page{Limit: 10})
		w.must(err)
		if e := evidence.Rows[0]; e.RunID == nil || *e.RunID != run.ID || e.Quote != meeting {
			w.t.Errorf("evidence %+v", e)
		}
		w.wantStatus(c.ID, kgl.ContentProcessed)
		w.want("events", w.events(), "entity.created", "entity.created", "relationship.created", "content.processed")
	})
}

// The same call again: as after an answer that was lost.
func TestRecordOfOneLeaseHappensOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		res := w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob")
		const callers = 4
		runs, errs := make([]kgl.ExtractionRun, callers), make([]error, callers)
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() { runs[i], errs[i] = w.recorder().Record(context.WithoutCancel(w.t.Context()), res) })
		}
		group.Wait()
		for i := range callers {
			if errs[i] != nil || runs[i] != runs[0] {
				w.t.Errorf("caller %d: %+v (%v)", i, runs[i], errs[i])
			}
		}
		w.revise(c, kgl.LaneAI, "Another text.") // also when the item went on
		if again := w.record(res); again != runs[0] {
			w.t.Errorf("again %+v", again)
		}
		w.want("events", w.events(), "entity.created", "entity.created", "relationship.created", "content.processed")
	})
}

func TestRecordRefusesALostLease(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		lost := w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob")
		w.clock.Advance(2 * time.Minute)
		held := w.result("ner@2", w.claim(kgl.LaneAI), c, "Bob")
		_, err := w.recorder().Record(w.t.Context(), lost)
		wantCode(w.t, "a lost lease", err, kgl.CodeLeaseLost)
		w.wantNothing()
		w.record(held)
		_, err = w.recorder().Record(w.t.Context(), lost)
		wantCode(w.t, "after the other one", err, kgl.CodeLeaseLost)
		w.want("entities", w.entities(), "person: Bob (1)")
	})
}

func TestRecordRefusesWhatWasEditedOrRemoved(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		onDemand := w.result("ner@2", nil, c, "Zoë", "Bob")
		withTask := w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob")
		c = w.revise(c, kgl.LaneAI, "Another text.")
		for name, res := range map[string]Result{"with a task": withTask, "on demand": onDemand} {
			_, err := w.recorder().Record(w.t.Context(), res)
			if !errors.Is(err, ErrSuperseded) || !kgl.Is(err, kgl.CodeConflict) {
				w.t.Errorf("%s: error %v", name, err)
			}
		}
		w.wantStatus(c.ID, kgl.ContentNew)
		w.must(w.db.DeleteContent(w.t.Context(), c.ID, kgl.RemovedByPerson, w.clock.Now()))
		_, err := w.recorder().Record(w.t.Context(), onDemand)
		if !errors.Is(err, ErrSuperseded) {
			w.t.Errorf("a removed item: error %v", err)
		}
		w.wantNothing()
	})
}

// The consent is withdrawn while the result is under way.
func TestRecordRefusesWhatIsNotAllowedAnyMore(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		task := w.claim(kgl.LaneAI)
		w.withdraw()
		for name, res := range map[string]Result{"with a task": w.result("ner@2", task, c, "Zoë"), "on demand": w.result("ner@2", nil, c, "Zoë")} {
			_, err := w.recorder().Record(w.t.Context(), res)
			wantCode(w.t, name, err, kgl.CodeConsentDenied)
		}
		w.wantStatus(c.ID, kgl.ContentNew)
		w.wantNothing()
	})
}

// Withdrawals and results at the same time: what is stored was stored before the
// withdrawal, and a task that is not done is withheld.
func TestWithdrawalAndResultsAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		const items = 12
		results := make([]Result, items)
		for i := range results {
			c := w.add(kgl.LaneAI, fmt.Sprintf("Zoë met Bob %d.", i))
			results[i] = w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob")
		}
		errs := make([]error, items)
		var group sync.WaitGroup
		for i, res := range results {
			group.Go(func() { _, errs[i] = w.recorder().Record(context.WithoutCancel(w.t.Context()), res) })
			if i == items/2 {
				group.Go(w.withdraw)
			}
		}
		group.Wait()
		for i, res := range results {
			task, err := w.db.Task(w.t.Context(), res.Task.ID)
			w.must(err)
			want := kgl.TaskDone
			if errs[i] != nil {
				want = kgl.TaskWithheld
				if !kgl.Is(errs[i], kgl.CodeConsentDenied) && !kgl.Is(errs[i], kgl.CodeLeaseLost) {
					w.t.Errorf("result %d: %v", i, errs[i])
				}
			}
			if task.State != want {
				w.t.Errorf("result %d (%v): the task is %s", i, errs[i], task.State)
			}
		}
	})
}

func TestRecordRefusesBadResults(t *testing.T) {
	w := newWorld(t)
	c := w.add(kgl.LaneAI, meeting)
	good := w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë")
	for _, name := range []string{"builtin@1", "mock", "manual@1", "merge@1"} {
		bad := good
		bad.Extraction.Extractor = name
		_, err := w.recorder().Record(t.Context(), bad)
		wantCode(t, name, err, kgl.CodeInvalid)
	}
	bad := w.result("ner@2", good.Task, c, "Zoë")
	bad.Extraction.Entities[0].Spans[0].Quote = "Zoe"
	_, err := w.recorder().Record(t.Context(), bad)
	wantCode(t, "another quote", err, kgl.CodeInvalid)
	w.wantNothing()
	w.record(good) // the lease went on
}

func TestRecordReplacesTheRunOfTheSameNameOnly(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		old := w.record(w.result("ner@1", nil, c, "Zoë", "Bob"))
		w.record(w.result("other@1", nil, c, "Zoë"))
		w.want("entities", w.entities(), "person: Bob (1)", "person: Zoë (2)")
		w.clock.Advance(time.Minute)
		w.record(w.result("ner@2", nil, c, "Bob"))
		w.want("entities", w.entities(), "person: Bob (1)", "person: Zoë (1)")
		w.want("relationships", w.relationships())
		if got := w.events(); got[len(got)-2] != "relationship.deleted" || got[len(got)-1] != "content.processed" {
			w.t.Errorf("events %q", got)
		}
		ended, err := w.db.Run(w.t.Context(), old.ID)
		w.must(err)
		if ended.Status != kgl.RunSuperseded || ended.EndedAt == nil || !ended.EndedAt.Equal(w.clock.Now()) {
			w.t.Errorf("the old run %+v", ended)
		}
		current, err := w.db.CurrentRuns(w.t.Context(), c.ID)
		w.must(err)
		if len(current) != 2 {
			w.t.Errorf("current runs %+v", current)
		}
	})
}

// Relationships that are found again keep their id.
func TestRecordKeepsWhatIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	c := w.add(kgl.LaneAI, meeting)
	w.record(w.result("ner@1", nil, c, "Zoë", "Bob"))
	before, err := w.db.Relationships(t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 10})
	w.must(err)
	w.clock.Advance(time.Minute)
	w.record(w.result("ner@2", nil, c, "Zoë", "Bob"))
	after, err := w.db.Relationships(t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 10})
	w.must(err)
	if len(after.Rows) != 1 || after.Rows[0].ID != before.Rows[0].ID || after.Rows[0].EvidenceCount != 1 {
		t.Errorf("before %+v\nafter %+v", before.Rows, after.Rows)
	}
}

// Rows from before there were runs belong to the extractor by its name.
func TestRecordReplacesWhatHasNoRun(t *testing.T) {
	w := newWorld(t)
	c := w.add(kgl.LaneMock, meeting)
	w.record(Result{Lane: kgl.LaneMock, Content: c, Extraction: w.result("mock", nil, c, "Zoë").Extraction})
	list, err := w.db.ContentEntities(t.Context(), c.ID, kgl.Page{Limit: 10})
	w.must(err)
	m := list.Rows[0].Mentions[0]
	m.RunID = nil
	w.must(w.db.ReplaceMentions(t.Context(), c.ID, kgl.ExtractorMock, []kgl.Mention{m}))
	w.record(Result{Lane: kgl.LaneMock, Content: c, Extraction: w.result("mock", nil, c, "Bob").Extraction})
	w.want("entities", w.entities(), "person: Bob (1)", "person: Zoë (0)")
}

func TestSkipTakesBackWhatTheLaneFound(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		w.record(w.result("ner@1", w.claim(kgl.LaneAI), c, "Zoë", "Bob"))
		builtin := w.result("builtin@1", nil, c, "Bob")
		builtin.Lane = kgl.LaneBuiltin
		w.record(builtin)
		c = w.revise(c, kgl.LaneAI, " ")
		task := w.claim(kgl.LaneAI)
		w.must(w.recorder().Skip(w.t.Context(), kgl.LaneAI, *task, c))
		w.wantStatus(c.ID, kgl.ContentSkipped)
		w.want("entities", w.entities(), "person: Bob (1)", "person: Zoë (0)") // builtin has not read the revision
		w.want("relationships", w.relationships())
	})
}

// A process that is killed between the claim and the end of the transaction
// leaves nothing behind; the next one stores the result once.
func TestNothingIsHalfStored(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		res := w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob")
		for _, at := range []string{"hold", "complete", "run", "mentions", "evidence", "events"} {
			r := NewRecorder(&killed{Store: w.db, at: at}, w.clock, w.ids, nil)
			if _, err := r.Record(w.t.Context(), res); !errors.Is(err, errKilled) {
				w.t.Fatalf("killed at %s: %v", at, err)
			}
			w.wantNothing()
		}
		w.clock.Advance(2 * time.Minute) // the lease of the killed process
		w.record(w.result("ner@2", w.claim(kgl.LaneAI), c, "Zoë", "Bob"))
		_, err := w.recorder().Record(w.t.Context(), res)
		wantCode(w.t, "the killed process after all", err, kgl.CodeLeaseLost)
		w.want("entities", w.entities(), "person: Bob (1)", "person: Zoë (1)")
		w.want("events", w.events(), "entity.created", "entity.created", "relationship.created", "content.processed")
	})
}

var errKilled = errors.New("killed")

// killed is a store in whose transactions a step fails after it was done.
type killed struct {
	kgl.Store
	at string
}

func (k *killed) after(step string, err error) error {
	if err == nil && k.at == step {
		return errKilled
	}
	return err
}

func (k *killed) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	return k.Store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error { return fn(ctx, &killed{Store: tx, at: k.at}) })
}

func (k *killed) SetContentStatus(ctx context.Context, id string, status kgl.ContentStatus, now time.Time) error {
	return k.after("hold", k.Store.SetContentStatus(ctx, id, status, now))
}

func (k *killed) CompleteTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return k.after("complete", k.Store.CompleteTask(ctx, t, now))
}

func (k *killed) CreateRun(ctx context.Context, r kgl.ExtractionRun) error {
	return k.after("run", k.Store.CreateRun(ctx, r))
}

func (k *killed) InsertMentions(ctx context.Context, ms []kgl.Mention) (int64, error) {
	n, err := k.Store.InsertMentions(ctx, ms)
	return n, k.after("mentions", err)
}

func (k *killed) InsertEvidence(ctx context.Context, es []kgl.Evidence) error {
	return k.after("evidence", k.Store.InsertEvidence(ctx, es))
}

func (k *killed) AppendEvents(ctx context.Context, es []kgl.Event) error {
	return k.after("events", k.Store.AppendEvents(ctx, es))
}
