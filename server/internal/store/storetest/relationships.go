package storetest

import (
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
