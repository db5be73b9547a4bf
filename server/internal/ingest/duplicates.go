package ingest

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/neardup"
)

const (
	// nearWindow is how long after it was first seen an item is looked for by those
	// with nearly the same text. A story is repeated within days.
	nearWindow = 90 * 24 * time.Hour

	// maxCompared is with how many heads an item is compared at most.
	maxCompared = 6

	// maxRegrouped is how many links of an edited item are looked at.
	maxRegrouped = 50
)

// readable are items as neardup reads them, by their ids.
type readable map[string]neardup.Text

func readItems(cs ...[]kgl.Content) readable {
	r := readable{}
	for _, list := range cs {
		for _, c := range list {
			r[c.ID] = neardup.Read(c.Title, c.Text)
		}
	}
	return r
}

// keysOf returns the keys of an item, for the index.
func keysOf(contentID, sourceID string, seenAt time.Time, text neardup.Text) kgl.ContentKeys {
	k := kgl.ContentKeys{ContentID: contentID, SourceID: sourceID, SeenAt: seenAt, Version: neardup.KeysVersion}
	if keys, ok := text.Keys(); ok {
		k.Keys = keys[:]
	}
	return k
}

// duplicates finds what new and revised items repeat, or what repeats them, and
// links what it finds. created are stored already; revised ones are not yet, and
// revise does that: before stored items are locked, all must have been looked
// for (see kgl.DuplicateStore). It returns the links that are new.
func (w *Worker) duplicates(ctx context.Context, tx kgl.Store, created, revised []kgl.Content, texts readable, revise func() error) ([]kgl.DuplicateLink, error) {
	exact, err := w.exactLinks(ctx, tx, append(created[:len(created):len(created)], revised...))
	if err != nil {
		return nil, err
	}
	kept, freed, err := w.regroup(ctx, tx, revised, texts)
	if err != nil {
		return nil, err
	}
	near, err := w.nearLinks(ctx, tx, created, revised, texts, linked(exact, kept))
	if err != nil {
		return nil, err
	}
	if err := revise(); err != nil {
		return nil, err
	}
	if _, err := tx.LinkDuplicates(ctx, kept); err != nil {
		return nil, err
	}
	return tx.LinkDuplicates(ctx, append(append(exact, near...), freed...))
}

// linked returns the items of links.
func linked(lists ...[]kgl.DuplicateLink) map[string]bool {
	ids := map[string]bool{}
	for _, list := range lists {
		for _, l := range list {
			ids[l.ContentID], ids[l.DuplicateOf] = true, true
		}
	}
	return ids
}

// exactLinks returns what folds items that have the canonical URL or the text of
// an item of another source: of the two, the one that was seen first stays.
func (w *Worker) exactLinks(ctx context.Context, tx kgl.Store, cs []kgl.Content) ([]kgl.DuplicateLink, error) {
	candidates := make([]kgl.DuplicateCandidate, len(cs))
	for i, c := range cs {
		candidates[i] = kgl.DuplicateCandidate{SourceID: c.SourceID, CanonicalURL: c.CanonicalURL, TextHash: c.TextHash}
	}
	found, err := tx.FindDuplicates(ctx, candidates)
	if err != nil {
		return nil, err
	}
	var links []kgl.DuplicateLink
	for i, link := range found {
		if link != nil {
			links = append(links, w.link(cs[i].ID, link.DuplicateOf, link.Reason, link.Score))
		}
	}
	return links, nil
}

// link folds the later of two items under the earlier one: ids sort by the time
// at which they were made.
func (w *Worker) link(one, other string, reason kgl.DuplicateReason, score float64) kgl.DuplicateLink {
	return kgl.DuplicateLink{ContentID: max(one, other), DuplicateOf: min(one, other), Reason: reason, Score: score, CreatedAt: w.clock.Now()}
}

// nearLinks stores the keys of items, and returns what folds those that have
// nearly the text of the head of a group, and whose head is of another source.
// Items that are linked already stay where they are.
func (w *Worker) nearLinks(
	ctx context.Context, tx kgl.Store, created, revised []kgl.Content, texts readable, linked map[string]bool,
) ([]kgl.DuplicateLink, error) {
	now := w.clock.Now()
	var keys, wanted []kgl.ContentKeys
	for _, c := range created {
		keys = append(keys, keysOf(c.ID, c.SourceID, c.FetchedAt, texts[c.ID]))
	}
	stored, err := storedItems(ctx, tx, revised)
	if err != nil {
		return nil, err
	}
	for _, c := range stored {
		keys = append(keys, keysOf(c.ID, c.SourceID, c.FetchedAt, texts[c.ID]))
	}
	for _, k := range keys {
		if !linked[k.ContentID] && len(k.Keys) > 0 {
			wanted = append(wanted, k)
		}
	}
	links, err := w.findNear(ctx, tx, wanted, texts, now.Add(-nearWindow))
	if err != nil {
		return nil, err
	}
	return links, tx.PutContentKeys(ctx, keys)
}

