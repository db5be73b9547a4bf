package enrich

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MaxRequeue is how many dead tasks one call gives another chance.
const MaxRequeue = 1000

// Task returns a task of any lane. CodeNotFound.
func (l *Leases) Task(ctx context.Context, id string) (kgl.EnrichmentTask, error) {
	return l.store.Task(ctx, id)
}

// Tasks returns a page of tasks, the last changed first.
func (l *Leases) Tasks(ctx context.Context, f kgl.TaskFilter, p kgl.Page) (kgl.List[kgl.EnrichmentTask], error) {
	return l.store.Tasks(ctx, f, p)
}

// LaneStats is the backlog of a lane.
type LaneStats struct {
	kgl.TaskCounts
	Active bool // new items get tasks of it
}

// Stats counts the tasks of all lanes.
func (l *Leases) Stats(ctx context.Context) ([]LaneStats, error) {
	counts, err := l.store.CountTasks(ctx)
	if err != nil {
		return nil, err
	}
	var lanes []LaneStats
	for _, n := range counts {
		lanes = append(lanes, LaneStats{n, slices.Contains(l.cfg.Active, n.Lane)})
	}
	for _, lane := range l.cfg.Active {
		if !slices.ContainsFunc(lanes, func(s LaneStats) bool { return s.Lane == lane }) {
			lanes = append(lanes, LaneStats{kgl.TaskCounts{Lane: lane}, true})
		}
	}
	slices.SortFunc(lanes, func(a, b LaneStats) int { return cmp.Compare(a.Lane, b.Lane) })
	return lanes, nil
}

// Requeue gives dead tasks another chance, at most MaxRequeue of them, and
// writes an audit row. It returns how many, and how many dead ones that fit are
// left.
func (l *Leases) Requeue(ctx context.Context, f kgl.DeadTaskFilter, priority int64) (requeued, remaining int64, err error) {
	err = l.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if requeued, remaining, err = tx.RequeueTasks(ctx, f, priority, l.clock.Now(), MaxRequeue); err != nil || requeued == 0 {
			return err
		}
		_, err = tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, l.ids, l.clock, "work.requeue", "source", f.SourceID, kgl.AuditSuccess,
			map[string]any{"requeued": requeued, "remaining": remaining, "lane": f.Lane, "priority": priority}))
		return err
	})
	if err == nil && requeued > 0 {
		l.Notify()
		if l.cfg.Wake != nil {
			l.cfg.Wake()
		}
	}
	return requeued, remaining, err
}
