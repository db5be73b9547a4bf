package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// LoginThrottles implements kgl.ThrottleStore.
func (db *DB) LoginThrottles(ctx context.Context, keys []string) ([]kgl.LoginThrottle, error) {
	list, err := listText(keys)
	if err != nil {
		return nil, failure(err)
	}
	var rows []sqlitedb.LoginThrottle
	err = db.read(ctx, func(c *conn) (err error) {
		rows, err = c.LoginThrottles(ctx, list)
		return err
	})
	out := make([]kgl.LoginThrottle, len(rows))
	for i, row := range rows {
		out[i] = throttleOf(row)
	}
	return out, err
}

func throttleOf(row sqlitedb.LoginThrottle) kgl.LoginThrottle {
	return kgl.LoginThrottle{
		Key: row.ThrottleKey, Failures: row.Failures, WindowStart: timeOf(row.WindowStart),
		BlockedUntil: timePtr(row.BlockedUntil), UpdatedAt: timeOf(row.UpdatedAt),
	}
}

// AddLoginFailure implements kgl.ThrottleStore. A block that has not ended
// outlives its window.
func (db *DB) AddLoginFailure(ctx context.Context, key string, now, windowStart time.Time) (kgl.LoginThrottle, error) {
	var row sqlitedb.LoginThrottle
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		err = c.RestartLoginThrottle(ctx, sqlitedb.RestartLoginThrottleParams{
			ThrottleKey: key, Now: micros(now), WindowStart: micros(windowStart),
		})
		if err != nil {
			return err
		}
		row, err = c.AddLoginFailure(ctx, sqlitedb.AddLoginFailureParams{ThrottleKey: key, Now: micros(now)})
		return err
	})
	return throttleOf(row), err
}

// BlockLogin implements kgl.ThrottleStore.
func (db *DB) BlockLogin(ctx context.Context, key string, until, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		us := micros(until)
		n, err := c.BlockLogin(ctx, sqlitedb.BlockLoginParams{ThrottleKey: key, BlockedUntil: &us, UpdatedAt: micros(now)})
		return affected(n, err, "login counter")
	})
}

// ClearLoginThrottles implements kgl.ThrottleStore.
func (db *DB) ClearLoginThrottles(ctx context.Context, keys []string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		list, err := listText(keys)
		if err != nil {
			return err
		}
		return c.ClearLoginThrottles(ctx, list)
	})
}

// DeleteStaleThrottles implements kgl.ThrottleStore.
func (db *DB) DeleteStaleThrottles(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteStaleThrottles(ctx, sqlitedb.DeleteStaleThrottlesParams{
			Before: micros(before), RowLimit: int64(limit),
		})
		return err
	})
	return n, err
}
