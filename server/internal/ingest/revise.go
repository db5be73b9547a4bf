package ingest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The limits of edits: an item that is edited more often within a day, or that
// goes back to a state that it had, is held. Edits of a held item are taken over
// once a day, until there was none for two days.
const (
	editWindow = 24 * time.Hour
	maxEdits   = 5
	calmAfter  = 48 * time.Hour
)

// warnHeld is the code of the warning about held edits.
const warnHeld = "edits_held"

// edits makes revisions of the items that were edited.
func (c *comparison) edits(ctx context.Context) error {
	if len(c.edited) == 0 {
		return nil
	}
	ids := make([]string, len(c.edited))
	for i, in := range c.edited {
		ids[i] = in.state.ID
	}
	marks, err := c.worker.store.RevisionMarks(ctx, ids)
	if err != nil {
		return err
	}
	byItem := map[string][]kgl.RevisionMark{}
	for _, m := range marks {
		byItem[m.ContentID] = append(byItem[m.ContentID], m)
	}
	held := 0
	for _, in := range c.edited {
		old, err := c.worker.store.Content(ctx, in.state.ID)
		if kgl.Is(err, kgl.CodeNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if !c.edit(in, old, byItem[old.ID]) {
			held++
			c.rereadAt(old.ChangedAt.Add(editWindow))
		}
	}
	if held > 0 {
		c.attempt.warn(warnHeld, fmt.Sprintf("items that change too often: %d; their edits are taken over once a day", held))
	}
	return nil
}

// edit makes a revision of an item, and reports whether its state is the one of
// the feed then.
func (c *comparison) edit(in *incoming, old kgl.Content, marks []kgl.RevisionMark) bool {
	next := c.worker.content(old.SourceID, in)
	next.ID, next.Revision, next.FetchedAt = old.ID, old.Revision+1, old.FetchedAt
	if next.PublishedInferred { // an edit without a date is not published anew
		next.PublishedAt, next.PublishedInferred, next.Details.PublishedSource = old.PublishedAt, old.PublishedInferred, old.Details.PublishedSource
	}
	next.ChangedFields = editedFields(&old.ContentBody, &next.ContentBody)
	unseen := len(next.ChangedFields) == 0
	if c.listing.unstable && in.layer == layerFingerprint { // its URL is another one at every fetch
		unseen = unseen || slices.Equal(next.ChangedFields, []string{"url"})
		if unseen {
			return true
		}
	}
	if unseen {
		c.change.moved = append(c.change.moved, c.move(in))
		return true
	}
	held, takes := limitEdits(&old, next.ContentHash, marks, c.worker.clock.Now())
	if !takes {
		if in.layer != layerIdentity { // so that it is found at once, and with the old content's hash
			move := c.move(in)
			move.RawHash, move.ContentHash = old.RawHash, old.ContentHash
			c.change.moved = append(c.change.moved, move)
		}
		return false
	}
	next.Details.Held = held
	c.change.revised = append(c.change.revised, next)
	return true
}

// rereadAt makes sure that the document is read again when held edits may be
// taken over, even when it does not change any more.
func (c *comparison) rereadAt(at time.Time) {
	if s := &c.attempt.result.State; s.RereadAt == nil || at.Before(*s.RereadAt) {
		s.RereadAt = &at
	}
}

// reread forgets what tells that the document of a source did not change, when
// edits were held that may be taken over now.
func reread(src kgl.Source, now time.Time) kgl.Source {
	if at := src.State.RereadAt; at != nil && !now.Before(*at) {
		src.ETag, src.LastModified, src.BodyHash = "", "", ""
	}
	return src
}

// limitEdits reports whether an edit of an item is taken over, and as what the
// item is marked then. marks are its earlier states, oldest first.
func limitEdits(old *kgl.Content, hash string, marks []kgl.RevisionMark, now time.Time) (held *kgl.Held, takes bool) {
	edits, known := 0, false
	for _, m := range marks {
		if now.Sub(m.RecordedAt) < editWindow {
			edits++
		}
		known = known || m.ContentHash == hash
	}
	since := now.Sub(old.ChangedAt)
	before := old.Details.Held
	recent := since < editWindow
	switch {
	case edits >= maxEdits && recent:
		return nil, false
	case before != nil && before.Reason == kgl.HeldOften && recent:
		return nil, false
	case before != nil && before.Reason == kgl.HeldFlips && known && recent:
		return nil, false
	}
	reason := kgl.HeldReason("")
	switch {
	case edits+1 >= maxEdits, before != nil && before.Reason == kgl.HeldOften && since < calmAfter:
		reason = kgl.HeldOften
	case known && since < calmAfter:
		reason = kgl.HeldFlips
	default:
		return nil, true
	}
	if before != nil && before.Reason == reason {
		return before, true
	}
	return &kgl.Held{Reason: reason, Since: now}, true
}

// editedFields names what differs between two states of an item, by the names
// of the API. White space, and the order of categories, make no difference.
func editedFields(old, next *kgl.ContentBody) []string {
	var list []string
	add := func(name string, differs bool) {
		if differs {
			list = append(list, name)
		}
	}
	add("title", old.Title != next.Title)
	add("summary", old.Summary != next.Summary)
	add("content", !slices.Equal(strings.Fields(old.HTML), strings.Fields(next.HTML)))
	add("url", old.URL != next.URL && (old.CanonicalURL != next.CanonicalURL || next.CanonicalURL == ""))
	add("authors", !slices.Equal(old.Authors, next.Authors))
	add("categories", !slices.Equal(slices.Sorted(slices.Values(old.Categories)), slices.Sorted(slices.Values(next.Categories))))
	add("enclosures", !slices.Equal(old.Enclosures, next.Enclosures))
	add("language", old.Language != next.Language)
	add("published_at", !old.PublishedAt.Equal(next.PublishedAt.Truncate(time.Microsecond)))
	add("comments_url", old.Details.CommentsURL != next.Details.CommentsURL)
	add("image_url", old.Details.ImageURL != next.Details.ImageURL)
	add("media", !reflect.DeepEqual(old.Details.Media, next.Details.Media))
	return list
}
