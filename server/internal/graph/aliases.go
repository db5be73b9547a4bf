package graph

import (
	"context"
	"regexp"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// languagePattern is the form of a BCP 47 tag, as the contract has it.
var languagePattern = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

const maxLanguageLength = 35

// Aliases returns a page of the aliases of an entity by their normalised form.
// CodeNotFound.
func (s *Entities) Aliases(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.Alias], error) {
	e, err := s.store.FollowEntity(ctx, id)
	if err != nil {
		return kgl.List[kgl.Alias]{}, err
	}
	return s.store.EntityAliases(ctx, e.ID, bounded(p))
}

// AddAlias adds an alias that a person gives; language may be empty.
// CodeInvalid; CodeNotFound; CodeConflict: the entity has the alias already, has
// too many, or was merged into another one.
func (s *Entities) AddAlias(ctx context.Context, id, alias, language string) (kgl.Alias, error) {
	a := kgl.Alias{EntityID: id, Alias: written(alias), Language: language, Source: kgl.ExtractorManual}
	var faults faults
	faults.add("alias", nameFault(a.Alias))
	if language != "" && (len(language) > maxLanguageLength || !languagePattern.MatchString(language)) {
		faults.add("language", "must be a language tag (BCP 47)")
	}
	if err := faults.err(); err != nil {
		return kgl.Alias{}, err
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		before, err := changeable(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(before.Aliases) >= MaxAliases {
			return kgl.Errorf(kgl.CodeConflict, "the entity has %d aliases, which is the most", len(before.Aliases))
		}
		after, err := tx.AddAlias(ctx, a, s.clock.Now())
		if err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityUpdated, "entity.update", after, []string{"aliases"})
	})
	return a, err
}

// RemoveAlias removes an alias, which may be written in any case and
// punctuation. CodeNotFound: no such entity or alias; CodeConflict: the entity
// was merged into another one.
func (s *Entities) RemoveAlias(ctx context.Context, id, alias string) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if _, err := changeable(ctx, tx, id); err != nil {
			return err
		}
		after, err := tx.RemoveAlias(ctx, id, nameKey(alias), s.clock.Now())
		if err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventEntityUpdated, "entity.update", after, []string{"aliases"})
	})
}

// Mentions returns a page of the mentions of an entity that have at least a
// confidence, those in the newest publication first. CodeInvalid; CodeNotFound.
func (s *Entities) Mentions(ctx context.Context, id string, minConfidence float64, p kgl.Page) (kgl.List[kgl.EntityMention], error) {
	if !(minConfidence >= 0 && minConfidence <= 1) {
		return kgl.List[kgl.EntityMention]{}, kgl.Invalid("min_confidence", "must be from 0 to 1")
	}
	e, err := s.store.FollowEntity(ctx, id)
	if err != nil {
		return kgl.List[kgl.EntityMention]{}, err
	}
	return s.store.EntityMentions(ctx, e.ID, minConfidence, bounded(p))
}

// Contents returns a page of the items that mention an entity, each once, newest
// publication first. CodeNotFound.
func (s *Entities) Contents(ctx context.Context, id string, p kgl.Page) (kgl.List[kgl.EntityContent], error) {
	e, err := s.store.FollowEntity(ctx, id)
	if err != nil {
		return kgl.List[kgl.EntityContent]{}, err
	}
	return s.store.EntityContents(ctx, e.ID, bounded(p))
}
