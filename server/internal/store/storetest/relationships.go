package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runRelationships(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a relationship is stored whole", relationshipRoundTrip},
		{"an unknown relationship is not found", relationshipNotFound},
		{"upserts find by ends and type", relationshipUpsert},
		{"ends must exist and differ", relationshipEnds},
		{"concurrent upserts create each relationship once", relationshipUpsertRace},
		{"lists cover every relationship once, newest first", relationshipList},
		{"lists filter", relationshipFilter},
		{"relationships of an entity, by direction and type", relationshipsOfEntity},
		{"the heaviest relationships come first when asked", relationshipsByWeight},
		{"a fact and its times are filled in once", relationshipDescribed},
		{"a relationship is changed when nobody else changed it", relationshipUpdate},
		{"a deleted relationship leaves its ends", relationshipDelete},
		{"found evidence passes to the next run, the rest goes", evidenceOfRuns},
		{"evidence of one extractor and item is replaced", evidenceReplace},
		{"evidence is listed newest first, up to a limit", evidenceList},
		{"relationships without evidence go with their extractor's last", evidenceUnsupported},
		{"relationships without evidence go with the last item or source", evidenceDeleted},
		{"counters are right after concurrent replacements", evidenceRace},
	})
}

// wantEvidence checks EvidenceCount of relationships.
func wantEvidence(t *testing.T, db *store.DB, want map[string]int64) {
	t.Helper()
	for id, n := range want {
		if have := got(db.Relationship(ctx(t), id))(t).EvidenceCount; have != n {
			t.Fatalf("relationship %s has the evidence count %d, want %d", id, have, n)
		}
	}
}

func relationshipRoundTrip(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "grant", "B")
	r := newRelationship(3, a, b, "offers")
	same(t, addRelationships(t, db, r), []kgl.Relationship{r})
	same(t, got(db.Relationship(ctx(t), r.ID))(t), r)
}

func relationshipNotFound(t *testing.T, db *store.DB) {
	_, err := db.Relationship(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
}

func relationshipUpsert(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	old := addRelationships(t, db, newRelationship(3, a, b, "knows"))[0]
	weaker, stronger := newRelationship(4, a, b, "knows"), newRelationship(5, a, b, "knows")
	weaker.Confidence, stronger.Confidence = 0.1, 0.9
	back, other := newRelationship(6, b, a, "knows"), newRelationship(7, a, b, "employs")
	again := newRelationship(8, a, b, "employs")
	again.Confidence = 0.7
	stored, created, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{weaker, back, stronger, other, again})
	must(t, err)
	same(t, created, []bool{false, true, false, true, false})
	old.Confidence, old.Weight, old.Version, old.UpdatedAt = 0.9, 0.9, 2, stronger.UpdatedAt
	other.Confidence, other.Weight = 0.7, 0.7
	same(t, stored, []kgl.Relationship{old, back, old, other, other})
	stored, _, err = db.UpsertRelationships(ctx(t), nil)
	must(t, err)
	same(t, stored, nil)
}

func relationshipEnds(t *testing.T, db *store.DB) {
	a := addEntity(t, db, 1, "person", "A")
	_, _, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(2, a, a, "knows")})
	wantCode(t, err, kgl.CodeInvalid)
	_, _, err = db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(2, a, newEntity(9, "person", "X"), "knows")})
	wantCode(t, err, kgl.CodeConflict)
}

func relationshipUpsertRace(t *testing.T, db *store.DB) {
	const callers, kinds = 10, 6
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	made := make([][]bool, callers)
	for _, err := range parallel(callers, func(i int) error {
		rs := make([]kgl.Relationship, kinds)
		for k := range rs {
			rs[k] = newRelationship(100*(i+1)+k, a, b, fmt.Sprint("type", (k*5+i)%kinds))
		}
		_, created, err := db.UpsertRelationships(ctx(t), rs)
		made[i] = created
		return err
	}) {
		must(t, err)
	}
	count := 0
	for _, created := range made {
		for _, c := range created {
			if c {
				count++
			}
		}
	}
	all := got(db.Relationships(ctx(t), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 100}))(t).Rows
	if count != kinds || len(all) != kinds {
		t.Fatalf("%d relationships were created, %d are stored", count, len(all))
	}
}

