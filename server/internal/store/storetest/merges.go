package storetest

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runMerges(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a merge moves everything and comes back", mergeRoundTrip},
		{"merges that cannot be are refused", mergeRefused},
		{"an undone merge is kept, and undone once", mergeUndone},
		{"merges of an entity are listed, newest first", mergeList},
		{"extraction that names a loser reaches the winner", mergeExtraction},
		{"a relationship that became the same stands for all", mergeSame},
		{"what loses its evidence while it is merged does not come back", mergeHollow},
		{"what loses its evidence while it stands for another goes with the merge", mergeHollowHolder},
		{"what kept evidence of its own while it is merged does not come back without it", mergeHollowOwn},
		{"deleting the winner deletes what was merged into it", mergeDeleted},
		{"rejecting an entity hides its relationships", statusRejected},
		{"states that cannot be are refused", statusRefused},
	})
}

// merge merges losers into a winner.
func merge(t *testing.T, db *store.DB, n int, winner kgl.Entity, losers ...kgl.Entity) kgl.EntityMerge {
	t.Helper()
	return got(db.MergeEntities(ctx(t), newMerge(n, winner, losers...)))(t)
}

func newMerge(n int, winner kgl.Entity, losers ...kgl.Entity) kgl.EntityMerge {
	m := kgl.EntityMerge{ID: id(80_000 + n), Winner: refTo(winner), Losers: []kgl.EntityRef{}, Reason: "same", Actor: "me", CreatedAt: minute(n)}
	for _, l := range losers {
		m.Losers = append(m.Losers, refTo(l))
	}
	return m
}

func wantDegree(t *testing.T, db *store.DB, entityID string, n int64) {
	t.Helper()
	if e := got(db.Entity(ctx(t), entityID))(t); e.Degree != n {
		t.Fatalf("%s has the degree %d, want %d", e.Name, e.Degree, n)
	}
}

func mergeRoundTrip(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	winner, loser, far := addEntity(t, db, 1, "grant", "Fund", "Both"), addEntity(t, db, 2, "grant", "HF", "Both", "Short"), addEntity(t, db, 3, "person", "P")
	r := addRelationships(t, db, newRelationship(4, far, loser, "runs"))[0]
	replace(t, db, c, "mock", 10, r)
	got(db.InsertMentions(ctx(t), []kgl.Mention{newMention(20, c, loser.ID), newMention(21, c, winner.ID)}))(t)

	m := merge(t, db, 1, winner, loser)
	want := newMerge(1, winner, loser)
	want.Mentions, want.Relationships, want.Aliases = 1, 1, 2 // Short and the name
	same(t, m, want)
	e := got(db.Entity(ctx(t), winner.ID))(t)
	same(t, e.Aliases, []string{"Both", "HF", "Short"})
	if e.MentionCount != 2 || e.Degree != 1 || e.Version != 2 || got(db.Relationship(ctx(t), r.ID))(t).To.ID != winner.ID {
		t.Fatalf("the winner is %+v", e)
	}
	l := got(db.Entity(ctx(t), loser.ID))(t)
	if l.Status != kgl.EntityMerged || *l.MergedInto != winner.ID || l.Degree != 0 || l.MentionCount != 0 {
		t.Fatalf("the loser is %+v", l)
	}
	got(db.UndoMerge(ctx(t), m.ID, "you", minute(5)))(t)
	l = got(db.Entity(ctx(t), loser.ID))(t)
	same(t, l.Aliases, []string{"Both", "Short"})
	if l.Status != kgl.EntityActive || l.MergedInto != nil || l.Degree != 1 || l.MentionCount != 1 || got(db.Relationship(ctx(t), r.ID))(t).To.ID != loser.ID {
		t.Fatalf("the loser came back as %+v", l)
	}
	same(t, got(db.Entity(ctx(t), winner.ID))(t).Aliases, []string{"Both"})
}

