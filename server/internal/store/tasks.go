package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// taskRow is a task as CreateTasks takes it.
type taskRow struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	ContentID   string `json:"content_id"`
	SourceID    string `json:"source_id"`
	Revision    int64  `json:"revision"`
	Extractor   string `json:"extractor"`
	Priority    int64  `json:"priority"`
	Turn        int64  `json:"turn"`
	State       string `json:"state"`
	Attempts    int64  `json:"attempts"`
	AvailableAt int64  `json:"available_at"`
	LeaseOwner  string `json:"lease_owner"`
	LeaseToken  int64  `json:"lease_token"`
	LeaseUntil  *int64 `json:"lease_until"`
	LastError   string `json:"last_error"`
	CreatedAt   int64  `json:"created_at"`
	UpdatedAt   int64  `json:"updated_at"`
}

// CreateTasks implements kgl.TaskStore.
func (db *DB) CreateTasks(ctx context.Context, ts []kgl.EnrichmentTask) error {
	if len(ts) == 0 {
		return nil
	}
	rows := make([]taskRow, len(ts))
	flows := make([]flow, len(ts))
	for i, t := range ts {
		flows[i] = flowOf(t)
		rows[i] = taskRow{
			ID: t.ID, Kind: cmp.Or(t.Kind, kgl.TaskKindExtract), ContentID: t.ContentID, SourceID: t.SourceID, Revision: t.Revision,
			Extractor: t.Extractor, Priority: t.Priority, State: string(t.State), Attempts: t.Attempts,
			AvailableAt: micros(t.AvailableAt), LeaseOwner: t.LeaseOwner, LeaseToken: t.LeaseToken, LeaseUntil: microsPtr(t.LeaseUntil),
			LastError: t.LastError, CreatedAt: micros(t.CreatedAt), UpdatedAt: micros(t.UpdatedAt),
		}
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		turns, err := nextTurns(ctx, c, flows)
		if err != nil {
			return err
		}
		for i := range rows {
			rows[i].Turn = turns[i]
		}
		text, err := jsonText(rows)
		if err != nil {
			return err
		}
		return c.CreateTasks(ctx, text)
	})
}

func flowOf(t kgl.EnrichmentTask) flow { return flow{t.Extractor, t.Priority, t.SourceID} }

// ClaimTasks implements kgl.TaskStore.
func (db *DB) ClaimTasks(ctx context.Context, extractor, owner string, now, until time.Time, limit int) ([]kgl.EnrichmentTask, error) {
	var claimed []sqlitedb.EnrichmentTask
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		if err := readyDueTasks(ctx, c, extractor, micros(now)); err != nil {
			return err
		}
		claimed, err = c.ClaimTasks(ctx, sqlitedb.ClaimTasksParams{
			LeaseUntil: micros(until), LeaseOwner: owner, Now: micros(now), Extractor: extractor, RowLimit: int64(max(limit, 0)),
		})
		if err != nil {
			return err
		}
		if len(claimed) < limit {
			if _, err := c.WithholdStragglers(ctx, sqlitedb.WithholdStragglersParams{Now: micros(now), Extractor: extractor}); err != nil {
				return err
			}
		}
		return setProcessing(ctx, c, claimed, micros(now))
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claimed, func(a, b sqlitedb.EnrichmentTask) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Turn, b.Turn), cmp.Compare(a.ID, b.ID))
	})
	return convert(claimed, taskOf)
}

// readyDueTasks makes tasks pending that wait no longer, and those whose lease
// ended: a bounded number, the longest due first, so that a claim stays short
// when thousands come back together.
func readyDueTasks(ctx context.Context, c *conn, lane string, now int64) error {
	due, err := c.DueTasks(ctx, sqlitedb.DueTasksParams{Extractor: lane, Now: now})
	if err != nil {
		return err
	}
	tasks, flows := make([]readyTask, len(due)), make([]flow, len(due))
	for i, t := range due {
		tasks[i] = readyTask{ID: t.ID, Attempts: t.Attempts, Priority: t.Priority}
		flows[i] = flow{lane, t.Priority, t.SourceID}
	}
	return readyTasks(ctx, c, tasks, flows, now)
}

// setProcessing lets the items of claimed tasks be processing.
func setProcessing(ctx context.Context, c *conn, claimed []sqlitedb.EnrichmentTask, now int64) error {
	if len(claimed) == 0 {
		return nil
	}
	ids := make([]string, len(claimed))
	for i, t := range claimed {
		ids[i] = t.ContentID
	}
	list, err := listText(ids)
	if err != nil {
		return err
	}
	return c.SetContentsProcessing(ctx, sqlitedb.SetContentsProcessingParams{Ids: list, UpdatedAt: now})
}

