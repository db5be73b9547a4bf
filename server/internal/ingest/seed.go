package ingest

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
	"unicode"

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

// Subscribed tells what became of a list of feeds. Those that were watched
// already appear in neither field.
type Subscribed struct {
	Added   int
	Refused []error // one for each feed that cannot be watched; names its URL
}

// Seed subscribes the feeds of an OPML list, once in the life of the database,
// whichever of several replicas comes first.
func (s *Sources) Seed(ctx context.Context, opml []byte) (Subscribed, error) {
	list, err := feed.ParseOPML(ctx, opml)
	if err != nil {
		return Subscribed{}, fmt.Errorf("the seed list: %w", err)
	}
	var done Subscribed
	err = s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		done = Subscribed{}
		now := s.clock.Now()
		first, err := tx.CreateSetting(ctx, seededSetting, now.Format(time.RFC3339), now)
		if err != nil || !first {
			return err
		}
		done, err = s.Subscribe(ctx, list)
		return err
	})
	if err != nil {
		return Subscribed{}, err
	}
	return done, nil
}

// Subscribe adds the feeds that are not watched yet, by their URL. A feed that
// cannot be watched keeps none of the others away; any other error ends it.
func (s *Sources) Subscribe(ctx context.Context, list []feed.Subscription) (Subscribed, error) {
	var done Subscribed
	for _, sub := range list {
		_, err := s.Create(ctx, fromSubscription(sub))
		switch kgl.ErrorCode(err) {
		case "":
			done.Added++
		case kgl.CodeConflict: // watched already
		case kgl.CodeInvalid:
			done.Refused = append(done.Refused, fmt.Errorf("%s: %w", sub.FeedURL, err))
		default:
			return done, fmt.Errorf("%s: %w", sub.FeedURL, err)
		}
	}
	return done, nil
}

// fromSubscription cuts what another program allowed to be longer.
func fromSubscription(sub feed.Subscription) NewSource {
	n := NewSource{URL: sub.FeedURL, Title: firstRunes(plain(sub.Title), maxTitleRunes), TitleIsProvisional: true}
	for _, category := range sub.Categories {
		tag := strings.TrimSpace(firstRunes(plain(category), maxTagRunes))
		if tag != "" && len(n.Tags) < maxTags {
			n.Tags = append(n.Tags, tag)
		}
	}
	return n
}

// plain folds white space and control characters to single spaces.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
