package store

import (
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// A group of duplicates is a head and the items folded under it. Every link of
// an item points to the head of its group, never to another folded item;
// contents.duplicate_of repeats that for the lists and is computed from the
// links (RefoldContents) whenever they change.

// linkRow is a link as CreateDuplicateLinks takes it.
type linkRow struct {
	ContentID   string  `json:"content_id"`
	DuplicateOf string  `json:"duplicate_of"`
	Reason      string  `json:"reason"`
	Score       float64 `json:"score"`
	CreatedBy   string  `json:"created_by"`
	CreatedAt   int64   `json:"created_at"`
}

// groups knows the head of each item that is in play, while groups are merged.
type groups map[string]string

// head returns the head of the group of an item.
func (g groups) head(id string) string {
	for g[id] != id {
		id = g[id]
	}
	return id
}

// lockGroups locks the items and their heads, and returns their groups; items
// that do not exist are not in it.
func lockGroups(ctx context.Context, c *conn, ids []string) (groups, error) {
	g := groups{}
	for len(ids) > 0 {
		list, err := listText(ids)
		if err != nil {
			return nil, err
		}
		rows, err := c.LockFolding(ctx, list)
		if err != nil {
			return nil, err
		}
		ids = nil
		for _, r := range rows {
			g[r.ID] = r.ID
			if r.DuplicateOf != nil {
				g[r.ID] = *r.DuplicateOf
				ids = append(ids, *r.DuplicateOf)
			}
		}
		ids = slices.DeleteFunc(unique(ids), func(id string) bool { _, known := g[id]; return known })
	}
	return g, nil
}

// fold stores links and folds their items.
func fold(ctx context.Context, c *conn, links []kgl.DuplicateLink) error {
	var ids []string
	for _, l := range links {
		ids = append(ids, l.ContentID, l.DuplicateOf)
	}
	g, err := lockGroups(ctx, c, unique(ids))
	if err != nil {
		return err
	}
	var rows []linkRow
	var merged []string // heads that are folded now
	for _, l := range links {
		if g[l.ContentID] == "" || g[l.DuplicateOf] == "" {
			continue
		}
		row := linkRow{ContentID: l.ContentID, Reason: string(l.Reason), Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: micros(l.CreatedAt)}
		rows = append(rows, row)
		if from, to := g.head(l.ContentID), g.head(l.DuplicateOf); from != to {
			g[from] = to
			merged = append(merged, from)
			row.ContentID = from
			rows = append(rows, row)
		}
	}
	moved, err := takeLinks(ctx, c, merged)
	if err != nil {
		return err
	}
	changed := merged
	for _, l := range moved {
		rows = append(rows, linkRow{ContentID: l.ContentID, DuplicateOf: l.DuplicateOf, Reason: l.Reason, Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt})
		changed = append(changed, l.ContentID)
		if g[l.ContentID] == "" {
			g[l.ContentID] = l.DuplicateOf
		}
	}
	for i := range rows {
		rows[i].DuplicateOf = g.head(rows[i].ContentID)
	}
	return putLinks(ctx, c, rows, changed)
}

// takeLinks removes the links to the heads and returns them, by head and then
// in the order in which their items were first seen.
func takeLinks(ctx context.Context, c *conn, heads []string) ([]sqlitedb.LinksOfHeadsRow, error) {
	if len(heads) == 0 {
		return nil, nil
	}
	list, err := listText(heads)
	if err != nil {
		return nil, err
	}
	links, err := c.LinksOfHeads(ctx, list)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	return links, c.DeleteLinksToHeads(ctx, list)
}

// putLinks stores links, but not those of an item to itself, and folds the
// items whose links changed.
func putLinks(ctx context.Context, c *conn, rows []linkRow, changed []string) error {
	rows = slices.DeleteFunc(rows, func(r linkRow) bool { return r.ContentID == r.DuplicateOf })
	if len(rows) > 0 {
		text, err := jsonText(unique(rows))
		if err != nil {
			return err
		}
		if err := c.CreateDuplicateLinks(ctx, text); err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	list, err := listText(unique(changed))
	if err != nil {
		return err
	}
	return c.RefoldContents(ctx, list)
}

// rehead gives the groups of the heads, which are about to be deleted, the
// first-seen of their other items as new heads. gone tells of items that are
// about to be deleted too.
func rehead(ctx context.Context, c *conn, heads func() ([]string, error), gone func(sqlitedb.LinksOfHeadsRow) bool) error {
	old, err := heads()
	if err != nil {
		return err
	}
	if _, err := lockGroups(ctx, c, old); err != nil {
		return err
	}
	links, err := takeLinks(ctx, c, old)
	if err != nil {
		return err
	}
	var rows []linkRow
	var changed []string
	heir := map[string]string{} // of the old head
	for _, l := range links {
		if gone(l) {
			continue
		}
		if heir[l.DuplicateOf] == "" {
			heir[l.DuplicateOf] = l.ContentID
		}
		rows = append(rows, linkRow{
			ContentID: l.ContentID, DuplicateOf: heir[l.DuplicateOf], Reason: l.Reason, Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt,
		})
		changed = append(changed, l.ContentID)
	}
	return putLinks(ctx, c, rows, changed)
}

// unlinkChanged removes the links of an item whose reason does not hold any
// more since its body changed. Items that were folded under it for such a
// reason are still the same among themselves, and stay a group without it.
func unlinkChanged(ctx context.Context, c *conn, old sqlitedb.LockContentRow, now kgl.Content) error {
	lost := map[string]bool{
		string(kgl.DuplicateSameURL):  old.CanonicalURL != now.CanonicalURL,
		string(kgl.DuplicateSameText): old.TextHash != now.TextHash,
	}
	if old.DuplicateOf != nil {
		return unlinkMember(ctx, c, now.ID, lost)
	}
	links, err := takeLinks(ctx, c, []string{now.ID})
	if err != nil || len(links) == 0 {
		return err
	}
	var kept []linkRow
	var changed []string
	var among []kgl.DuplicateLink
	first := map[string]string{} // item by reason
	for _, l := range links {
		changed = append(changed, l.ContentID)
		if !lost[l.Reason] {
			kept = append(kept, linkRow{ContentID: l.ContentID, DuplicateOf: now.ID, Reason: l.Reason, Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt})
			continue
		}
		if first[l.Reason] == "" {
			first[l.Reason] = l.ContentID
			continue
		}
		among = append(among, kgl.DuplicateLink{
			ContentID: l.ContentID, DuplicateOf: first[l.Reason], Reason: kgl.DuplicateReason(l.Reason), Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: timeOf(l.CreatedAt),
		})
	}
	if err := putLinks(ctx, c, kept, changed); err != nil {
		return err
	}
	return fold(ctx, c, among)
}

func unlinkMember(ctx context.Context, c *conn, id string, lost map[string]bool) error {
	var reasons []string
	for r, is := range lost {
		if is {
			reasons = append(reasons, r)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	list, err := listText(reasons)
	if err != nil {
		return err
	}
	if err := c.DeleteLinksOfContent(ctx, sqlitedb.DeleteLinksOfContentParams{ContentID: id, Reasons: list}); err != nil {
		return err
	}
	return putLinks(ctx, c, nil, []string{id})
}
