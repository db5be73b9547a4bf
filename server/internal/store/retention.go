package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Settings of retention: who runs it, with the end of the claim as the time of
// the setting, and the newest event that was dropped.
const (
	retentionOwnerKey = "retention_owner"
	eventsCutKey      = "events_cut"
)

// ClaimRetention implements kgl.RetentionStore.
func (db *DB) ClaimRetention(ctx context.Context, owner string, now, until time.Time) (bool, error) {
	claimed := false
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CreateSetting(ctx, sqlitedb.CreateSettingParams{Key: retentionOwnerKey, Value: owner, UpdatedAt: micros(until)})
		if err == nil && n == 0 {
			n, err = c.ClaimSetting(ctx, sqlitedb.ClaimSettingParams{Value: owner, Until: micros(until), Key: retentionOwnerKey, Now: micros(now)})
		}
		claimed = n > 0
		return err
	})
	return claimed && err == nil, err
}

// RetentionSources implements kgl.RetentionStore.
func (db *DB) RetentionSources(ctx context.Context, after string, all bool, limit int) ([]kgl.Source, error) {
	every := int64(0)
	if all {
		every = 1
	}
	var sources []kgl.Source
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.RetentionSources(ctx, sqlitedb.RetentionSourcesParams{AfterID: after, EverySource: every, RowLimit: int64(max(limit, 0))})
		if err != nil {
			return err
		}
		sources, err = convert(rows, func(r sqlitedb.RetentionSourcesRow) (kgl.Source, error) {
			s := kgl.Source{ID: r.ID}
			return s, fromJSON(r.Settings, &s.Settings)
		})
		return err
	})
	return sources, err
}

// ExpiredContents implements kgl.RetentionStore.
func (db *DB) ExpiredContents(ctx context.Context, sourceID string, before time.Time, keep int64, limit int) ([]string, error) {
	var ids []string
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		arg := sqlitedb.ExpiredContentsParams{SourceID: sourceID, BeforeAt: micros(before), RowLimit: int64(max(limit, 0))}
		if keep > 0 {
			kept, err := c.OldestKept(ctx, sqlitedb.OldestKeptParams{SourceID: sourceID, RowLimit: keep})
			if err != nil && !isNoRows(err) {
				return err
			}
			if err == nil && kept.PublishedAt >= arg.BeforeAt {
				arg.BeforeAt, arg.BeforeID = kept.PublishedAt, kept.ID
			}
		}
		var err error
		ids, err = c.ExpiredContents(ctx, arg)
		return err
	})
	return ids, err
}

// DropEvents implements kgl.RetentionStore.
func (db *DB) DropEvents(ctx context.Context, before time.Time, limit int) (int64, error) {
	dropped := 0
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		rows, err := c.DropEvents(ctx, sqlitedb.DropEventsParams{RowLimit: int64(max(limit, 0)), Before: micros(before)})
		if err != nil || len(rows) == 0 {
			dropped = 0
			return err
		}
		dropped = len(rows)
		cut, err := eventsCut(ctx, c)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if p := (kgl.EventPosition{Tx: r.TxID, Seq: r.Seq}); comesBefore(cut, p) {
				cut = p
			}
		}
		text, err := json.Marshal(cut)
		if err != nil {
			return fmt.Errorf("encode the position of an event: %w", err)
		}
		return c.SetSetting(ctx, sqlitedb.SetSettingParams{Key: eventsCutKey, Value: string(text), UpdatedAt: micros(before)})
	})
	return int64(dropped), err
}

// eventsCut returns the position of the newest event that was dropped; zero when
// none was.
func eventsCut(ctx context.Context, c *conn) (kgl.EventPosition, error) {
	var cut kgl.EventPosition
	text, err := c.Setting(ctx, eventsCutKey)
	if isNoRows(err) {
		return cut, nil
	}
	if err != nil {
		return cut, err
	}
	return cut, fromJSON(text, &cut)
}

// checkNotCut fails with CodeCursorExpired when events behind a position were
// dropped. Whoever begins takes what is kept.
func checkNotCut(ctx context.Context, c *conn, after kgl.EventPosition) error {
	if after == (kgl.EventPosition{}) {
		return nil
	}
	cut, err := eventsCut(ctx, c)
	if err == nil && comesBefore(after, cut) {
		err = kgl.Errorf(kgl.CodeCursorExpired, "events behind this position are not kept any more; read the state and begin anew")
	}
	return err
}

func comesBefore(a, b kgl.EventPosition) bool {
	return a.Tx < b.Tx || a.Tx == b.Tx && a.Seq < b.Seq
}
