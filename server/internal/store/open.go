package store

import (
	"context"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/gen/pgadapter"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Defaults of Config.
const (
	DefaultMaxConns         = 16
	DefaultStatementTimeout = 30 * time.Second
	DefaultAcquireTimeout   = 5 * time.Second
	DefaultApplicationName  = "kgl"
)

// Config says which database to open, and how.
type Config struct {
	// URL is sqlite:///relative/path, sqlite:////absolute/path or a postgres://
	// URL in the form of libpq.
	URL string
	// MaxConns bounds the pool: of readers on SQLite (which has one writer
	// beside them), of all connections on Postgres. 0: DefaultMaxConns.
	MaxConns int
	// StatementTimeout bounds one statement on Postgres, and so the time that a
	// forgotten transaction can hold a lock. 0: DefaultStatementTimeout.
	StatementTimeout time.Duration
	// AcquireTimeout bounds the wait for a free connection (and for SQLite's
	// writer), after which a call gives CodeUnavailable. 0: DefaultAcquireTimeout.
	AcquireTimeout time.Duration
	// ApplicationName is what Postgres shows for the connections. Empty:
	// DefaultApplicationName.
	ApplicationName string
	// Random gives the jitter of retried transactions. nil: no jitter.
	Random io.Reader
	// Clock measures how long callers wait for SQLite's writer (see Stats). nil:
	// waits are counted only.
	Clock kgl.Clock
}

func (c Config) withDefaults() Config {
	if c.MaxConns <= 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.StatementTimeout <= 0 {
		c.StatementTimeout = DefaultStatementTimeout
	}
	if c.AcquireTimeout <= 0 {
		c.AcquireTimeout = DefaultAcquireTimeout
	}
	if c.ApplicationName == "" {
		c.ApplicationName = DefaultApplicationName
	}
	return c
}

// Engine names a database engine.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// DB is an open database. It implements kgl.Store and is safe for concurrent
// use.
type DB struct {
	engine engine
	jitter *jitter
	noRoom atomic.Bool // a write found no room on the disk, and none has found it since
}

var _ kgl.Store = (*DB)(nil)

// engine is what the two databases do differently below the queries.
type engine interface {
	name() Engine
	// reader returns a connection for statements that only read, outside of
	// transactions.
	reader() *conn
	// begin starts a transaction that writes.
	begin(ctx context.Context) (transaction, error)
	// snapshot starts a transaction that only reads and sees one state.
	snapshot(ctx context.Context) (transaction, error)
	stats() []PoolStats
	close() error
}

// transaction is a started transaction of an engine.
type transaction interface {
	conn() *conn
	// commit makes the writes durable. ctx's end does not interrupt it.
	commit(ctx context.Context) error
	// rollback undoes everything; after commit it does nothing.
	rollback(ctx context.Context)
}

// conn runs statements, inside or outside of a transaction.
type conn struct {
	pgadapter.Querier
	raw
	engine    Engine
	graphLock string // the form in which the transaction has it, see lockGraph
}

// raw runs statements that are not generated. Arguments are numbered from 1;
// placeholders are those of the engine (see builder).
type raw interface {
	query(ctx context.Context, sql string, args []any) (rows, error)
	exec(ctx context.Context, sql string, args []any) (affected int64, err error)
}

// rows is what the two drivers' results have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Open opens the database of cfg. It does not migrate: see Migrator. The error
// never shows the password of the URL.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	loc, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	var e engine
	if loc.engine == SQLite {
		e, err = openSQLite(ctx, loc.path, cfg)
	} else {
		e, err = openPostgres(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	return &DB{engine: e, jitter: &jitter{random: cfg.Random}}, nil
}

// Engine returns the engine of the database.
func (db *DB) Engine() Engine { return db.engine.name() }

// Close waits for running statements and closes all connections.
func (db *DB) Close() error { return db.engine.close() }

// location is a parsed database URL.
type location struct {
	engine Engine
	path   string // of SQLite's file, cleaned
}

var errBadURL = errors.New("the database URL must be sqlite:///relative/path, sqlite:////absolute/path or postgres://user:password@host:port/name")

func parseURL(text string) (location, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The parser's error holds the URL, and with it the password.
		return location{}, errBadURL
	}
	switch u.Scheme {
	case "sqlite":
		path := strings.TrimPrefix(u.Path, "/")
		if path == "" || u.Host != "" || u.RawQuery != "" || strings.HasSuffix(path, "/") {
			return location{}, errBadURL
		}
		return location{engine: SQLite, path: filepath.Clean(path)}, nil
	case "postgres", "postgresql":
		return location{engine: Postgres}, nil
	}
	return location{}, errBadURL
}
