package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ReserveIdempotencyKey implements kgl.IdempotencyStore. On SQLite the one
// writing transaction is the lock: a second caller waits for the first.
func (db *DB) ReserveIdempotencyKey(ctx context.Context, r kgl.IdempotencyRecord, now time.Time) (kgl.IdempotencyRecord, bool, error) {
	p, err := reserveParams(r)
	if err != nil {
		return kgl.IdempotencyRecord{}, false, failure(err)
	}
	stored, reserved := r, false
	err = db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := lockIdempotencyKey(ctx, c, r.Principal, r.Key); err != nil {
			return err
		}
		err := c.DropExpiredIdempotencyKey(ctx, sqlitedb.DropExpiredIdempotencyKeyParams{
			Principal: r.Principal, IdempotencyKey: r.Key, Now: micros(now),
		})
		if err != nil {
			return err
		}
		n, err := c.ReserveIdempotencyKey(ctx, p)
		if err != nil || n == 1 {
			reserved = err == nil
			return err
		}
		row, err := c.IdempotencyKey(ctx, sqlitedb.IdempotencyKeyParams{Principal: r.Principal, IdempotencyKey: r.Key})
		if err != nil {
			return err
		}
		stored, err = idempotencyOf(row)
		return err
	})
	if err != nil {
		return kgl.IdempotencyRecord{}, false, err
	}
	return stored, reserved, nil
}

func reserveParams(r kgl.IdempotencyRecord) (sqlitedb.ReserveIdempotencyKeyParams, error) {
	header, err := headerText(r.Header)
	return sqlitedb.ReserveIdempotencyKeyParams{
		Principal: r.Principal, IdempotencyKey: r.Key, Operation: r.Operation, RequestHash: r.RequestHash,
		Completed: r.Completed, Status: r.Status, Header: header, Body: bodyBytes(r.Body),
		CreatedAt: micros(r.CreatedAt), ExpiresAt: micros(r.ExpiresAt),
	}, err
}

func headerText(h map[string]string) (string, error) {
	if len(h) == 0 {
		return "{}", nil
	}
	return jsonText(h)
}

// bodyBytes returns a body that the drivers do not take for NULL.
func bodyBytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func idempotencyOf(row sqlitedb.IdempotencyKey) (kgl.IdempotencyRecord, error) {
	r := kgl.IdempotencyRecord{
		Principal: row.Principal, Key: row.IdempotencyKey, Operation: row.Operation, RequestHash: row.RequestHash,
		Completed: row.Completed, Status: row.Status, Body: row.Body,
		CreatedAt: timeOf(row.CreatedAt), ExpiresAt: timeOf(row.ExpiresAt),
	}
	return r, fromJSON(row.Header, &r.Header)
}

// CompleteIdempotencyKey implements kgl.IdempotencyStore.
func (db *DB) CompleteIdempotencyKey(ctx context.Context, r kgl.IdempotencyRecord) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		header, err := headerText(r.Header)
		if err != nil {
			return err
		}
		n, err := c.CompleteIdempotencyKey(ctx, sqlitedb.CompleteIdempotencyKeyParams{
			Principal: r.Principal, IdempotencyKey: r.Key, Status: r.Status, Header: header, Body: bodyBytes(r.Body),
		})
		return affected(n, err, "idempotency key")
	})
}

// DeleteExpiredIdempotencyKeys implements kgl.IdempotencyStore.
func (db *DB) DeleteExpiredIdempotencyKeys(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteExpiredIdempotencyKeys(ctx, sqlitedb.DeleteExpiredIdempotencyKeysParams{
			Before: micros(before), RowLimit: int64(limit),
		})
		return err
	})
	return n, err
}
