package storetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEntities(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an entity is stored whole", entityRoundTrip},
		{"type and name are taken once", entityUnique},
		{"an unknown entity is not found", entityNotFound},
		{"an update needs the stored version", entityUpdate},
		{"an update moves the aliases to the new type", entityRetype},
		{"an entity goes with mentions and relationships", entityDelete},
		{"upserts find by name or alias", entityUpsert},
		{"upserts raise confidence only", entityUpsertConfidence},
		{"an entity that a list names twice is created once", entityUpsertTwice},
		{"concurrent upserts create each entity once", entityUpsertRace},
		{"an upserted entity stays until the transaction ends", entityUpsertLock},
		{"lists cover every entity once, in each order", entityOrders},
		{"lists filter", entityFilter},
		{"a prefix finds names and aliases", entityPrefix},
		{"pages of a prefix cover names and aliases once", entityPrefixPages},
		{"lists hold the active unless asked for others", entityStatuses},
		{"lists by time and degree, and of those seen since", entitySeenAndDegree},
		{"an entity that moves in the order leaves the others where they are", entityMoves},
	})
}

func entityRoundTrip(t *testing.T, db *store.DB) {
	e := newEntity(1, "organization", "Open & Free Foundation")
	e.Description, e.Attributes, e.Confidence = "A body", json.RawMessage(`{"url": "https://example.org/?a&b"}`), 0.1+0.2
	e.Aliases = []string{"OFF", "Open Foundation", "open  foundation!", "..."}
	must(t, db.CreateEntity(ctx(t), e))
	e.Aliases = []string{"OFF", "Open Foundation"} // in the order of their keys, each key once
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
	bare := newEntity(2, "person", "Nobody")
	bare.Attributes, bare.Aliases = nil, nil
	must(t, db.CreateEntity(ctx(t), bare))
	bare.Attributes, bare.Aliases = json.RawMessage("{}"), []string{}
	same(t, got(db.Entity(ctx(t), bare.ID))(t), bare)
}

func entityUnique(t *testing.T, db *store.DB) {
	addEntity(t, db, 1, "person", "Ada Lovelace")
	other := addEntity(t, db, 2, "program", "Ada Lovelace")
	wantCode(t, db.CreateEntity(ctx(t), newEntity(3, "person", "ada  LOVELACE")), kgl.CodeConflict)
	other.Type = "person"
	_, err := db.UpdateEntity(ctx(t), other)
	wantCode(t, err, kgl.CodeConflict)
	if typ := got(db.Entity(ctx(t), other.ID))(t).Type; typ != "program" {
		t.Fatalf("a refused update was stored: %s", typ)
	}
}

func entityNotFound(t *testing.T, db *store.DB) {
	_, err := db.Entity(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.UpdateEntity(ctx(t), newEntity(1, "person", "Ada"))
	wantCode(t, err, kgl.CodeNotFound)
	wantCode(t, db.DeleteEntity(ctx(t), id(1)), kgl.CodeNotFound)
}

func entityUpdate(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	e.Name, e.NameKey, e.Description, e.Aliases = "Ada Lovelace", "ada lovelace", "A mathematician", []string{"Ada", "Lady L"}
	e.Attributes, e.Confidence, e.UpdatedAt = json.RawMessage(`{"born":1815}`), 1, minute(9)
	changed := got(db.UpdateEntity(ctx(t), e))(t)
	stale := e
	e.Version = 2
	same(t, changed, e)
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
	_, err := db.UpdateEntity(ctx(t), stale)
	wantCode(t, err, kgl.CodePreconditionFailed)
}

func entityRetype(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Mercury", "Hermes")
	e.Type = "platform"
	got(db.UpdateEntity(ctx(t), e))(t)
	_, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(2, "platform", "Hermes"), newEntity(3, "person", "Hermes")})
	must(t, err)
	same(t, created, []bool{false, true})
}

