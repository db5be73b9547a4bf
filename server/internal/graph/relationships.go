package graph

import (
	"context"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MaxEvidence is how many pieces of evidence a relationship is shown with.
const MaxEvidence = 100

// MaxFactRunes bounds the sentence that a relationship says.
const MaxFactRunes = 2_000

// Relationships is the service of relationships. It is safe for concurrent use.
type Relationships struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// NewRelationships returns the service.
func NewRelationships(store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *Relationships {
	return &Relationships{store: store, clock: clock, ids: ids}
}

// NewRelationship is a relationship that a person adds.
type NewRelationship struct {
	FromEntityID string
	ToEntityID   string
	Type         string
	Fact         string
	Confidence   *float64 // nil: 1
	ValidFrom    string   // as in kgl.Relationship
	ValidTo      string
}

// RelationshipPatch changes a relationship. A nil field is left as it is; a
// pointer to the zero value clears the fact or a time.
type RelationshipPatch struct {
	Status     *kgl.RelationshipStatus // RelationshipActive or RelationshipRejected
	Fact       *string
	Confidence *float64
	ValidFrom  *string
	ValidTo    *string
	IfVersion  *int64 // only change this version
}

// RelationshipDetail is a relationship with its newest evidence, at most
// MaxEvidence pieces; Relationship.EvidenceCount tells how many there are.
type RelationshipDetail struct {
	Relationship kgl.Relationship
	Evidence     []kgl.Evidence
}

// Create adds a relationship. Ends that were merged stand for what they were
// merged into. CodeInvalid names the field, also of an end that does not exist;
// CodeConflict: one with these ends and this type exists, in whatever state, or
// an end is rejected.
func (s *Relationships) Create(ctx context.Context, n NewRelationship) (kgl.Relationship, error) {
	now := s.clock.Now()
	r := kgl.Relationship{
		ID: s.ids.NewID(), From: kgl.EntityRef{ID: n.FromEntityID}, To: kgl.EntityRef{ID: n.ToEntityID}, Type: n.Type,
		Fact: n.Fact, Confidence: 1, ValidFrom: n.ValidFrom, ValidTo: n.ValidTo, Extractor: kgl.ExtractorManual,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	assign(&r.Confidence, n.Confidence)
	if err := normalizeRelationship(&r); err != nil {
		return kgl.Relationship{}, err
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		var err error
		if r.From, err = endOf(ctx, tx, "from_entity_id", n.FromEntityID); err != nil {
			return err
		}
		if r.To, err = endOf(ctx, tx, "to_entity_id", n.ToEntityID); err != nil {
			return err
		}
		if r.From.ID == r.To.ID {
			return kgl.Invalid("to_entity_id", "must be another entity than the one it starts at")
		}
		stored, created, err := tx.UpsertRelationships(ctx, []kgl.Relationship{r})
		switch {
		case err != nil:
			return err
		case !created[0]:
			return kgl.Errorf(kgl.CodeConflict, "the relationship %s has these ends and this type already", stored[0].ID)
		case stored[0].Status != kgl.RelationshipActive:
			return kgl.Errorf(kgl.CodeConflict, "an end of the relationship is rejected")
		}
		r = stored[0]
		return s.record(ctx, tx, kgl.EventRelationshipCreated, "relationship.create", r, nil)
	})
	return r, err
}

// endOf returns the entity that an id stands for.
func endOf(ctx context.Context, tx kgl.Store, field, id string) (kgl.EntityRef, error) {
	e, err := tx.FollowEntity(ctx, id)
	if kgl.Is(err, kgl.CodeNotFound) {
		return kgl.EntityRef{}, kgl.Invalid(field, "is no entity")
	}
	return kgl.EntityRef{ID: e.ID, Name: e.Name, Type: e.Type}, err
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

// List returns a page of relationships. Among active ones the id of a merged
// entity stands for what it was merged into. CodeInvalid.
func (s *Relationships) List(ctx context.Context, f kgl.RelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	var faults faults
	if f.Type != "" && !kgl.ValidType(f.Type) {
		faults = append(faults, invalidType("type").Fields...)
	}
	if !(f.MinConfidence >= 0 && f.MinConfidence <= 1) {
		faults.add("min_confidence", "must be from 0 to 1")
	}
	switch f.Status {
	case "", kgl.RelationshipActive, kgl.RelationshipRejected, kgl.RelationshipSuppressed, kgl.RelationshipMerged:
	default:
		faults.add("status", "is not a state of relationships")
	}
	faults.add("sort", relationshipSortFault(sort))
	if err := faults.err(); err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	if f.Status == "" || f.Status == kgl.RelationshipActive { // hidden ones stand at what was merged
		for _, end := range []*string{&f.FromEntityID, &f.ToEntityID} {
			id, err := s.standsFor(ctx, *end)
			if err != nil {
				return kgl.List[kgl.Relationship]{}, err
			}
			*end = id
		}
	}
	return s.store.Relationships(ctx, f, sort, bounded(p))
}

// standsFor returns the id of the entity that an id of a filter stands for: that
// of what it was merged into, or the id itself, an unknown one too.
func (s *Relationships) standsFor(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	e, err := s.store.FollowEntity(ctx, id)
	switch {
	case kgl.Is(err, kgl.CodeNotFound):
		return id, nil
	case err != nil:
		return "", err
	}
	return e.ID, nil
}

// relationshipSortFault tells what is wrong with an order; the empty one is
// newest first.
func relationshipSortFault(sort kgl.RelationshipSort) string {
	switch sort {
	case "", kgl.RelationshipNewestFirst, kgl.RelationshipHeaviestFirst:
		return ""
	}
	return "is not an order of relationships"
}

// Evidence returns a page of the evidence of a relationship, newest first.
// CodeNotFound: no such relationship.
func (s *Relationships) Evidence(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.Evidence], error) {
	if _, err := s.store.Relationship(ctx, id); err != nil {
		return kgl.List[kgl.Evidence]{}, err
	}
	return s.store.RelationshipEvidence(ctx, id, bounded(p))
}

// Update changes a relationship. A patch that changes nothing writes nothing.
// CodeInvalid; CodeNotFound; CodePreconditionFailed: IfVersion is not the stored
// version; CodeConflict: it was merged into another one, or others change it all
// the time.
func (s *Relationships) Update(ctx context.Context, id string, p RelationshipPatch) (kgl.Relationship, error) {
	var r kgl.Relationship
	var err error
	for range updateTries {
		r, err = s.updateOnce(ctx, id, p)
		if p.IfVersion != nil || !kgl.Is(err, kgl.CodePreconditionFailed) {
			return r, err
		}
	}
	return r, kgl.Wrap(err, kgl.CodeConflict, "the relationship is being changed by others; try again")
}

func (s *Relationships) updateOnce(ctx context.Context, id string, p RelationshipPatch) (kgl.Relationship, error) {
	var result kgl.Relationship
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		before, err := tx.Relationship(ctx, id)
		if err != nil {
			return err
		}
		if err := checkRelationshipVersion(p.IfVersion, before.Version); err != nil {
			return err
		}
		after := p.apply(before)
		if err := normalizeRelationship(&after); err != nil {
			return err
		}
		fields := changedRelationshipFields(before, after)
		if len(fields) == 0 {
			result = before
			return nil
		}
		after.UpdatedAt = s.clock.Now()
		if result, err = tx.UpdateRelationship(ctx, after); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventRelationshipUpdated, "relationship.update", result, fields)
	})
	return result, err
}

