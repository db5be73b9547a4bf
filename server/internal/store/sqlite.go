package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// How SQLite is set up. The cache is per connection. The file is not mapped into
// memory: each connection would map it again, which makes the resident memory
// grow to a multiple of the file, and a failing disk would end the process with
// a signal instead of an error (https://sqlite.org/mmap.html); reading costs
// about a tenth more CPU instead. Larger caches made nothing quicker that was
// measured: what they miss, the system has in its memory.
const (
	sqliteBusyTimeout = 5 * time.Second
	sqliteWriterCache = 8 << 10 // KiB
	sqliteReaderCache = 2 << 10 // KiB

	// A commit that finds this many pages in the log copies them into the file:
	// 16 MB. A quarter of that, as SQLite has it, copied the pages of indexes, which
	// every feed changes, a fifth more often.
	sqliteCheckpoint = 4000
)

// sqliteEngine has one connection that writes and a pool that reads, which
// WAL lets run at the same time.
type sqliteEngine struct {
	writerDB *sql.DB
	writer   *sqliteConn
	readers  *sql.DB
	turn     chan struct{} // holds one token: the right to use the writer
	wait     time.Duration // longest wait for it
	waits    waits         // of those who did not get it at once
	closed   chan struct{} // closed by close
	closing  sync.Once
	read     *conn
	inUse    *flock.Flock // keeps the file from being replaced
}

func openSQLite(ctx context.Context, path string, cfg Config) (*sqliteEngine, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	inUse, err := lockUse(ctx, path, cfg.AcquireTimeout)
	if err != nil {
		return nil, err
	}
	e, err := openLocked(ctx, path, cfg)
	if err != nil {
		return nil, errors.Join(err, inUse.Close())
	}
	e.inUse = inUse
	return e, nil
}

func openLocked(ctx context.Context, path string, cfg Config) (*sqliteEngine, error) {
	writerDB := sql.OpenDB(sqliteConnector(path, url.Values{
		"_txlock":       {"immediate"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_cache_size":   {strconv.Itoa(-sqliteWriterCache)},
	}))
	writerDB.SetMaxOpenConns(1)
	c, err := writerDB.Conn(ctx)
	if err == nil {
		err = checkSQLite(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), writerDB.Close())
	}
	readers := sql.OpenDB(sqliteConnector(path, url.Values{
		"mode":          {"ro"},
		"_query_only":   {"true"},
		"_foreign_keys": {"on"},
		"_cache_size":   {strconv.Itoa(-sqliteReaderCache)},
	}))
	readers.SetMaxOpenConns(cfg.MaxConns)
	readers.SetMaxIdleConns(cfg.MaxConns)
	e := &sqliteEngine{
		writerDB: writerDB, writer: newSQLiteConn(c), readers: readers,
		turn: make(chan struct{}, 1), wait: cfg.AcquireTimeout, waits: waits{clock: cfg.Clock}, closed: make(chan struct{}),
	}
	e.turn <- struct{}{}
	e.read = sqliteQueries(newStatements(readers))
	return e, nil
}

// createPrivate makes the folder and the file of a database so that only the
// user of the process can read them; the files beside it inherit the mode.
func createPrivate(path string) error {
	if err := MakeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("create the folder of the database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return f.Close()
}

func checkSQLite(ctx context.Context, c *sql.Conn) error {
	var fts5 bool
	if err := c.QueryRowContext(ctx, "SELECT sqlite_compileoption_used('ENABLE_FTS5')").Scan(&fts5); err != nil {
		return err
	}
	if !fts5 {
		return errors.New("this SQLite was built without FTS5: build with the tag sqlite_fts5")
	}
	return nil
}

// connector opens connections of go-sqlite3 with a hook of our own, without
// the global registry of drivers.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func sqliteConnector(path string, params url.Values) connector {
	params.Set("_busy_timeout", strconv.FormatInt(sqliteBusyTimeout.Milliseconds(), 10))
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: params.Encode()}
	return connector{dsn: u.String(), driver: &sqlite3.SQLiteDriver{ConnectHook: tuneSQLite}}
}

func tuneSQLite(c *sqlite3.SQLiteConn) error {
	_, err := c.Exec("PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint="+
		strconv.Itoa(sqliteCheckpoint), nil)
	return err
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

func (e *sqliteEngine) name() Engine  { return SQLite }
func (e *sqliteEngine) reader() *conn { return e.read }

func (e *sqliteEngine) close() (err error) {
	e.closing.Do(func() {
		close(e.closed)
		<-e.turn // waits for the transaction that runs
		e.writer.closeStatements()
		err = errors.Join(e.readers.Close(), e.writer.c.Close(), e.writerDB.Close(), e.inUse.Close())
	})
	return err
}

// begin waits for the writer and starts an immediate transaction.
func (e *sqliteEngine) begin(ctx context.Context) (transaction, error) {
	if err := e.takeTurn(ctx); err != nil {
		return nil, err
	}
	if _, err := e.writer.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		_, _ = e.writer.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		e.turn <- struct{}{}
		return nil, err
	}
	return &sqliteTx{engine: e, queries: sqliteQueries(e.writer)}, nil
}

// takeTurn takes the right to use the writer, at once or after a wait.
func (e *sqliteEngine) takeTurn(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-e.closed:
		return errClosed()
	case <-e.turn:
		return nil
	default:
	}
	defer e.waits.begin()()
	timer := time.NewTimer(e.wait)
	defer timer.Stop()
	select {
	case <-e.turn:
		return nil
	case <-e.closed:
		return errClosed()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return unavailable(errors.New("the writer of SQLite was busy for too long"))
	}
}

func errClosed() error { return unavailable(errors.New("the database was closed")) }

type sqliteTx struct {
	engine  *sqliteEngine
	queries *conn
	ended   bool
}

func (t *sqliteTx) conn() *conn { return t.queries }

func (t *sqliteTx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := t.engine.writer.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return err
	}
	t.end()
	return nil
}

func (t *sqliteTx) rollback(ctx context.Context) {
	if t.ended {
		return
	}
	// SQLite has rolled back by itself after some errors: the statement then
	// fails, and nothing is left to undo.
	_, _ = t.engine.writer.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	t.end()
}

func (t *sqliteTx) end() {
	t.ended = true
	t.engine.turn <- struct{}{}
}

func (e *sqliteEngine) snapshot(ctx context.Context) (transaction, error) {
	tx, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	return sqliteSnapshot{tx: tx}, nil
}

type sqliteSnapshot struct{ tx *sql.Tx }

func (s sqliteSnapshot) conn() *conn                  { return sqliteQueries(s.tx) }
func (s sqliteSnapshot) commit(context.Context) error { return s.tx.Rollback() }
func (s sqliteSnapshot) rollback(context.Context)     { _ = s.tx.Rollback() }

func sqliteQueries(db sqlitedb.DBTX) *conn {
	return &conn{Querier: sqlitedb.New(db), raw: sqliteRaw{db}, engine: SQLite}
}

// sqliteRaw implements raw.
type sqliteRaw struct{ db sqlitedb.DBTX }

func (r sqliteRaw) query(ctx context.Context, query string, args []any) (rows, error) {
	rs, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return sqliteRows{rs}, nil
}

func (r sqliteRaw) exec(ctx context.Context, query string, args []any) (int64, error) {
	res, err := r.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

type sqliteRows struct{ *sql.Rows }

func (r sqliteRows) Close() { _ = r.Rows.Close() }
