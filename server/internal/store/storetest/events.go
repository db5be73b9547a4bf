package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEvents(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"events come back in the order given", eventsRoundTrip},
		{"reading goes on behind any position", eventsPages},
		{"events of a transaction that is rolled back do not exist", eventsRolledBack},
		{"a late committer is not skipped", eventsLateCommitter},
		{"concurrent writers and a reader lose nothing", eventsRace},
	})
}

func newEvent(n int) kgl.Event {
	return kgl.Event{
		ID: id(50_000 + n), Type: kgl.EventContentCreated, SubjectType: "content", SubjectID: id(n),
		Data: json.RawMessage(fmt.Sprintf(`{"n": %d, "title": "Grüße <&>"}`, n)), OccurredAt: second(n),
	}
}

func eventID(e kgl.Event) string { return e.ID }

// marker is the type of the events that settle writes; no test counts them.
const marker kgl.EventType = "test.marker"

// settle waits until every event that was committed before is in reach of
// readers. On Postgres an older transaction of any database of the server holds
// them back, and other tests share the server.
func settle(t testing.TB, db *store.DB) {
	t.Helper()
	last := kgl.Event{ID: uuid.NewString(), Type: marker, SubjectType: "test", SubjectID: t.Name(), OccurredAt: second(0)}
	must(t, db.AppendEvents(t.Context(), []kgl.Event{last}))
	var after kgl.EventPosition
	waitInReach(t, func() bool {
		for {
			es := got(db.EventsAfter(t.Context(), after, 1000))(t)
			if len(es) == 0 {
				return false
			}
			after = es[len(es)-1].Position
			if slices.ContainsFunc(es, func(e kgl.Event) bool { return e.ID == last.ID }) {
				return true
			}
		}
	})
}

// waitInReach asks until events are in reach of readers: another process ends
// the transaction that holds them back, and tells nobody.
func waitInReach(t testing.TB, seen func() bool) {
	t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for !seen() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("events that were committed did not come into reach of readers")
		}
	}
}

// Events returns all events that were committed before, in their order.
func Events(t testing.TB, db *store.DB) []kgl.Event {
	t.Helper()
	settle(t, db)
	return feed(t, db, 1000)
}

// feed reads all events in steps of the given size.
func feed(t testing.TB, db *store.DB, limit int) []kgl.Event {
	t.Helper()
	var all []kgl.Event
	var after kgl.EventPosition
	for {
		es := got(db.EventsAfter(t.Context(), after, limit))(t)
		if len(es) == 0 {
			return slices.DeleteFunc(all, func(e kgl.Event) bool { return e.Type == marker })
		}
		all = append(all, es...)
		after = es[len(es)-1].Position
	}
}

func eventsRoundTrip(t *testing.T, db *store.DB) {
	// The ids are not in the order of the list.
	want := []kgl.Event{newEvent(9), newEvent(1), newEvent(5)}
	want[1].Data = json.RawMessage("{}")
	written := slices.Clone(want)
	written[1].Data = nil
	must(t, db.AppendEvents(ctx(t), written))
	must(t, db.AppendEvents(ctx(t), nil))
	have := Events(t, db)
	for i := 1; i < len(have); i++ {
		if a, b := have[i-1].Position, have[i].Position; a.Tx != b.Tx || a.Seq >= b.Seq {
			t.Fatalf("positions %+v, %+v", a, b)
		}
	}
	for i := range have {
		have[i].Position = kgl.EventPosition{}
	}
	same(t, have, want)
}

func eventsPages(t *testing.T, db *store.DB) {
	var want []string
	for i := range 7 {
		must(t, db.AppendEvents(ctx(t), []kgl.Event{newEvent(2 * i), newEvent(2*i + 1)}))
		want = append(want, id(50_000+2*i), id(50_001+2*i))
	}
	settle(t, db)
	for _, limit := range []int{1, 3, 14, 100} {
		same(t, idsOf(feed(t, db, limit), eventID), want)
	}
}

func eventsRolledBack(t *testing.T, db *store.DB) {
	err := inTx(t, db, func(c ctxT, tx kgl.Store) error {
		must(t, tx.AppendEvents(c, []kgl.Event{newEvent(1)}))
		return errTest
	})
	if !errors.Is(err, errTest) {
		t.Fatal(err)
	}
	must(t, db.AppendEvents(ctx(t), []kgl.Event{newEvent(2)}))
	same(t, idsOf(Events(t, db), eventID), []string{id(50_002)})
}

// eventsLateCommitter has one transaction write first and commit last. On
// SQLite the other one cannot write before the first has ended.
func eventsLateCommitter(t *testing.T, db *store.DB) {
	must(t, db.AppendEvents(ctx(t), []kgl.Event{newEvent(1)}))
	settle(t, db)
	outside := ctx(t)
	quick := make(chan error, 1)
	must(t, inTx(t, db, func(c ctxT, tx kgl.Store) error {
		must(t, tx.AppendEvents(c, []kgl.Event{newEvent(2)}))
		go func() { quick <- db.AppendEvents(outside, []kgl.Event{newEvent(3)}) }()
		if db.Engine() == store.Postgres {
			must(t, <-quick)
		}
		same(t, idsOf(feed(t, db, 10), eventID), []string{id(50_001)})
		return nil
	}))
	if db.Engine() == store.SQLite {
		must(t, <-quick)
	}
	same(t, idsOf(Events(t, db), eventID), []string{id(50_001), id(50_002), id(50_003)})
}

// eventsRace reads while several write, and must see all that each wrote.
func eventsRace(t *testing.T, db *store.DB) {
	const writers, each = 4, 15
	written := make(chan struct{})
	seen := make(chan []kgl.Event, 1)
	outside := ctx(t)
	go func() {
		var all []kgl.Event
		var after kgl.EventPosition
		last := false
		for {
			es, err := db.EventsAfter(outside, after, 7)
			if err != nil {
				t.Error(err)
			}
			if len(es) > 0 {
				all = append(all, es...)
				after = es[len(es)-1].Position
				continue
			}
			if last || err != nil {
				seen <- all
				return
			}
			select {
			case <-written:
				last = true
			default:
			}
		}
	}()
	for _, err := range parallel(writers, func(w int) error {
		for i := range each {
			n := w*1000 + 2*i
			if err := db.AppendEvents(outside, []kgl.Event{newEvent(n), newEvent(n + 1)}); err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	settle(t, db)
	close(written)
	ids := idsOf(slices.DeleteFunc(<-seen, func(e kgl.Event) bool { return e.Type == marker }), eventID)
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) || n != writers*each*2 {
		t.Fatalf("the reader saw %d events, %d of them once, want %d", len(ids), n, writers*each*2)
	}
}
