package storetest

import (
	"fmt"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// twoRelationships stores two relationships between two entities.
func twoRelationships(t *testing.T, db *store.DB) (kgl.Relationship, kgl.Relationship) {
	t.Helper()
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	rs := addRelationships(t, db, newRelationship(3, a, b, "knows"), newRelationship(4, a, b, "employs"))
	return rs[0], rs[1]
}

// replace stores evidence for relationships, with ids from first on, and
// returns the removed relationships.
func replace(t *testing.T, db *store.DB, content, extractor string, first int, rs ...kgl.Relationship) []string {
	t.Helper()
	var es []kgl.Evidence
	for i, r := range rs {
		e := newEvidence(first+i, r.ID, content)
		e.Extractor = extractor
		es = append(es, e)
	}
	return got(db.ReplaceEvidence(ctx(t), content, extractor, es))(t)
}

func evidenceReplace(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	r, other := twoRelationships(t, db)
	same(t, replace(t, db, cs[0], "mock", 10, r, r, other), nil)
	same(t, replace(t, db, cs[0], "model", 20, r), nil)
	same(t, replace(t, db, cs[1], "mock", 30, other), nil)
	wantEvidence(t, db, map[string]int64{r.ID: 3, other.ID: 2})
	same(t, replace(t, db, cs[0], "mock", 10, r, r, other), nil) // the same again changes nothing
	wantEvidence(t, db, map[string]int64{r.ID: 3, other.ID: 2})
	same(t, replace(t, db, cs[0], "mock", 40, other), nil)
	wantEvidence(t, db, map[string]int64{r.ID: 1, other.ID: 2})
	if v := got(db.Relationship(ctx(t), r.ID))(t).Version; v != 1 {
		t.Fatalf("counting made version %d", v)
	}
}

func evidenceList(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	r, other := twoRelationships(t, db)
	replace(t, db, content, "mock", 10, r, other, r, r)
	es := got(db.RelationshipEvidence(ctx(t), r.ID, kgl.Page{Limit: 2}))(t).Rows
	same(t, es, []kgl.Evidence{newEvidence(13, r.ID, content), newEvidence(12, r.ID, content)})
	if n := len(got(db.RelationshipEvidence(ctx(t), r.ID, kgl.Page{Limit: 10}))(t).Rows); n != 3 {
		t.Fatalf("%d pieces of evidence", n)
	}
}

func evidenceUnsupported(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	r, other := twoRelationships(t, db)
	a, b := r.From, r.To
	foreign := newRelationship(5, kgl.Entity{ID: a.ID}, kgl.Entity{ID: b.ID}, "owns")
	foreign.Extractor = kgl.ExtractorManual
	bare := newRelationship(6, kgl.Entity{ID: a.ID}, kgl.Entity{ID: b.ID}, "likes")
	addRelationships(t, db, foreign, bare)
	replace(t, db, cs[0], "mock", 10, r, other, foreign)
	replace(t, db, cs[1], "mock", 20, other)
	// r loses its last evidence; other keeps one; foreign is a person's; bare never had any.
	same(t, replace(t, db, cs[0], "mock", 0), []string{r.ID})
	_, err := db.Relationship(ctx(t), r.ID)
	wantCode(t, err, kgl.CodeNotFound)
	wantEvidence(t, db, map[string]int64{other.ID: 1, foreign.ID: 0, bare.ID: 0})
}

// evidenceDeleted deletes an item and a source in which relationships were
// found.
func evidenceDeleted(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	r, other := twoRelationships(t, db)
	ends := func(n int, typ, extractor string) kgl.Relationship {
		r := newRelationship(n, kgl.Entity{ID: r.From.ID}, kgl.Entity{ID: r.To.ID}, typ)
		r.Extractor = extractor
		return r
	}
	manual, bare := ends(5, "owns", kgl.ExtractorManual), ends(6, "likes", kgl.ExtractorMock)
	addRelationships(t, db, manual, bare)
	replace(t, db, cs[0], "mock", 10, r, r, other, manual)
	replace(t, db, cs[0], "model", 20, r)
	replace(t, db, cs[1], "mock", 30, other, manual)
	wantGone := func(id string) {
		t.Helper()
		_, err := db.Relationship(ctx(t), id)
		wantCode(t, err, kgl.CodeNotFound)
	}
	must(t, db.DeleteContent(ctx(t), cs[0], kgl.RemovedByPerson, epoch))
	wantGone(r.ID) // whoever found its evidence
	wantEvidence(t, db, map[string]int64{other.ID: 1, manual.ID: 1, bare.ID: 0})
	must(t, db.DeleteSource(ctx(t), id(5001)))
	wantGone(other.ID)
	wantEvidence(t, db, map[string]int64{manual.ID: 0, bare.ID: 0}) // a person's, and one that never had any
}

func evidenceRace(t *testing.T, db *store.DB) {
	const items, kinds = 8, 5
	cs := graphContents(t, db, items)
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	var rs []kgl.Relationship
	for k := range kinds {
		r := newRelationship(10+k, a, b, fmt.Sprint("type", k))
		r.Extractor = kgl.ExtractorManual // it stays when it has no evidence for a moment
		rs = append(rs, r)
	}
	addRelationships(t, db, rs...)
	for _, err := range parallel(items, func(i int) error {
		for round := range 3 {
			var es []kgl.Evidence
			for k := range kinds - round {
				es = append(es, newEvidence(1000*(i+1)+100*round+k, rs[(k+i)%kinds].ID, cs[i]))
			}
			if _, err := db.ReplaceEvidence(ctx(t), cs[i], "manual-run", es); err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	want := map[string]int64{}
	for i := range items {
		for k := range kinds - 2 {
			want[rs[(k+i)%kinds].ID]++
		}
	}
	wantEvidence(t, db, want)
}