// graph stores four entities and relationships among all of them, with ties in
// time; it returns the relationships, newest first.
func graph(t *testing.T, db *store.DB) ([]kgl.Entity, []kgl.Relationship) {
	t.Helper()
	var es []kgl.Entity
	for n := range 4 {
		es = append(es, addEntity(t, db, n, "person", fmt.Sprint("Person ", n)))
	}
	var rs []kgl.Relationship
	for _, from := range es {
		for _, to := range es {
			for _, typ := range []string{"knows", "employs"} {
				if from.ID == to.ID {
					continue
				}
				r := newRelationship(100+len(rs), from, to, typ)
				r.CreatedAt, r.Confidence = minute(len(rs)/4), float64(len(rs)%5)/4
				r.Weight = r.Confidence
				rs = append(rs, r)
			}
		}
	}
	rs = addRelationships(t, db, rs...)
	slices.Reverse(rs)
	return es, rs
}

// chosen returns the ids of the relationships that keep tells to keep.
func chosen(rs []kgl.Relationship, keep func(kgl.Relationship) bool) []string {
	out := []string{}
	for _, r := range rs {
		if keep(r) {
			out = append(out, r.ID)
		}
	}
	return out
}

func relationshipList(t *testing.T, db *store.DB) {
	_, rs := graph(t, db)
	for _, limit := range []int{1, 4, 7, 24, 100} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
			return db.Relationships(ctx(t), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, p)
		})
		same(t, all, rs)
	}
}

func relationshipFilter(t *testing.T, db *store.DB) {
	es, rs := graph(t, db)
	a, b := es[0].ID, es[1].ID
	for _, tc := range []struct {
		name   string
		filter kgl.RelationshipFilter
		keep   func(kgl.Relationship) bool
	}{
		{"type", kgl.RelationshipFilter{Type: "knows"}, func(r kgl.Relationship) bool { return r.Type == "knows" }},
		{"from", kgl.RelationshipFilter{FromEntityID: a}, func(r kgl.Relationship) bool { return r.From.ID == a }},
		{"to", kgl.RelationshipFilter{ToEntityID: b}, func(r kgl.Relationship) bool { return r.To.ID == b }},
		{"confidence", kgl.RelationshipFilter{MinConfidence: 0.5}, func(r kgl.Relationship) bool { return r.Confidence >= 0.5 }},
		{"all of them", kgl.RelationshipFilter{Type: "employs", FromEntityID: a, ToEntityID: b, MinConfidence: 0.1},
			func(r kgl.Relationship) bool {
				return r.Type == "employs" && r.From.ID == a && r.To.ID == b && r.Confidence >= 0.1
			}},
		{"nothing", kgl.RelationshipFilter{Type: "owns"}, func(kgl.Relationship) bool { return false }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
				return db.Relationships(ctx(t), tc.filter, kgl.RelationshipNewestFirst, p)
			})
			same(t, idsOf(all, relationshipID), chosen(rs, tc.keep))
		})
	}
}

func relationshipsOfEntity(t *testing.T, db *store.DB) {
	es, rs := graph(t, db)
	me := es[2].ID
	for _, d := range []kgl.Direction{kgl.DirectionAny, kgl.DirectionOut, kgl.DirectionIn} {
		for _, typ := range []string{"", "knows", "owns"} {
			want := chosen(rs, func(r kgl.Relationship) bool {
				out, in := r.From.ID == me && d != kgl.DirectionIn, r.To.ID == me && d != kgl.DirectionOut
				return (out || in) && (typ == "" || r.Type == typ)
			})
			for _, limit := range []int{1, 3, 100} {
				t.Run(fmt.Sprint(d, " ", typ, " by ", limit), func(t *testing.T) {
					all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
						return db.EntityRelationships(ctx(t), me, kgl.EntityRelationshipFilter{Direction: d, Type: typ}, kgl.RelationshipNewestFirst, p)
					})
					same(t, idsOf(all, relationshipID), want)
				})
			}
		}
	}
}