func mergeRefused(t *testing.T, db *store.DB) {
	a, b, c := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "grant", "C")
	unknown := newEntity(9, "grant", "X")
	refused := func(code kgl.Code, winner kgl.Entity, losers ...kgl.Entity) {
		t.Helper()
		_, err := db.MergeEntities(ctx(t), newMerge(9, winner, losers...))
		wantCode(t, err, code)
	}
	refused(kgl.CodeInvalid, a)
	refused(kgl.CodeInvalid, a, a)
	refused(kgl.CodeInvalid, a, b, b)
	refused(kgl.CodeNotFound, a, unknown)
	refused(kgl.CodeNotFound, unknown, a)
	merge(t, db, 1, a, b)
	refused(kgl.CodeConflict, b, c)
	refused(kgl.CodeConflict, c, b)
	must(t, db.SetEntityStatus(ctx(t), c.ID, kgl.EntityRejected, minute(2)))
	refused(kgl.CodeConflict, a, c)
	_, err := db.EntityMerge(ctx(t), id(80_009))
	wantCode(t, err, kgl.CodeNotFound)
}

func mergeUndone(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B")
	m := merge(t, db, 1, a, b)
	undone := got(db.UndoMerge(ctx(t), m.ID, "you", minute(5)))(t)
	at := minute(5)
	m.UndoneAt, m.UndoneBy = &at, "you"
	same(t, undone, m)
	same(t, got(db.EntityMerge(ctx(t), m.ID))(t), m)
	_, err := db.UndoMerge(ctx(t), m.ID, "you", minute(6))
	wantCode(t, err, kgl.CodeConflict)
	_, err = db.UndoMerge(ctx(t), id(1), "you", minute(6))
	wantCode(t, err, kgl.CodeNotFound)
}

func mergeList(t *testing.T, db *store.DB) {
	a, b, c := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "grant", "C")
	first := merge(t, db, 1, b, a)
	second := merge(t, db, 2, c, b)
	for _, limit := range []int{1, 5} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.EntityMerge], error) { return db.EntityMerges(ctx(t), b.ID, p) })
		same(t, all, []kgl.EntityMerge{second, first})
	}
	same(t, got(db.EntityMerges(ctx(t), a.ID, kgl.Page{}))(t).Rows, []kgl.EntityMerge{first})
}

func mergeExtraction(t *testing.T, db *store.DB) {
	a, b, c, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B", "Nick"), addEntity(t, db, 3, "grant", "C"), addEntity(t, db, 4, "person", "P")
	merge(t, db, 1, a, b)
	merge(t, db, 2, c, a)
	var found []kgl.Entity
	for n, name := range []string{"A", "B", "Nick", "C"} {
		found = append(found, newEntity(10+n, "grant", name))
	}
	stored, created, err := db.UpsertEntities(ctx(t), found)
	must(t, err)
	for i, e := range stored {
		if e.ID != c.ID || created[i] {
			t.Fatalf("%s is stored as %s", found[i].Name, e.Name)
		}
	}
	r, made, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(20, b, far, "knows"), newRelationship(21, c, far, "knows")})
	must(t, err)
	same(t, made, []bool{true, false})
	if r[0].From.ID != c.ID || r[1].ID != r[0].ID {
		t.Fatalf("stored %+v", r)
	}
	_, _, err = db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(22, a, b, "knows")})
	wantCode(t, err, kgl.CodeInvalid)
	wantDegree(t, db, far.ID, 1)
}

