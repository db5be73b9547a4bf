package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const taskColumns sqlText = `SELECT id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, lease_until,
  last_error, created_at, updated_at, kind, source_id, priority, turn FROM enrichment_tasks`

// Tasks implements kgl.TaskStore. The index of lanes is one of lanes and states,
// so the list of a lane is put together from those of its states.
func (db *DB) Tasks(ctx context.Context, f kgl.TaskFilter, p kgl.Page) (kgl.List[kgl.EnrichmentTask], error) {
	p.Limit = pageLimit(p)
	filters := []kgl.TaskFilter{f}
	if f.Lane != "" && f.State == "" && f.SourceID == "" {
		filters = nil
		for _, state := range kgl.TaskStates() {
			filters = append(filters, kgl.TaskFilter{Lane: f.Lane, State: state})
		}
	}
	var rows []kgl.EnrichmentTask
	more := false
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		rows, more = nil, false
		for _, f := range filters {
			list, err := readList(ctx, c, tasksQuery(c.engine, f, p), p, scanTask, taskPosition)
			if err != nil {
				return err
			}
			rows, more = append(rows, list.Rows...), more || list.Next != nil
		}
		return nil
	})
	if err != nil {
		return kgl.List[kgl.EnrichmentTask]{}, err
	}
	slices.SortFunc(rows, func(a, b kgl.EnrichmentTask) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(b.ID, a.ID))
	})
	list := pageOf(rows, p, taskPosition)
	if more && list.Next == nil { // a list of one filter, which was cut already
		next := taskPosition(rows[len(rows)-1])
		list.Next = &next
	}
	return list, nil
}

func taskPosition(t kgl.EnrichmentTask) kgl.Position {
	return kgl.Position{Int: micros(t.UpdatedAt), ID: t.ID}
}

func tasksQuery(e Engine, f kgl.TaskFilter, p kgl.Page) *listQuery {
	q := newList(e, taskColumns)
	q.tasks(f)
	q.orderBy(descending, []sqlText{"updated_at", "id"}, afterTime(p))
	return q
}

// tasks adds the conditions of a filter. SQLite, which has no statistics here,
// is kept on the index of the source, which says most, and else on that of the
// lane, by the plus.
func (q *listQuery) tasks(f kgl.TaskFilter) {
	state, lane := sqlText("state"), sqlText("extractor")
	if q.engine == SQLite && f.SourceID != "" {
		state, lane = "+state", "+extractor"
	}
	if f.SourceID != "" {
		q.compare("source_id", "=", f.SourceID)
	}
	if f.Lane != "" {
		q.compare(lane, "=", f.Lane)
	}
	if f.State != "" {
		q.compare(state, "=", string(f.State))
	}
}

func scanTask(rs rows) (kgl.EnrichmentTask, error) {
	var r sqlitedb.EnrichmentTask
	err := rs.Scan(&r.ID, &r.ContentID, &r.Revision, &r.Extractor, &r.State, &r.Attempts, &r.AvailableAt, &r.LeaseOwner, &r.LeaseToken,
		&r.LeaseUntil, &r.LastError, &r.CreatedAt, &r.UpdatedAt, &r.Kind, &r.SourceID, &r.Priority, &r.Turn)
	if err != nil {
		return kgl.EnrichmentTask{}, err
	}
	return taskOf(r)
}

// CountTasks implements kgl.TaskStore.
func (db *DB) CountTasks(ctx context.Context) ([]kgl.TaskCounts, error) {
	lanes := map[string]*kgl.TaskCounts{}
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		clear(lanes)
		counts, err := c.CountTasks(ctx)
		if err != nil {
			return err
		}
		for _, n := range counts {
			if lanes[n.Extractor] == nil {
				lanes[n.Extractor] = &kgl.TaskCounts{Lane: n.Extractor}
			}
			if field := countOf(lanes[n.Extractor], kgl.TaskState(n.State)); field != nil {
				*field = n.Total
			}
		}
		oldest, err := c.OldestTasks(ctx)
		for _, o := range oldest {
			if lanes[o.Extractor] != nil {
				lanes[o.Extractor].OldestPendingAt = timePtr(&o.CreatedAt)
			}
		}
		return err
	})
	out := make([]kgl.TaskCounts, 0, len(lanes))
	for _, l := range lanes {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b kgl.TaskCounts) int { return cmp.Compare(a.Lane, b.Lane) })
	return out, err
}

func countOf(n *kgl.TaskCounts, state kgl.TaskState) *int64 {
	switch state {
	case kgl.TaskPending:
		return &n.Pending
	case kgl.TaskWaiting:
		return &n.Waiting
	case kgl.TaskLeased:
		return &n.Leased
	case kgl.TaskWithheld:
		return &n.Withheld
	case kgl.TaskDone:
		return &n.Done
	case kgl.TaskDead:
		return &n.Dead
	}
	return nil
}
