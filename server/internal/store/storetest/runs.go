package storetest

import (
	"context"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runRuns(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a run is read as it was stored, by itself and by its task", readRun},
		{"an item has one current run of an extractor's name", oneCurrentRun},
		{"a lease has one run", oneRunOfLease},
		{"a run needs its item", runNeedsItem},
		{"superseding ends the current run of the name and leaves what it found", supersedeRun},
		{"runs are listed newest first, by item, name and state", listRuns},
		{"retracting takes back what the run found, and nothing else", retractRun},
		{"a run that is not current is not retracted", retractOnce},
		{"runs go with their item, and with their source", runsGo},
	})
}

// newRun returns a current run with the id n on an item.
func newRun(n int, contentID, extractor string) kgl.ExtractionRun {
	return kgl.ExtractionRun{
		ID: id(70_000 + n), ContentID: contentID, Revision: 1, Extractor: extractor, Model: "model", ConfigHash: "hash", Actor: "enrich",
		Status: kgl.RunCurrent, Entities: 2, Mentions: 3, Relationships: 1, StartedAt: minute(n), FinishedAt: minute(n + 1),
	}
}

func addRun(t *testing.T, db *store.DB, n int, contentID, extractor string) kgl.ExtractionRun {
	t.Helper()
	r := newRun(n, contentID, extractor)
	must(t, db.CreateRun(ctx(t), r))
	return r
}

func runID(r kgl.ExtractionRun) string { return r.ID }

func readRun(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	r := newRun(1, c, "builtin@1")
	r.TaskID, r.LeaseToken = id(1), 3
	must(t, db.CreateRun(ctx(t), r))
	same(t, got(db.Run(ctx(t), r.ID))(t), r)
	same(t, got(db.RunOfTask(ctx(t), id(1), 3))(t), r)
	_, err := db.Run(ctx(t), id(2))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.RunOfTask(ctx(t), id(1), 2)
	wantCode(t, err, kgl.CodeNotFound)
	addRun(t, db, 2, c, "mock")
	_, err = db.RunOfTask(ctx(t), "", 0) // runs without a task are not those of no task
	wantCode(t, err, kgl.CodeNotFound)
}

func oneCurrentRun(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	addRun(t, db, 1, cs[0], "builtin@1")
	wantCode(t, db.CreateRun(ctx(t), newRun(2, cs[0], "builtin@2")), kgl.CodeConflict)
	addRun(t, db, 3, cs[0], "other@1")
	addRun(t, db, 4, cs[1], "builtin@1")
	same(t, idsOf(got(db.CurrentRuns(ctx(t), cs[0]))(t), runID), []string{id(70_001), id(70_003)})
}

func oneRunOfLease(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	r := newRun(1, cs[0], "builtin@1")
	r.TaskID, r.LeaseToken = id(1), 1
	must(t, db.CreateRun(ctx(t), r))
	again := newRun(2, cs[1], "builtin@1")
	again.TaskID, again.LeaseToken = id(1), 1
	wantCode(t, db.CreateRun(ctx(t), again), kgl.CodeConflict)
	again.LeaseToken = 2
	must(t, db.CreateRun(ctx(t), again))
}

func runNeedsItem(t *testing.T, db *store.DB) {
	wantCode(t, db.CreateRun(ctx(t), newRun(1, id(9), "builtin@1")), kgl.CodeConflict)
}

func supersedeRun(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	r, other := addRun(t, db, 1, c, "builtin@1"), addRun(t, db, 2, c, "builtinx@1")
	mentionOf(t, db, 10, c, addEntity(t, db, 1, "person", "A"), r)
	same(t, got(db.SupersedeRun(ctx(t), c, "builtin", minute(9)))(t), r.ID)
	same(t, got(db.SupersedeRun(ctx(t), c, "builtin", minute(10)))(t), "")
	ended := minute(9)
	r.Status, r.EndedAt = kgl.RunSuperseded, &ended
	same(t, got(db.Run(ctx(t), r.ID))(t), r)
	same(t, got(db.Run(ctx(t), other.ID))(t), other)
	wantMentionCount(t, db, id(1), 1)
	addRun(t, db, 3, c, "builtin@2")
}

// mentionOf stores a mention of a run.
func mentionOf(t *testing.T, db *store.DB, n int, contentID string, e kgl.Entity, r kgl.ExtractionRun) {
	t.Helper()
	m := newMention(n, contentID, e.ID)
	m.Extractor, m.RunID = r.Extractor, &r.ID
	same(t, got(db.InsertMentions(ctx(t), []kgl.Mention{m}))(t), 1)
}