func entityDelete(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	a, b := addEntity(t, db, 1, "person", "A", "Alpha"), addEntity(t, db, 2, "person", "B")
	r := addRelationships(t, db, newRelationship(3, a, b, "knows"))[0]
	must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, []kgl.Mention{newMention(4, content, a.ID), newMention(5, content, b.ID)}))
	got(db.ReplaceEvidence(ctx(t), content, kgl.ExtractorMock, []kgl.Evidence{newEvidence(6, r.ID, content)}))(t)
	must(t, db.DeleteEntity(ctx(t), a.ID))
	_, err := db.Relationship(ctx(t), r.ID)
	wantCode(t, err, kgl.CodeNotFound)
	left := got(db.ContentEntities(ctx(t), content, kgl.Page{Limit: 10}))(t)
	if len(left.Rows) != 1 || left.Rows[0].Entity.ID != b.ID {
		t.Fatalf("the item still mentions %+v", left.Rows)
	}
	if n := len(got(db.RelationshipEvidence(ctx(t), r.ID, kgl.Page{Limit: 10}))(t).Rows); n != 0 {
		t.Fatalf("%d pieces of evidence are left", n)
	}
	_, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(7, "person", "Alpha")})
	must(t, err)
	same(t, created, []bool{true})
}

func entityUpsert(t *testing.T, db *store.DB) {
	older := addEntity(t, db, 1, "organization", "Acme Corporation", "Acme", "Both")
	younger := addEntity(t, db, 2, "organization", "Acme Holding", "Both")
	named := addEntity(t, db, 3, "organization", "Zenith")
	alias := addEntity(t, db, 4, "organization", "Other", "Zenith")
	fresh := newEntity(10, "organization", "Fresh")
	fresh.Aliases = []string{"New One"}
	given := []kgl.Entity{
		newEntity(11, "organization", "ACME"), fresh, newEntity(12, "organization", "acme holding"),
		newEntity(13, "organization", "Zenith"), newEntity(14, "platform", "Acme"), newEntity(15, "organization", "both"),
	}
	stored, created, err := db.UpsertEntities(ctx(t), given)
	must(t, err)
	same(t, created, []bool{false, true, false, false, true, false})
	// A name goes before an alias; of two aliases that of the older entity counts.
	same(t, stored, []kgl.Entity{older, fresh, younger, named, given[4], older})
	same(t, got(db.Entity(ctx(t), alias.ID))(t), alias)
	stored, created, err = db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(20, "organization", "new one")})
	must(t, err)
	same(t, created, []bool{false})
	same(t, stored, []kgl.Entity{fresh})
	stored, created, err = db.UpsertEntities(ctx(t), nil)
	must(t, err)
	if len(stored)+len(created) != 0 {
		t.Fatal("nothing in, something out")
	}
}

func entityUpsertConfidence(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	weaker := newEntity(2, "person", "Ada")
	weaker.Confidence, weaker.Description, weaker.Extractor = 0.4, "other", "other"
	stored, _, err := db.UpsertEntities(ctx(t), []kgl.Entity{weaker})
	must(t, err)
	same(t, stored, []kgl.Entity{e})
	stronger, strongest := newEntity(3, "person", "Ada"), newEntity(4, "person", "Countess")
	stronger.Confidence, strongest.Confidence = 0.6, 0.9
	stored, _, err = db.UpsertEntities(ctx(t), []kgl.Entity{stronger, strongest, weaker})
	must(t, err)
	e.Confidence, e.Version, e.UpdatedAt = 0.9, 2, strongest.UpdatedAt
	same(t, stored, []kgl.Entity{e, e, e})
}

func entityUpsertTwice(t *testing.T, db *store.DB) {
	first, again, alias := newEntity(1, "person", "Ada"), newEntity(2, "person", "ADA"), newEntity(3, "person", "Countess")
	first.Aliases, again.Confidence = []string{"Countess"}, 0.8
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{first, again, alias})
	must(t, err)
	same(t, created, []bool{true, false, false})
	first.Confidence = 0.8
	same(t, stored, []kgl.Entity{first, first, first})
}

// entityUpsertRace lets many callers store overlapping lists in different
// orders: all agree on the ids, and each entity is created once.
func entityUpsertRace(t *testing.T, db *store.DB) {
	const callers, kinds = 12, 10
	ids, made := make([][]string, callers), make([][]bool, callers)
	for _, err := range parallel(callers, func(i int) error {
		es := make([]kgl.Entity, kinds)
		for k := range es {
			name := (k*7 + i) % kinds // another order for each caller
			es[k] = newEntity(100*i+k, "person", fmt.Sprint("Person ", name))
			es[k].Confidence = float64(i+1) / callers
		}
		stored, created, err := db.UpsertEntities(ctx(t), es)
		if err != nil {
			return err
		}
		ids[i], made[i] = make([]string, kinds), make([]bool, kinds)
		for k := range es {
			name := (k*7 + i) % kinds
			ids[i][name], made[i][name] = stored[k].ID, created[k]
		}
		return nil
	}) {
		must(t, err)
	}
	for name := range kinds {
		count := 0
		for i := range callers {
			if ids[i][name] != ids[0][name] {
				t.Fatalf("person %d is %s to one caller and %s to another", name, ids[i][name], ids[0][name])
			}
			if made[i][name] {
				count++
			}
		}
		if e := got(db.Entity(ctx(t), ids[0][name]))(t); count != 1 || e.Confidence != 1 {
			t.Fatalf("person %d was created %d times and has the confidence %v", name, count, e.Confidence)
		}
	}
}

