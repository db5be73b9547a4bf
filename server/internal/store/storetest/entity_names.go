package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEntityNames(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"external ids belong to one entity only", externalUnique},
		{"external ids are replaced by an update", externalUpdate},
		{"external ids come with lists", externalLists},
		{"aliases are paged in the order of their normalised form", aliasPages},
		{"an alias is added once, with language and source", aliasAdd},
		{"an alias is removed by its normalised form", aliasRemove},
		{"an update keeps language and source of the aliases that stay", aliasUpdate},
		{"upserts find by external id before name, and name before alias", upsertOrder},
		{"upserts add names and ids that are free, and rename nothing", upsertNames},
		{"upserts give what the list names twice all its names", upsertTwiceNamed},
		{"merged entities stand for what they were merged into", followMerged},
		{"names are found with whom a merge gives them, and an undo back", mergedNames},
		{"rejected entities are found as they are", upsertRejected},
		{"a deleted entity leaves its neighbours with the right degree", deleteDegree},
		{"what was merged into an entity goes with it", deleteMerged},
	})
}

// newNamed returns an entity with external ids of the scheme "x".
func newNamed(n int, typ, name string, external ...string) kgl.Entity {
	e := newEntity(n, typ, name)
	for _, value := range external {
		e.ExternalIDs = append(e.ExternalIDs, kgl.ExternalID{Scheme: "x", Value: value})
	}
	return e
}

func addNamed(t *testing.T, db *store.DB, n int, typ, name string, external ...string) kgl.Entity {
	t.Helper()
	e := newNamed(n, typ, name, external...)
	must(t, db.CreateEntity(ctx(t), e))
	return e
}

// mergeInto merges losers into a winner, by the merge with the id n.
func mergeInto(t *testing.T, db *store.DB, n int, winner string, losers ...string) {
	t.Helper()
	m := kgl.EntityMerge{ID: id(80_000 + n), Winner: kgl.EntityRef{ID: winner}, Actor: "a", CreatedAt: minute(100 + n)}
	for _, loser := range losers {
		m.Losers = append(m.Losers, kgl.EntityRef{ID: loser})
	}
	got(db.MergeEntities(ctx(t), m))(t)
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	wantCode(t, err, kgl.CodeConflict)
	var fields []string
	if e, ok := err.(*kgl.Error); ok {
		for _, f := range e.Fields {
			fields = append(fields, f.Field)
		}
	}
	same(t, fields, []string{field})
}

func externalUnique(t *testing.T, db *store.DB) {
	a := addNamed(t, db, 1, "person", "Ada", "1", "2")
	same(t, got(db.Entity(ctx(t), a.ID))(t), a)
	wantField(t, db.CreateEntity(ctx(t), newNamed(2, "person", "Berta", "3", "2")), "external_ids[1]")
	_, err := db.Entity(ctx(t), id(2))
	wantCode(t, err, kgl.CodeNotFound)
	other := newEntity(3, "person", "Cleo")
	other.ExternalIDs = []kgl.ExternalID{{Scheme: "y", Value: "1"}}
	must(t, db.CreateEntity(ctx(t), other))
	b := addNamed(t, db, 4, "person", "Dora", "3")
	b.ExternalIDs = append(b.ExternalIDs, kgl.ExternalID{Scheme: "x", Value: "1"})
	_, err = db.UpdateEntity(ctx(t), b)
	wantField(t, err, "external_ids[1]")
	must(t, db.DeleteEntity(ctx(t), a.ID))
	got(db.UpdateEntity(ctx(t), b))(t) // free again
}

func externalUpdate(t *testing.T, db *store.DB) {
	a := addNamed(t, db, 1, "person", "Ada", "1", "2")
	a.ExternalIDs = []kgl.ExternalID{{Scheme: "a", Value: "9"}, {Scheme: "x", Value: "2"}}
	changed := got(db.UpdateEntity(ctx(t), a))(t)
	same(t, changed.ExternalIDs, a.ExternalIDs)
	same(t, got(db.Entity(ctx(t), a.ID))(t), changed)
	addNamed(t, db, 2, "person", "Berta", "1")
	changed.ExternalIDs = nil
	if left := got(db.UpdateEntity(ctx(t), changed))(t).ExternalIDs; len(left) != 0 {
		t.Fatalf("%v are left", left)
	}
}

