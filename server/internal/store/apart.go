package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// exclusionRow says that two items are not the same; content_id is the smaller.
type exclusionRow struct {
	ContentID string `json:"content_id"`
	OtherID   string `json:"other_id"`
	CreatedBy string `json:"created_by"`
	CreatedAt int64  `json:"created_at"`
}

// apart are the pairs of heads whose groups hold items that a person took apart.
type apart [][2]string

// between reports whether the groups of two heads must stay apart.
func (a apart) between(g groups, one, other string) bool {
	return slices.ContainsFunc(a, func(pair [2]string) bool {
		p, q := g.head(pair[0]), g.head(pair[1])
		return p == one && q == other || p == other && q == one
	})
}

// apartOf returns what a person took apart in the groups.
func apartOf(ctx context.Context, c *conn, g groups) (apart, error) {
	members, err := membersOf(ctx, c, unique(slices.Collect(maps.Values(g))))
	if err != nil {
		return nil, err
	}
	list, err := listText(slices.Concat(slices.Collect(maps.Keys(g)), members))
	if err != nil {
		return nil, err
	}
	rows, err := c.Exclusions(ctx, list)
	if err != nil {
		return nil, err
	}
	var pairs apart
	for _, r := range rows {
		if g[r.HeadID] != "" && g[r.OtherHeadID] != "" {
			pairs = append(pairs, [2]string{r.HeadID, r.OtherHeadID})
		}
	}
	return pairs, nil
}

// membersOf returns the items that are folded under heads, the first-seen
// first.
func membersOf(ctx context.Context, c *conn, heads []string) ([]string, error) {
	list, err := listText(heads)
	if err != nil {
		return nil, err
	}
	rows, err := c.GroupMembers(ctx, list)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids, err
}

// groupOf locks an item with its group, and returns its head and all items of
// the group, the head first. CodeNotFound: no such item.
func groupOf(ctx context.Context, c *conn, id string) (string, []string, error) {
	g, err := lockGroups(ctx, c, []string{id})
	if err != nil {
		return "", nil, err
	}
	if g[id] == "" {
		return "", nil, kgl.NotFound("content item")
	}
	head := g.head(id)
	members, err := membersOf(ctx, c, []string{head})
	return head, append([]string{head}, members...), err
}

// LinkByHand implements kgl.NearStore.
func (db *DB) LinkByHand(ctx context.Context, l kgl.DuplicateLink) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		head, group, err := groupOf(ctx, c, l.ContentID)
		if err != nil {
			return err
		}
		otherHead, others, err := groupOf(ctx, c, l.DuplicateOf)
		if err != nil {
			return err
		}
		if head == otherHead {
			return kgl.Errorf(kgl.CodeConflict, "the two items are in one group already")
		}
		if err := forgetExclusions(ctx, c, group, others); err != nil {
			return err
		}
		_, err = fold(ctx, c, []kgl.DuplicateLink{l})
		return err
	})
}

// forgetExclusions lets two groups come together again.
func forgetExclusions(ctx context.Context, c *conn, group, others []string) error {
	left, err := listText(group)
	if err != nil {
		return err
	}
	right, err := listText(others)
	if err != nil {
		return err
	}
	if err := c.DeleteExclusions(ctx, sqlitedb.DeleteExclusionsParams{Ids: left, OtherIds: right}); err != nil {
		return err
	}
	return c.DeleteExclusions(ctx, sqlitedb.DeleteExclusionsParams{Ids: right, OtherIds: left})
}

// TakeApart implements kgl.NearStore.
func (db *DB) TakeApart(ctx context.Context, contentID, by string, now time.Time) ([]string, error) {
	var others []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		head, group, err := groupOf(ctx, c, contentID)
		if err != nil {
			return err
		}
		if len(group) == 1 {
			return kgl.Errorf(kgl.CodeConflict, "the item is in no group of duplicates")
		}
		others = slices.DeleteFunc(group, func(id string) bool { return id == contentID })
		if err := exclude(ctx, c, contentID, others, by, now); err != nil {
			return err
		}
		if head == contentID {
			return rehead(ctx, c, func() ([]string, error) { return []string{head}, nil }, func(sqlitedb.LinksOfHeadsRow) bool { return false })
		}
		list, err := listText([]string{contentID})
		if err != nil {
			return err
		}
		if err := c.DeleteLinksOfContents(ctx, list); err != nil {
			return err
		}
		return refold(ctx, c, []string{contentID})
	})
	return others, err
}

// exclude remembers that an item is not the same as others.
func exclude(ctx context.Context, c *conn, id string, others []string, by string, now time.Time) error {
	rows := make([]exclusionRow, len(others))
	for i, other := range others {
		rows[i] = exclusionRow{ContentID: min(id, other), OtherID: max(id, other), CreatedBy: by, CreatedAt: micros(now)}
	}
	text, err := jsonText(rows)
	if err != nil {
		return err
	}
	return c.CreateExclusions(ctx, text)
}
