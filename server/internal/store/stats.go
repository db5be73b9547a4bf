package store

import (
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// PoolStats is the state of one pool of connections. Counts that only grow
// start at 0 with the pool.
type PoolStats struct {
	Pool     string        // sqlite-writer, sqlite-readers or postgres
	Max      int           // connections at most
	Open     int           // connections now, busy or idle
	InUse    int           // busy connections now
	Waits    int64         // how often a caller had to wait for one, so far
	WaitTime time.Duration // how long all of them waited, so far
}

// Stats returns the state of the pools of the database, always in the same
// order: the writer and the readers of SQLite, or the one pool of Postgres.
func (db *DB) Stats() []PoolStats { return db.engine.stats() }

// waits counts how often and how long callers waited for SQLite's writer, whose
// turns database/sql does not see.
type waits struct {
	clock  kgl.Clock // nil: the time is not measured
	count  atomic.Int64
	micros atomic.Int64
}

// begin counts a wait; the function that it returns ends it.
func (w *waits) begin() (end func()) {
	w.count.Add(1)
	if w.clock == nil {
		return func() {}
	}
	start := w.clock.Now()
	return func() { w.micros.Add(max(w.clock.Now().Sub(start), 0).Microseconds()) }
}

func (e *sqliteEngine) stats() []PoolStats {
	writer := PoolStats{
		Pool: "sqlite-writer", Max: 1, Open: e.writerDB.Stats().OpenConnections, InUse: cap(e.turn) - len(e.turn),
		Waits: e.waits.count.Load(), WaitTime: time.Duration(e.waits.micros.Load()) * time.Microsecond,
	}
	r := e.readers.Stats()
	return []PoolStats{writer, {
		Pool: "sqlite-readers", Max: r.MaxOpenConnections, Open: r.OpenConnections, InUse: r.InUse, Waits: r.WaitCount, WaitTime: r.WaitDuration,
	}}
}

func (e *postgresEngine) stats() []PoolStats {
	s := e.pool.pool.Stat()
	return []PoolStats{{
		Pool: "postgres", Max: int(s.MaxConns()), Open: int(s.TotalConns()), InUse: int(s.AcquiredConns()),
		Waits: s.EmptyAcquireCount(), WaitTime: s.EmptyAcquireWaitTime(),
	}}
}
