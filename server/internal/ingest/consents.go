package ingest

import (
	"context"
	"fmt"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ConsentChoice decides what may be done with the items of a source; nil keeps a
// consent as it is.
type ConsentChoice struct {
	AIProcessing *bool
	Publication  *bool
}

// decisions returns what is decided, by purpose.
func (c ConsentChoice) decisions() map[kgl.ConsentPurpose]bool {
	decided := map[kgl.ConsentPurpose]bool{}
	for purpose, allowed := range map[kgl.ConsentPurpose]*bool{
		kgl.PurposeAIProcessing: c.AIProcessing, kgl.PurposePublication: c.Publication,
	} {
		if allowed != nil {
			decided[purpose] = *allowed
		}
	}
	return decided
}

// changes returns the old and the new value of each consent that the choice
// changes, for the audit log. A first decision changes one, whatever it is.
func (c ConsentChoice) changes(before kgl.SourceConsents) map[string]any {
	changes := map[string]any{}
	for purpose, allowed := range c.decisions() {
		old := before.For(purpose)
		if old.Allowed != allowed || old.DecidedAt == nil {
			changes[string(purpose)] = map[string]bool{"old": old.Allowed, "new": allowed}
		}
	}
	return changes
}

// decideConsents stores a choice in the transaction of tx, puts the consents into
// src, and returns what changed.
func (s *Sources) decideConsents(ctx context.Context, tx kgl.Store, src *kgl.Source, choice ConsentChoice) (map[string]any, error) {
	before, after, err := tx.DecideConsents(ctx, src.ID, choice.decisions(), deciderOf(ctx), s.clock.Now())
	if err != nil {
		return nil, err
	}
	src.Consents = after
	return choice.changes(before), nil
}

// patchConsents decides the consents of a source, if that is asked for, before it
// is locked otherwise, and notes for the audit log what changed.
func (s *Sources) patchConsents(ctx context.Context, tx kgl.Store, src *kgl.Source, choice *ConsentChoice, details map[string]any) error {
	if choice == nil {
		return s.withConsents(ctx, src)
	}
	changes, err := s.decideConsents(ctx, tx, src, *choice)
	if len(changes) > 0 {
		details["consents"] = changes
	}
	return err
}

// deciderOf names who acts: a user by the id, others by their kind.
func deciderOf(ctx context.Context) string {
	if id := userID(ctx); id != "" {
		return id
	}
	return string(kgl.PrincipalFrom(ctx).Type)
}

// withConsents puts the consents into sources, in one query.
func (s *Sources) withConsents(ctx context.Context, sources ...*kgl.Source) error {
	ids := make([]string, len(sources))
	for i, src := range sources {
		ids[i] = src.ID
	}
	consents, err := s.store.Consents(ctx, ids)
	for _, src := range sources {
		src.Consents = consents[src.ID]
	}
	return err
}

// withConsentsOfAll is withConsents for a list.
func (s *Sources) withConsentsOfAll(ctx context.Context, list []kgl.Source) error {
	if len(list) == 0 {
		return nil
	}
	rows := make([]*kgl.Source, len(list))
	for i := range list {
		rows[i] = &list[i]
	}
	return s.withConsents(ctx, rows...)
}

// consentChanges returns what a bulk edit changes in the consents of a source.
func (b *bulk) consentChanges(src kgl.Source) map[string]any {
	if b.what.Consents == nil {
		return nil
	}
	return b.what.Consents.changes(b.consents[src.ID])
}

// decide stores the consents of a bulk edit. Its sources are locked already.
func (b *bulk) decide(ctx context.Context) error {
	for _, src := range b.deciding {
		if _, err := b.sources.decideConsents(ctx, b.tx, &src, *b.what.Consents); err != nil {
			return fmt.Errorf("source %s: %w", src.ID, err)
		}
	}
	return nil
}

func sourceIDs(list []kgl.Source) []string {
	ids := make([]string, len(list))
	for i, src := range list {
		ids[i] = src.ID
	}
	return ids
}