// evidenceOf stores evidence of a run.
func evidenceOf(t *testing.T, db *store.DB, n int, contentID string, rel kgl.Relationship, r kgl.ExtractionRun) {
	t.Helper()
	e := newEvidence(n, rel.ID, contentID)
	e.Extractor, e.RunID = r.Extractor, &r.ID
	must(t, db.InsertEvidence(ctx(t), []kgl.Evidence{e}))
}

func wantMentionCount(t *testing.T, db *store.DB, entityID string, n int64) {
	t.Helper()
	if e := got(db.Entity(ctx(t), entityID))(t); e.MentionCount != n {
		t.Fatalf("%s has %d mentions, want %d", e.Name, e.MentionCount, n)
	}
}

func listRuns(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	for n := range 6 {
		name := []string{"a@1", "b@1"}[n%2]
		_ = got(db.SupersedeRun(ctx(t), cs[n/4], kgl.ExtractorName(name), minute(n)))(t)
		addRun(t, db, n, cs[n/4], name)
	}
	for _, c := range []struct {
		filter kgl.ExtractionRunFilter
		want   []int
	}{
		{kgl.ExtractionRunFilter{}, []int{5, 4, 3, 2, 1, 0}},
		{kgl.ExtractionRunFilter{ContentID: cs[0]}, []int{3, 2, 1, 0}},
		{kgl.ExtractionRunFilter{Name: "a"}, []int{4, 2, 0}},
		{kgl.ExtractionRunFilter{Status: kgl.RunSuperseded}, []int{1, 0}},
		{kgl.ExtractionRunFilter{ContentID: cs[0], Name: "b", Status: kgl.RunCurrent}, []int{3}},
	} {
		rows := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.ExtractionRun], error) { return db.Runs(ctx(t), c.filter, p) })
		want := make([]string, len(c.want))
		for i, n := range c.want {
			want[i] = id(70_000 + n)
		}
		same(t, idsOf(rows, runID), want)
	}
}

func retractRun(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	r, other := addRun(t, db, 1, cs[0], "builtin@1"), addRun(t, db, 2, cs[0], "model@1")
	elsewhere := addRun(t, db, 3, cs[1], "builtin@1")
	lost, kept := twoRelationships(t, db)
	a := kgl.Entity{ID: lost.From.ID, Name: "A"}
	for n, run := range []kgl.ExtractionRun{r, other, elsewhere} {
		mentionOf(t, db, 20+n, run.ContentID, a, run)
	}
	evidenceOf(t, db, 30, cs[0], lost, r)
	evidenceOf(t, db, 31, cs[0], kept, r)
	evidenceOf(t, db, 32, cs[0], kept, other)

	run, gone, err := db.RetractRun(ctx(t), r.ID, minute(9))
	must(t, err)
	ended := minute(9)
	r.Status, r.EndedAt = kgl.RunRetracted, &ended
	same(t, run, r)
	same(t, gone, []string{lost.ID})
	same(t, got(db.Run(ctx(t), r.ID))(t), r)
	wantMentionCount(t, db, a.ID, 2)
	wantEvidence(t, db, map[string]int64{kept.ID: 1})
	_, err = db.Relationship(ctx(t), lost.ID)
	wantCode(t, err, kgl.CodeNotFound)
	same(t, got(db.Entity(ctx(t), a.ID))(t).Degree, int64(1))
}

func retractOnce(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	r, old := addRun(t, db, 1, c, "a@1"), addRun(t, db, 2, c, "b@1")
	_ = got(db.SupersedeRun(ctx(t), c, "b", minute(3)))(t)
	_, _, err := db.RetractRun(ctx(t), r.ID, minute(4))
	must(t, err)
	for _, runID := range []string{r.ID, old.ID} {
		_, _, err := db.RetractRun(ctx(t), runID, minute(5))
		wantCode(t, err, kgl.CodeConflict)
	}
	_, _, err = db.RetractRun(ctx(t), id(1), minute(5))
	wantCode(t, err, kgl.CodeNotFound)
	// Of two at once, one retracts.
	r = addRun(t, db, 3, c, "a@1")
	errs := parallel(2, func(int) error {
		_, _, err := db.RetractRun(context.WithoutCancel(t.Context()), r.ID, minute(6))
		return err
	})
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("two at once: %v", errs)
	}
}

func runsGo(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	a, b := addRun(t, db, 1, cs[0], "a@1"), addRun(t, db, 2, cs[1], "a@1")
	must(t, db.DeleteContent(ctx(t), cs[0], kgl.RemovedByPerson, epoch))
	_, err := db.Run(ctx(t), a.ID)
	wantCode(t, err, kgl.CodeNotFound)
	must(t, db.DeleteSource(ctx(t), id(5001)))
	_, err = db.Run(ctx(t), b.ID)
	wantCode(t, err, kgl.CodeNotFound)
}
