package store

import (
	"context"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Lists of content and sources, for the test of their plans.
var (
	ContentsQuery  = contentsQuery
	TasksQuery     = tasksQuery
	RevisionsQuery = revisionsQuery
	FetchesQuery   = fetchesQuery
	Failure        = failure
	CommitFailure  = commitFailure
)

// SourcesQuery is sourcesQuery without the position.
func SourcesQuery(e Engine, f kgl.SourceFilter, sort kgl.SourceSort, p kgl.Page) ListQuery {
	q, _ := sourcesQuery(e, f, sort, p)
	return q
}

// ListText returns the statement of a list and its parameters.
func ListText(q ListQuery) (string, []any) {
	q.limit = 20
	return q.text()
}

// PlanOf returns the lines of the plan that the engine chooses by cost.
func (db *DB) PlanOf(ctx context.Context, query string, args []any) (string, error) {
	explain, columns := "EXPLAIN QUERY PLAN ", 4
	if db.Engine() == Postgres {
		explain, columns = "EXPLAIN (COSTS OFF) ", 1
	}
	var lines []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		rs, err := c.query(ctx, explain+query, args)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var line string
			var skip int64
			into := []any{&skip, &skip, &skip, &line}
			if err := rs.Scan(into[4-columns:]...); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return rs.Err()
	})
	return strings.Join(lines, "\n"), err
}

// NewMigratorOf returns a Migrator with other files.
func NewMigratorOf(databaseURL string, files fs.FS, dir string) (*Migrator, error) {
	loc, err := parseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	return newMigrator(databaseURL, loc, files, dir)
}

// Lock is lock.
func (m *Migrator) Lock(ctx context.Context) (func(), error) { return m.lock(ctx) }

// SerializationFailure is what Postgres says of a transaction to run again.
var SerializationFailure error = &pgconn.PgError{Code: "40001"}

// ScanRaw returns the first column of the first row of a statement as text; on
// the connection that writes, outside of a transaction, or on one that reads.
func (db *DB) ScanRaw(ctx context.Context, writer bool, query string) (string, error) {
	r := db.engine.reader().raw
	if e, ok := db.engine.(*sqliteEngine); ok && writer {
		r = sqliteRaw{e.writer}
	}
	rs, err := r.query(ctx, query, nil)
	if err != nil {
		return "", err
	}
	defer rs.Close()
	var text string
	if rs.Next() {
		if err := rs.Scan(&text); err != nil {
			return "", err
		}
	}
	return text, rs.Err()
}
