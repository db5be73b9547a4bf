package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// change is what a document means for the store. What is stored as it is does
// not appear.
type change struct {
	sourceID string

	created []kgl.Content
	revised []kgl.Content
	texts   readable          // of the created and revised ones
	moved   []kgl.ContentMove // stored items with another identity, or with hashes to take over

	back []kgl.ContentIdentity // removed items that are among the created ones
	seen []kgl.ContentIdentity // removed items that the document lists
	note bool                  // seen is to be noted now
}

// empty reports whether there is nothing to store.
func (c change) empty() bool {
	return len(c.created)+len(c.revised)+len(c.moved) == 0 && !c.note
}

// single returns the change of items as changes of one item each.
func (c change) single() []change {
	var list []change
	for i := range c.created {
		list = append(list, change{sourceID: c.sourceID, created: c.created[i : i+1], texts: c.texts, back: c.back})
	}
	for i := range c.revised {
		list = append(list, change{sourceID: c.sourceID, revised: c.revised[i : i+1], texts: c.texts})
	}
	for i := range c.moved {
		list = append(list, change{sourceID: c.sourceID, moved: c.moved[i : i+1]})
	}
	return list
}

// compare matches the items of the document against what is stored. It only
// reads; the host's lease keeps other writers away from the source. Items are
// finished when something about them changed: what is known as it is costs
// neither sanitising nor a write.
func (w *Worker) compare(ctx context.Context, a *attempt) (change, error) {
	if len(a.items) == 0 {
		return change{}, nil
	}
	a.result.State.RereadAt = nil
	l, err := newListing(ctx, a.items, a.source.State.UnstableIDs)
	if err != nil {
		return change{}, err
	}
	states, err := w.store.ContentStates(ctx, a.source.ID, l.identities())
	if err != nil {
		return change{}, err
	}
	l.match(states)
	if len(states) > 0 || a.source.LastSuccessAt != nil { // else nothing is stored that could be similar
		if err := w.matchUnknown(ctx, a, l); err != nil {
			return change{}, err
		}
	}
	a.noteDrift(l)
	c := comparison{worker: w, attempt: a, listing: l, change: change{sourceID: a.source.ID}}
	for i := range l.items {
		if err := c.item(ctx, &l.items[i]); err != nil {
			return change{}, err
		}
	}
	if err := c.edits(ctx); err != nil {
		return change{}, err
	}
	return c.end(), nil
}

// matchUnknown looks for items that are stored under another identity.
func (w *Worker) matchUnknown(ctx context.Context, a *attempt, l *listing) error {
	var traits []kgl.ContentTraits
	for _, in := range l.unknown() {
		if err := a.finish(ctx, in); err != nil {
			return err
		}
		if in.lost {
			continue
		}
		in.evidence = evidenceOf(in.item)
		t := kgl.ContentTraits{AltKey: in.altKey, CanonicalURL: canonicalURL(in.item), TextHash: in.item.TextHash}
		if !in.evidence.long && in.evidence.dated {
			t.PublishedAt = in.evidence.date
		}
		traits = append(traits, t)
	}
	if len(traits) == 0 {
		return nil
	}
	similar, err := w.store.SimilarContents(ctx, a.source.ID, traits)
	if err == nil && len(similar) > 0 {
		l.matchSimilar(similar)
	}
	return err
}

// finish reads the rest of an item. One that cannot be read is lost, and the
// others are not.
func (a *attempt) finish(ctx context.Context, in *incoming) error {
	err := in.item.Finish(ctx)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if !in.lost {
		in.lost = true
		a.result.Fetch.ItemsFailed++
		a.warn(string(feed.WarnItemSkipped), "an item could not be read")
	}
	return nil
}

// warn adds a warning to the history of the fetch.
func (a *attempt) warn(code, message string) {
	a.result.Fetch.Warnings = append(a.result.Fetch.Warnings, kgl.Warning{Code: code, Message: message})
}

// comparison makes the change of a document.
type comparison struct {
	worker  *Worker
	attempt *attempt
	listing *listing

	change change
	edited []*incoming       // their content is not the stored one
	lazy   []kgl.ContentMove // hashes that are taken over when something is written anyway
}

