package graph

import (
	"context"
	"encoding/json"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// updateTries bounds how often an update that names no version is tried anew
// after somebody else changed the entity meanwhile.
const updateTries = 3

// Entities is the service of entities. It is safe for concurrent use.
type Entities struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// NewEntities returns the service.
func NewEntities(store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *Entities {
	return &Entities{store: store, clock: clock, ids: ids}
}

// NewEntity is an entity that a person adds.
type NewEntity struct {
	Name        string
	Type        string
	Description string
	Aliases     []string
	ExternalIDs []kgl.ExternalID
	Attributes  json.RawMessage // a JSON object; empty for none
	Confidence  *float64        // nil: 1
}

// EntityPatch changes an entity. A nil field is left as it is; a pointer to the
// zero value clears the description, the aliases, the external ids or the
// attributes. Name and Type cannot be cleared; a Confidence of 0 is a value like
// any other.
type EntityPatch struct {
	Name        *string
	Type        *string
	Description *string
	Aliases     *[]string
	ExternalIDs *[]kgl.ExternalID
	Attributes  *json.RawMessage
	Confidence  *float64
	Status      *kgl.EntityStatus // EntityActive or EntityRejected
	IfVersion   *int64            // only change this version
}

// Create adds an entity. CodeInvalid names the field; CodeConflict: one with
// the same type and name exists, or another one has an external id, which Fields
// names then.
func (s *Entities) Create(ctx context.Context, n NewEntity) (kgl.Entity, error) {
	now := s.clock.Now()
	e := kgl.Entity{
		ID: s.ids.NewID(), Name: n.Name, Type: n.Type, Description: n.Description,
		Aliases: n.Aliases, ExternalIDs: n.ExternalIDs, Attributes: n.Attributes, Confidence: 1,
		Extractor: kgl.ExtractorManual, Status: kgl.EntityActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if n.Confidence != nil {
		e.Confidence = *n.Confidence
	}
	if err := normalizeEntity(&e); err != nil {
		return kgl.Entity{}, err
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.CreateEntity(ctx, e); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityCreated, "entity.create", e, nil)
	})
	if err != nil {
		return kgl.Entity{}, err
	}
	return e, nil
}

// Get returns an entity. Of one that was merged into another it returns the
// other one, or with follow false itself. CodeNotFound.
func (s *Entities) Get(ctx context.Context, id string, follow bool) (kgl.Entity, error) {
	if follow {
		return s.store.FollowEntity(ctx, id)
	}
	return s.store.Entity(ctx, id)
}

// List returns a page of entities. The name prefix may be written in any case
// and punctuation. CodeInvalid.
func (s *Entities) List(ctx context.Context, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) (kgl.List[kgl.Entity], error) {
	if err := checkEntityFilter(f); err != nil {
		return kgl.List[kgl.Entity]{}, err
	}
	switch sort {
	case "":
		sort = kgl.EntityByName
	case kgl.EntityByName, kgl.EntityMostConfident, kgl.EntityNewestFirst, kgl.EntityLastSeenFirst, kgl.EntityMostConnected:
	default:
		return kgl.List[kgl.Entity]{}, kgl.Invalid("sort", "is not an order of entities")
	}
	if f.NamePrefix != "" {
		f.NamePrefix = nameKey(f.NamePrefix)
		if f.NamePrefix == "" { // nothing but punctuation: no name begins so
			return kgl.List[kgl.Entity]{Rows: []kgl.Entity{}}, nil
		}
	}
	return s.store.Entities(ctx, f, sort, bounded(p))
}

// Update changes an entity. A patch that changes nothing writes nothing.
// CodeInvalid; CodeNotFound; CodePreconditionFailed: IfVersion is not the stored
// version; CodeConflict: another entity has that type and name or an external
// id, or this one was merged into another.
func (s *Entities) Update(ctx context.Context, id string, p EntityPatch) (kgl.Entity, error) {
	var e kgl.Entity
	var err error
	for range updateTries {
		e, err = s.updateOnce(ctx, id, p)
		if p.IfVersion != nil || !kgl.Is(err, kgl.CodePreconditionFailed) {
			break
		}
	}
	if p.IfVersion == nil && kgl.Is(err, kgl.CodePreconditionFailed) {
		err = kgl.Wrap(err, kgl.CodeConflict, "the entity is being changed by others; try again")
	}
	return e, err
}

func (s *Entities) updateOnce(ctx context.Context, id string, p EntityPatch) (kgl.Entity, error) {
	var result kgl.Entity
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		before, err := changeable(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := checkVersion(p.IfVersion, before.Version); err != nil {
			return err
		}
		after := p.apply(before)
		if err := normalizeEntity(&after); err != nil {
			return err
		}
		fields := changedFields(before, after)
		if len(fields) == 0 {
			result = before
			return nil
		}
		after.UpdatedAt = s.clock.Now()
		if result, err = storeEntity(ctx, tx, before, after, fields); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityUpdated, "entity.update", result, fields)
	})
	if err != nil {
		return kgl.Entity{}, err
	}
	return result, nil
}

