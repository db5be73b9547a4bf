package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/peermesh/kgl-backend/gen/pgadapter"
	"github.com/peermesh/kgl-backend/gen/pgdb"
	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What the tests of this folder see of the inside.
// ListQuery is the type of the queries below.
type ListQuery = *listQuery

var (
	UsersQuery         = usersQuery
	AuditQuery         = auditQuery
	EntitiesQuery      = entitiesQuery
	EntitiesByAlias    = entitiesByAliasQuery
	NamesByPrefix      = namesByPrefix
	AliasesByPrefix    = aliasesByPrefix
	ConnectedByName    = connectedByName
	ConnectedByAlias   = connectedByAlias
	RelationshipsQuery = relationshipsQuery
	OpenPlain          = openPlain
)

// EngineOf returns the engine that a database URL names.
func EngineOf(databaseURL string) (Engine, error) {
	loc, err := parseURL(databaseURL)
	return loc.engine, err
}

// SQLitePath returns the path of the database file that a sqlite URL names,
// and false for other URLs.
func SQLitePath(databaseURL string) (string, bool) {
	loc, err := parseURL(databaseURL)
	return loc.path, err == nil && loc.engine == SQLite
}

// ExecRaw runs a statement that the store does not have.
func (db *DB) ExecRaw(ctx context.Context, query string, args ...any) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		_, err := c.exec(ctx, query, args)
		return err
	})
}

// ExplainSimilar returns the lines of the plan by which candidates of similar
// names are found.
func (db *DB) ExplainSimilar(ctx context.Context, types []string) (string, error) {
	lookups := []gramLookups{{Asked: 0, Grams: 4, Lookups: []gramCount{{Gram: "abc", Low: 2, High: 8}}}}
	query, args, err := similarQuery(db.Engine(), lookups, types, candidatesEach)
	if err != nil {
		return "", err
	}
	return db.explain(ctx, query, args)
}

// Explain returns the lines of the plan of a list.
func (db *DB) Explain(ctx context.Context, q *listQuery) (string, error) {
	q.limit = 20
	query, args := q.text()
	return db.explain(ctx, query, args)
}

// ExplainQuery returns the lines of the plan of the generated query that call
// runs, which itself runs nothing.
func (db *DB) ExplainQuery(ctx context.Context, call func(ctx context.Context, q pgadapter.Querier) error) (string, error) {
	var r recorder
	q := pgadapter.Querier(sqlitedb.New(&r))
	if db.Engine() == Postgres {
		q = pgadapter.New(pgdb.New(pgRecorder{&r}))
	}
	if err := call(ctx, q); !errors.Is(err, errRecorded) {
		return "", err
	}
	return db.explain(ctx, r.query, r.args)
}

// explain reads a plan, with planning by cost turned off as far as Postgres
// lets: the tables of tests are too small for it.
func (db *DB) explain(ctx context.Context, query string, args []any) (string, error) {
	var lines []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		explain, columns := "EXPLAIN QUERY PLAN ", 4
		if c.engine == Postgres {
			explain, columns = "EXPLAIN (COSTS OFF) ", 1
			for _, s := range []string{"seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"} {
				if _, err := c.exec(ctx, "SET LOCAL enable_"+s+" = off", nil); err != nil {
					return err
				}
			}
		}
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

var errRecorded = errors.New("recorded")

// recorder keeps the statement that it is given and runs nothing. It
// implements sqlitedb.DBTX.
type recorder struct {
	query string
	args  []any
}

func (r *recorder) record(query string, args []any) error {
	r.query, r.args = query, args
	return errRecorded
}

func (r *recorder) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return nil, r.record(query, args)
}

func (r *recorder) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, errRecorded
}

func (r *recorder) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return nil, r.record(query, args)
}

func (r *recorder) QueryRowContext(context.Context, string, ...any) *sql.Row {
	panic("a query of one row cannot be recorded")
}

// pgRecorder is a recorder that implements pgdb.DBTX.
type pgRecorder struct{ r *recorder }

func (p pgRecorder) Exec(_ context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, p.r.record(query, args)
}

func (p pgRecorder) Query(_ context.Context, query string, args ...any) (pgx.Rows, error) {
	return nil, p.r.record(query, args)
}

func (p pgRecorder) QueryRow(context.Context, string, ...any) pgx.Row {
	panic("a query of one row cannot be recorded")
}

// Rewrite changes the database in a backup and writes the hash anew, as if it
// had been made so.
func Rewrite(t *testing.T, backup string, statements ...string) {
	t.Helper()
	info, err := os.Stat(backup)
	if err == nil {
		err = os.Truncate(backup, info.Size()-trailerSize)
	}
	if err != nil {
		t.Fatal(err)
	}
	db := openPlain(backup, url.Values{})
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Close(), appendTrailer(t.Context(), backup, nil)); err != nil {
		t.Fatal(err)
	}
}

// LoseAnswer waits in the transaction of ctx for an answer to a statement that
// the server never got.
func (db *DB) LoseAnswer(ctx context.Context) error {
	c, err := db.txOf(ctx).use()
	if err != nil {
		return err
	}
	s := c.raw.(postgresRaw).db.(session)
	watched, end := s.watch(ctx)
	<-watched.Done()
	return failure(end(watched.Err()))
}

// NotedProcess returns the process of the server that is noted for a connection, and
// the one that it has.
func (db *DB) NotedProcess(ctx context.Context) (noted, backend uint32, err error) {
	c, err := db.engine.(*postgresEngine).pool.acquire(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer c.Release()
	err = c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend)
	return sessionOf(c), backend, err
}

// PlainFetch returns the statements that store a fetch which found nothing new,
// and release its host, with their arguments.
func PlainFetch(e Engine, l kgl.HostLease, r kgl.FetchResult) (map[string][]any, error) {
	args, err := plainArgs(l, r)
	if e == SQLite {
		return map[string][]any{plainSQLite: args}, err
	}
	return map[string][]any{
		plainPostgres:   append(args, r.Fetch.ID, 1, "", 304, 0, "[]", "{}"),
		releasePostgres: {1, l.Host, l.Token, l.Owner, r.Fetch.ID},
	}, err
}

// FinishFetchPlainly stores a fetch in the way of those that find nothing new,
// and reports whether it could.
func (db *DB) FinishFetchPlainly(ctx context.Context, l kgl.HostLease, r kgl.FetchResult) (bool, error) {
	row, err := fetchRow(r.Fetch)
	if err != nil || !isPlain(r) {
		return false, err
	}
	return db.finishPlain(ctx, l, r, row)
}

// FinishFetchGenerally stores a fetch in the way that is open to all.
func (db *DB) FinishFetchGenerally(ctx context.Context, l kgl.HostLease, r kgl.FetchResult) error {
	row, err := fetchRow(r.Fetch)
	if err != nil {
		return err
	}
	return db.finishGenerally(ctx, l, r, row, -1)
}
