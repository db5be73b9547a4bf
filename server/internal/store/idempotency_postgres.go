package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// lockIdempotencyKey takes the key until the transaction ends, or gives
// CodeIdempotencyInFlight when another transaction has it. Without it a second
// INSERT of an uncommitted key would wait for the first request to end. SQLite
// has one writer and needs no lock.
func lockIdempotencyKey(ctx context.Context, c *conn, principal, key string) error {
	if c.engine != Postgres {
		return nil
	}
	rs, err := c.query(ctx, "SELECT pg_try_advisory_xact_lock($1)", []any{idempotencyLock(principal, key)})
	if err != nil {
		return err
	}
	defer rs.Close()
	locked := false
	for rs.Next() {
		if err := rs.Scan(&locked); err != nil {
			return err
		}
	}
	if err := rs.Err(); err != nil {
		return err
	}
	if !locked {
		e := kgl.Errorf(kgl.CodeIdempotencyInFlight, "the first request with this Idempotency-Key is still running")
		e.RetryAfter = retryAfter
		return e
	}
	return nil
}

// idempotencyLock returns the number of a key's advisory lock: the first bits
// of a hash, so that two keys practically never share one, and no other
// advisory lock of the application is met by choice.
func idempotencyLock(principal, key string) int64 {
	sum := sha256.Sum256([]byte("kgl-idempotency\x00" + principal + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}
