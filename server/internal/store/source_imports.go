package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateSourceImport implements kgl.SourceImportStore.
func (db *DB) CreateSourceImport(ctx context.Context, i kgl.SourceImport, lines []kgl.ImportLine) error {
	tags, err := listText(i.Tags)
	if err != nil {
		return failure(err)
	}
	rows, err := lineRows(i.ID, lines)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		err := c.CreateSourceImport(ctx, sqlitedb.CreateSourceImportParams{
			ID: i.ID, State: string(i.State), FileName: i.FileName, Tags: tags, DryRun: i.DryRun, Total: i.Total, Processed: i.Processed,
			Added: i.Added, Existing: i.Existing, Failed: i.Failed, CreatedBy: i.CreatedBy, CreatedAt: micros(i.CreatedAt),
			StartedAt: microsPtr(i.StartedAt), FinishedAt: microsPtr(i.FinishedAt),
		})
		if err != nil {
			return err
		}
		return c.SaveImportLines(ctx, rows)
	})
}

// lineRow is a line as SaveImportLines takes it.
type lineRow struct {
	ImportID  string  `json:"import_id"`
	Position  int64   `json:"position"`
	Line      int64   `json:"line"`
	URL       string  `json:"url"`
	Title     string  `json:"title"`
	SiteURL   string  `json:"site_url"`
	Tags      string  `json:"tags"`
	Outcome   string  `json:"outcome"`
	SourceID  *string `json:"source_id"`
	ErrorCode string  `json:"error_code"`
	Message   string  `json:"message"`
}

func lineRows(importID string, lines []kgl.ImportLine) (string, error) {
	rows, err := convert(lines, func(l kgl.ImportLine) (lineRow, error) {
		tags, err := listText(l.Tags)
		r := lineRow{
			ImportID: importID, Position: l.Position, Line: l.Line, URL: l.URL, Title: l.Title, SiteURL: l.SiteURL, Tags: tags,
			Outcome: string(l.Outcome), ErrorCode: l.ErrorCode, Message: l.Message,
		}
		if l.SourceID != "" {
			r.SourceID = &l.SourceID
		}
		return r, err
	})
	if err != nil {
		return "", err
	}
	return listText(rows)
}

func lineOf(r sqlitedb.SourceImportLine) (kgl.ImportLine, error) {
	l := kgl.ImportLine{
		Position: r.Position, Line: r.Line, URL: r.URL, Title: r.Title, SiteURL: r.SiteURL,
		Outcome: kgl.LineOutcome(r.Outcome), ErrorCode: r.ErrorCode, Message: r.Message,
	}
	if r.SourceID != nil {
		l.SourceID = *r.SourceID
	}
	return l, textsOf(r.Tags, &l.Tags)
}

func importOf(r sqlitedb.SourceImport) (kgl.SourceImport, error) {
	i := kgl.SourceImport{
		ID: r.ID, State: kgl.ImportState(r.State), FileName: r.FileName, DryRun: r.DryRun, Total: r.Total, Processed: r.Processed, Added: r.Added,
		Existing: r.Existing, Failed: r.Failed, CreatedBy: r.CreatedBy, CreatedAt: timeOf(r.CreatedAt),
		StartedAt: timePtr(r.StartedAt), FinishedAt: timePtr(r.FinishedAt),
	}
	return i, textsOf(r.Tags, &i.Tags)
}

// SourceImport implements kgl.SourceImportStore.
func (db *DB) SourceImport(ctx context.Context, id string) (kgl.SourceImport, error) {
	row, err := one(ctx, db, "import", func(c *conn) (sqlitedb.SourceImport, error) { return c.SourceImport(ctx, id) })
	if err != nil {
		return kgl.SourceImport{}, err
	}
	return mapped(importOf(row))
}

const selectImports sqlText = `SELECT id, state, file_name, tags, dry_run, total, processed, added, existing, failed, created_by, lease_owner,
  lease_token, lease_until, created_at, started_at, finished_at FROM source_imports`

// SourceImports implements kgl.SourceImportStore.
func (db *DB) SourceImports(ctx context.Context, p kgl.Page) (kgl.List[kgl.SourceImport], error) {
	var list kgl.List[kgl.SourceImport]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, importsQuery(c.engine, p), p, scanImport, func(i kgl.SourceImport) kgl.Position {
			return kgl.Position{Int: micros(i.CreatedAt), ID: i.ID}
		})
		return err
	})
	return list, err
}

func importsQuery(e Engine, p kgl.Page) *listQuery {
	q := newList(e, selectImports)
	var after []any
	if p.After != nil {
		after = []any{p.After.Int, p.After.ID}
	}
	q.orderBy(descending, []sqlText{"created_at", "id"}, after)
	return q
}

func scanImport(rs rows) (kgl.SourceImport, error) {
	var r sqlitedb.SourceImport
	err := rs.Scan(&r.ID, &r.State, &r.FileName, &r.Tags, &r.DryRun, &r.Total, &r.Processed, &r.Added, &r.Existing, &r.Failed, &r.CreatedBy,
		&r.LeaseOwner, &r.LeaseToken, &r.LeaseUntil, &r.CreatedAt, &r.StartedAt, &r.FinishedAt)
	if err != nil {
		return kgl.SourceImport{}, err
	}
	return importOf(r)
}

const selectImportLines sqlText = `SELECT import_id, position, line, url, title, site_url, tags, outcome, source_id, error_code, message
FROM source_import_lines`