// entityUpsertLock deletes an entity that a transaction has found and is about
// to mention.
func entityUpsertLock(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	e := addEntity(t, db, 1, "person", "Ada")
	outside := ctx(t)
	must(t, db.InTx(outside, func(ctx context.Context, tx kgl.Store) error {
		_, created, err := tx.UpsertEntities(ctx, []kgl.Entity{newEntity(2, "person", "Ada")})
		must(t, err)
		same(t, created, []bool{false})
		waits(t, outside, func(ctx context.Context) error { return db.DeleteEntity(ctx, e.ID) })
		return tx.ReplaceMentions(ctx, content, kgl.ExtractorMock, []kgl.Mention{newMention(3, content, e.ID)})
	}))
	must(t, db.DeleteEntity(outside, e.ID))
}

// orderedEntities stores entities with ties in every order and returns them.
func orderedEntities(t *testing.T, db *store.DB) []kgl.Entity {
	t.Helper()
	types := []string{"person", "platform", "grant"}
	var es []kgl.Entity
	for n := range 24 {
		// Three entities of different types have each name.
		e := newEntity(n, types[n%3], fmt.Sprintf("Name %c", 'a'+n/3))
		e.Confidence, e.CreatedAt = float64(n/5)/10, minute(n/7)
		must(t, db.CreateEntity(ctx(t), e))
		es = append(es, e)
	}
	return es
}

func entityOrders(t *testing.T, db *store.DB) {
	es := orderedEntities(t, db)
	var up []string
	for _, e := range es {
		up = append(up, e.ID)
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	for _, tc := range []struct {
		sort kgl.EntitySort
		want []string
	}{{kgl.EntityByName, up}, {kgl.EntityMostConfident, down}, {kgl.EntityNewestFirst, down}} {
		for _, limit := range []int{1, 5, 24, 100} {
			t.Run(fmt.Sprint(tc.sort, " by ", limit), func(t *testing.T) {
				all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Entity], error) {
					return db.Entities(ctx(t), kgl.EntityFilter{}, tc.sort, p)
				})
				same(t, idsOf(all, entityID), tc.want)
			})
		}
	}
}

func entityFilter(t *testing.T, db *store.DB) {
	orderedEntities(t, db)
	sorts := []kgl.EntitySort{kgl.EntityByName, kgl.EntityMostConfident, kgl.EntityNewestFirst}
	for _, tc := range []struct {
		name   string
		filter kgl.EntityFilter
		want   []int
	}{
		{"one type", kgl.EntityFilter{Types: []string{"person"}}, []int{0, 3, 6, 9, 12, 15, 18, 21}},
		{"two types", kgl.EntityFilter{Types: []string{"person", "grant"}, NamePrefix: "name a"}, []int{0, 2}},
		{"confidence, inclusive", kgl.EntityFilter{MinConfidence: 0.4}, []int{20, 21, 22, 23}},
		{"prefix", kgl.EntityFilter{NamePrefix: "name b"}, []int{3, 4, 5}},
		{"all of them", kgl.EntityFilter{Types: []string{"platform"}, NamePrefix: "name", MinConfidence: 0.3}, []int{16, 19, 22}},
		{"nothing", kgl.EntityFilter{Types: []string{"event"}}, nil},
	} {
		for _, sort := range sorts {
			t.Run(tc.name+" "+string(sort), func(t *testing.T) {
				all := pages(t, 3, func(p kgl.Page) (kgl.List[kgl.Entity], error) {
					return db.Entities(ctx(t), tc.filter, sort, p)
				})
				ids := idsOf(all, entityID)
				if sort != kgl.EntityByName {
					slices.Reverse(ids)
				}
				same(t, ids, numbered(tc.want))
			})
		}
	}
}

