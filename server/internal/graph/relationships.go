package graph

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MaxEvidence is how many pieces of evidence a relationship is shown with.
const MaxEvidence = 100

// Relationships is the service of relationships. It is safe for concurrent use.
type Relationships struct{ store kgl.Store }

// NewRelationships returns the service.
func NewRelationships(store kgl.Store) *Relationships { return &Relationships{store: store} }

// RelationshipDetail is a relationship with its newest evidence, at most
// MaxEvidence pieces; Relationship.EvidenceCount tells how many there are.
type RelationshipDetail struct {
	Relationship kgl.Relationship
	Evidence     []kgl.Evidence
}

// Get returns a relationship with its evidence. CodeNotFound.
func (s *Relationships) Get(ctx context.Context, id string) (RelationshipDetail, error) {
	r, err := s.store.Relationship(ctx, id)
	if err != nil {
		return RelationshipDetail{}, err
	}
	evidence, err := s.store.RelationshipEvidence(ctx, id, kgl.Page{Limit: MaxEvidence})
	if err != nil {
		return RelationshipDetail{}, err
	}
	return RelationshipDetail{Relationship: r, Evidence: evidence.Rows}, nil
}

// List returns a page of relationships, newest first. CodeInvalid.
func (s *Relationships) List(ctx context.Context, f kgl.RelationshipFilter, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	var faults faults
	if f.Type != "" && !kgl.ValidType(f.Type) {
		faults = append(faults, invalidType("type").Fields...)
	}
	if !(f.MinConfidence >= 0 && f.MinConfidence <= 1) {
		faults.add("min_confidence", "must be from 0 to 1")
	}
	if err := faults.err(); err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	return s.store.Relationships(ctx, f, kgl.RelationshipNewestFirst, bounded(p))
}