func externalLists(t *testing.T, db *store.DB) {
	var want [][]kgl.ExternalID
	for n := range 5 {
		e := addNamed(t, db, n, "person", fmt.Sprint("Name ", n), fmt.Sprint("b", n), fmt.Sprint("c", n))
		want = append(want, e.ExternalIDs)
	}
	rows := got(db.Entities(ctx(t), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 10}))(t).Rows
	for i, e := range rows {
		same(t, e.ExternalIDs, want[i])
	}
}

func aliasPages(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Zeta", "alpha", "Mu", "Beta", "Ömega")
	addEntity(t, db, 2, "person", "Berta", "Gamma")
	for _, limit := range []int{1, 2, 5, 50} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Alias], error) { return db.EntityAliases(ctx(t), e.ID, p) })
		same(t, idsOf(all, func(a kgl.Alias) string { return a.Alias }), []string{"alpha", "Beta", "Mu", "Zeta", "Ömega"})
		for _, a := range all {
			if a.EntityID != e.ID || a.Source != kgl.ExtractorMock || a.Language != "" {
				t.Fatalf("alias %+v", a)
			}
		}
	}
}

func aliasAdd(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	a := kgl.Alias{EntityID: e.ID, Alias: "Gräfin", Language: "de", Source: kgl.ExtractorManual}
	changed := got(db.AddAlias(ctx(t), a, minute(9)))(t)
	e.Aliases, e.Version, e.UpdatedAt = []string{"Countess", "Gräfin"}, 2, minute(9)
	same(t, changed, e)
	same(t, got(db.EntityAliases(ctx(t), e.ID, kgl.Page{Limit: 9}))(t).Rows[1], a)
	a.Alias = "GRÄFIN!"
	_, err := db.AddAlias(ctx(t), a, minute(10))
	wantCode(t, err, kgl.CodeConflict)
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
	a.EntityID = id(9)
	_, err = db.AddAlias(ctx(t), a, minute(10))
	wantCode(t, err, kgl.CodeNotFound)
	// It is a name like any other.
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(3, "person", "gräfin")})
	must(t, err)
	same(t, created, []bool{false})
	same(t, stored, []kgl.Entity{e})
}

func aliasRemove(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess", "Lady")
	changed := got(db.RemoveAlias(ctx(t), e.ID, "countess", minute(9)))(t)
	e.Aliases, e.Version, e.UpdatedAt = []string{"Lady"}, 2, minute(9)
	same(t, changed, e)
	for _, missing := range []struct{ id, key string }{{e.ID, "countess"}, {e.ID, "ada"}, {id(9), "lady"}} {
		_, err := db.RemoveAlias(ctx(t), missing.id, missing.key, minute(10))
		wantCode(t, err, kgl.CodeNotFound)
	}
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
}

func aliasUpdate(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	e = got(db.AddAlias(ctx(t), kgl.Alias{EntityID: e.ID, Alias: "Gräfin", Language: "de", Source: kgl.ExtractorManual}, minute(9)))(t)
	e.Aliases = []string{"COUNTESS", "Gräfin", "New"}
	got(db.UpdateEntity(ctx(t), e))(t)
	same(t, got(db.EntityAliases(ctx(t), e.ID, kgl.Page{Limit: 9}))(t).Rows, []kgl.Alias{
		{EntityID: e.ID, Alias: "COUNTESS", Source: kgl.ExtractorMock},
		{EntityID: e.ID, Alias: "Gräfin", Language: "de", Source: kgl.ExtractorManual},
		{EntityID: e.ID, Alias: "New", Source: kgl.ExtractorManual},
	})
}

