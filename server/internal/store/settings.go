package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// Setting implements kgl.SettingStore.
func (db *DB) Setting(ctx context.Context, key string) (string, error) {
	return one(ctx, db, "setting", func(c *conn) (string, error) { return c.Setting(ctx, key) })
}

// CreateSetting implements kgl.SettingStore.
func (db *DB) CreateSetting(ctx context.Context, key, value string, now time.Time) (bool, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.CreateSetting(ctx, sqlitedb.CreateSettingParams{Key: key, Value: value, UpdatedAt: micros(now)})
		return err
	})
	return n == 1, err
}

// SetSetting implements kgl.SettingStore.
func (db *DB) SetSetting(ctx context.Context, key, value string, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.SetSetting(ctx, sqlitedb.SetSettingParams{Key: key, Value: value, UpdatedAt: micros(now)})
	})
}
