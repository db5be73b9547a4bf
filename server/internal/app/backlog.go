package app

import (
	"context"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

const (
	// backlogAge is how old the counts of tasks in the metrics may be. Whoever
	// can reach the port can ask for them, and counting reads an index over all
	// tasks.
	backlogAge = 30 * time.Second
	// backlogTimeout bounds counting.
	backlogTimeout = 5 * time.Second
)

// backlog counts the tasks for the metrics.
type backlog struct {
	leases *enrich.Leases
	clock  kgl.Clock

	mu    sync.Mutex
	lanes []telemetry.LaneTasks
	since time.Time // when they were counted, or could not be
}

// tasks returns the tasks by lane; nil when they could not be counted.
func (b *backlog) tasks() []telemetry.LaneTasks {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if age := now.Sub(b.since); !b.since.IsZero() && age >= 0 && age < backlogAge {
		return b.lanes
	}
	b.since, b.lanes = now, nil
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	stats, err := b.leases.Stats(ctx)
	if err != nil {
		return nil
	}
	for _, s := range stats {
		l := telemetry.LaneTasks{Lane: s.Lane, ByState: map[string]int64{
			string(kgl.TaskPending): s.Pending, string(kgl.TaskWaiting): s.Waiting, string(kgl.TaskLeased): s.Leased,
			string(kgl.TaskWithheld): s.Withheld, string(kgl.TaskDone): s.Done, string(kgl.TaskDead): s.Dead,
		}}
		if s.OldestPendingAt != nil {
			l.Oldest = max(now.Sub(*s.OldestPendingAt), 0)
		}
		b.lanes = append(b.lanes, l)
	}
	return b.lanes
}

// Work returns the queue of tasks, for commands: nobody waits for work there.
func (a *App) Work() *enrich.Leases { return a.leases(nil) }

func (a *App) leases(metrics enrich.Metrics) *enrich.Leases {
	return enrich.NewLeases(a.Store, a.Recorder, a.env.Clock, a.IDs, a.env.Log, metrics, enrich.LeaseConfig{
		Active: []string{lane(a.cfg)}, Wake: a.wake.enrich,
	})
}

// adoptTasks takes over what waits for extractors that the configuration does
// not name any more, so that no item waits for ever after a change of it.
func (a *App) adoptTasks(ctx context.Context) {
	to, total := lane(a.cfg), int64(0)
	for _, from := range []string{kgl.LaneBuiltin, kgl.LaneMock, kgl.LaneAI} {
		for ctx.Err() == nil {
			n, err := a.Store.MoveTasks(ctx, from, to, a.env.Clock.Now())
			if err != nil && ctx.Err() == nil {
				a.env.Log.Warn("tasks of another extractor could not be taken over", "extractor", from, "error", err)
			}
			if total += n; n == 0 {
				break
			}
		}
	}
	if total > 0 {
		a.env.Log.Info("tasks that waited for another extractor were taken over", "extractor", to, "tasks", total)
		a.wake.enrich()
	}
}