// ImportLines implements kgl.SourceImportStore.
func (db *DB) ImportLines(ctx context.Context, importID string, outcomes []kgl.LineOutcome, p kgl.Page) (kgl.List[kgl.ImportLine], error) {
	var list kgl.List[kgl.ImportLine]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, importLinesQuery(c.engine, importID, outcomes, p), p, scanLine, func(l kgl.ImportLine) kgl.Position {
			return kgl.Position{Int: l.Position}
		})
		return err
	})
	return list, err
}

func importLinesQuery(e Engine, importID string, outcomes []kgl.LineOutcome, p kgl.Page) *listQuery {
	q := newList(e, selectImportLines)
	q.compare("import_id", "=", importID)
	q.in("outcome", texts(outcomes))
	var after []any
	if p.After != nil {
		after = []any{p.After.Int}
	}
	q.orderBy(ascending, []sqlText{"position"}, after)
	return q
}

func scanLine(rs rows) (kgl.ImportLine, error) {
	var r sqlitedb.SourceImportLine
	err := rs.Scan(&r.ImportID, &r.Position, &r.Line, &r.URL, &r.Title, &r.SiteURL, &r.Tags, &r.Outcome, &r.SourceID, &r.ErrorCode, &r.Message)
	if err != nil {
		return kgl.ImportLine{}, err
	}
	return lineOf(r)
}

// CancelSourceImport implements kgl.SourceImportStore.
func (db *DB) CancelSourceImport(ctx context.Context, id string, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CancelSourceImport(ctx, sqlitedb.CancelSourceImportParams{ID: id, Now: micros(now)})
		if err != nil || n > 0 {
			return err
		}
		i, err := c.SourceImport(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("import")
		}
		if err != nil {
			return err
		}
		return kgl.Errorf(kgl.CodeConflict, "the import has ended: it is %s", i.State)
	})
}

// ClaimSourceImport implements kgl.SourceImportStore.
func (db *DB) ClaimSourceImport(ctx context.Context, owner string, now, until time.Time) (*kgl.SourceImport, kgl.ImportLease, error) {
	var rows []sqlitedb.SourceImport
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		rows, err = c.ClaimSourceImport(ctx, sqlitedb.ClaimSourceImportParams{LeaseOwner: owner, LeaseUntil: micros(until), Now: microsPtr(&now)})
		return err
	})
	if err != nil || len(rows) == 0 {
		return nil, kgl.ImportLease{}, err
	}
	i, err := mapped(importOf(rows[0]))
	return &i, kgl.ImportLease{ImportID: i.ID, Owner: owner, Token: rows[0].LeaseToken, Until: until}, err
}

// NextSourceImportAt implements kgl.SourceImportStore.
func (db *DB) NextSourceImportAt(ctx context.Context) (*time.Time, error) {
	var next *time.Time
	err := db.read(ctx, func(c *conn) error {
		at, err := c.OpenImports(ctx)
		if len(at) > 0 {
			next = timePtr(&at[0])
		}
		return err
	})
	return next, err
}

// PendingImportLines implements kgl.SourceImportStore.
func (db *DB) PendingImportLines(ctx context.Context, importID string, limit int) ([]kgl.ImportLine, error) {
	var rows []sqlitedb.SourceImportLine
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.PendingImportLines(ctx, sqlitedb.PendingImportLinesParams{ImportID: importID, RowLimit: int64(limit)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return mapped(convert(rows, lineOf))
}

// FinishImportLines implements kgl.SourceImportStore.
func (db *DB) FinishImportLines(ctx context.Context, l kgl.ImportLease, lines []kgl.ImportLine, now time.Time) (kgl.SourceImport, error) {
	rows, err := lineRows(l.ImportID, lines)
	if err != nil {
		return kgl.SourceImport{}, failure(err)
	}
	advance := sqlitedb.AdvanceSourceImportParams{
		ID: l.ImportID, LeaseOwner: l.Owner, LeaseToken: l.Token, LeaseUntil: micros(l.Until), State: string(kgl.ImportRunning), Lines: int64(len(lines)),
	}
	for _, line := range lines {
		switch line.Outcome {
		case kgl.LineAdded:
			advance.Added++
		case kgl.LineExisting:
			advance.Existing++
		case kgl.LineFailed:
			advance.Failed++
		}
	}
	var stored sqlitedb.SourceImport
	err = db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		if err := c.SaveImportLines(ctx, rows); err != nil {
			return err
		}
		left, err := c.PendingImportLines(ctx, sqlitedb.PendingImportLinesParams{ImportID: l.ImportID, RowLimit: 1})
		if err != nil {
			return err
		}
		if len(left) == 0 {
			advance.State, advance.FinishedAt = string(kgl.ImportDone), microsPtr(&now)
		}
		n, err := c.AdvanceSourceImport(ctx, advance)
		if err != nil {
			return err
		}
		if n == 0 {
			return leaseLost("import")
		}
		stored, err = c.SourceImport(ctx, l.ImportID)
		return err
	})
	if err != nil {
		return kgl.SourceImport{}, err
	}
	return mapped(importOf(stored))
}

// ReleaseSourceImport implements kgl.SourceImportStore.
func (db *DB) ReleaseSourceImport(ctx context.Context, l kgl.ImportLease) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		_, err := c.ReleaseSourceImport(ctx, sqlitedb.ReleaseSourceImportParams{ID: l.ImportID, LeaseOwner: l.Owner, LeaseToken: l.Token})
		return err
	})
}

// DeleteSourceImports implements kgl.SourceImportStore.
func (db *DB) DeleteSourceImports(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteSourceImports(ctx, sqlitedb.DeleteSourceImportsParams{Before: micros(before), RowLimit: int64(limit)})
		return err
	})
	return n, err
}