func upsertOrder(t *testing.T, db *store.DB) {
	byID := addNamed(t, db, 1, "organization", "By Id", "1")
	named := addEntity(t, db, 2, "organization", "Acme")
	aliased := addEntity(t, db, 3, "organization", "Other", "Acme", "Ace")
	given := []kgl.Entity{newNamed(11, "organization", "Acme", "7", "1"), newEntity(12, "organization", "ACME"), newEntity(13, "organization", "Ace")}
	stored, created, err := db.UpsertEntities(ctx(t), given)
	must(t, err)
	same(t, created, []bool{false, false, false})
	same(t, idsOf(stored, entityID), []string{byID.ID, named.ID, aliased.ID})
}

func upsertNames(t *testing.T, db *store.DB) {
	known := addNamed(t, db, 1, "organization", "Acme", "1")
	other := addEntity(t, db, 2, "organization", "Zenith", "Zen")
	addNamed(t, db, 3, "person", "Somebody", "2")
	found := newNamed(10, "platform", "Acme Platform", "1", "2", "3")
	found.Aliases = []string{"Zen", "zenith", "ACME", "Acme Inc", "..."}
	found.Extractor, found.Description, found.UpdatedAt = "builtin@1", "ignored", minute(50)
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{found})
	must(t, err)
	same(t, created, []bool{false})
	known.Aliases = []string{"Acme Inc", "Acme Platform"} // what others are called is not added
	known.ExternalIDs = []kgl.ExternalID{{Scheme: "x", Value: "1"}, {Scheme: "x", Value: "3"}}
	known.Version, known.UpdatedAt = 2, minute(50)
	same(t, stored, []kgl.Entity{known})
	for _, a := range got(db.EntityAliases(ctx(t), known.ID, kgl.Page{Limit: 9}))(t).Rows {
		if a.Source != "builtin@1" || a.Language != "" {
			t.Fatalf("alias %+v", a)
		}
	}
	same(t, got(db.Entity(ctx(t), other.ID))(t), other)
	// The same again changes nothing, and the new names are found.
	again, _, err := db.UpsertEntities(ctx(t), []kgl.Entity{found, newEntity(11, "organization", "acme inc")})
	must(t, err)
	same(t, again, []kgl.Entity{known, known})
	fresh := newNamed(12, "organization", "Fresh", "1x", "2")
	fresh.Aliases = []string{"Zen", "Fresh One"}
	stored, created, err = db.UpsertEntities(ctx(t), []kgl.Entity{fresh})
	must(t, err)
	// It is the person with the external id: the id decides.
	same(t, created, []bool{false})
	same(t, idsOf(stored, entityID), []string{id(3)})
	if stored[0].Name != "Somebody" {
		t.Fatalf("an upsert renamed an entity %q", stored[0].Name)
	}
}

func upsertTwiceNamed(t *testing.T, db *store.DB) {
	a, b := newNamed(1, "organization", "Acme", "1"), newNamed(2, "organization", "Acme Corporation", "1")
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{a, b})
	must(t, err)
	same(t, created, []bool{true, false})
	a.Aliases = []string{"Acme Corporation"}
	same(t, stored, []kgl.Entity{a, a})
}

func followMerged(t *testing.T, db *store.DB) {
	a := addEntity(t, db, 1, "organization", "Alpha", "First")
	b := addEntity(t, db, 2, "organization", "Beta")
	c := addNamed(t, db, 3, "person", "Gamma", "1")
	mergeInto(t, db, 1, b.ID, a.ID)
	mergeInto(t, db, 2, c.ID, b.ID)
	for _, old := range []string{a.ID, b.ID, c.ID} {
		if e := got(db.FollowEntity(ctx(t), old))(t); e.ID != c.ID || e.Status != kgl.EntityActive {
			t.Fatalf("%s is %s, %s", old, e.ID, e.Status)
		}
	}
	if e := got(db.Entity(ctx(t), a.ID))(t); e.Status != kgl.EntityMerged || *e.MergedInto != b.ID {
		t.Fatalf("the merged entity is %+v", e)
	}
	_, err := db.FollowEntity(ctx(t), id(9))
	wantCode(t, err, kgl.CodeNotFound)
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(10, "organization", "Alpha"), newEntity(11, "organization", "Beta")})
	must(t, err)
	same(t, created, []bool{false, false})
	same(t, idsOf(stored, entityID), []string{c.ID, c.ID})
}

