package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TakeToken implements kgl.HostStore.
func (db *DB) TakeToken(ctx context.Context, domain string, now time.Time, rate kgl.DomainRate) (time.Time, error) {
	var row sqlitedb.Domain
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		row, err = c.TakeToken(ctx, sqlitedb.TakeTokenParams{
			Domain: domain, ArrivalAt: micros(now.Add(rate.Interval)), QueuedUntil: -rate.Tolerance().Microseconds(), UpdatedAt: micros(now),
		})
		return err
	})
	if err != nil || row.Granted {
		return now, err
	}
	return timeOf(row.QueuedUntil).Add(-rate.Interval), nil
}

// DomainBucket implements kgl.HostStore.
func (db *DB) DomainBucket(ctx context.Context, domain string) (kgl.DomainBucket, error) {
	row, err := one(ctx, db, "domain", func(c *conn) (sqlitedb.Domain, error) { return c.DomainBucket(ctx, domain) })
	if err != nil {
		return kgl.DomainBucket{}, err
	}
	return kgl.DomainBucket{Domain: row.Domain, ArrivalAt: timeOf(row.ArrivalAt), QueuedUntil: timeOf(row.QueuedUntil)}, nil
}

// DeleteStaleDomains implements kgl.HostStore.
func (db *DB) DeleteStaleDomains(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteStaleDomains(ctx, sqlitedb.DeleteStaleDomainsParams{Before: micros(before), RowLimit: int64(limit)})
		return err
	})
	return n, err
}
