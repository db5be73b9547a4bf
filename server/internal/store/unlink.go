package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// unlinkChanged removes the links of an item whose reason does not hold any
// more since its body changed. Items that were folded under it for an exact
// reason are still the same among themselves, and stay a group without it; those
// with nearly the same text were compared with it alone.
func unlinkChanged(ctx context.Context, c *conn, old sqlitedb.LockContentRow, now kgl.Content) error {
	text := old.TextHash != now.TextHash
	lost := map[string]bool{
		string(kgl.DuplicateSameURL):  old.CanonicalURL != now.CanonicalURL,
		string(kgl.DuplicateSameText): text,
		string(kgl.DuplicateNearText): text || now.TextHash == "", // which a short text has not
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
		switch {
		case !lost[l.Reason]:
			kept = append(kept, linkTo(l, now.ID))
		case l.Reason == string(kgl.DuplicateNearText):
		case first[l.Reason] == "":
			first[l.Reason] = l.ContentID
		default:
			among = append(among, kgl.DuplicateLink{
				ContentID: l.ContentID, DuplicateOf: first[l.Reason], Reason: kgl.DuplicateReason(l.Reason), Score: l.Score, CreatedAt: timeOf(l.CreatedAt),
			})
		}
	}
	if err := putLinks(ctx, c, kept, changed); err != nil || len(among) == 0 {
		return err
	}
	_, err = fold(ctx, c, among)
	return err
}

// linkTo returns a link with another head.
func linkTo(l sqlitedb.LinksOfHeadsRow, head string) linkRow {
	return linkRow{ContentID: l.ContentID, DuplicateOf: head, Reason: l.Reason, Score: l.Score, CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt}
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
	return refold(ctx, c, []string{id})
}

// leaveGroups takes items that are about to be deleted out of their groups.
// Groups whose heads they are get new ones.
func leaveGroups(ctx context.Context, c *conn, ids []string) error {
	list, err := listText(ids)
	if err != nil {
		return err
	}
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	if err := rehead(ctx, c, func() ([]string, error) { return ids, nil },
		func(l sqlitedb.LinksOfHeadsRow) bool { return gone[l.ContentID] }); err != nil {
		return err
	}
	rows, err := c.LockFolding(ctx, list)
	if err != nil {
		return err
	}
	var members []string
	for _, r := range rows {
		if r.DuplicateOf != nil {
			members = append(members, r.ID)
		}
	}
	if len(members) == 0 {
		return nil
	}
	if err := c.DeleteLinksOfContents(ctx, list); err != nil {
		return err
	}
	return refold(ctx, c, members)
}