func relationshipsByWeight(t *testing.T, db *store.DB) {
	es, rs := graph(t, db)
	content, me := graphContents(t, db, 1)[0], es[2].ID
	replace(t, db, content, "mock", 1000, rs[3], rs[3], rs[3], rs[9], rs[9], rs[20])
	hidden := rs[5]
	hidden.Status = kgl.RelationshipRejected
	got(db.UpdateRelationship(ctx(t), hidden))(t)
	for i := range rs {
		rs[i] = got(db.Relationship(ctx(t), rs[i].ID))(t)
		if r := rs[i]; r.Weight != kgl.RelationshipWeight(r.Confidence, r.EvidenceCount) {
			t.Fatalf("the weight of %+v", r)
		}
	}
	active := slices.DeleteFunc(slices.Clone(rs), func(r kgl.Relationship) bool { return r.ID == hidden.ID })
	slices.SortFunc(active, func(a, b kgl.Relationship) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(b.ID, a.ID))
	})
	for _, limit := range []int{1, 5, 100} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
			return db.Relationships(ctx(t), kgl.RelationshipFilter{MinConfidence: 0.25}, kgl.RelationshipHeaviestFirst, p)
		})
		same(t, idsOf(all, relationshipID), chosen(active, func(r kgl.Relationship) bool { return r.Confidence >= 0.25 }))
		rejected := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
			return db.Relationships(ctx(t), kgl.RelationshipFilter{Status: kgl.RelationshipRejected}, kgl.RelationshipHeaviestFirst, p)
		})
		same(t, idsOf(rejected, relationshipID), []string{hidden.ID})
	}
	other := func(r kgl.Relationship) string {
		if r.From.ID == me {
			return r.To.ID
		}
		return r.From.ID
	}
	slices.SortFunc(active, func(a, b kgl.Relationship) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(other(a), other(b)), cmp.Compare(a.ID, b.ID))
	})
	for _, d := range []kgl.Direction{kgl.DirectionAny, kgl.DirectionOut, kgl.DirectionIn} {
		want := chosen(active, func(r kgl.Relationship) bool {
			return r.Confidence >= 0.25 && (r.From.ID == me && d != kgl.DirectionIn || r.To.ID == me && d != kgl.DirectionOut)
		})
		for _, limit := range []int{1, 2, 100} {
			all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Relationship], error) {
				return db.EntityRelationships(ctx(t), me, kgl.EntityRelationshipFilter{Direction: d, MinConfidence: 0.25}, kgl.RelationshipHeaviestFirst, p)
			})
			same(t, idsOf(all, relationshipID), want)
		}
	}
}

func relationshipDescribed(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	bare, told, again := newRelationship(3, a, b, "knows"), newRelationship(4, a, b, "knows"), newRelationship(5, a, b, "knows")
	told.Fact, told.ValidFrom = "A knows B.", "2026"
	again.Fact, again.ValidTo, again.Confidence = "Other words.", "2025", 0.75
	addRelationships(t, db, bare)
	stored, _, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{told, again})
	must(t, err)
	want := bare
	want.Fact, want.ValidFrom, want.Confidence, want.Weight = told.Fact, told.ValidFrom, 0.75, 0.75
	want.Version, want.UpdatedAt = stored[0].Version, stored[0].UpdatedAt
	same(t, stored, []kgl.Relationship{want, want})
	same(t, got(db.Relationship(ctx(t), bare.ID))(t), want)
	if want.Version < 2 {
		t.Fatalf("version %d", want.Version)
	}
}

