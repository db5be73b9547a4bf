package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DeleteContent implements kgl.ContentStore. A group of duplicates whose
// first-seen item goes gets a new one.
func (db *DB) DeleteContent(ctx context.Context, id string, reason kgl.RemovalReason, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := leaveGroups(ctx, c, []string{id}); err != nil {
			return err
		}
		if err := forgetContent(ctx, c, id); err != nil {
			return err
		}
		title, err := c.ContentTitle(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("content item")
		}
		if err != nil {
			return err
		}
		if err := c.RecordContentDeletion(ctx, sqlitedb.RecordContentDeletionParams{
			Reason: string(reason), TitleKey: kgl.TitleKey(title), DeletedAt: micros(now), ID: id,
		}); err != nil {
			return err
		}
		n, err := c.DeleteContent(ctx, id)
		return affected(n, err, "content item")
	})
}

// SeeRemoved implements kgl.ContentStore.
func (db *DB) SeeRemoved(ctx context.Context, sourceID string, ids []kgl.ContentIdentity, now, before time.Time) error {
	text, err := identityKeys(ids)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := c.SeeContentDeletions(ctx, sqlitedb.SeeContentDeletionsParams{SeenAt: micros(now), SourceID: sourceID, Keys: text}); err != nil {
			return err
		}
		return c.DropContentDeletions(ctx, sqlitedb.DropContentDeletionsParams{SourceID: sourceID, Before: micros(before)})
	})
}

// ForgetRemoved implements kgl.ContentStore.
func (db *DB) ForgetRemoved(ctx context.Context, sourceID string, ids []kgl.ContentIdentity) error {
	if len(ids) == 0 {
		return nil
	}
	text, err := identityKeys(ids)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.ForgetContentDeletions(ctx, sqlitedb.ForgetContentDeletionsParams{SourceID: sourceID, Keys: text})
	})
}
