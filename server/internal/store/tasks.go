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
	ContentID   string `json:"content_id"`
	Revision    int64  `json:"revision"`
	Extractor   string `json:"extractor"`
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
	in := make([]taskRow, len(ts))
	for i, t := range ts {
		in[i] = taskRow{
			ID: t.ID, ContentID: t.ContentID, Revision: t.Revision, Extractor: t.Extractor, State: string(t.State), Attempts: t.Attempts,
			AvailableAt: micros(t.AvailableAt), LeaseOwner: t.LeaseOwner, LeaseToken: t.LeaseToken, LeaseUntil: microsPtr(t.LeaseUntil),
			LastError: t.LastError, CreatedAt: micros(t.CreatedAt), UpdatedAt: micros(t.UpdatedAt),
		}
	}
	text, err := jsonText(in)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error { return c.CreateTasks(ctx, text) })
}

// ClaimTasks implements kgl.TaskStore.
func (db *DB) ClaimTasks(ctx context.Context, extractor, owner string, now, until time.Time, limit int) ([]kgl.EnrichmentTask, error) {
	var claimed []sqlitedb.EnrichmentTask
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		claimed, err = c.ClaimTasks(ctx, sqlitedb.ClaimTasksParams{
			LeaseUntil: micros(until), LeaseOwner: owner, Now: micros(now), Extractor: extractor, RowLimit: int64(max(limit, 0)),
		})
		if err != nil || len(claimed) == 0 {
			return err
		}
		ids := make([]string, len(claimed))
		for i, t := range claimed {
			ids[i] = t.ContentID
		}
		list, err := listText(ids)
		if err != nil {
			return err
		}
		return c.SetContentsProcessing(ctx, sqlitedb.SetContentsProcessingParams{Ids: list, UpdatedAt: micros(now)})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claimed, func(a, b sqlitedb.EnrichmentTask) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return convert(claimed, taskOf)
}

func taskOf(r sqlitedb.EnrichmentTask) (kgl.EnrichmentTask, error) {
	return kgl.EnrichmentTask{
		ID: r.ID, Kind: r.Kind, ContentID: r.ContentID, SourceID: r.SourceID, Priority: r.Priority,
		Revision: r.Revision, Extractor: r.Extractor, State: kgl.TaskState(r.State), Attempts: r.Attempts,
		AvailableAt: timeOf(r.AvailableAt), LeaseOwner: r.LeaseOwner, LeaseToken: r.LeaseToken, LeaseUntil: timePtr(r.LeaseUntil),
		LastError: r.LastError, CreatedAt: timeOf(r.CreatedAt), UpdatedAt: timeOf(r.UpdatedAt),
	}, nil
}

// CompleteTask implements kgl.TaskStore.
func (db *DB) CompleteTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return db.endTask(ctx, t, kgl.TaskDone, "", now, now)
}

// RetryTask implements kgl.TaskStore.
func (db *DB) RetryTask(ctx context.Context, t kgl.EnrichmentTask, lastError string, now, availableAt time.Time) error {
	return db.endTask(ctx, t, kgl.TaskPending, lastError, now, availableAt)
}

// ReleaseTask implements kgl.TaskStore. The item comes first, as in every
// transaction that writes both, so that no two wait for each other.
func (db *DB) ReleaseTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := c.SetContentWaiting(ctx, sqlitedb.SetContentWaitingParams{UpdatedAt: micros(now), ID: t.ContentID}); err != nil {
			return err
		}
		n, err := c.ReleaseTask(ctx, sqlitedb.ReleaseTaskParams{Now: micros(now), ID: t.ID, LeaseToken: t.LeaseToken})
		if err == nil && n == 0 {
			return leaseLost("task")
		}
		return err
	})
}

// BuryTask implements kgl.TaskStore.
func (db *DB) BuryTask(ctx context.Context, t kgl.EnrichmentTask, lastError string, now time.Time) error {
	return db.endTask(ctx, t, kgl.TaskDead, lastError, now, now)
}

// endTask ends a lease. A lease whose time is over still counts, until another
// worker claims the task.
func (db *DB) endTask(ctx context.Context, t kgl.EnrichmentTask, state kgl.TaskState, lastError string, now, availableAt time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.EndTask(ctx, sqlitedb.EndTaskParams{
			State: string(state), LastError: lastError, AvailableAt: micros(availableAt), UpdatedAt: micros(now),
			ID: t.ID, LeaseToken: t.LeaseToken,
		})
		if err == nil && n == 0 {
			return leaseLost("task")
		}
		return err
	})
}

// NextTaskAt implements kgl.TaskStore. A leased task is available when its
// lease has ended.
func (db *DB) NextTaskAt(ctx context.Context, extractor string) (*time.Time, error) {
	var next *time.Time
	err := db.read(ctx, func(c *conn) error {
		at, err := c.NextTask(ctx, extractor)
		if len(at) > 0 {
			next = timePtr(&at[0])
		}
		return err
	})
	return next, err
}
