package store

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// errNoClock is returned where the database has no clock of its own.
var errNoClock = errors.New("SQLite has the clock of this machine")

// Time returns the time of the Postgres server, which is the same for all that
// use it. SQLite has none: CodeInternal.
func (db *DB) Time(ctx context.Context) (time.Time, error) {
	if db.Engine() != Postgres {
		return time.Time{}, kgl.Wrap(errNoClock, kgl.CodeInternal, internalMessage)
	}
	var at int64
	err := db.read(ctx, func(c *conn) error {
		rs, err := c.query(ctx, "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", nil)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			if err := rs.Scan(&at); err != nil {
				return err
			}
		}
		return rs.Err()
	})
	return timeOf(at), err
}
