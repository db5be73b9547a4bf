package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runRetention(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"one owner at a time has the claim", claimRetention},
		{"sources with limits of their own are found", retentionSources},
		{"items expire by age and number, oldest first", expiredContents},
		{"items that are referred to do not expire", expiredReferred},
		{"old events are dropped, and a cursor before them has expired", dropEvents},
	})
}

func claimRetention(t *testing.T, db *store.DB) {
	claim := func(owner string, now, until int, want bool) {
		t.Helper()
		if have := got(db.ClaimRetention(ctx(t), owner, second(now), second(until)))(t); have != want {
			t.Fatalf("%s at %d: %t", owner, now, have)
		}
	}
	claim("a", 0, 10, true)
	claim("b", 5, 15, false)
	claim("a", 6, 20, true)
	claim("b", 19, 30, false)
	claim("b", 20, 30, true)
	claim("a", 25, 40, false)
	won := 0
	for i, err := range parallel(4, func(i int) error {
		ok, err := db.ClaimRetention(ctx(t), fmt.Sprint("r", i), second(50), second(60))
		if ok {
			err = errWon
		}
		return err
	}) {
		if err == errWon {
			won++
		} else if err != nil {
			t.Fatalf("claim %d: %v", i, err)
		}
	}
	if won != 1 {
		t.Fatalf("%d have the claim", won)
	}
}

var errWon = fmt.Errorf("won")

func retentionSources(t *testing.T, db *store.DB) {
	limits := map[int]kgl.SourceSettings{2: {MaxItems: 5}, 4: {MaxAgeDays: 3}, 5: {Username: "max"}}
	for n := 1; n <= 5; n++ {
		s := newSource(n, "a.example", nil)
		s.Settings = limits[n]
		must(t, db.CreateSource(ctx(t), s))
	}
	same(t, got(db.RetentionSources(ctx(t), "", false, 10))(t), []kgl.Source{{ID: id(2), Settings: limits[2]}, {ID: id(4), Settings: limits[4]}})
	same(t, idsOf(got(db.RetentionSources(ctx(t), id(2), true, 2))(t), sourceID), []string{id(3), id(4)})
}

func expiredContents(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	for i := range 6 {
		addContents(t, db, newContent(i, a))
	}
	addContents(t, db, newContent(100, b))
	for _, tc := range []struct {
		name   string
		before time.Time
		keep   int64
		limit  int
		want   []int
	}{
		{"nothing", time.Time{}, 0, 10, nil},
		{"age", second(2), 0, 10, []int{0, 1}},
		{"number", time.Time{}, 2, 10, []int{0, 1, 2, 3}},
		{"fewer than are kept", time.Time{}, 9, 10, nil},
		{"age takes more", second(4), 4, 10, []int{0, 1, 2, 3}},
		{"number takes more", second(1), 4, 10, []int{0, 1}},
		{"bounded", time.Time{}, 1, 3, []int{0, 1, 2}},
	} {
		var want []string
		for _, n := range tc.want {
			want = append(want, id(10_000+n))
		}
		t.Run(tc.name, func(t *testing.T) {
			same(t, got(db.ExpiredContents(ctx(t), a.ID, tc.before, tc.keep, tc.limit))(t), want)
		})
	}
}

func expiredReferred(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	var cs []kgl.Content
	for i := range 6 {
		cs = append(cs, addContents(t, db, newContent(i, a))[0])
	}
	addContents(t, db, newContent(100, b))
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(100, 0)}))(t) // the head of a group
	ada, acme := addEntity(t, db, 1, "person", "Ada"), addEntity(t, db, 2, "organization", "Acme")
	found, made := newRelationship(1, ada, acme, "works_for"), newRelationship(2, ada, acme, "founded")
	made.Extractor = kgl.ExtractorManual
	rels := got2(db.UpsertRelationships(ctx(t), []kgl.Relationship{found, made}))(t)
	got(db.ReplaceEvidence(ctx(t), cs[1].ID, kgl.ExtractorMock, []kgl.Evidence{newEvidence(1, rels[1].ID, cs[1].ID)}))(t) // of what a person made
	got(db.ReplaceEvidence(ctx(t), cs[2].ID, kgl.ExtractorMock, []kgl.Evidence{newEvidence(2, rels[0].ID, cs[2].ID)}))(t) // of what an extractor found
	mention := newMention(3, cs[3].ID, ada.ID)
	mention.Extractor = kgl.ExtractorManual
	must(t, db.ReplaceMentions(ctx(t), cs[3].ID, kgl.ExtractorManual, []kgl.Mention{mention}))
	must(t, db.ReplaceMentions(ctx(t), cs[4].ID, kgl.ExtractorMock, []kgl.Mention{newMention(4, cs[4].ID, ada.ID)}))
	same(t, got(db.ExpiredContents(ctx(t), a.ID, second(50), 0, 10))(t), []string{cs[2].ID, cs[4].ID, cs[5].ID})
}

func dropEvents(t *testing.T, db *store.DB) {
	for i := range 6 {
		e := newEvent(i)
		e.OccurredAt = second(i)
		must(t, db.AppendEvents(ctx(t), []kgl.Event{e}))
	}
	all := EventsBehind(t, db, kgl.EventPosition{}, 6)
	drop := func(before, limit int, want int64) {
		t.Helper()
		if n := got(db.DropEvents(ctx(t), second(before), limit))(t); n != want {
			t.Fatalf("%d events were dropped, want %d", n, want)
		}
	}
	drop(0, 10, 0)
	same(t, EventsBehind(t, db, all[0].Position, 5), all[1:])
	drop(4, 3, 3)
	drop(4, 3, 1)
	drop(4, 3, 0)
	same(t, EventsBehind(t, db, kgl.EventPosition{}, 2), all[4:])
	same(t, EventsBehind(t, db, all[3].Position, 2), all[4:])
	_, err := db.EventsAfter(ctx(t), all[2].Position, 10)
	wantCode(t, err, kgl.CodeCursorExpired)
}

// EventsBehind returns the events behind a position, as soon as there are n: on
// Postgres a transaction of another test, which is open, holds them back.
func EventsBehind(t testing.TB, db *store.DB, after kgl.EventPosition, n int) []kgl.Event {
	t.Helper()
	var es []kgl.Event
	waitInReach(t, func() bool {
		es = got(db.EventsAfter(t.Context(), after, n+1))(t)
		return len(es) >= n
	})
	return es
}