func relationshipUpdate(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	r := addRelationships(t, db, newRelationship(3, a, b, "knows"))[0]
	r.Fact, r.Confidence, r.ValidFrom, r.ValidTo, r.Status, r.UpdatedAt = "F", 0.25, "2026-01", "2027", kgl.RelationshipRejected, minute(9)
	stored := got(db.UpdateRelationship(ctx(t), r))(t)
	_, err := db.UpdateRelationship(ctx(t), r)
	wantCode(t, err, kgl.CodePreconditionFailed)
	r.Version, r.Weight = 2, 0.25
	same(t, stored, r)
	same(t, got(db.Relationship(ctx(t), r.ID))(t), r)
	wantDegree(t, db, a.ID, 0)
	found, created, err := db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(4, a, b, "knows")})
	must(t, err)
	if created[0] || found[0].Status != kgl.RelationshipRejected {
		t.Fatalf("what a person rejected was found as %+v", found[0])
	}
	r = found[0]
	r.Status = kgl.RelationshipActive
	got(db.UpdateRelationship(ctx(t), r))(t)
	wantDegree(t, db, a.ID, 1)
	_, err = db.UpdateRelationship(ctx(t), newRelationship(9, a, b, "owns"))
	wantCode(t, err, kgl.CodeNotFound)
}

func relationshipDelete(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	r, other := twoRelationships(t, db)
	replace(t, db, content, "mock", 10, r, other)
	wantDegree(t, db, r.From.ID, 2)
	must(t, db.DeleteRelationship(ctx(t), r.ID))
	wantCode(t, db.DeleteRelationship(ctx(t), r.ID), kgl.CodeNotFound)
	wantDegree(t, db, r.From.ID, 1)
	wantDegree(t, db, r.To.ID, 1)
	same(t, replace(t, db, content, "mock", 0), []string{other.ID})
	wantDegree(t, db, r.To.ID, 0)
}

// evidenceOfRuns stores what two runs found one after the other: the second in
// part the same.
func evidenceOfRuns(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	r, other := twoRelationships(t, db)
	first := addRun(t, db, 1, content, "model@1")
	replace(t, db, content, "model", 5, r) // from before there were runs
	replace(t, db, content, "models", 6, r)
	piece := func(n int, r kgl.Relationship, start int64, run kgl.ExtractionRun) kgl.Evidence {
		e := newEvidence(n, r.ID, content)
		e.Extractor, e.RunID, e.Start, e.End = run.Extractor, &run.ID, start, start+1
		return e
	}
	must(t, db.InsertEvidence(ctx(t), []kgl.Evidence{piece(10, r, 1, first), piece(11, other, 2, first), piece(12, other, 2, first)}))
	wantEvidence(t, db, map[string]int64{r.ID: 3, other.ID: 1})
	same(t, got(db.SupersedeRun(ctx(t), content, "model", minute(3)))(t), first.ID)
	second := addRun(t, db, 2, content, "model@1")
	again := piece(20, r, 1, second)
	again.Quote = "again"
	must(t, db.InsertEvidence(ctx(t), []kgl.Evidence{again}))
	wantEvidence(t, db, map[string]int64{r.ID: 3})
	same(t, got(db.DeleteRunEvidence(ctx(t), content, first.ID, "model"))(t), []string{other.ID})
	wantEvidence(t, db, map[string]int64{r.ID: 2})
	kept := pages(t, 1, func(p kgl.Page) (kgl.List[kgl.Evidence], error) { return db.RelationshipEvidence(ctx(t), r.ID, p) })
	if len(kept) != 2 || kept[0].ID != id(10) || *kept[0].RunID != second.ID || kept[0].Quote != "again" || kept[1].Extractor != "models" {
		t.Fatalf("kept %+v", kept)
	}
	same(t, got(db.DeleteRunEvidence(ctx(t), content, "", "model"))(t), nil)
	wantEvidence(t, db, map[string]int64{r.ID: 2})
}
