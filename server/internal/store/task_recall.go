package store

import (
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// readyChunk is how many tasks one statement makes pending.
const readyChunk = 1000

// CountLeases implements kgl.TaskStore.
func (db *DB) CountLeases(ctx context.Context, owner string, now time.Time) (int64, error) {
	return one(ctx, db, "lease", func(c *conn) (int64, error) {
		return c.CountLeases(ctx, sqlitedb.CountLeasesParams{LeaseOwner: owner, Now: micros(now)})
	})
}

// WithholdTasks implements kgl.TaskStore. The items come first, as in every
// transaction that writes both.
func (db *DB) WithholdTasks(ctx context.Context, sourceID string, now time.Time) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		err := c.SetLeasedContentsWaiting(ctx, sqlitedb.SetLeasedContentsWaitingParams{UpdatedAt: micros(now), SourceID: sourceID})
		if err != nil {
			return err
		}
		n, err = c.WithholdTasks(ctx, sqlitedb.WithholdTasksParams{Now: micros(now), SourceID: sourceID})
		return err
	})
	return n, err
}

// RestoreTasks implements kgl.TaskStore. They queue anew, in their old order:
// with their old turns all of them would be before those of other sources.
func (db *DB) RestoreTasks(ctx context.Context, sourceID string, now time.Time) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		withheld, err := c.WithheldTasks(ctx, sourceID)
		if err != nil {
			return err
		}
		n = int64(len(withheld))
		for chunk := range slices.Chunk(withheld, readyChunk) {
			tasks, flows := make([]readyTask, len(chunk)), make([]flow, len(chunk))
			for i, t := range chunk {
				tasks[i] = readyTask{ID: t.ID, Attempts: t.Attempts, Priority: t.Priority}
				flows[i] = flow{t.Extractor, t.Priority, sourceID}
			}
			if err := readyTasks(ctx, c, tasks, flows, micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// RequeueTasks implements kgl.TaskStore. The items come first.
func (db *DB) RequeueTasks(ctx context.Context, f kgl.DeadTaskFilter, priority int64, now time.Time, limit int) (requeued, remaining int64, err error) {
	err = db.write(ctx, func(ctx context.Context, c *conn) error {
		requeued, remaining = 0, 0
		ids, err := deadTasks(ctx, c, f, limit)
		if err != nil {
			return err
		}
		if requeued, err = requeue(ctx, c, ids, priority, micros(now)); err != nil {
			return err
		}
		remaining, err = countDead(ctx, c, f)
		return err
	})
	return requeued, remaining, err
}

func requeue(ctx context.Context, c *conn, ids []string, priority, now int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list, err := listText(ids)
	if err != nil {
		return 0, err
	}
	if err := c.SetDeadContentsWaiting(ctx, sqlitedb.SetDeadContentsWaitingParams{UpdatedAt: now, Ids: list}); err != nil {
		return 0, err
	}
	dead, err := c.LockDeadTasks(ctx, list)
	if err != nil {
		return 0, err
	}
	tasks, flows := make([]readyTask, len(dead)), make([]flow, len(dead))
	for i, t := range dead {
		tasks[i] = readyTask{ID: t.ID, Priority: priority}
		flows[i] = flow{t.Extractor, priority, t.SourceID}
	}
	return int64(len(dead)), readyTasks(ctx, c, tasks, flows, now)
}

// deadTasks returns the ids of dead tasks, those first that died first.
func deadTasks(ctx context.Context, c *conn, f kgl.DeadTaskFilter, limit int) ([]string, error) {
	q := deadTasksQuery(c.engine, "SELECT id, updated_at FROM enrichment_tasks", f)
	list, err := readList(ctx, c, q, kgl.Page{Limit: limit}, func(rs rows) (string, error) {
		var id string
		var at int64
		err := rs.Scan(&id, &at)
		return id, err
	}, func(id string) kgl.Position { return kgl.Position{ID: id} })
	return list.Rows, err
}

func deadTasksQuery(e Engine, from sqlText, f kgl.DeadTaskFilter) *listQuery {
	q := newList(e, from)
	q.tasks(kgl.TaskFilter{State: kgl.TaskDead, SourceID: f.SourceID, Lane: f.Lane})
	q.in("id", f.IDs)
	q.orderBy(ascending, []sqlText{"updated_at", "id"}, nil)
	return q
}

// countDead returns how many dead tasks a filter selects.
func countDead(ctx context.Context, c *conn, f kgl.DeadTaskFilter) (int64, error) {
	text, args := deadTasksQuery(c.engine, "SELECT COUNT(*) FROM enrichment_tasks", f).whole()
	rs, err := c.query(ctx, text, args)
	if err != nil {
		return 0, err
	}
	defer rs.Close()
	var n int64
	for rs.Next() {
		if err := rs.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, rs.Err()
}
