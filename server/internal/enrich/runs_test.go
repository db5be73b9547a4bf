package enrich

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

func (w *world) runs() *Runs { return NewRuns(w.db, w.clock, w.ids) }

// audit returns the newest rows of the audit log, newest first.
func (w *world) audit() []string {
	w.t.Helper()
	list, err := w.db.AuditEvents(w.t.Context(), kgl.AuditFilter{}, kgl.Page{Limit: 10})
	w.must(err)
	out := []string{}
	for _, e := range list.Rows {
		out = append(out, fmt.Sprintf("%s %s %s", e.Action, e.Outcome, strings.ReplaceAll(string(e.Details), " ", "")))
	}
	return out
}

func TestRetractionIsToldAndAudited(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, meeting)
		run := w.record(w.result("ner@1", nil, c, "Zoë", "Bob"))
		w.clock.Advance(time.Minute)
		got, err := w.runs().Retract(w.t.Context(), run.ID)
		w.must(err)
		if got.Status != kgl.RunRetracted || got.EndedAt == nil || !got.EndedAt.Equal(w.clock.Now()) {
			w.t.Errorf("retracted %+v", got)
		}
		w.want("entities", w.entities(), "person: Bob (0)", "person: Zoë (0)")
		w.want("relationships", w.relationships())
		if events := w.events(); !slices.Equal(events[len(events)-2:], []string{"content.extraction_retracted", "relationship.deleted"}) {
			w.t.Errorf("events %q", events)
		}
		es := storetest.Events(w.t, w.db)
		if told := es[len(es)-2]; told.SubjectID != c.ID || !strings.Contains(string(told.Data), run.ID) {
			w.t.Errorf("event %+v %s", told, told.Data)
		}
		w.want("audit", w.audit(), `extraction_run.retract success {"content_id":"`+c.ID+`","extractor":"ner@1","relationships_removed":1}`)

		_, err = w.runs().Retract(w.t.Context(), run.ID)
		wantCode(w.t, "again", err, kgl.CodeConflict)
		_, err = w.runs().Retract(w.t.Context(), ada)
		wantCode(w.t, "no such run", err, kgl.CodeNotFound)
		if n := len(w.audit()); n != 1 {
			w.t.Errorf("%d audit rows of refused calls", n-1)
		}
		// Its item can be extracted anew.
		w.record(w.result("ner@1", nil, c, "Zoë"))
		w.want("entities", w.entities(), "person: Bob (0)", "person: Zoë (1)")
	})
}

// manyItems stores n items of the source, each of which speaks of an entity of
// its own and of one that all share.
func (w *world) manyItems(n int) {
	w.t.Helper()
	for i := range n {
		c := w.add(kgl.LaneAI, fmt.Sprintf("Zoë met %s.", name(i)))
		w.record(w.result("ner@1", w.claim(kgl.LaneAI), c, "Zoë", name(i)))
	}
}

// name returns a word that begins with a letter of its own.
func name(i int) string { return string(rune('α'+i%20)) + strings.Repeat("x", 1+i/20) }

func TestPurgeGoesThroughAllItems(t *testing.T) {
	onBoth(t, func(w *world) {
		const items = purgeBatch + 7
		w.manyItems(items)
		_, err := w.runs().Purge(w.t.Context(), w.source)
		wantCode(w.t, "while it is allowed", err, kgl.CodeConflict)
		_, err = w.runs().Purge(w.t.Context(), ada)
		wantCode(w.t, "no such source", err, kgl.CodeNotFound)
		w.withdraw()
		before := len(w.events())
		n, err := w.runs().Purge(w.t.Context(), w.source)
		w.must(err)
		want := PurgeResult{Contents: items, Runs: items, Mentions: 2 * items, Relationships: items, Entities: items + 1}
		if n != want {
			w.t.Errorf("purged %+v, want %+v", n, want)
		}
		w.want("entities", w.entities())
		w.want("relationships", w.relationships())
		told := map[string]int{}
		for _, typ := range w.events()[before:] {
			told[typ]++
		}
		if told["entity.deleted"] != items+1 || told["relationship.deleted"] != items || len(told) != 2 {
			w.t.Errorf("told of %v", told)
		}
		w.want("audit", w.audit(), fmt.Sprintf(
			`source.purge_derived success {"contents":%d,"entities":%d,"mentions":%d,"relationships":%d,"runs":%d}`, items, items+1, 2*items, items, items))
		if n, err = w.runs().Purge(w.t.Context(), w.source); err != nil || n != (PurgeResult{}) {
			w.t.Errorf("again %+v (%v)", n, err)
		}
	})
}

// A purge that is interrupted has removed some items whole, says so, and is
// finished by the next one.
func TestPurgeGoesOnAfterAnInterruption(t *testing.T) {
	onBoth(t, func(w *world) {
		const items = 2*purgeBatch + 1
		w.manyItems(items)
		w.withdraw()
		broken := &broken{Store: w.db, steps: 1}
		n, err := NewRuns(broken, w.clock, w.ids).Purge(w.t.Context(), w.source)
		if !errors.Is(err, errKilled) || n.Runs != purgeBatch {
			w.t.Errorf("interrupted: %+v (%v)", n, err)
		}
		if audit := w.audit(); len(audit) != 1 || !strings.Contains(audit[0], fmt.Sprintf(`failure {"contents":%d`, purgeBatch)) {
			w.t.Errorf("audit %q", audit)
		}
		n, err = w.runs().Purge(w.t.Context(), w.source)
		w.must(err)
		if n.Runs != items-purgeBatch {
			w.t.Errorf("the rest: %+v", n)
		}
		w.want("entities", w.entities())
	})
}

// broken is a store that fails after some steps of a purge.
type broken struct {
	kgl.Store
	steps int
}

func (b *broken) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	if b.steps--; b.steps < 0 {
		return errKilled
	}
	return b.Store.InTx(ctx, fn)
}

// A source that is allowed again while it is purged keeps the rest.
func TestPurgeEndsWhenTheSourceIsAllowedAgain(t *testing.T) {
	w := newWorld(t)
	w.manyItems(purgeBatch + 1)
	w.withdraw()
	allowing := &allowing{Store: w.db, allow: func() {
		_, _, err := w.db.DecideConsents(t.Context(), w.source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: true}, "ada", w.clock.Now())
		w.must(err)
	}}
	n, err := NewRuns(allowing, w.clock, w.ids).Purge(t.Context(), w.source)
	wantCode(t, "allowed again", err, kgl.CodeConflict)
	if n.Runs != purgeBatch {
		t.Errorf("purged %+v", n)
	}
}

// allowing is a store in which a source is allowed again after the first step.
type allowing struct {
	kgl.Store
	allow func()
	steps int
}

func (a *allowing) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	if a.steps++; a.steps == 2 {
		a.allow()
	}
	return a.Store.InTx(ctx, fn)
}
