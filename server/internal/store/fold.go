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

// fold stores links and folds their items. It returns the links that were made:
// not those of items that do not exist, or that a person took apart.
func fold(ctx context.Context, c *conn, links []kgl.DuplicateLink) ([]kgl.DuplicateLink, error) {
	var ids []string
	for _, l := range links {
		ids = append(ids, l.ContentID, l.DuplicateOf)
	}
	g, err := lockGroups(ctx, c, unique(ids))
	if err != nil {
		return nil, err
	}
	forbidden, err := apartOf(ctx, c, g)
	if err != nil {
		return nil, err
	}
	var made []kgl.DuplicateLink
	var rows []linkRow
	var merged []string // heads that are folded now
	for _, l := range links {
		if g[l.ContentID] == "" || g[l.DuplicateOf] == "" || forbidden.between(g, g.head(l.ContentID), g.head(l.DuplicateOf)) {
			continue
		}
		made = append(made, l)
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
		return nil, err
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
	return made, putLinks(ctx, c, rows, changed)
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
	return refold(ctx, c, changed)
}

// refold folds items by their links, and counts the items of the heads that
// they left or came to.
func refold(ctx context.Context, c *conn, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := listText(unique(ids))
	if err != nil {
		return err
	}
	before, err := c.LockFolding(ctx, list)
	if err != nil {
		return err
	}
	if err := c.RefoldContents(ctx, list); err != nil {
		return err
	}
	after, err := c.LockFolding(ctx, list)
	if err != nil {
		return err
	}
	heads := slices.Clone(ids)
	for _, r := range slices.Concat(before, after) {
		if r.DuplicateOf != nil {
			heads = append(heads, *r.DuplicateOf)
		}
	}
	return countFolded(ctx, c, heads)
}

// countFolded counts the items of groups anew.
func countFolded(ctx context.Context, c *conn, heads []string) error {
	if len(heads) == 0 {
		return nil
	}
	list, err := listText(unique(heads))
	if err != nil {
		return err
	}
	return c.CountFolded(ctx, list)
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