// storedItems returns what is stored of items that are about to be revised: when
// they were first seen.
func storedItems(ctx context.Context, tx kgl.Store, revised []kgl.Content) ([]kgl.ContentText, error) {
	if len(revised) == 0 {
		return nil, nil
	}
	ids := make([]string, len(revised))
	for i, c := range revised {
		ids[i] = c.ID
	}
	return tx.ContentTexts(ctx, ids)
}

// findNear compares items with the heads that share a key, and returns a link to
// the one that is nearest. An item is never folded under one of its own source:
// there, what is nearly the same is a series, or an edit under another id.
func (w *Worker) findNear(ctx context.Context, tx kgl.Store, wanted []kgl.ContentKeys, texts readable, since time.Time) ([]kgl.DuplicateLink, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	heads, err := tx.NearHeads(ctx, wanted, since, maxCompared)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, list := range heads {
		ids = append(ids, list...)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := tx.ContentTexts(ctx, ids)
	if err != nil {
		return nil, err
	}
	sources, others := make(map[string]string, len(rows)), make(readable, len(rows))
	for _, r := range rows {
		sources[r.ID], others[r.ID] = r.SourceID, neardup.Read(r.Title, r.Text)
	}
	var links []kgl.DuplicateLink
	for i, k := range wanted {
		var best kgl.DuplicateLink
		for _, head := range heads[i] {
			if sources[head] == k.SourceID || head == k.ContentID {
				continue
			}
			if v := neardup.Compare(texts[k.ContentID], others[head]); v.Same && nearScore(v) > best.Score {
				best = w.link(k.ContentID, head, kgl.DuplicateNearText, nearScore(v))
			}
		}
		if best.Score > 0 {
			links = append(links, best)
		}
	}
	return links, nil
}

// nearScore is below 1, which says that two items are the same to the letter.
func nearScore(v neardup.Verdict) float64 { return min(v.Score, 0.999) }

// regroup compares revised items with those that had nearly their text before,
// and returns the links that still hold. Where they do not, freed are the links
// among the items that an edited head leaves behind. Storing the revisions ends
// the links of the old texts.
func (w *Worker) regroup(ctx context.Context, tx kgl.Store, revised []kgl.Content, texts readable) (kept, freed []kgl.DuplicateLink, err error) {
	for _, c := range revised {
		list, err := tx.Duplicates(ctx, c.ID, kgl.Page{Limit: maxRegrouped})
		if err != nil {
			return nil, nil, err
		}
		partner := map[string]kgl.DuplicateLink{} // by id
		var ids []string
		for _, l := range list.Rows {
			id := l.ContentID
			if id == c.ID {
				id = l.DuplicateOf
			} else if l.DuplicateOf != c.ID {
				continue // of two others of its group
			}
			if l.Reason == kgl.DuplicateNearText {
				partner[id] = l
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		rows, err := tx.ContentTexts(ctx, ids)
		if err != nil {
			return nil, nil, err
		}
		var left []kgl.ContentText
		for _, r := range rows {
			l := partner[r.ID]
			v := neardup.Compare(texts[c.ID], neardup.Read(r.Title, r.Text))
			if v.Same {
				l.Score = nearScore(v)
				kept = append(kept, l)
			} else if l.DuplicateOf == c.ID {
				left = append(left, r)
			}
		}
		freed = append(freed, w.amongThemselves(left)...)
	}
	return kept, freed, nil
}

// amongThemselves links items to the first-seen of them, if they have nearly its
// text.
func (w *Worker) amongThemselves(items []kgl.ContentText) []kgl.DuplicateLink {
	if len(items) < 2 {
		return nil
	}
	first := items[0]
	for _, it := range items {
		if it.ID < first.ID {
			first = it
		}
	}
	head := neardup.Read(first.Title, first.Text)
	var links []kgl.DuplicateLink
	for _, it := range items {
		if it.ID == first.ID || it.SourceID == first.SourceID {
			continue
		}
		if v := neardup.Compare(neardup.Read(it.Title, it.Text), head); v.Same {
			links = append(links, w.link(it.ID, first.ID, kgl.DuplicateNearText, nearScore(v)))
		}
	}
	return links
}
