package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

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
