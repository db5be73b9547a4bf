package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func TestStatsTellOfConnections(t *testing.T) {
	for name, tt := range map[string]struct {
		open  func(*testing.T) *store.DB
		pools []store.PoolStats // while a transaction is open
	}{
		"sqlite":   {openSQLite, []store.PoolStats{{Pool: "sqlite-writer", Max: 1, InUse: 1}, {Pool: "sqlite-readers", Max: 12}}},
		"postgres": {openPostgres, []store.PoolStats{{Pool: "postgres", Max: 12, InUse: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			db := tt.open(t)
			noError(t, db.InTx(t.Context(), func(context.Context, kgl.Store) error {
				have := db.Stats()
				for i := range have {
					if have[i].Open < have[i].InUse || have[i].Open > have[i].Max {
						t.Errorf("%+v", have[i])
					}
					have[i].Open, have[i].Waits, have[i].WaitTime = 0, 0, 0
				}
				if !slices.Equal(have, tt.pools) {
					t.Errorf("got %+v, want %+v", have, tt.pools)
				}
				return nil
			}))
			for _, s := range db.Stats() {
				if s.InUse != 0 {
					t.Errorf("still in use: %+v", s)
				}
			}
		})
	}
}

// TestStatsTellOfWaits asks for a connection while all are busy: SQLite's only
// writer cannot be had, Postgres makes another one.
func TestStatsTellOfWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		url  func(*testing.T) string
		code kgl.Code
		most time.Duration // bounds the wait; 0: the default
		wait time.Duration // at least
	}{
		"sqlite":   {sqliteURL, kgl.CodeUnavailable, 50 * time.Millisecond, 50 * time.Millisecond},
		"postgres": {func(t *testing.T) string { return postgresTemplate.NewDatabase(t) }, "", 0, time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), store.Config{
				URL: tt.url(t), MaxConns: 2, AcquireTimeout: tt.most, Clock: kgl.ClockFunc(time.Now),
			})
			noError(t, err)
			defer func() { noError(t, db.Close()) }()
			outside := t.Context()
			noError(t, db.SetSetting(outside, "k", "v", now))
			before := db.Stats()[0]
			noError(t, db.InTx(outside, func(context.Context, kgl.Store) error {
				wantCode(t, db.InTx(outside, func(context.Context, kgl.Store) error { return nil }), tt.code)
				return nil
			}))
			after := db.Stats()[0]
			if after.Waits != before.Waits+1 || after.WaitTime-before.WaitTime < tt.wait {
				t.Errorf("before %+v, after %+v", before, after)
			}
		})
	}
}
