package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

const (
	// syncEvery is how often the database is asked for the time: clocks drift,
	// and the one that counts on between two answers stops while a machine sleeps.
	syncEvery = 10 * time.Second
	// syncTimeout bounds the question.
	syncTimeout = 5 * time.Second
	// tolerance is the difference that is left as it is, beside the time that
	// the answer was under way: time should not step without need.
	tolerance = 20 * time.Millisecond
	// remarkable is the difference of this machine's clock that is worth a warning.
	remarkable = 2 * time.Second
)

// sharedClock is the time of the database, which all replicas share: leases,
// schedules, tokens and the order of ids compare times of different machines,
// and their clocks may be an hour apart. Between two answers of the database it
// counts on by the monotonic clock, so that no step of the machine's clock shows.
type sharedClock struct {
	ask   func(context.Context) (time.Time, error)
	local kgl.Clock // of the machine, to tell how far off it is
	log   *slog.Logger

	mu     sync.RWMutex
	shared time.Time // at the moment when
	when   time.Time // with a monotonic reading
	off    time.Duration
}

// newSharedClock asks for the time once.
func newSharedClock(ctx context.Context, ask func(context.Context) (time.Time, error), local kgl.Clock, log *slog.Logger) (*sharedClock, error) {
	c := &sharedClock{ask: ask, local: local, log: log}
	if err := c.sync(ctx); err != nil {
		return nil, fmt.Errorf("ask the database for the time: %w", err)
	}
	return c, nil
}

// shareTime makes the database's time that of env; with SQLite, and where env
// says so, nothing changes and the result is nil.
func shareTime(ctx context.Context, db *store.DB, env *Env) (*sharedClock, error) {
	if db.Engine() != store.Postgres || env.OwnTime {
		return nil, nil
	}
	clock, err := newSharedClock(ctx, db.Time, env.Clock, env.Log)
	if err != nil {
		return nil, err
	}
	env.Clock = clock
	return clock, nil
}

// Now implements kgl.Clock.
func (c *sharedClock) Now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.at(time.Now())
}

// at returns the shared time of a moment.
func (c *sharedClock) at(moment time.Time) time.Time {
	return c.shared.Add(moment.Sub(c.when)).UTC().Truncate(time.Microsecond)
}

// sync asks for the time. The answer is that of the middle of its way.
func (c *sharedClock) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	before := time.Now()
	answer, err := c.ask(ctx)
	if err != nil {
		return err
	}
	way := time.Since(before)
	middle := before.Add(way / 2)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.when.IsZero() || c.at(middle).Sub(answer).Abs() > way/2+tolerance {
		c.shared, c.when = answer, middle
	}
	c.compare()
	return nil
}

// compare warns when the machine's clock is off in another way than before.
func (c *sharedClock) compare() {
	off := c.local.Now().Sub(c.at(time.Now()))
	if (off - c.off).Abs() < remarkable {
		return
	}
	c.off = off
	c.log.Warn("the clock of this machine and that of the database differ: the database's counts", "ahead_seconds", int64(off.Seconds()))
}

// run keeps the clock in step until ctx ends. While the database is away it
// counts on.
func (c *sharedClock) run(ctx context.Context) {
	ticker := time.NewTicker(syncEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := c.sync(ctx); err != nil && ctx.Err() == nil {
				c.log.Debug("the database did not tell the time", "error", err)
			}
		}
	}
}