// Delete removes a relationship with its evidence. CodeNotFound;
// CodePreconditionFailed: ifVersion is given and not the stored version.
func (s *Relationships) Delete(ctx context.Context, id string, ifVersion *int64) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		r, err := tx.Relationship(ctx, id)
		if err != nil {
			return err
		}
		if err := checkRelationshipVersion(ifVersion, r.Version); err != nil {
			return err
		}
		if err := tx.DeleteRelationship(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventRelationshipDeleted, "relationship.delete", r, nil)
	})
}

// record writes the event and, last, the audit row of a change.
func (s *Relationships) record(ctx context.Context, tx kgl.Store, typ kgl.EventType, action string, r kgl.Relationship, fields []string) error {
	data := map[string]any{"type": r.Type, "from_entity_id": r.From.ID, "to_entity_id": r.To.ID, "extractor": r.Extractor}
	if fields != nil {
		data["fields"] = fields
	}
	if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(s.ids, s.clock, typ, "relationship", r.ID, data)}); err != nil {
		return err
	}
	_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, action, "relationship", r.ID, kgl.AuditSuccess, data))
	return err
}

// apply returns the relationship as the patch wants it. To make one active that
// is out of the graph because of an end changes nothing.
func (p RelationshipPatch) apply(r kgl.Relationship) kgl.Relationship {
	if p.Status != nil && (*p.Status == kgl.RelationshipRejected) != (r.Status == kgl.RelationshipRejected) {
		r.Status = *p.Status
	}
	assign(&r.Fact, p.Fact)
	assign(&r.Confidence, p.Confidence)
	assign(&r.ValidFrom, p.ValidFrom)
	assign(&r.ValidTo, p.ValidTo)
	return r
}

func checkRelationshipVersion(want *int64, stored int64) error {
	if want != nil && *want != stored {
		return kgl.Errorf(kgl.CodePreconditionFailed, "the relationship was changed meanwhile")
	}
	return nil
}

func changedRelationshipFields(a, b kgl.Relationship) []string {
	var fields []string
	for _, f := range []struct {
		name    string
		changed bool
	}{
		{"status", a.Status != b.Status},
		{"fact", a.Fact != b.Fact},
		{"confidence", a.Confidence != b.Confidence},
		{"valid_from", a.ValidFrom != b.ValidFrom},
		{"valid_to", a.ValidTo != b.ValidTo},
	} {
		if f.changed {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// normalizeRelationship brings a relationship into the form that is stored.
// CodeInvalid lists every field that breaks a rule.
func normalizeRelationship(r *kgl.Relationship) error {
	var faults faults
	if !kgl.ValidType(r.Type) {
		faults = append(faults, invalidType("type").Fields...)
	}
	r.Fact = strings.TrimSpace(r.Fact)
	faults.add("fact", textFault(r.Fact, 0, MaxFactRunes))
	if !(r.Confidence >= 0 && r.Confidence <= 1) { // false for NaN too
		faults.add("confidence", "must be from 0 to 1")
	}
	for _, d := range []struct{ field, text string }{{"valid_from", r.ValidFrom}, {"valid_to", r.ValidTo}} {
		if d.text != "" && !kgl.ValidPartialDate(d.text) {
			faults.add(d.field, "must be a year, a month or a day, such as 2026, 2026-11 or 2026-11-05")
		}
	}
	if r.ValidFrom != "" && r.ValidTo != "" && kgl.PartialDateBefore(r.ValidTo, r.ValidFrom) {
		faults.add("valid_to", "must not be before valid_from")
	}
	return faults.err()
}
