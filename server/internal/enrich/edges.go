package enrich

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// storedEdge identifies a relationship by what the store identifies it by.
type storedEdge struct{ from, to, relation string }

// relationships stores the relationships and their evidence, and returns how
// many there are.
func (r *resultWriter) relationships(ctx context.Context, c kgl.Content, x kgl.Extraction, entities []kgl.Entity) (int, error) {
	wanted, index := r.wantedRelationships(x, entities)
	var stored []kgl.Relationship
	if len(wanted) > 0 {
		var created []bool
		var err error
		if stored, created, err = r.tx.UpsertRelationships(ctx, wanted); err != nil {
			return 0, err
		}
		r.relationshipEvents(stored, created)
	}
	removed, err := r.tx.ReplaceEvidence(ctx, c.ID, x.Extractor, r.evidence(x, entities, stored, index))
	if err != nil {
		return 0, err
	}
	for _, id := range removed {
		r.event(kgl.EventRelationshipDeleted, "relationship", id, map[string]any{"reason": "evidence_gone"})
	}
	return len(wanted), nil
}

// wantedRelationships returns each relationship once, in the order of their
// keys, and where each stands. Ends that are one stored entity make none.
func (r *resultWriter) wantedRelationships(x kgl.Extraction, entities []kgl.Entity) ([]kgl.Relationship, map[storedEdge]int) {
	best := map[storedEdge]kgl.Relationship{}
	for _, f := range x.Relationships {
		from, to := entities[f.From], entities[f.To]
		key := storedEdge{from.ID, to.ID, f.Type}
		if from.ID == to.ID || best[key].ID != "" && best[key].Confidence >= f.Confidence {
			continue
		}
		best[key] = kgl.Relationship{
			ID:   r.ids.NewID(),
			From: kgl.EntityRef{ID: from.ID, Name: from.Name, Type: from.Type},
			To:   kgl.EntityRef{ID: to.ID, Name: to.Name, Type: to.Type},
			Type: f.Type, Confidence: f.Confidence, Extractor: x.Extractor,
			Version: 1, CreatedAt: r.now, UpdatedAt: r.now,
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

func (r *resultWriter) relationshipEvents(stored []kgl.Relationship, created []bool) {
	for i, rel := range stored {
		typ := kgl.EventRelationshipUpdated
		if created[i] {
			typ = kgl.EventRelationshipCreated
		} else if rel.Version == 1 || !rel.UpdatedAt.Equal(r.now) {
			continue
		}
		r.event(typ, "relationship", rel.ID, map[string]any{
			"type": rel.Type, "from_entity_id": rel.From.ID, "to_entity_id": rel.To.ID, "extractor": r.task.Extractor,
		})
	}
}

// evidence returns one row for each place that supports a stored relationship.
func (r *resultWriter) evidence(x kgl.Extraction, entities []kgl.Entity, stored []kgl.Relationship, index map[storedEdge]int) []kgl.Evidence {
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
			ID: r.ids.NewID(), RelationshipID: p.relationship, ContentID: r.task.ContentID, Revision: r.task.Revision,
			Start: f.Evidence.Start, End: f.Evidence.End, Quote: f.Evidence.Quote,
			Confidence: f.Confidence, Extractor: x.Extractor, CreatedAt: r.now,
		})
	}
	return evidence
}
