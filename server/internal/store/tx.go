package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// A transaction that lost against another one is run again, this often and
// after waits that double.
const (
	maxAttempts = 5
	firstWait   = 5 * time.Millisecond
)

// txKey finds the transaction of one database in a context. It holds the
// database, so that a copy from one to another can have one open in each.
type txKey struct{ db *DB }

// openTx is the transaction that a context carries.
type openTx struct {
	conn *conn

	mu    sync.Mutex
	ended bool
	after []func() // run when it is committed
}

var errTxEnded = errors.New("the context of a transaction was used after its end")

func (t *openTx) use() (*conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, kgl.Wrap(errTxEnded, kgl.CodeInternal, internalMessage)
	}
	return t.conn, nil
}

func (t *openTx) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

func (db *DB) txOf(ctx context.Context) *openTx {
	t, _ := ctx.Value(txKey{db}).(*openTx)
	return t
}

// InTx implements kgl.Store.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx kgl.Store) error) error {
	return db.write(ctx, func(ctx context.Context, _ *conn) error { return fn(ctx, db) })
}

// AfterCommit implements kgl.Store.
func (db *DB) AfterCommit(ctx context.Context, fn func()) {
	t := db.txOf(ctx)
	if t == nil {
		fn()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = append(t.after, fn)
}

// write runs fn in the transaction of ctx, or in one of its own. Errors of the
// driver become domain errors; those of fn's that are domain errors stay.
func (db *DB) write(ctx context.Context, fn func(ctx context.Context, c *conn) error) error {
	if t := db.txOf(ctx); t != nil {
		c, err := t.use()
		if err != nil {
			return err
		}
		return failure(fn(ctx, c))
	}
	for attempt := 1; ; attempt++ {
		err := db.runTx(ctx, db.engine.begin, fn)
		if err == nil {
			return nil
		}
		if !isRetryable(err) || attempt == maxAttempts {
			return db.noteRoom(failure(err))
		}
		if werr := db.jitter.sleep(ctx, firstWait<<attempt); werr != nil {
			return failure(werr)
		}
	}
}

// read runs fn on a connection that reads: that of the transaction of ctx, or
// one of the pool, on which several statements may see several states.
func (db *DB) read(ctx context.Context, fn func(c *conn) error) error {
	if t := db.txOf(ctx); t != nil {
		c, err := t.use()
		if err != nil {
			return err
		}
		return failure(fn(c))
	}
	return failure(fn(db.engine.reader()))
}

// snapshot runs fn, which only reads, so that all its statements see one state
// of the database: in the transaction of ctx, or in one that does not write.
func (db *DB) snapshot(ctx context.Context, fn func(ctx context.Context, c *conn) error) error {
	if t := db.txOf(ctx); t != nil {
		c, err := t.use()
		if err != nil {
			return err
		}
		return failure(fn(ctx, c))
	}
	return failure(db.runTx(ctx, db.engine.snapshot, fn))
}

// runTx runs fn in one new transaction. A panic of fn rolls back and goes on.
func (db *DB) runTx(ctx context.Context, begin func(context.Context) (transaction, error),
	fn func(ctx context.Context, c *conn) error) error {
	tx, err := begin(ctx)
	if err != nil {
		return err
	}
	t := &openTx{conn: tx.conn()}
	defer tx.rollback(ctx)
	defer t.end()
	if err := fn(context.WithValue(ctx, txKey{db}, t), t.conn); err != nil {
		return err
	}
	t.end()
	if err := commitFailure(tx.commit(ctx)); err != nil {
		return err
	}
	for _, fn := range t.after {
		fn()
	}
	return nil
}

// jitter spreads the waits of callers that collided.
type jitter struct {
	mu     sync.Mutex
	random io.Reader
}

// spread returns a duration between half of d and d.
func (j *jitter) spread(d time.Duration) time.Duration {
	if j.random == nil {
		return d
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var b [8]byte
	if _, err := io.ReadFull(j.random, b[:]); err != nil {
		return d
	}
	half := uint64(d / 2)
	return d - time.Duration(binary.BigEndian.Uint64(b[:])%(half+1))
}

func (j *jitter) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(j.spread(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// one runs a query that returns a single row, on a connection that reads.
func one[Row any](ctx context.Context, db *DB, kind string, query func(c *conn) (Row, error)) (Row, error) {
	var row Row
	err := db.read(ctx, func(c *conn) (err error) {
		row, err = query(c)
		return err
	})
	if isNoRows(err) {
		return row, kgl.NotFound(kind)
	}
	return row, err
}

// affected gives CodeNotFound about kind when a statement changed no row.
func affected(n int64, err error, kind string) error {
	if err == nil && n == 0 {
		return kgl.NotFound(kind)
	}
	return err
}

// Ping implements kgl.Store: it writes a row and rolls back. After a write that
// found the disk full it asks for room instead.
func (db *DB) Ping(ctx context.Context) error {
	if db.noRoom.Load() {
		return db.findRoom(ctx)
	}
	err := failure(db.runTx(ctx, db.engine.begin, func(ctx context.Context, c *conn) error {
		if err := c.PingWrite(ctx); err != nil {
			return err
		}
		return errPingDone
	}))
	if errors.Is(err, errPingDone) {
		return nil
	}
	if err == nil {
		return kgl.Wrap(fmt.Errorf("ping was committed"), kgl.CodeInternal, internalMessage)
	}
	return err
}

var errPingDone = errors.New("ping: roll back")