func upsertRejected(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "organization", "Nothing")
	must(t, db.SetEntityStatus(ctx(t), e.ID, kgl.EntityRejected, minute(2)))
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(10, "organization", "nothing")})
	must(t, err)
	same(t, created, []bool{false})
	if stored[0].ID != e.ID || stored[0].Status != kgl.EntityRejected {
		t.Fatalf("found %+v", stored[0])
	}
}

func deleteDegree(t *testing.T, db *store.DB) {
	var es []kgl.Entity
	for n := range 5 {
		es = append(es, addEntity(t, db, n, "person", fmt.Sprint("Person ", n)))
	}
	addRelationships(t, db, newRelationship(10, es[0], es[1], "knows"), newRelationship(11, es[1], es[0], "knows"),
		newRelationship(12, es[0], es[1], "likes"), newRelationship(13, es[2], es[0], "knows"), newRelationship(14, es[1], es[3], "knows"))
	must(t, db.DeleteEntity(ctx(t), es[0].ID))
	var degrees []int64
	for _, e := range es[1:] {
		degrees = append(degrees, got(db.Entity(ctx(t), e.ID))(t).Degree)
	}
	same(t, degrees, []int64{1, 0, 1, 0})
}

func deleteMerged(t *testing.T, db *store.DB) {
	a, b, c := addEntity(t, db, 1, "person", "Anna"), addEntity(t, db, 2, "person", "Berta"), addEntity(t, db, 3, "person", "Cleo")
	addRelationships(t, db, newRelationship(10, a, c, "knows"), newRelationship(11, b, c, "knows"))
	mergeInto(t, db, 1, b.ID, a.ID)
	must(t, db.DeleteEntity(ctx(t), b.ID))
	for _, gone := range []string{a.ID, b.ID} {
		_, err := db.Entity(ctx(t), gone)
		wantCode(t, err, kgl.CodeNotFound)
	}
	if d := got(db.Entity(ctx(t), c.ID))(t).Degree; d != 0 {
		t.Fatalf("the neighbour has the degree %d", d)
	}
	if found := got(db.SimilarMatches(ctx(t), []string{"anna", "berta"}, nil, 5))(t); len(found) != 0 {
		t.Fatalf("found %+v", found)
	}
	_, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(20, "person", "Anna")})
	must(t, err)
	if !slices.Equal(created, []bool{true}) {
		t.Fatal("the merged entity is still found")
	}
}

func mergedNames(t *testing.T, db *store.DB) {
	winner := addEntity(t, db, 1, "organization", "Wintergarten", "Winterhaus")
	loser := addEntity(t, db, 2, "platform", "Sommerbühne", "Sommertheater", "Winterhaus")
	owner := func(key, want string) {
		t.Helper()
		for _, found := range [][]kgl.NameMatch{
			got(db.SimilarMatches(ctx(t), []string{key[:len(key)-1]}, nil, 5))(t),
			got(db.PrefixMatches(ctx(t), key[:5], nil, 5))(t), got(db.ExactMatches(ctx(t), []string{key}))(t),
		} {
			if len(found) != 1 || found[0].Entity.ID != want {
				t.Errorf("%s finds %+v, want %s", key, found, want)
			}
		}
	}
	owner("sommertheater", loser.ID)
	mergeInto(t, db, 1, winner.ID, loser.ID)
	for _, key := range []string{"wintergarten", "sommerbühne", "sommertheater", "winterhaus"} {
		owner(key, winner.ID)
	}
	// The aliases have the type of the entity that they name now.
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(10, "organization", "Sommertheater")})
	must(t, err)
	same(t, created, []bool{false})
	same(t, idsOf(stored, entityID), []string{winner.ID})
	got(db.UndoMerge(ctx(t), id(80_001), "a", minute(200)))(t)
	for _, key := range []string{"sommerbühne", "sommertheater"} {
		owner(key, loser.ID)
	}
	stored, created, err = db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(11, "platform", "Sommertheater")})
	must(t, err)
	same(t, created, []bool{false})
	same(t, idsOf(stored, entityID), []string{loser.ID})
}
