package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// Tasks of one lane and priority are claimed in the order of their turns, so
// the turn that a task gets when it becomes pending makes the order fair
// between sources. It is the start time of start-time fair queueing (P. Goyal,
// H. M. Vin, H. Cheng: Start-time Fair Queueing, SIGCOMM 1996), with equal
// weights and every task of length one: the present turn, which is the first
// one that waits, or the one after the last that the source waits with,
// whichever is greater. A source with 10,000 waiting tasks thus has 10,000
// turns before it, and another one's first task is among the next.

// flow is what takes turns: the pending tasks of a source in a lane, at one
// priority.
type flow struct {
	lane     string
	priority int64
	source   string
}

// nextTurns returns the turns of tasks that become pending together, in the
// given order.
func nextTurns(ctx context.Context, c *conn, tasks []flow) ([]int64, error) {
	next := map[flow]int64{}
	type queue struct {
		lane     string
		priority int64
	}
	sources := map[queue][]string{}
	for _, f := range tasks {
		if _, known := next[f]; !known {
			next[f] = 0
			q := queue{f.lane, f.priority}
			sources[q] = append(sources[q], f.source)
		}
	}
	for q, ids := range sources {
		list, err := listText(ids)
		if err != nil {
			return nil, err
		}
		rows, err := c.Turns(ctx, sqlitedb.TurnsParams{Extractor: q.lane, Priority: q.priority, SourceIds: list})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			next[flow{q.lane, q.priority, r.SourceID}] = max(r.FirstTurn, r.LastTurn+1, 0)
		}
	}
	turns := make([]int64, len(tasks))
	for i, f := range tasks {
		turns[i] = next[f]
		next[f]++
	}
	return turns, nil
}

// firstTurn returns the present turn of a flow's queue.
func firstTurn(ctx context.Context, c *conn, f flow) (int64, error) {
	list, err := listText([]string{f.source})
	if err != nil {
		return 0, err
	}
	rows, err := c.Turns(ctx, sqlitedb.TurnsParams{Extractor: f.lane, Priority: f.priority, SourceIds: list})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return max(rows[0].FirstTurn, 0), nil
}

// readyTask is a task that becomes pending, with what it is to have then.
type readyTask struct {
	ID       string `json:"id"`
	Attempts int64  `json:"attempts"`
	Priority int64  `json:"priority"`
	Turn     int64  `json:"turn"`
}

// readyTasks makes tasks, which are locked, pending, or withheld where their
// source does not allow them; flows says where each one queues. Postgres gets
// one statement; for SQLite one each is cheaper.
func readyTasks(ctx context.Context, c *conn, tasks []readyTask, flows []flow, now int64) error {
	if len(tasks) == 0 {
		return nil
	}
	turns, err := nextTurns(ctx, c, flows)
	if err != nil {
		return err
	}
	for i := range tasks {
		tasks[i].Turn = turns[i]
	}
	if c.engine == SQLite {
		for _, t := range tasks {
			if err := c.ReadyTask(ctx, sqlitedb.ReadyTaskParams{Now: now, Attempts: t.Attempts, Priority: t.Priority, Turn: t.Turn, ID: t.ID}); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := jsonText(tasks)
	if err != nil {
		return err
	}
	return c.ReadyTasks(ctx, sqlitedb.ReadyTasksParams{Now: now, RowsJSON: text})
}
