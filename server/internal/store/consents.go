package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Consents implements kgl.ConsentStore.
func (db *DB) Consents(ctx context.Context, sourceIDs []string) (map[string]kgl.SourceConsents, error) {
	var out map[string]kgl.SourceConsents
	err := db.read(ctx, func(c *conn) (err error) {
		out, err = consentsOf(ctx, c, sourceIDs)
		return err
	})
	return out, err
}

func consentsOf(ctx context.Context, c *conn, sourceIDs []string) (map[string]kgl.SourceConsents, error) {
	out := make(map[string]kgl.SourceConsents, len(sourceIDs))
	if len(sourceIDs) == 0 {
		return out, nil
	}
	list, err := listText(sourceIDs)
	if err != nil {
		return nil, err
	}
	rows, err := c.Consents(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, id := range sourceIDs {
		out[id] = kgl.DefaultConsents()
	}
	for _, r := range rows {
		s := out[r.SourceID]
		if consent := s.For(kgl.ConsentPurpose(r.Purpose)); consent != nil {
			*consent = kgl.Consent{Allowed: r.Allowed, DecidedAt: timePtr(&r.DecidedAt), DecidedBy: r.DecidedBy}
		}
		out[r.SourceID] = s
	}
	return out, nil
}

// HoldConsents implements kgl.ConsentStore. On Postgres the lock and the read
// are two statements, so that the second sees what the first waited for.
func (db *DB) HoldConsents(ctx context.Context, sourceID string) (kgl.SourceConsents, error) {
	var held kgl.SourceConsents
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if _, err := c.HoldConsents(ctx, sourceID); err != nil {
			if isNoRows(err) {
				return kgl.NotFound("source")
			}
			return err
		}
		all, err := consentsOf(ctx, c, []string{sourceID})
		held = all[sourceID]
		return err
	})
	return held, err
}

// DecideConsents implements kgl.ConsentStore. It waits for those who store items
// or results of the source, and they for it.
func (db *DB) DecideConsents(ctx context.Context, sourceID string, allowed map[kgl.ConsentPurpose]bool, by string, now time.Time) (before, after kgl.SourceConsents, err error) {
	err = db.write(ctx, func(ctx context.Context, c *conn) error {
		if _, err := c.LockConsents(ctx, sourceID); err != nil {
			if isNoRows(err) {
				return kgl.NotFound("source")
			}
			return err
		}
		all, err := consentsOf(ctx, c, []string{sourceID})
		if err != nil {
			return err
		}
		before = all[sourceID]
		after = before
		for _, purpose := range slices.Sorted(maps.Keys(allowed)) {
			consent := after.For(purpose)
			if consent == nil {
				return kgl.Invalid("consents", "there is no purpose %q", purpose)
			}
			if consent.Allowed == allowed[purpose] && consent.DecidedAt != nil {
				continue
			}
			*consent = kgl.Consent{Allowed: allowed[purpose], DecidedAt: &now, DecidedBy: by}
			if err := c.SetConsent(ctx, sqlitedb.SetConsentParams{
				SourceID: sourceID, Purpose: string(purpose), Allowed: allowed[purpose], DecidedAt: micros(now), DecidedBy: by,
			}); err != nil {
				return err
			}
		}
		return db.followConsent(ctx, sourceID, before.AIProcessing, after.AIProcessing, now)
	})
	return before, after, err
}

// followConsent withholds the tasks of a source whose consent was withdrawn, and
// gives them back when it was given again.
func (db *DB) followConsent(ctx context.Context, sourceID string, before, after kgl.Consent, now time.Time) (err error) {
	switch {
	case before.Allowed == after.Allowed:
	case after.Allowed:
		_, err = db.RestoreTasks(ctx, sourceID, now)
	default:
		_, err = db.WithholdTasks(ctx, sourceID, now)
	}
	return err
}