// mergeSame merges two entities with the same relationship, of which the
// loser's is surer and a person rejected none.
func mergeSame(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	winner, loser, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	surer := newRelationship(5, far, loser, "runs")
	surer.Confidence = 0.75
	rs := addRelationships(t, db, newRelationship(4, far, winner, "runs"), surer, newRelationship(6, winner, loser, "knows"))
	replace(t, db, c, "mock", 10, rs[0])
	replace(t, db, c, "model", 11, rs[1], rs[1])
	m := merge(t, db, 1, winner, loser)
	if m.Relationships != 1 || m.Evidence != 2 {
		t.Fatalf("moved %+v", m)
	}
	r := got(db.Relationship(ctx(t), rs[0].ID))(t)
	if r.EvidenceCount != 3 || r.Confidence != 0.75 || r.Weight != 3*0.75 || r.Status != kgl.RelationshipActive {
		t.Fatalf("the one that stands is %+v", r)
	}
	hidden := got(db.Relationship(ctx(t), rs[1].ID))(t)
	if hidden.Status != kgl.RelationshipMerged || *hidden.MergedInto != r.ID || hidden.EvidenceCount != 0 {
		t.Fatalf("the other one is %+v", hidden)
	}
	if between := got(db.Relationship(ctx(t), rs[2].ID))(t); between.Status != kgl.RelationshipSuppressed {
		t.Fatalf("the one between them is %+v", between)
	}
	wantDegree(t, db, far.ID, 1)
	hidden.Status = kgl.RelationshipRejected
	_, err := db.UpdateRelationship(ctx(t), hidden)
	wantCode(t, err, kgl.CodeConflict)
	got(db.UndoMerge(ctx(t), m.ID, "me", minute(3)))(t)
	for i, confidence := range []float64{0.5, 0.75, 0.5} {
		if r := got(db.Relationship(ctx(t), rs[i].ID))(t); r.Status != kgl.RelationshipActive || r.Confidence != confidence {
			t.Fatalf("came back as %+v", r)
		}
	}
	wantDegree(t, db, far.ID, 2)
}

func mergeHollow(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	winner, loser, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	rs := addRelationships(t, db, newRelationship(4, far, winner, "runs"), newRelationship(5, far, loser, "runs"))
	replace(t, db, cs[0], "mock", 10, rs[0])
	replace(t, db, cs[1], "mock", 11, rs[1])
	m := merge(t, db, 1, winner, loser)
	same(t, replace(t, db, cs[1], "mock", 0), nil) // the one that stands has evidence still
	got(db.UndoMerge(ctx(t), m.ID, "me", minute(3)))(t)
	_, err := db.Relationship(ctx(t), rs[1].ID)
	wantCode(t, err, kgl.CodeNotFound)
	wantDegree(t, db, far.ID, 1)
}

func mergeHollowHolder(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	winner, loser, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	made := newRelationship(5, far, loser, "runs")
	made.Extractor = kgl.ExtractorManual
	rs := addRelationships(t, db, newRelationship(4, far, winner, "runs"), made)
	replace(t, db, c, "mock", 10, rs[0])
	m := merge(t, db, 1, winner, loser)
	same(t, replace(t, db, c, "mock", 0), nil) // it stands for the one that a person made
	wantDegree(t, db, far.ID, 1)
	got(db.UndoMerge(ctx(t), m.ID, "me", minute(3)))(t)
	_, err := db.Relationship(ctx(t), rs[0].ID)
	wantCode(t, err, kgl.CodeNotFound)
	if r := got(db.Relationship(ctx(t), rs[1].ID))(t); r.Status != kgl.RelationshipActive || r.To.ID != loser.ID {
		t.Errorf("what a person made is %+v", r)
	}
	for id, n := range map[string]int64{far.ID: 1, loser.ID: 1, winner.ID: 0} {
		wantDegree(t, db, id, n)
	}
}

func mergeHollowOwn(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	winner, loser, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	rs := addRelationships(t, db, newRelationship(4, far, winner, "runs"), newRelationship(5, far, loser, "runs"))
	of := func(n int, r kgl.Relationship) kgl.Evidence {
		e := newEvidence(n, r.ID, c)
		e.Start, e.End, e.Extractor = 0, 9, "mock"
		return e
	}
	got(db.ReplaceEvidence(ctx(t), c, "mock", []kgl.Evidence{of(10, rs[0]), of(11, rs[1])}))(t)
	m := merge(t, db, 1, winner, loser)
	if r := got(db.Relationship(ctx(t), rs[1].ID))(t); r.Status != kgl.RelationshipMerged || r.EvidenceCount != 1 {
		t.Fatalf("the evidence of the same place did not stay: %+v", r)
	}
	same(t, replace(t, db, c, "mock", 0), []string{rs[0].ID})
	got(db.UndoMerge(ctx(t), m.ID, "me", minute(3)))(t)
	for _, r := range rs {
		_, err := db.Relationship(ctx(t), r.ID)
		wantCode(t, err, kgl.CodeNotFound)
	}
	wantDegree(t, db, far.ID, 0)
}

