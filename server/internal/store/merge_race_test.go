package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// racer does what callers do at once to one graph.
type racer struct {
	w    *mergeWorld
	dice *rand.Rand
	name string
	n    int

	mu     *sync.Mutex
	merges *[]string
}

func (r *racer) id(kind string) string {
	r.n++
	return fmt.Sprintf("%s-%s-%03d", kind, r.name, r.n)
}

func (r *racer) entity() string { return r.w.entities[r.dice.IntN(len(r.w.entities))] }

func (r *racer) step(ctx context.Context) error {
	switch r.dice.IntN(6) {
	case 0, 1:
		m := kgl.EntityMerge{ID: r.id("g"), Winner: kgl.EntityRef{ID: r.entity()}, Losers: []kgl.EntityRef{{ID: r.entity()}}, CreatedAt: now}
		_, err := r.w.db.MergeEntities(ctx, m)
		if err == nil {
			r.mu.Lock()
			*r.merges = append(*r.merges, m.ID)
			r.mu.Unlock()
		}
		return err
	case 2:
		r.mu.Lock()
		ids := slices.Clone(*r.merges)
		r.mu.Unlock()
		if len(ids) == 0 {
			return nil
		}
		_, err := r.w.db.UndoMerge(ctx, ids[r.dice.IntN(len(ids))], "me", now)
		return err
	case 3:
		return r.w.db.SetEntityStatus(ctx, r.entity(), []kgl.EntityStatus{kgl.EntityActive, kgl.EntityRejected}[r.dice.IntN(2)], now)
	case 4:
		edge, err := r.w.db.Relationship(ctx, r.w.edges[r.dice.IntN(len(r.w.edges))])
		if err != nil {
			return err
		}
		edge.Status = []kgl.RelationshipStatus{kgl.RelationshipActive, kgl.RelationshipRejected}[r.dice.IntN(2)]
		_, err = r.w.db.UpdateRelationship(ctx, edge)
		return err
	}
	return r.w.db.InTx(ctx, r.extract)
}

// extract stores what an extractor found in an item: entities by their names,
// and a relationship between them, with evidence in the place of that before.
func (r *racer) extract(ctx context.Context, tx kgl.Store) error {
	names := []string{"ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"}
	i, j := r.dice.IntN(len(names)), r.dice.IntN(len(names))
	content := fmt.Sprint("c", r.dice.IntN(3))
	if err := tx.SetContentStatus(ctx, content, kgl.ContentProcessed, now); err != nil {
		return err
	}
	var es []kgl.Entity
	for _, n := range []int{i, j} {
		es = append(es, kgl.Entity{
			ID: r.id("x"), Name: names[n], NameKey: names[n], Type: []string{"person", "organization"}[n%2], Attributes: []byte("{}"),
			Confidence: 0.4, Extractor: "mock", Version: 1, CreatedAt: now, UpdatedAt: now,
		})
	}
	stored, _, err := tx.UpsertEntities(ctx, es)
	if err != nil {
		return err
	}
	for _, e := range stored {
		if e.Status == kgl.EntityMerged {
			return fmt.Errorf("the extraction got the merged entity %s", e.ID)
		}
	}
	if _, err := tx.InsertMentions(ctx, []kgl.Mention{{
		ID: r.id("m"), ContentID: content, Revision: 1, EntityID: stored[0].ID, Start: int64(r.dice.IntN(4)), End: 9, Quote: "q",
		Confidence: 0.5, Extractor: "mock", CreatedAt: now,
	}}); err != nil || stored[0].ID == stored[1].ID {
		return err
	}
	rs, _, err := tx.UpsertRelationships(ctx, []kgl.Relationship{{
		ID: r.id("r"), From: kgl.EntityRef{ID: stored[0].ID}, To: kgl.EntityRef{ID: stored[1].ID}, Type: "knows", Confidence: 0.4,
		Extractor: "mock", Version: 1, CreatedAt: now, UpdatedAt: now,
	}})
	if err != nil {
		return err
	}
	_, err = tx.ReplaceEvidence(ctx, content, "mock", []kgl.Evidence{{
		ID: r.id("v"), RelationshipID: rs[0].ID, Revision: 1, Start: int64(r.dice.IntN(3)), End: 9, Quote: "q", Confidence: 0.5, CreatedAt: now,
	}})
	return err
}

// TestConcurrentMergesKeepTheGraphWhole merges, undoes, rejects, edits and
// extracts from several callers at once, and counts everything afterwards.
func TestConcurrentMergesKeepTheGraphWhole(t *testing.T) {
	const callers, steps = 6, 12
	for seed := range uint64(3) {
		w := newMergeWorld(t, openPostgres(t), 100+seed)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var group sync.WaitGroup
		var mu sync.Mutex
		var merges, faults []string
		for caller := range callers {
			group.Go(func() {
				r := &racer{w: w, dice: rand.New(rand.NewPCG(seed, uint64(caller))), name: fmt.Sprint(caller), mu: &mu, merges: &merges}
				for range steps {
					err := r.step(ctx)
					switch kgl.ErrorCode(err) {
					case "", kgl.CodeConflict, kgl.CodeInvalid, kgl.CodePreconditionFailed, kgl.CodeNotFound:
					default:
						mu.Lock()
						faults = append(faults, err.Error())
						mu.Unlock()
					}
				}
			})
		}
		group.Wait()
		cancel()
		if len(faults) > 0 {
			t.Fatalf("%d steps failed: %s", len(faults), strings.Join(faults, "; "))
		}
		w.check()
		for _, id := range merges {
			if _, err := w.db.UndoMerge(t.Context(), id, "me", now); err != nil && !kgl.Is(err, kgl.CodeConflict) {
				t.Fatal(err)
			}
			w.check()
		}
	}
}