func taskOf(r sqlitedb.EnrichmentTask) (kgl.EnrichmentTask, error) {
	return kgl.EnrichmentTask{
		ID: r.ID, Kind: r.Kind, ContentID: r.ContentID, SourceID: r.SourceID, Priority: r.Priority,
		Revision: r.Revision, Extractor: r.Extractor, State: kgl.TaskState(r.State), Attempts: r.Attempts,
		AvailableAt: timeOf(r.AvailableAt), LeaseOwner: r.LeaseOwner, LeaseToken: r.LeaseToken, LeaseUntil: timePtr(r.LeaseUntil),
		LastError: r.LastError, CreatedAt: timeOf(r.CreatedAt), UpdatedAt: timeOf(r.UpdatedAt),
	}, nil
}

// Task implements kgl.TaskStore.
func (db *DB) Task(ctx context.Context, id string) (kgl.EnrichmentTask, error) {
	row, err := one(ctx, db, "task", func(c *conn) (sqlitedb.EnrichmentTask, error) { return c.Task(ctx, id) })
	if err != nil {
		return kgl.EnrichmentTask{}, err
	}
	return taskOf(row)
}

// CompleteTask implements kgl.TaskStore.
func (db *DB) CompleteTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return db.endTask(ctx, t, kgl.TaskDone, "", now, now)
}

// RetryTask implements kgl.TaskStore.
func (db *DB) RetryTask(ctx context.Context, t kgl.EnrichmentTask, lastError string, now, availableAt time.Time) error {
	return db.endTask(ctx, t, kgl.TaskWaiting, lastError, now, availableAt)
}

// BuryTask implements kgl.TaskStore.
func (db *DB) BuryTask(ctx context.Context, t kgl.EnrichmentTask, lastError string, now time.Time) error {
	return db.endTask(ctx, t, kgl.TaskDead, lastError, now, now)
}

// endTask ends a lease. A lease whose time is over still counts, until a claim
// takes the task back.
func (db *DB) endTask(ctx context.Context, t kgl.EnrichmentTask, state kgl.TaskState, lastError string, now, availableAt time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.EndTask(ctx, sqlitedb.EndTaskParams{
			State: string(state), LastError: lastError, AvailableAt: micros(availableAt), UpdatedAt: micros(now),
			ID: t.ID, LeaseToken: t.LeaseToken,
		})
		return leased(n, err)
	})
}

// leased gives CodeLeaseLost when a statement found no lease of a task.
func leased(n int64, err error) error {
	if err == nil && n == 0 {
		return leaseLost("task")
	}
	return err
}

// ExtendTask implements kgl.TaskStore.
func (db *DB) ExtendTask(ctx context.Context, t kgl.EnrichmentTask, now, until time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return leased(c.ExtendTask(ctx, sqlitedb.ExtendTaskParams{
			LeaseUntil: microsPtr(&until), UpdatedAt: micros(now), ID: t.ID, LeaseToken: t.LeaseToken,
		}))
	})
}

// ReleaseTask implements kgl.TaskStore. The item comes first, as in every
// transaction that writes both, so that no two wait for each other.
func (db *DB) ReleaseTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := c.SetContentWaiting(ctx, sqlitedb.SetContentWaitingParams{UpdatedAt: micros(now), ID: t.ContentID}); err != nil {
			return err
		}
		first, err := firstTurn(ctx, c, flowOf(t))
		if err != nil {
			return err
		}
		return leased(c.ReleaseTask(ctx, sqlitedb.ReleaseTaskParams{Now: micros(now), FirstTurn: first, ID: t.ID, LeaseToken: t.LeaseToken}))
	})
}

// NextTaskAt implements kgl.TaskStore. A leased task is available when its
// lease has ended.
func (db *DB) NextTaskAt(ctx context.Context, extractor string) (*time.Time, error) {
	var next *time.Time
	err := db.read(ctx, func(c *conn) error {
		at, err := c.NextTask(ctx, extractor)
		if len(at) > 0 {
			first := slices.Min(at)
			next = timePtr(&first)
		}
		return err
	})
	return next, err
}

// dropTasks ends the work on the revision of an item that is replaced.
func dropTasks(ctx context.Context, c *conn, contentID string, now int64) error {
	if err := c.DropOpenTasks(ctx, contentID); err != nil {
		return err
	}
	return c.SupersedeTasks(ctx, sqlitedb.SupersedeTasksParams{UpdatedAt: now, ContentID: contentID})
}