func mergeDeleted(t *testing.T, db *store.DB) {
	a, b, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	addRelationships(t, db, newRelationship(4, far, a, "runs"), newRelationship(5, far, b, "runs"), newRelationship(6, b, far, "knows"))
	m := merge(t, db, 1, a, b)
	wantDegree(t, db, far.ID, 2)
	must(t, db.DeleteEntity(ctx(t), a.ID))
	for _, id := range []string{a.ID, b.ID} {
		_, err := db.Entity(ctx(t), id)
		wantCode(t, err, kgl.CodeNotFound)
	}
	_, err := db.EntityMerge(ctx(t), m.ID)
	wantCode(t, err, kgl.CodeNotFound)
	wantDegree(t, db, far.ID, 0)
}

func statusRejected(t *testing.T, db *store.DB) {
	hub, near, far := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B"), addEntity(t, db, 3, "person", "P")
	rs := addRelationships(t, db, newRelationship(4, hub, near, "knows"), newRelationship(5, far, hub, "knows"), newRelationship(6, hub, far, "funds"))
	wrong := rs[2]
	wrong.Status = kgl.RelationshipRejected
	got(db.UpdateRelationship(ctx(t), wrong))(t)
	must(t, db.SetEntityStatus(ctx(t), far.ID, kgl.EntityRejected, minute(1)))
	must(t, db.SetEntityStatus(ctx(t), hub.ID, kgl.EntityRejected, minute(2)))
	must(t, db.SetEntityStatus(ctx(t), hub.ID, kgl.EntityRejected, minute(3))) // the same again changes nothing
	e := got(db.Entity(ctx(t), hub.ID))(t)
	if e.Status != kgl.EntityRejected || e.Version != 2 || !e.UpdatedAt.Equal(minute(2)) {
		t.Fatalf("rejected %+v", e)
	}
	found, _, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(7, near, hub, "knows")})
	must(t, err)
	statuses := func(want ...kgl.RelationshipStatus) {
		t.Helper()
		for i, r := range append(rs[:3:3], found...) {
			if have := got(db.Relationship(ctx(t), r.ID))(t).Status; have != want[i] {
				t.Fatalf("%s is %s, want %s", r.ID, have, want[i])
			}
		}
	}
	const active, suppressed, rejected = kgl.RelationshipActive, kgl.RelationshipSuppressed, kgl.RelationshipRejected
	statuses(suppressed, suppressed, rejected, suppressed)
	wantDegree(t, db, near.ID, 0)
	must(t, db.SetEntityStatus(ctx(t), hub.ID, kgl.EntityActive, minute(4)))
	statuses(active, suppressed, rejected, active)
	wantDegree(t, db, hub.ID, 2)
	wantDegree(t, db, near.ID, 2)
	wantDegree(t, db, far.ID, 0)
	must(t, db.SetEntityStatus(ctx(t), far.ID, kgl.EntityActive, minute(5)))
	statuses(active, active, rejected, active)
	wantDegree(t, db, hub.ID, 3)
}

func statusRefused(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "grant", "A"), addEntity(t, db, 2, "grant", "B")
	merge(t, db, 1, a, b)
	wantCode(t, db.SetEntityStatus(ctx(t), b.ID, kgl.EntityRejected, minute(1)), kgl.CodeConflict)
	wantCode(t, db.SetEntityStatus(ctx(t), a.ID, kgl.EntityMerged, minute(1)), kgl.CodeInvalid)
	wantCode(t, db.SetEntityStatus(ctx(t), id(9), kgl.EntityRejected, minute(1)), kgl.CodeNotFound)
}
