package enrich

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Results, retractions, purges, withdrawals and removals at the same time, about
// the same people: none fails but for what it finds, and what is left is counted
// right.
func TestEverythingAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		const items, rounds = 16, 4
		cs := make([]kgl.Content, items)
		for i := range cs {
			cs[i] = w.add(kgl.LaneAI, crowd(i%3))
		}
		ctx := context.WithoutCancel(w.t.Context())
		var group sync.WaitGroup
		try := func(what string, do func() error) {
			switch err := do(); kgl.ErrorCode(err) {
			case "", kgl.CodeConflict, kgl.CodeConsentDenied, kgl.CodeNotFound:
			default:
				w.t.Errorf("%s: %v", what, err)
			}
		}
		for worker := range 4 {
			group.Go(func() {
				for n := range rounds * items / 2 {
					c := cs[(n*(worker+1)+worker)%items]
					try("record", func() error {
						x, err := peopleOf(ctx, c)
						if err != nil {
							return err
						}
						x.Extractor = fmt.Sprintf("ner%d@1", worker%2)
						_, err = w.recorder().Record(ctx, Result{Lane: kgl.LaneAI, Content: c, Extraction: x})
						return err
					})
				}
			})
		}
		group.Go(func() {
			for range rounds {
				list, err := w.db.Runs(ctx, kgl.ExtractionRunFilter{Status: kgl.RunCurrent}, kgl.Page{Limit: 5})
				try("list", func() error { return err })
				for _, run := range list.Rows {
					try("retract", func() error { _, err := w.runs().Retract(ctx, run.ID); return err })
				}
			}
		})
		group.Go(func() {
			for range rounds {
				for _, allowed := range []bool{false, true} {
					try("decide", func() error {
						_, _, err := w.db.DecideConsents(ctx, w.source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: allowed}, "", w.clock.Now())
						return err
					})
					try("purge", func() error { _, err := w.runs().Purge(ctx, w.source); return err })
				}
			}
		})
		group.Go(func() {
			for _, c := range cs[:3] {
				try("delete", func() error { return w.db.DeleteContent(ctx, c.ID, kgl.RemovedByPerson, w.clock.Now()) })
			}
		})
		group.Wait()
		w.recount(cs)
	})
}

// recount compares the counters of entities and relationships with what is stored
// about the items.
func (w *world) recount(cs []kgl.Content) {
	w.t.Helper()
	mentions := map[string]int64{}
	for _, c := range cs {
		list, err := w.db.ContentEntities(w.t.Context(), c.ID, kgl.Page{Limit: 100})
		w.must(err)
		for _, e := range list.Rows {
			mentions[e.Entity.ID] += int64(len(e.Mentions))
		}
	}
	degree := map[string]int64{}
	edges, err := w.db.Relationships(w.t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 1000})
	w.must(err)
	for _, r := range edges.Rows {
		degree[r.From.ID]++
		degree[r.To.ID]++
		evidence, err := w.db.RelationshipEvidence(w.t.Context(), r.ID, kgl.Page{Limit: 1000})
		w.must(err)
		if n := int64(len(evidence.Rows)); n != r.EvidenceCount || n == 0 {
			w.t.Errorf("%s -> %s counts %d pieces of evidence and has %d", r.From.Name, r.To.Name, r.EvidenceCount, n)
		}
	}
	entities, err := w.db.Entities(w.t.Context(), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 1000})
	w.must(err)
	for _, e := range entities.Rows {
		if e.MentionCount != mentions[e.ID] || e.Degree != degree[e.ID] {
			w.t.Errorf("%s counts %d mentions and %d relationships, and has %d and %d", e.Name, e.MentionCount, e.Degree, mentions[e.ID], degree[e.ID])
		}
	}
}