func entityPrefix(t *testing.T, db *store.DB) {
	addEntity(t, db, 1, "platform", "YouTube", "YT", "You Tube")
	addEntity(t, db, 2, "program", "Young Creators", "Youth Fund")
	addEntity(t, db, 3, "person", "Zoë Yo", "Yolanda")
	addEntity(t, db, 4, "person", "Ünal")
	for _, tc := range []struct {
		prefix string
		want   []int
	}{
		{"you", []int{2, 1}}, {"yo", []int{2, 1, 3}}, {"yt", []int{1}}, {"youtube", []int{1}}, {"youtubes", nil},
		{"zoë", []int{3}}, {"zoe", nil}, {"ü", []int{4}}, {"%", nil}, {"_", nil},
	} {
		t.Run(tc.prefix, func(t *testing.T) {
			all := pages(t, 1, func(p kgl.Page) (kgl.List[kgl.Entity], error) {
				return db.Entities(ctx(t), kgl.EntityFilter{NamePrefix: tc.prefix}, kgl.EntityByName, p)
			})
			same(t, idsOf(all, entityID), numbered(tc.want))
		})
	}
	all := got(db.Entities(ctx(t), kgl.EntityFilter{NamePrefix: "yt"}, kgl.EntityByName, kgl.Page{Limit: 5}))(t)
	same(t, all.Rows[0].Aliases, []string{"You Tube", "YT"})
}

// entityPrefixPages mixes entities that are found by name, by alias and by both
// with others, so that each order takes them in turn.
func entityPrefixPages(t *testing.T, db *store.DB) {
	kinds := []struct{ name, alias string }{{"Open %c", "x"}, {"Other %c", "open"}, {"Open %c", "open it"}, {"Other %c", "closed"}}
	var found []kgl.Entity
	for n := range 24 {
		k := kinds[n%4]
		e := newEntity(n, fmt.Sprint("type", n%3), fmt.Sprintf(k.name, 'a'+n/6))
		e.Aliases = []string{k.alias, "second"}
		e.Confidence, e.CreatedAt = float64(n*7%5)/4, minute(n*5%8)
		must(t, db.CreateEntity(ctx(t), e))
		if n%4 != 3 {
			found = append(found, e)
		}
	}
	for sort, order := range map[kgl.EntitySort]func(a, b kgl.Entity) int{
		kgl.EntityByName: func(a, b kgl.Entity) int { return cmp.Or(cmp.Compare(a.NameKey, b.NameKey), cmp.Compare(a.ID, b.ID)) },
		kgl.EntityMostConfident: func(a, b kgl.Entity) int {
			return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(b.ID, a.ID))
		},
		kgl.EntityNewestFirst: func(a, b kgl.Entity) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) },
	} {
		want := slices.SortedFunc(slices.Values(found), order)
		for _, limit := range []int{1, 2, 5, 18, 100} {
			t.Run(fmt.Sprint(sort, " by ", limit), func(t *testing.T) {
				all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Entity], error) {
					return db.Entities(ctx(t), kgl.EntityFilter{NamePrefix: "open"}, sort, p)
				})
				same(t, idsOf(all, entityID), idsOf(want, entityID))
			})
		}
	}
}

func entityStatuses(t *testing.T, db *store.DB) {
	es := orderedEntities(t, db)
	must(t, db.SetEntityStatus(ctx(t), es[1].ID, kgl.EntityRejected, minute(50)))
	must(t, db.SetEntityStatus(ctx(t), es[5].ID, kgl.EntityRejected, minute(50)))
	mergeInto(t, db, 1, es[0].ID, es[3].ID)
	status := func(s ...kgl.EntityStatus) []kgl.EntityStatus { return s }
	active := []int{0, 2, 4}
	for n := 6; n < 24; n++ {
		active = append(active, n)
	}
	for _, tc := range []struct {
		name   string
		filter kgl.EntityFilter
		want   []int
	}{
		{"as it is", kgl.EntityFilter{}, active},
		{"active", kgl.EntityFilter{Statuses: status(kgl.EntityActive)}, active},
		{"rejected", kgl.EntityFilter{Statuses: status(kgl.EntityRejected)}, []int{1, 5}},
		{"merged", kgl.EntityFilter{Statuses: status(kgl.EntityMerged)}, []int{3}},
		{"not active", kgl.EntityFilter{Statuses: status(kgl.EntityMerged, kgl.EntityRejected)}, []int{1, 3, 5}},
		{"rejected of a type", kgl.EntityFilter{Statuses: status(kgl.EntityRejected), Types: []string{"grant"}}, []int{5}},
		{"rejected by name", kgl.EntityFilter{Statuses: status(kgl.EntityRejected), NamePrefix: "name a"}, []int{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.Entity], error) {
				return db.Entities(ctx(t), tc.filter, kgl.EntityByName, p)
			})
			same(t, idsOf(all, entityID), numbered(tc.want))
		})
	}
}

