package ingest

import (
	"context"
	"strconv"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/neardup"
)

const (
	// keysSetting holds the version of the keys that all items of the window have.
	keysSetting = "near_duplicate_keys"

	keysBatch    = 50 // items that get keys in one transaction
	keysPause    = 20 * time.Millisecond
	keysProgress = 5000             // items between two lines of the log
	keysPrune    = 1000             // old keys that one transaction looks at
	keysInterval = time.Hour        // between two looks for old keys
	keysRetry    = 30 * time.Second // after a failure
)

// keepKeys makes the index of nearly equal texts whole, and keeps it small: it
// gives keys to items that were stored by a version that knew none, links what
// they repeat, and removes the keys of items that are no longer looked for. It
// goes on where it was when it is broken off. Several processes may do it at the
// same time.
func (w *Worker) keepKeys(ctx context.Context) {
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = keysInterval
		if err := w.tidyKeys(ctx); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "the index of nearly equal texts is not up to date yet", "error", err)
			wait = keysRetry
		}
	}
}

func (w *Worker) tidyKeys(ctx context.Context) error {
	if err := w.fillKeys(ctx); err != nil {
		return err
	}
	for {
		n, err := w.store.DeleteOldKeys(ctx, w.clock.Now().Add(-nearWindow), keysPrune)
		if err != nil || n < keysPrune {
			return err
		}
	}
}

// fillKeys gives keys to all items of the window that have none of this version.
func (w *Worker) fillKeys(ctx context.Context) error {
	version := strconv.Itoa(neardup.KeysVersion)
	done, err := w.store.Setting(ctx, keysSetting)
	if err != nil && kgl.ErrorCode(err) != kgl.CodeNotFound || done == version {
		return err
	}
	total, folded := 0, 0
	for {
		n, links, err := w.fillBatch(ctx)
		if err != nil {
			return err
		}
		if total/keysProgress != (total+n)/keysProgress {
			w.log.InfoContext(ctx, "giving keys to stored items, to find nearly equal texts", "items", total+n, "folded", folded+links)
		}
		total, folded = total+n, folded+links
		if n < keysBatch {
			break
		}
		if err := pauseFor(ctx, keysPause); err != nil {
			return err
		}
	}
	if total > 0 {
		w.log.InfoContext(ctx, "all stored items have keys to find nearly equal texts", "items", total, "folded", folded)
	}
	return w.store.SetSetting(ctx, keysSetting, version, w.clock.Now())
}

// fillBatch gives keys to the first items that have none, and links those that
// are in no group.
func (w *Worker) fillBatch(ctx context.Context) (items, folded int, err error) {
	err = w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		items, folded = 0, 0
		if _, err := tx.FindDuplicates(ctx, nil); err != nil { // one at a time, as when items are stored
			return err
		}
		since := w.clock.Now().Add(-nearWindow)
		rows, err := tx.ContentsWithoutKeys(ctx, neardup.KeysVersion, since, keysBatch)
		if err != nil {
			return err
		}
		items = len(rows)
		texts, keys := make(readable, len(rows)), make([]kgl.ContentKeys, len(rows))
		for i, r := range rows {
			texts[r.ID] = neardup.Read(r.Title, r.Text)
			keys[i] = keysOf(r.ID, r.SourceID, r.FetchedAt, texts[r.ID])
		}
		if err := tx.PutContentKeys(ctx, keys); err != nil {
			return err
		}
		for _, k := range keys { // one by one: the next finds the heads as they are then
			made, err := w.foldStored(ctx, tx, k, texts, since)
			if err != nil {
				return err
			}
			folded += len(made)
		}
		return nil
	})
	return items, folded, err
}

// foldStored folds a stored item that is in no group under an earlier one.
func (w *Worker) foldStored(ctx context.Context, tx kgl.Store, k kgl.ContentKeys, texts readable, since time.Time) ([]kgl.DuplicateLink, error) {
	if len(k.Keys) == 0 {
		return nil, nil
	}
	links, err := w.findNear(ctx, tx, []kgl.ContentKeys{k}, texts, since)
	if err != nil || len(links) == 0 || links[0].DuplicateOf == k.ContentID {
		return nil, err
	}
	group, err := tx.Duplicates(ctx, k.ContentID, kgl.Page{Limit: 1})
	if err != nil || len(group.Rows) > 0 {
		return nil, err
	}
	made, err := tx.LinkDuplicates(ctx, links)
	if err != nil {
		return nil, err
	}
	return made, tx.AppendEvents(ctx, w.linkEvents(made))
}

// linkEvents tells of links that were made.
func (w *Worker) linkEvents(links []kgl.DuplicateLink) []kgl.Event {
	es := make([]kgl.Event, len(links))
	for i, l := range links {
		es[i] = linkEvent(w.ids, w.clock, l)
	}
	return es
}

func linkEvent(ids kgl.IDSource, clock kgl.Clock, l kgl.DuplicateLink) kgl.Event {
	return kgl.NewEvent(ids, clock, kgl.EventDuplicateLinked, "content", l.ContentID, map[string]any{
		"duplicate_of": l.DuplicateOf, "reason": l.Reason, "score": l.Score,
	})
}

// pauseFor waits, unless ctx ends before.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
