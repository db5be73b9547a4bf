package ingest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DefaultSeeds is an OPML list of five feeds of the field, which a new
// installation subscribes.
//
//go:embed seeds.opml
var DefaultSeeds []byte

// seededSetting remembers that the seeds were subscribed, so that a source
// that a person deleted does not come back at the next start.
const seededSetting = "ingest.seeded_at"

// Seed subscribes the feeds of an OPML list, once in the life of the database,
// whichever of several replicas comes first. It returns how many it added.
func (s *Sources) Seed(ctx context.Context, opml []byte) (int, error) {
	list, err := feed.ParseOPML(ctx, opml)
	if err != nil {
		return 0, fmt.Errorf("the seed list: %w", err)
	}
	added := 0
	err = s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := s.clock.Now()
		added = 0
		first, err := tx.CreateSetting(ctx, seededSetting, now.Format("2006-01-02T15:04:05Z"), now)
		if err != nil || !first {
			return err
		}
		added, err = s.subscribe(ctx, list)
		return err
	})
	return added, err
}

// Subscribe adds the feeds that are not watched yet, by their URL, and returns
// how many it added. One feed that cannot be added stops nothing: the error
// names all that failed.
func (s *Sources) Subscribe(ctx context.Context, list []feed.Subscription) (int, error) {
	added := 0
	var failed []error
	for _, sub := range list {
		n, err := s.subscribe(ctx, []feed.Subscription{sub})
		added += n
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", sub.FeedURL, err))
		}
	}
	return added, errors.Join(failed...)
}

// fromSubscription cuts what another program allowed to be longer.
func fromSubscription(sub feed.Subscription) NewSource {
	n := NewSource{URL: sub.FeedURL, Title: firstRunes(sub.Title, maxTitleRunes), TitleIsProvisional: true}
	for _, category := range sub.Categories[:min(len(sub.Categories), maxTags)] {
		if tag := strings.TrimSpace(firstRunes(strings.TrimSpace(category), maxTagRunes)); tag != "" {
			n.Tags = append(n.Tags, tag)
		}
	}
	return n
}

func (s *Sources) subscribe(ctx context.Context, list []feed.Subscription) (int, error) {
	added := 0
	for _, sub := range list {
		key, err := feed.CanonicalURL(sub.FeedURL)
		if err != nil {
			return added, fmt.Errorf("%s: %w", sub.FeedURL, err)
		}
		_, err = s.store.SourceByURLKey(ctx, key)
		if err == nil {
			continue
		}
		if !kgl.Is(err, kgl.CodeNotFound) {
			return added, err
		}
		if _, err := s.Create(ctx, fromSubscription(sub)); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}
