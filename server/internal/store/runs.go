package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateRun implements kgl.RunStore.
func (db *DB) CreateRun(ctx context.Context, r kgl.ExtractionRun) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.CreateRun(ctx, sqlitedb.CreateRunParams{
			ID: r.ID, ContentID: r.ContentID, Revision: r.Revision, Extractor: r.Extractor, Name: kgl.ExtractorName(r.Extractor),
			Model: r.Model, ConfigHash: r.ConfigHash, Actor: r.Actor, Status: string(r.Status), TaskID: r.TaskID, LeaseToken: r.LeaseToken,
			Entities: r.Entities, Mentions: r.Mentions, Relationships: r.Relationships,
			StartedAt: micros(r.StartedAt), FinishedAt: micros(r.FinishedAt), EndedAt: microsPtr(r.EndedAt),
		})
	})
}

func runOf(r sqlitedb.ExtractionRun) (kgl.ExtractionRun, error) {
	return kgl.ExtractionRun{
		ID: r.ID, ContentID: r.ContentID, Revision: r.Revision, Extractor: r.Extractor,
		Model: r.Model, ConfigHash: r.ConfigHash, Actor: r.Actor, Status: kgl.RunStatus(r.Status), TaskID: r.TaskID, LeaseToken: r.LeaseToken,
		Entities: r.Entities, Mentions: r.Mentions, Relationships: r.Relationships,
		StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt), EndedAt: timePtr(r.EndedAt),
	}, nil
}

// Run implements kgl.RunStore.
func (db *DB) Run(ctx context.Context, id string) (kgl.ExtractionRun, error) {
	row, err := one(ctx, db, "extraction run", func(c *conn) (sqlitedb.ExtractionRun, error) { return c.Run(ctx, id) })
	if err != nil {
		return kgl.ExtractionRun{}, err
	}
	return runOf(row)
}

// RunOfTask implements kgl.RunStore.
func (db *DB) RunOfTask(ctx context.Context, taskID string, leaseToken int64) (kgl.ExtractionRun, error) {
	row, err := one(ctx, db, "extraction run", func(c *conn) (sqlitedb.ExtractionRun, error) {
		return c.RunOfTask(ctx, sqlitedb.RunOfTaskParams{TaskID: taskID, LeaseToken: leaseToken})
	})
	if err != nil {
		return kgl.ExtractionRun{}, err
	}
	return runOf(row)
}

// CurrentRuns implements kgl.RunStore.
func (db *DB) CurrentRuns(ctx context.Context, contentID string) ([]kgl.ExtractionRun, error) {
	var runs []kgl.ExtractionRun
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.CurrentRuns(ctx, contentID)
		if err != nil {
			return err
		}
		runs, err = convert(rows, runOf)
		return err
	})
	return runs, err
}

const selectRuns sqlText = `SELECT id, content_id, revision, extractor, model, config_hash, actor, status, task_id, lease_token, entities, mentions,
  relationships, started_at, finished_at, ended_at FROM extraction_runs`

// Runs implements kgl.RunStore.
func (db *DB) Runs(ctx context.Context, f kgl.ExtractionRunFilter, p kgl.Page) (kgl.List[kgl.ExtractionRun], error) {
	var list kgl.List[kgl.ExtractionRun]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, runsQuery(c.engine, f, p), p, scanRun, func(r kgl.ExtractionRun) kgl.Position {
			return kgl.Position{Int: micros(r.FinishedAt), ID: r.ID}
		})
		return err
	})
	return list, err
}

func runsQuery(e Engine, f kgl.ExtractionRunFilter, p kgl.Page) *listQuery {
	q := newList(e, selectRuns)
	if f.ContentID != "" {
		q.compare("content_id", "=", f.ContentID)
	}
	if f.Name != "" {
		q.compare("name", "=", f.Name)
	}
	if f.Status != "" {
		q.compare("status", "=", string(f.Status))
	}
	var after []any
	if p.After != nil {
		after = []any{p.After.Int, p.After.ID}
	}
	q.orderBy(descending, []sqlText{"finished_at", "id"}, after)
	return q
}

func scanRun(rs rows) (kgl.ExtractionRun, error) {
	var r sqlitedb.ExtractionRun
	if err := rs.Scan(&r.ID, &r.ContentID, &r.Revision, &r.Extractor, &r.Model, &r.ConfigHash, &r.Actor, &r.Status, &r.TaskID, &r.LeaseToken,
		&r.Entities, &r.Mentions, &r.Relationships, &r.StartedAt, &r.FinishedAt, &r.EndedAt); err != nil {
		return kgl.ExtractionRun{}, err
	}
	return runOf(r)
}

// SupersedeRun implements kgl.RunStore.
func (db *DB) SupersedeRun(ctx context.Context, contentID, name string, now time.Time) (string, error) {
	id := ""
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		at := micros(now)
		ended, err := c.SupersedeRun(ctx, sqlitedb.SupersedeRunParams{EndedAt: &at, ContentID: contentID, Name: name})
		if len(ended) > 0 {
			id = ended[0]
		}
		return err
	})
	return id, err
}

// RetractRun implements kgl.RunStore. The item comes first, as in the
// transaction that stores a result for it.
func (db *DB) RetractRun(ctx context.Context, id string, now time.Time) (kgl.ExtractionRun, []string, error) {
	var run kgl.ExtractionRun
	var relationships []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		row, err := c.Run(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("extraction run")
		}
		if err != nil {
			return err
		}
		if _, err := c.LockContent(ctx, row.ContentID); err != nil {
			return err
		}
		at := micros(now)
		n, err := c.RetractRun(ctx, sqlitedb.RetractRunParams{EndedAt: &at, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return kgl.Errorf(kgl.CodeConflict, "the run is not current any more")
		}
		row.Status, row.EndedAt = string(kgl.RunRetracted), &at
		if run, err = runOf(row); err != nil {
			return err
		}
		if _, err := db.DeleteRunMentions(ctx, id); err != nil {
			return err
		}
		relationships, err = db.DeleteRunEvidence(ctx, row.ContentID, id, row.Name)
		return err
	})
	return run, relationships, err
}
