package enrich

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// storedEdge identifies a relationship by what the store identifies it by.
type storedEdge struct{ from, to, relation string }

// relationships stores the relationships and their evidence, in the place of the
// evidence of the previous run.
func (w *runWriter) relationships(ctx context.Context, x kgl.Extraction, entities []kgl.Entity, wanted []kgl.Relationship, index map[storedEdge]int, previous string) error {
	if len(wanted) > 0 {
		stored, created, err := w.tx.UpsertRelationships(ctx, wanted)
		if err != nil {
			return err
		}
		w.relationshipEvents(stored, created)
		if err := w.tx.InsertEvidence(ctx, w.evidence(x, entities, stored, index)); err != nil {
			return err
		}
	}
	return w.dropEvidence(ctx, previous, kgl.ExtractorName(x.Extractor))
}

// wantedRelationships returns each relationship once, in the order of their
// keys, and where each stands. Ends that are one stored entity make none.
func (w *runWriter) wantedRelationships(x kgl.Extraction, entities []kgl.Entity) ([]kgl.Relationship, map[storedEdge]int) {
	best := map[storedEdge]kgl.Relationship{}
	for _, f := range x.Relationships {
		from, to := entities[f.From], entities[f.To]
		key := storedEdge{from.ID, to.ID, f.Type}
		if from.ID == to.ID || best[key].ID != "" && best[key].Confidence >= f.Confidence {
			continue
		}
		best[key] = kgl.Relationship{
			ID:   w.ids.NewID(),
			From: kgl.EntityRef{ID: from.ID, Name: from.Name, Type: from.Type},
			To:   kgl.EntityRef{ID: to.ID, Name: to.Name, Type: to.Type},
			Type: f.Type, Fact: f.Fact, Confidence: f.Confidence, Extractor: x.Extractor, Status: kgl.RelationshipActive,
			ValidFrom: f.ValidFrom, ValidTo: f.ValidTo,
			Version: 1, CreatedAt: w.now, UpdatedAt: w.now,
		}
	}
	wanted := make([]kgl.Relationship, 0, len(best))
	for _, rel := range best {
		wanted = append(wanted, rel)
	}
	slices.SortFunc(wanted, func(a, b kgl.Relationship) int {
		return cmp.Or(cmp.Compare(a.From.ID, b.From.ID), cmp.Compare(a.To.ID, b.To.ID), cmp.Compare(a.Type, b.Type))
	})
	index := make(map[storedEdge]int, len(wanted))
	for i, rel := range wanted {
		index[storedEdge{rel.From.ID, rel.To.ID, rel.Type}] = i
	}
	return wanted, index
}

func (w *runWriter) relationshipEvents(stored []kgl.Relationship, created []bool) {
	for i, rel := range stored {
		typ := kgl.EventRelationshipUpdated
		if created[i] {
			typ = kgl.EventRelationshipCreated
		} else if rel.Version == 1 || !rel.UpdatedAt.Equal(w.now) {
			continue
		}
		w.event(typ, "relationship", rel.ID, map[string]any{
			"type": rel.Type, "from_entity_id": rel.From.ID, "to_entity_id": rel.To.ID, "extractor": w.run.Extractor,
		})
	}
}

// evidence returns one row for each place that supports a stored relationship.
func (w *runWriter) evidence(x kgl.Extraction, entities []kgl.Entity, stored []kgl.Relationship, index map[storedEdge]int) []kgl.Evidence {
	type place struct {
		relationship string
		start, end   int64
	}
	seen := map[place]bool{}
	evidence := []kgl.Evidence{}
	for _, f := range x.Relationships {
		i, ok := index[storedEdge{entities[f.From].ID, entities[f.To].ID, f.Type}]
		if !ok {
			continue
		}
		p := place{stored[i].ID, f.Evidence.Start, f.Evidence.End}
		if seen[p] {
			continue
		}
		seen[p] = true
		evidence = append(evidence, kgl.Evidence{
			ID: w.ids.NewID(), RelationshipID: p.relationship, ContentID: w.content.ID, Revision: w.content.Revision,
			Start: f.Evidence.Start, End: f.Evidence.End, Quote: f.Evidence.Quote,
			Confidence: f.Confidence, Extractor: x.Extractor, RunID: &w.run.ID, CreatedAt: w.now,
		})
	}
	return evidence
}
