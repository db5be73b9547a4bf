package graph

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Relationships returns a page of the active relationships of an entity, of the
// one that it was merged into when it was. CodeNotFound: no such entity;
// CodeInvalid.
func (s *Entities) Relationships(ctx context.Context, id string, f kgl.EntityRelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	var faults faults
	switch f.Direction {
	case "", kgl.DirectionAny, kgl.DirectionIn, kgl.DirectionOut:
	default:
		faults.add("direction", "must be any, in or out")
	}
	if f.Type != "" && !kgl.ValidType(f.Type) {
		faults = append(faults, invalidType("type").Fields...)
	}
	if !(f.MinConfidence >= 0 && f.MinConfidence <= 1) {
		faults.add("min_confidence", "must be from 0 to 1")
	}
	faults.add("sort", relationshipSortFault(sort))
	if err := faults.err(); err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	e, err := s.store.FollowEntity(ctx, id)
	if err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	return s.store.EntityRelationships(ctx, e.ID, f, sort, bounded(p))
}