// changeable returns an entity that may be changed: one that was merged into
// another is kept as it is, so that the merge can be undone. CodeNotFound;
// CodeConflict names the other one.
func changeable(ctx context.Context, tx kgl.Store, id string) (kgl.Entity, error) {
	e, err := tx.Entity(ctx, id)
	if err == nil && e.MergedInto != nil {
		return e, kgl.Errorf(kgl.CodeConflict, "the entity was merged into %s; change that one, or undo the merge", *e.MergedInto)
	}
	return e, err
}

// Delete removes an entity with its mentions and relationships, and with what
// was merged into it. CodeNotFound; CodePreconditionFailed: ifVersion is given
// and not the stored version; CodeConflict: it was merged into another one.
func (s *Entities) Delete(ctx context.Context, id string, ifVersion *int64) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		e, err := changeable(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := checkVersion(ifVersion, e.Version); err != nil {
			return err
		}
		if err := tx.DeleteEntity(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityDeleted, "entity.delete", e, nil)
	})
}

// OfContent returns a page of the entities that a content item mentions, by
// name, each with its mentions. CodeNotFound: no such item.
func (s *Entities) OfContent(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.EntityMentions], error) {
	if _, err := s.store.Content(ctx, contentID); err != nil {
		return kgl.List[kgl.EntityMentions]{}, err
	}
	return s.store.ContentEntities(ctx, contentID, bounded(p))
}

// record writes the event and, last, the audit row of a change.
func (s *Entities) record(ctx context.Context, tx kgl.Store, typ kgl.EventType, action string, e kgl.Entity, fields []string) error {
	data := map[string]any{"name": e.Name, "type": e.Type, "extractor": e.Extractor}
	if fields != nil {
		data["fields"] = fields
	}
	if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(s.ids, s.clock, typ, "entity", e.ID, data)}); err != nil {
		return err
	}
	_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, action, "entity", e.ID, kgl.AuditSuccess, data))
	return err
}

func (p EntityPatch) apply(e kgl.Entity) kgl.Entity {
	assign(&e.Name, p.Name)
	assign(&e.Type, p.Type)
	assign(&e.Description, p.Description)
	assign(&e.Aliases, p.Aliases)
	assign(&e.ExternalIDs, p.ExternalIDs)
	assign(&e.Attributes, p.Attributes)
	assign(&e.Confidence, p.Confidence)
	assign(&e.Status, p.Status)
	return e
}

func assign[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// checkVersion compares the version that the caller knows, if any.
func checkVersion(want *int64, stored int64) error {
	if want != nil && *want != stored {
		return kgl.Errorf(kgl.CodePreconditionFailed, "the entity was changed meanwhile")
	}
	return nil
}

// bounded returns the page with a limit inside the bounds of lists.
func bounded(p kgl.Page) kgl.Page {
	if p.Limit <= 0 {
		p.Limit = kgl.DefaultPageLimit
	}
	p.Limit = min(p.Limit, kgl.MaxPageLimit)
	return p
}

func invalidType(field string) *kgl.Error {
	return kgl.Invalid(field, "must be a lower-case word of at most 40 letters, digits and underscores")
}