// connectedEntities stores twelve entities: number n is mentioned by the items
// up to n/2, and has n/3 relationships at least.
func connectedEntities(t *testing.T, db *store.DB) []kgl.Entity {
	t.Helper()
	cs := graphContents(t, db, 6)
	var es []kgl.Entity
	for n := range 12 {
		es = append(es, addEntity(t, db, n, []string{"person", "grant"}[n%2], fmt.Sprintf("Name %02d", n)))
	}
	number := 100
	for i, content := range cs {
		var ms []kgl.Mention
		for n := 2 * i; n < 12; n++ {
			if number++; n > 1 {
				ms = append(ms, newMention(number, content, es[n].ID))
			}
		}
		got(db.InsertMentions(ctx(t), ms))(t)
	}
	for n := range es {
		for k := range n / 3 {
			number++
			addRelationships(t, db, newRelationship(number, es[n], es[k], fmt.Sprint("kind", n)))
		}
	}
	for i, e := range es {
		es[i] = got(db.Entity(ctx(t), e.ID))(t)
	}
	return es
}

func entitySeenAndDegree(t *testing.T, db *store.DB) {
	es := connectedEntities(t, db)
	seen := func(e kgl.Entity) int64 {
		if e.LastSeenAt == nil {
			return 0
		}
		return e.LastSeenAt.UnixMicro()
	}
	for sort, order := range map[kgl.EntitySort]func(a, b kgl.Entity) int{
		kgl.EntityLastSeenFirst: func(a, b kgl.Entity) int { return cmp.Or(cmp.Compare(seen(b), seen(a)), cmp.Compare(b.ID, a.ID)) },
		kgl.EntityMostConnected: func(a, b kgl.Entity) int { return cmp.Or(cmp.Compare(b.Degree, a.Degree), cmp.Compare(b.ID, a.ID)) },
	} {
		since := minute(4)
		for name, f := range map[string]kgl.EntityFilter{
			"all": {}, "of a type": {Types: []string{"grant"}}, "seen since": {SeenSince: &since}, "by prefix": {NamePrefix: "name 1"},
		} {
			t.Run(fmt.Sprint(sort, " ", name), func(t *testing.T) {
				want := slices.SortedFunc(slices.Values(es), order)
				want = slices.DeleteFunc(want, func(e kgl.Entity) bool {
					return len(f.Types) > 0 && e.Type != "grant" || f.SeenSince != nil && seen(e) < since.UnixMicro() ||
						f.NamePrefix != "" && e.NameKey < "name 1"
				})
				if len(want) == 0 {
					t.Fatal("nothing is expected")
				}
				for _, limit := range []int{1, 5, 50} {
					all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Entity], error) { return db.Entities(ctx(t), f, sort, p) })
					same(t, idsOf(all, entityID), idsOf(want, entityID))
				}
			})
		}
	}
}

// entityMoves changes the confidence of an entity between two pages.
func entityMoves(t *testing.T, db *store.DB) {
	es := orderedEntities(t, db)
	first := got(db.Entities(ctx(t), kgl.EntityFilter{}, kgl.EntityMostConfident, kgl.Page{Limit: 6}))(t)
	moving := es[0]
	moving.Confidence = 1
	got(db.UpdateEntity(ctx(t), moving))(t)
	p := kgl.Page{Limit: 50, After: first.Next}
	rest := got(db.Entities(ctx(t), kgl.EntityFilter{}, kgl.EntityMostConfident, p))(t)
	met := map[string]int{}
	for _, e := range slices.Concat(first.Rows, rest.Rows) {
		met[e.ID]++
	}
	for _, e := range es {
		if e.ID != moving.ID && met[e.ID] != 1 {
			t.Fatalf("%s came %d times", e.ID, met[e.ID])
		}
	}
}