// item decides what is to be done about one item.
func (c *comparison) item(ctx context.Context, in *incoming) error {
	s := in.state
	switch {
	case in.lost:
		return nil
	case s == nil:
		return c.create(ctx, in)
	case s.Removed != "":
		return c.removed(ctx, in)
	case in.layer == layerIdentity && s.RawHash == in.item.RawHash:
		return nil
	}
	if err := c.attempt.finish(ctx, in); err != nil || in.lost {
		return err
	}
	switch {
	case isCutOff(in.item):
		// The rest of the item is missing, which is no edit.
	case s.ContentHash != in.item.ContentHash:
		c.edited = append(c.edited, in)
	default:
		c.same(in)
	}
	return nil
}

func isCutOff(item *feed.Item) bool { return hasWarning(item.Warnings, feed.WarnTruncated) }

// create stores an item as a new one, unless it was too old to be kept before it
// was seen.
func (c *comparison) create(ctx context.Context, in *incoming) error {
	oldest := c.worker.cfg.Retention.oldest(c.attempt.source.Settings, c.worker.clock.Now())
	if !in.item.PublishedInferred && in.item.PublishedAt.Before(oldest) {
		return nil
	}
	if err := c.attempt.finish(ctx, in); err != nil || in.lost {
		return err
	}
	c.change.created = append(c.change.created, c.worker.content(c.attempt.source.ID, in))
	return nil
}

// removed decides about an item that is not stored any more. One that a person
// deleted stays away while it is as it was. One that expired stays away, unless
// it was published anew since.
func (c *comparison) removed(ctx context.Context, in *incoming) error {
	stays := false
	switch in.state.Removed {
	case kgl.RemovedByAge:
		stays = in.item.PublishedInferred || !in.item.PublishedAt.After(in.state.RemovedAt)
	default:
		if err := c.attempt.finish(ctx, in); err != nil || in.lost {
			return err
		}
		stays = in.state.ContentHash == in.item.ContentHash || isCutOff(in.item) ||
			in.layer != layerIdentity && evidenceOf(in.item).agreesInText(evidenceOfState(in.state))
	}
	if stays {
		c.change.seen = append(c.change.seen, in.state.Identity)
		return nil
	}
	before := len(c.change.created)
	if err := c.create(ctx, in); err != nil {
		return err
	}
	if len(c.change.created) > before {
		c.change.back = append(c.change.back, in.state.Identity)
	}
	return nil
}

// same takes over what is not content: an identity that changed, or hashes.
func (c *comparison) same(in *incoming) {
	move := c.move(in)
	switch s := in.state; {
	case in.layer != layerIdentity && !(c.listing.unstable && in.layer == layerFingerprint):
		c.change.moved = append(c.change.moved, move)
	case s.RawHash == "":
		c.change.moved = append(c.change.moved, move) // stored before hashes were kept: once
	case !c.listing.unstable:
		c.lazy = append(c.lazy, move)
	}
}

func (c *comparison) move(in *incoming) kgl.ContentMove {
	return kgl.ContentMove{
		ID: in.state.ID, Identity: in.identity, GUID: in.item.GUID, AltKey: in.altKey, RawHash: in.item.RawHash, ContentHash: in.item.ContentHash,
	}
}

// How often is noted which removed items a feed lists, and for how long they are
// remembered after it listed them last.
const (
	noteRemovedEvery = 24 * time.Hour
	rememberRemoved  = 90 * 24 * time.Hour
)

// end returns the change. Hashes alone are not worth a write: a feed with a field
// that is another one at every fetch would cost one each time.
func (c *comparison) end() change {
	state, now := &c.attempt.result.State, c.worker.clock.Now()
	if last := c.attempt.source.State.ListedAt; last == nil || now.Sub(*last) >= noteRemovedEvery {
		state.ListedAt = &now
		c.change.note = last != nil
	}
	if len(c.change.created)+len(c.change.revised)+len(c.change.moved) > 0 {
		c.change.moved = slices.Concat(c.change.moved, c.lazy)
	}
	c.change.texts = readItems(c.change.created, c.change.revised)
	return c.change
}
