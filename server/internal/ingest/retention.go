package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Retention is how much an installation keeps. A zero field of MaxItems, MaxAge
// and Events keeps all.
type Retention struct {
	MaxItems  int64         // of a source, the newest; a source may set its own
	MaxAge    time.Duration // after publication; a source may set its own
	Revisions int64         // earlier states of an item, the newest; default 20
	Events    time.Duration // after they occurred
}

func (r Retention) withDefaults() Retention {
	if r.Revisions <= 0 {
		r.Revisions = 20
	}
	return r
}

// of returns what counts for a source.
func (r Retention) of(s kgl.SourceSettings) Retention {
	if s.MaxItems > 0 {
		r.MaxItems = s.MaxItems
	}
	if s.MaxAgeDays > 0 {
		r.MaxAge = time.Duration(s.MaxAgeDays) * 24 * time.Hour
	}
	return r
}

// oldest returns the time of publication before which items of a source are not
// kept; zero when age does not count.
func (r Retention) oldest(s kgl.SourceSettings, now time.Time) time.Time {
	if age := r.of(s).MaxAge; age > 0 {
		return now.Add(-age)
	}
	return time.Time{}
}

// The bounds of retention: how often it runs, how long one that died keeps
// others from it, and how much it does in one transaction.
const (
	retentionEvery = 15 * time.Minute
	retentionClaim = 10 * time.Minute
	sourceBatch    = 500
	expireBatch    = 50
	eventBatch     = 1000
)

// RetentionMetrics is told what retention removed. Implementations are safe for
// concurrent use.
type RetentionMetrics interface {
	// Removed is called after rows of a kind ("content", "event") were removed.
	Removed(kind string, n int)
}

// Keeper removes what outlived the retention: items, oldest first, and events.
// Of several replicas one works at a time.
type Keeper struct {
	cfg     Retention
	owner   string
	store   kgl.Store
	clock   kgl.Clock
	ids     kgl.IDSource
	log     *slog.Logger
	metrics RetentionMetrics
}

// NewKeeper returns a keeper; owner names this process in claims.
func NewKeeper(cfg Retention, owner string, store kgl.Store, clock kgl.Clock, ids kgl.IDSource, log *slog.Logger, metrics RetentionMetrics) *Keeper {
	return &Keeper{cfg: cfg.withDefaults(), owner: owner, store: store, clock: clock, ids: ids, log: log, metrics: metrics}
}

// Run removes what is to be removed, now and every quarter of an hour, until ctx
// ends.
func (k *Keeper) Run(ctx context.Context) {
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "retention"})
	for {
		if err := k.Once(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "retention was broken off", "code", kgl.ErrorCode(err), "error", err)
		}
		if !sleep(ctx, retentionEvery) {
			return
		}
	}
}

// Once removes what is to be removed now, unless another replica is at it.
func (k *Keeper) Once(ctx context.Context) error {
	mine, err := k.claim(ctx)
	if err != nil || !mine {
		return err
	}
	items, err := k.expireAll(ctx)
	if err != nil {
		return err
	}
	events, err := k.dropEvents(ctx)
	if items+events > 0 {
		k.log.InfoContext(ctx, "what outlived the retention was removed", "items", items, "events", events)
	}
	return err
}

func (k *Keeper) claim(ctx context.Context) (bool, error) {
	now := k.clock.Now()
	return k.store.ClaimRetention(ctx, k.owner, now, now.Add(retentionClaim))
}

// expireAll goes through all sources that have a limit.
func (k *Keeper) expireAll(ctx context.Context) (int, error) {
	total, after := 0, ""
	all := k.cfg.MaxItems > 0 || k.cfg.MaxAge > 0
	for {
		sources, err := k.store.RetentionSources(ctx, after, all, sourceBatch)
		if err != nil || len(sources) == 0 {
			return total, err
		}
		for _, s := range sources {
			n, err := k.expireSource(ctx, s)
			total += n
			if err != nil {
				return total, err
			}
		}
		after = sources[len(sources)-1].ID
		if mine, err := k.claim(ctx); err != nil || !mine {
			return total, err
		}
	}
}

func (k *Keeper) expireSource(ctx context.Context, s kgl.Source) (int, error) {
	limits, total := k.cfg.of(s.Settings), 0
	for {
		before := k.cfg.oldest(s.Settings, k.clock.Now())
		if limits.MaxItems == 0 && before.IsZero() {
			return total, nil
		}
		ids, err := k.store.ExpiredContents(ctx, s.ID, before, limits.MaxItems, expireBatch)
		if err != nil || len(ids) == 0 {
			return total, err
		}
		n, err := k.expire(ctx, s.ID, ids)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
		if mine, err := k.claim(ctx); err != nil || !mine {
			return total, err
		}
	}
}

// expire removes items with their events in one transaction. An item that a
// person deletes at the same time counts as theirs.
func (k *Keeper) expire(ctx context.Context, sourceID string, ids []string) (int, error) {
	removed := 0
	err := k.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		removed = 0
		var events []kgl.Event
		for _, id := range ids {
			err := tx.DeleteContent(ctx, id, kgl.RemovedByAge, k.clock.Now())
			if kgl.Is(err, kgl.CodeNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			removed++
			events = append(events, kgl.NewEvent(k.ids, k.clock, kgl.EventContentDeleted, "content", id, map[string]any{
				"source_id": sourceID, "reason": kgl.RemovedByAge,
			}))
		}
		return tx.AppendEvents(ctx, events)
	})
	if err != nil {
		return 0, err
	}
	k.metrics.Removed("content", removed)
	return removed, nil
}

func (k *Keeper) dropEvents(ctx context.Context) (int, error) {
	total := 0
	for k.cfg.Events > 0 {
		n, err := k.store.DropEvents(ctx, k.clock.Now().Add(-k.cfg.Events), eventBatch)
		total += int(n)
		k.metrics.Removed("event", int(n))
		if err != nil || n < eventBatch {
			return total, err
		}
		if mine, err := k.claim(ctx); err != nil || !mine {
			return total, err
		}
	}
	return total, nil
}
