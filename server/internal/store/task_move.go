package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// MoveTasks implements kgl.TaskStore.
func (db *DB) MoveTasks(ctx context.Context, from, to string, now time.Time) (int64, error) {
	if from == to {
		return 0, nil
	}
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		stray, err := c.StrayTasks(ctx, sqlitedb.StrayTasksParams{FromExtractor: from, Extractor: to})
		if err != nil {
			return err
		}
		n = int64(len(stray))
		flows := make([]flow, len(stray))
		for i, t := range stray {
			flows[i] = flow{to, t.Priority, t.SourceID}
		}
		turns, err := nextTurns(ctx, c, flows)
		if err != nil {
			return err
		}
		for i, t := range stray {
			if err := c.MoveTask(ctx, sqlitedb.MoveTaskParams{Extractor: to, Turn: turns[i], Now: micros(now), ID: t.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}
