package storetest

import (
	"fmt"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runMentions(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an item's entities come by name, with their places", mentionList},
		{"pages cover every entity once", mentionPages},
		{"an item's entities are the active ones", mentionActive},
		{"an entity comes with at most a hundred places", mentionCap},
		{"mentions of one extractor and item are replaced", mentionReplace},
		{"a place counts once", mentionSamePlace},
		{"an entity that does not exist is refused", mentionNoEntity},
		{"counters are right after concurrent replacements", mentionRace},
		{"counters are right after an item or a source went", mentionDeleted},
	})
}

// wantMentions checks MentionCount of entities.
func wantMentions(t *testing.T, db *store.DB, want map[string]int64) {
	t.Helper()
	for id, n := range want {
		if have := got(db.Entity(ctx(t), id))(t).MentionCount; have != n {
			t.Fatalf("entity %s has the mention count %d, want %d", id, have, n)
		}
	}
}

func mentionList(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	b, a := addEntity(t, db, 1, "person", "Berta"), addEntity(t, db, 2, "person", "Anna", "Annie")
	late, early, other := newMention(30, cs[0], a.ID), newMention(20, cs[0], a.ID), newMention(10, cs[0], b.ID)
	must(t, db.ReplaceMentions(ctx(t), cs[0], kgl.ExtractorMock, []kgl.Mention{late, early, other}))
	must(t, db.ReplaceMentions(ctx(t), cs[1], kgl.ExtractorMock, []kgl.Mention{newMention(40, cs[1], b.ID)}))
	a.MentionCount, b.MentionCount = 2, 2
	first, last := minute(0), minute(1) // when the items were published
	a.FirstSeenAt, a.LastSeenAt, b.FirstSeenAt, b.LastSeenAt = &first, &first, &first, &last
	for _, m := range []*kgl.Mention{&early, &late, &other} {
		m.Type, m.PublishedAt = "person", first
	}
	same(t, got(db.ContentEntities(ctx(t), cs[0], kgl.Page{Limit: 10}))(t).Rows, []kgl.EntityMentions{
		{Entity: a, Mentions: []kgl.Mention{early, late}}, {Entity: b, Mentions: []kgl.Mention{other}},
	})
	if n := len(got(db.ContentEntities(ctx(t), id(9), kgl.Page{Limit: 10}))(t).Rows); n != 0 {
		t.Fatalf("an unknown item mentions %d entities", n)
	}
}

func mentionActive(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	winner, loser, rejected := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B"), addEntity(t, db, 3, "person", "C")
	same := newMention(10, content, winner.ID)
	moved, stays, hidden := same, newMention(11, content, loser.ID), newMention(12, content, rejected.ID)
	moved.ID, moved.EntityID = id(13), loser.ID // the place that the winner has, too
	insertMentions(t, db, same, moved, stays, hidden)
	mergeInto(t, db, 1, winner.ID, loser.ID)
	must(t, db.SetEntityStatus(ctx(t), rejected.ID, kgl.EntityRejected, minute(9)))
	rows := got(db.ContentEntities(ctx(t), content, kgl.Page{Limit: 10}))(t).Rows
	if len(rows) != 1 || rows[0].Entity.ID != winner.ID || len(rows[0].Mentions) != 2 {
		t.Fatalf("the item has %+v", rows)
	}
	must(t, db.SetEntityStatus(ctx(t), rejected.ID, kgl.EntityActive, minute(9)))
	if n := len(got(db.ContentEntities(ctx(t), content, kgl.Page{Limit: 10}))(t).Rows); n != 2 {
		t.Fatalf("%d entities after one was restored", n)
	}
}

func mentionPages(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	var ms []kgl.Mention
	var want []int
	for n := range 11 {
		// Names repeat among types.
		e := addEntity(t, db, n, fmt.Sprint("type", n%2), fmt.Sprintf("Name %02d", n/2))
		ms = append(ms, newMention(100+n, content, e.ID))
		want = append(want, n)
	}
	must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, ms))
	for _, limit := range []int{1, 3, 11, 50} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.EntityMentions], error) {
			return db.ContentEntities(ctx(t), content, p)
		})
		same(t, idsOf(all, func(em kgl.EntityMentions) string { return em.Entity.ID }), numbered(want))
	}
}

