package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// merge merges random active entities and returns the merge; false when there
// are not enough.
func (w *mergeWorld) merge() (string, bool) {
	active, err := w.db.TextRows(w.t.Context(), "SELECT id FROM entities WHERE status = 'active' ORDER BY id")
	noError(w.t, err)
	n := 2 + w.dice.IntN(2)
	if len(active) < n {
		return "", false
	}
	w.dice.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
	m := kgl.EntityMerge{ID: w.id("g"), Winner: kgl.EntityRef{ID: active[0]}, Reason: "same", Actor: "me", CreatedAt: w.now()}
	for _, id := range active[1:n] {
		m.Losers = append(m.Losers, kgl.EntityRef{ID: id})
	}
	w.done = append(w.done, fmt.Sprintf("%s merges %v into %s", m.ID, active[1:n], active[0]))
	_, err = w.db.MergeEntities(w.t.Context(), m)
	noError(w.t, err)
	w.inForce = append(w.inForce, m.ID)
	w.check()
	return m.ID, true
}

func (w *mergeWorld) undo(id string) {
	w.t.Helper()
	w.done = append(w.done, "undo "+id)
	_, err := w.db.UndoMerge(w.t.Context(), id, "me", w.now())
	noError(w.t, err)
	w.inForce = slices.DeleteFunc(w.inForce, func(m string) bool { return m == id })
	w.check()
}

func (w *mergeWorld) reject(id string, status kgl.EntityStatus) {
	w.done = append(w.done, fmt.Sprint(status, " ", id))
	noError(w.t, w.db.SetEntityStatus(w.t.Context(), id, status, w.now()))
	w.check()
}

// rejectEdge rejects a relationship or takes that back.
func (w *mergeWorld) rejectEdge(id string, status kgl.RelationshipStatus) {
	r, err := w.db.Relationship(w.t.Context(), id)
	noError(w.t, err)
	if r.Status == kgl.RelationshipMerged {
		return
	}
	w.done = append(w.done, fmt.Sprint(status, " ", id))
	r.Status, r.UpdatedAt = status, w.now()
	_, err = w.db.UpdateRelationship(w.t.Context(), r)
	noError(w.t, err)
	w.check()
}

func (w *mergeWorld) step() {
	switch w.dice.IntN(10) {
	case 0, 1, 2, 3:
		w.merge()
	case 4, 5:
		if len(w.inForce) > 0 {
			w.undo(w.inForce[w.dice.IntN(len(w.inForce))])
		}
	case 6:
		before := w.snapshot()
		if id, ok := w.merge(); ok {
			w.undo(id)
			w.same("a merge and its end", before, w.snapshot())
		}
	case 7, 8:
		id := w.entities[w.dice.IntN(len(w.entities))]
		e, err := w.db.TextRows(w.t.Context(), "SELECT status FROM entities WHERE id = '"+id+"'")
		noError(w.t, err)
		switch e[0] {
		case "active":
			w.reject(id, kgl.EntityRejected)
		case "rejected":
			w.reject(id, kgl.EntityActive)
		}
	case 9:
		status := []kgl.RelationshipStatus{kgl.RelationshipRejected, kgl.RelationshipActive}[w.dice.IntN(2)]
		w.rejectEdge(w.edges[w.dice.IntN(len(w.edges))], status)
	}
}

// undoAll brings everything back, in any order.
func (w *mergeWorld) undoAll() {
	for len(w.inForce) > 0 {
		w.undo(w.inForce[w.dice.IntN(len(w.inForce))])
	}
	for _, id := range w.entities {
		w.reject(id, kgl.EntityActive)
	}
	for _, id := range w.edges {
		w.rejectEdge(id, kgl.RelationshipActive)
	}
}

// TestMergesAreUndoneWhole merges, rejects and undoes at random; everything is
// counted from scratch after each step, and at the end all is as it was.
func TestMergesAreUndoneWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		open   func(t *testing.T) *store.DB
		worlds uint64
		steps  int
	}{
		"SQLite":   {openSQLite, 25, 20},
		"Postgres": {openPostgres, 4, 20},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range tc.worlds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					w := newMergeWorld(t, tc.open(t), seed)
					w.check()
					before := w.snapshot()
					for range tc.steps {
						w.step()
					}
					w.undoAll()
					w.same("the end", before, w.snapshot())
				})
			}
		})
	}
}
