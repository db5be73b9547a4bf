package store

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// roomWanted is how much room, in bytes, a disk that was full must have before
// it counts as having some: more than most writes need.
const roomWanted = 256 << 10

// noteRoom remembers that a write found the disk full. A row that is written and
// rolled back would not show it: that needs no room on SQLite, and rarely any on
// Postgres.
func (db *DB) noteRoom(err error) error {
	if kgl.Is(err, kgl.CodeStorageFull) {
		db.noRoom.Store(true)
	}
	return err
}

// findRoom stores something large, and takes it away again. CodeStorageFull.
func (db *DB) findRoom(ctx context.Context) error {
	filler := make([]byte, roomWanted/2)
	if db.jitter.random != nil { // else Postgres would compress it
		db.jitter.mu.Lock()
		_, err := io.ReadFull(db.jitter.random, filler)
		db.jitter.mu.Unlock()
		if err != nil {
			return kgl.Wrap(err, kgl.CodeInternal, internalMessage)
		}
	}
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.SetSetting(ctx, sqlitedb.SetSettingParams{Key: "ping", Value: hex.EncodeToString(filler), UpdatedAt: micros(time.Unix(0, 0))})
	})
	if err != nil {
		return err
	}
	db.noRoom.Store(false)
	return db.write(ctx, func(ctx context.Context, c *conn) error { return c.PingWrite(ctx) })
}
