package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// sqlite is one connection to a file of SQLite. Statements of a transaction run
// without the context, which go-sqlite3 would watch with a goroutine each.
type sqlite struct {
	path string
	pool *sql.DB
	conn *sql.Conn
}

const (
	sourceCache = 8 << 10  // KiB
	targetCache = 32 << 10 // KiB; also what sorting for an index may take
	sqlitePoll  = 50 * time.Millisecond
)

// openSQLite opens a file that exists, with a cache of some KiB.
func openSQLite(ctx context.Context, path string, cache int, params url.Values) (*sqlite, error) {
	params.Set("mode", "rw")
	params.Set("_cache_size", strconv.Itoa(-cache))
	pool := sql.OpenDB(store.SQLiteConnector(path, params))
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), pool.Close())
	}
	return &sqlite{path: path, pool: pool, conn: conn}, nil
}

func (s *sqlite) engine() store.Engine { return store.SQLite }

func (s *sqlite) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		_ = s.pool.Close()
		s.conn = nil
	}
}

func (s *sqlite) exec(ctx context.Context, statement string, args ...any) error {
	if _, err := s.conn.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("%s: %w", firstWords(statement), err)
	}
	return nil
}

// firstWords shortens a statement for an error.
func firstWords(statement string) string {
	if first, _, cut := strings.Cut(statement, "("); cut {
		return strings.TrimSpace(first)
	}
	return statement
}

// transact runs fn in a transaction. ctx may interrupt it.
func (s *sqlite) transact(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn(ctx)
	if err == nil {
		err = s.exec(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // some errors have rolled back already
	}
	return err
}

// texts returns the first column of a query.
func (s *sqlite) texts(ctx context.Context, query string, args ...any) (texts []string, err error) {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

func (s *sqlite) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.conn.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// tables implements side. Virtual tables and what they keep are filled by
// triggers.
func (s *sqlite) tables(ctx context.Context) ([]table, error) {
	names, err := s.texts(ctx, `SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN (?1, ?2) ORDER BY name`,
		migrationsTable, store.CopyMarker)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, name := range names {
		t := table{name: name}
		if err := s.columns(ctx, &t); err != nil {
			return nil, err
		}
		if t.parents, err = s.texts(ctx, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?1) WHERE "table" <> ?1`, name); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (s *sqlite) columns(ctx context.Context, t *table) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY name", t.name)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	key := map[int]int{}
	for at := 0; rows.Next(); at++ {
		var name, declared string
		var position int
		if err := rows.Scan(&name, &declared, &position); err != nil {
			return err
		}
		if err := t.add(name, declared); err != nil {
			return err
		}
		if position > 0 {
			key[position] = at
		}
	}
	for position := 1; position <= len(key); position++ {
		t.key = append(t.key, key[position])
	}
	return errors.Join(t.check(), rows.Err())
}

func (s *sqlite) count(ctx context.Context, t table) (int64, error) {
	return s.number(ctx, "SELECT count(*) FROM "+quote(t.name))
}

// read implements side. The plus keeps the driver from reading values as the
// declared type of the column says: they come as they are stored.
func (s *sqlite) read(ctx context.Context, t table, sp span, fn func(row []any) error) error {
	where, args := sp.where(t, "?")
	query := "SELECT +" + strings.Join(t.names(), ", +") + " FROM " + quote(t.name) + where + " ORDER BY " + strings.Join(t.keyNames(), ", ")
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.name, err)
	}
	defer func() { _ = rows.Close() }()
	into := make([]any, len(t.columns))
	for rows.Next() {
		row := make([]any, len(t.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		if err := fromSQLite(t, row); err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", t.name, err)
	}
	return nil
}

// fromSQLite makes the values of a row those of their kinds. SQLite takes any
// value in any column; what does not fit is reported, never converted.
func fromSQLite(t table, row []any) error {
	for i, c := range t.columns {
		var fits bool
		switch v := row[i].(type) {
		case nil:
			fits = true
		case int64:
			fits = c.kind == kindInt
			if c.kind == kindBool && (v == 0 || v == 1) {
				row[i], fits = v == 1, true
			}
		case float64:
			fits = c.kind == kindFloat
		case string:
			fits = c.kind == kindText
		case []byte:
			fits = c.kind == kindBytes
		}
		if !fits {
			return fmt.Errorf("%s: the column %s holds %s (%s) where %s belongs: correct it in the source, then run the command again",
				t.locate(row), c.name, kindOfValue(row[i]), shorten(row[i]), c.kind)
		}
	}
	return nil
}

func kindOfValue(value any) kind {
	switch value.(type) {
	case int64:
		return kindInt
	case float64:
		return kindFloat
	case string:
		return kindText
	}
	return kindBytes
}

// shorten returns the beginning of a value for an error.
func shorten(value any) string { return fmt.Sprintf("%.40q", fmt.Sprint(value)) }

// sqliteSource implements source.
type sqliteSource struct {
	*sqlite
	release func()
}

func (s *sqliteSource) close() {
	s.sqlite.close()
	s.release()
}

func openSQLiteSource(ctx context.Context, path string) (*sqliteSource, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database to copy: %w", err)
	}
	release, err := store.HoldFile(ctx, path)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(ctx, path, sourceCache, url.Values{})
	if err != nil {
		release()
		return nil, err
	}
	source := &sqliteSource{sqlite: s, release: release}
	if err := s.exec(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		source.close()
		return nil, err
	}
	return source, nil
}

// lock implements source: it begins to write, and never does.
func (s *sqliteSource) lock(ctx context.Context, _ []table, wait time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		err := s.exec(ctx, "BEGIN IMMEDIATE")
		if err == nil || !isBusy(err) {
			return err
		}
		timer := time.NewTimer(sqlitePoll)
		select {
		case <-timer.C:
		case <-waiting.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errSourceBusy(wait)
		}
	}
}

func isBusy(err error) bool {
	e, ok := errors.AsType[sqlite3.Error](err)
	return ok && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}

func errSourceBusy(wait time.Duration) error {
	return fmt.Errorf("others write to the source, and left no moment to lock it within %v: stop the servers that use it, then run the command again", wait)
}

// locked implements source: the transaction of a connection to a file cannot be
// lost.
func (s *sqliteSource) locked(context.Context) error { return nil }

// position implements source.
func (s *sqliteSource) position(ctx context.Context) (p position, err error) {
	p.tx, err = s.number(ctx, "SELECT max(coalesce((SELECT tx_offset FROM event_clock), 0), coalesce((SELECT max(tx_id) FROM events), 0))")
	if err != nil {
		return p, err
	}
	p.seq, err = s.number(ctx, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?1), 0)", eventsTable)
	return p, err
}
