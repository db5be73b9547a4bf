package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// The least that the service's requests need: its filters, orders and limits,
// and only the columns that an answer shows.
//
//go:embed sql
var statements embed.FS

func statement(engine, name string) (string, error) {
	text, err := statements.ReadFile("sql/" + engine + "/" + name + ".sql")
	return strings.TrimSuffix(string(text), "\n"), err
}

func openReader(database string, conns int) (reader, error) {
	switch {
	case strings.HasPrefix(database, "sqlite:///"):
		return openSQLite(strings.TrimPrefix(database, "sqlite:///"), conns)
	case strings.HasPrefix(database, "postgres://"), strings.HasPrefix(database, "postgresql://"):
		return openPostgres(database, conns)
	}
	return nil, errors.New("-db must begin with sqlite:/// or postgres://")
}

// texts returns the statements of an engine: a full list, a summary list, an item.
func texts(engine string) (full, summary, get string, err error) {
	full, err1 := statement(engine, "list_full")
	summary, err2 := statement(engine, "list_summary")
	get, err3 := statement(engine, "get")
	return full, summary, get, errors.Join(err1, err2, err3)
}

// sqliteReader uses database/sql with prepared statements and connections that
// are set up as the service's readers.
type sqliteReader struct{ full, summary, one *sql.Stmt }

func openSQLite(path string, conns int) (reader, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"mode": {"ro"}, "_query_only": {"true"}, "_busy_timeout": {"5000"}, "_cache_size": {strconv.Itoa(-2 << 10)},
	}.Encode()}
	db, err := sql.Open("sqlite3", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	full, summary, get, err := texts("sqlite")
	if err != nil {
		return nil, err
	}
	var r sqliteReader
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{{&r.full, full}, {&r.summary, summary}, {&r.one, get}} {
		if *s.to, err = db.Prepare(s.text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r sqliteReader) list(ctx context.Context, summary bool, until int64) ([]content, error) {
	stmt := r.full
	if summary {
		stmt = r.summary
	}
	rows, err := stmt.QueryContext(ctx, until)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]content, 0, limit+1)
	for rows.Next() {
		c, err := scan(rows.Scan, !summary)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

func (r sqliteReader) get(ctx context.Context, id string) (content, error) {
	return scan(r.one.QueryRowContext(ctx, id).Scan, true)
}

// postgresReader uses pgx's pool, which prepares what it sends.
type postgresReader struct {
	pool               *pgxpool.Pool
	full, summary, one string
}

func openPostgres(database string, conns int) (reader, error) {
	cfg, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, errors.New("-db is no URL of a Postgres database")
	}
	cfg.MaxConns = int32(min(conns, 1000))
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	r := postgresReader{pool: pool}
	r.full, r.summary, r.one, err = texts("postgres")
	return r, err
}

func (r postgresReader) list(ctx context.Context, summary bool, until int64) ([]content, error) {
	text := r.full
	if summary {
		text = r.summary
	}
	rows, err := r.pool.Query(ctx, text, until)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]content, 0, limit+1)
	for rows.Next() {
		c, err := scan(rows.Scan, !summary)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

func (r postgresReader) get(ctx context.Context, id string) (content, error) {
	return scan(r.pool.QueryRow(ctx, r.one, id).Scan, true)
}