func mentionCap(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	often, once := addEntity(t, db, 1, "person", "Often"), addEntity(t, db, 2, "person", "Once")
	ms := []kgl.Mention{newMention(1, content, once.ID)}
	for n := range 130 {
		ms = append(ms, newMention(1000+n, content, often.ID))
	}
	must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, ms))
	rows := got(db.ContentEntities(ctx(t), content, kgl.Page{Limit: 10}))(t).Rows
	if len(rows) != 2 || len(rows[0].Mentions) != 100 || len(rows[1].Mentions) != 1 {
		t.Fatalf("%d entities", len(rows))
	}
	if last := rows[0].Mentions[99]; last.Start != 1099 {
		t.Fatalf("the last place shown is at %d", last.Start)
	}
	wantMentions(t, db, map[string]int64{often.ID: 130, once.ID: 1})
}

func mentionReplace(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	places := func(content, extractor string, first int, entities ...kgl.Entity) {
		t.Helper()
		var ms []kgl.Mention
		for i, e := range entities {
			m := newMention(first+i, content, e.ID)
			m.Extractor = extractor
			ms = append(ms, m)
		}
		must(t, db.ReplaceMentions(ctx(t), content, extractor, ms))
	}
	places(cs[0], "mock", 10, a, a, b)
	places(cs[0], "other", 20, a)
	places(cs[1], "mock", 30, b)
	wantMentions(t, db, map[string]int64{a.ID: 3, b.ID: 2})
	places(cs[0], "mock", 40, b, b, b)
	wantMentions(t, db, map[string]int64{a.ID: 1, b.ID: 4})
	places(cs[0], "mock", 40, b, b, b) // the same again changes nothing
	wantMentions(t, db, map[string]int64{a.ID: 1, b.ID: 4})
	places(cs[0], "mock", 0)
	wantMentions(t, db, map[string]int64{a.ID: 1, b.ID: 1})
	if v := got(db.Entity(ctx(t), a.ID))(t).Version; v != 1 {
		t.Fatalf("counting made version %d", v)
	}
}

func mentionSamePlace(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	e := addEntity(t, db, 1, "person", "A")
	m, again := newMention(10, content, e.ID), newMention(10, content, e.ID)
	again.ID = id(11)
	must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, []kgl.Mention{m, again}))
	wantMentions(t, db, map[string]int64{e.ID: 1})
}

func mentionNoEntity(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	err := db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, []kgl.Mention{newMention(1, content, id(9))})
	wantCode(t, err, kgl.CodeConflict)
}

// mentionRace replaces the mentions of different items of the same entities
// again and again, in different orders.
func mentionRace(t *testing.T, db *store.DB) {
	const items, kinds, rounds = 8, 6, 3
	cs := graphContents(t, db, items)
	var es []kgl.Entity
	for k := range kinds {
		es = append(es, addEntity(t, db, k, "person", fmt.Sprint("Person ", k)))
	}
	for _, err := range parallel(items, func(i int) error {
		for round := range rounds {
			var ms []kgl.Mention
			for k := range kinds - round { // fewer in each round
				e := es[(k+i)%kinds]
				ms = append(ms, newMention(1000*(i+1)+100*round+k, cs[i], e.ID))
			}
			if err := db.ReplaceMentions(ctx(t), cs[i], kgl.ExtractorMock, ms); err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	want := map[string]int64{}
	for i := range items {
		for k := range kinds - (rounds - 1) {
			want[es[(k+i)%kinds].ID]++
		}
	}
	wantMentions(t, db, want)
}

func mentionDeleted(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	r := addRelationships(t, db, newRelationship(3, a, b, "knows"))[0]
	for i, content := range cs {
		ms := []kgl.Mention{newMention(10+2*i, content, a.ID), newMention(11+2*i, content, b.ID)}
		must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, ms))
		got(db.ReplaceEvidence(ctx(t), content, kgl.ExtractorMock, []kgl.Evidence{newEvidence(20+i, r.ID, content)}))(t)
	}
	wantMentions(t, db, map[string]int64{a.ID: 2, b.ID: 2})
	must(t, db.DeleteContent(ctx(t), cs[0], kgl.RemovedByPerson, epoch))
	wantMentions(t, db, map[string]int64{a.ID: 1, b.ID: 1})
	wantEvidence(t, db, map[string]int64{r.ID: 1})
	must(t, db.DeleteSource(ctx(t), id(5001)))
	wantMentions(t, db, map[string]int64{a.ID: 0, b.ID: 0})
	_, err := db.Relationship(ctx(t), r.ID)
	wantCode(t, err, kgl.CodeNotFound)
}
