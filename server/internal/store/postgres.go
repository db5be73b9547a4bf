package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/peermesh/kgl-backend/gen/pgadapter"
	"github.com/peermesh/kgl-backend/gen/pgdb"
)

// minPostgres is the oldest supported version, as server_version_num has it.
const minPostgres = 150000

// idleInTransaction is how long a transaction of a client that was lost can hold
// its locks. Ours do nothing between their statements that takes time.
const idleInTransaction = 10 * time.Second

type postgresEngine struct {
	pool *boundedPool
	read *conn
}

func openPostgres(ctx context.Context, cfg Config) (*postgresEngine, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// pgx removes the password from its message.
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	pc.MaxConns = int32(min(cfg.MaxConns, 1000))
	pc.MaxConnIdleTime = 5 * time.Minute
	if pc.ConnConfig.ConnectTimeout == 0 {
		// Of each host that the URL names: the second one has its turn while
		// callers still wait.
		pc.ConnConfig.ConnectTimeout = cfg.AcquireTimeout / 2
	}
	pc.ConnConfig.DialFunc = dialDatabase
	pc.ShouldPing, pc.AfterConnect = noteIdleness, introduce(pc.ConnConfig.ConnectTimeout)
	setDefault(pc.ConnConfig.RuntimeParams, "application_name", cfg.ApplicationName)
	setDefault(pc.ConnConfig.RuntimeParams, "statement_timeout", milliseconds(cfg.StatementTimeout))
	setDefault(pc.ConnConfig.RuntimeParams, "idle_in_transaction_session_timeout", milliseconds(idleInTransaction))
	// Statements are short: compiling them costs more than it gives, and on
	// today's disks reading an index is not four times as dear as a table.
	setDefault(pc.ConnConfig.RuntimeParams, "jit", "off")
	setDefault(pc.ConnConfig.RuntimeParams, "random_page_cost", "1.1")
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open Postgres: %w", err)
	}
	err = checkPostgres(ctx, pool)
	if err == nil {
		err = raiseEventClock(ctx, pool)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open Postgres: %w", err)
	}
	bounded := &boundedPool{pool: pool, watch: newWatch(pc.ConnConfig, cfg.StatementTimeout+answerSlack), wait: cfg.AcquireTimeout}
	return &postgresEngine{pool: bounded, read: postgresQueries(bounded)}, nil
}

// introduce returns what is done with each new connection before its first use,
// within a time. pgx bounds the handshake only: a network that fails after it
// would cost the pool a place for ever.
func introduce(within time.Duration) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, c *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if err := noteSession(ctx, c); err != nil {
			return err
		}
		return compressWithLZ4(ctx, c)
	}
}

// compressWithLZ4 lets a new connection compress large texts with LZ4, where the
// server was built with it: bodies are most of what is stored, and Postgres's own
// compression, which stays the default for the sake of old tools, costs several
// times as much. A URL that names another one is obeyed.
func compressWithLZ4(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config(name, 'lz4', false) FROM pg_settings
WHERE name = 'default_toast_compression' AND source <> 'client' AND 'lz4' = ANY (enumvals)`)
	return err
}

func setDefault(params map[string]string, key, value string) {
	if _, ok := params[key]; !ok {
		params[key] = value
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func checkPostgres(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	var encoding string
	err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')").
		Scan(&version, &encoding)
	if err != nil {
		return err
	}
	if version < minPostgres {
		return fmt.Errorf("the server is Postgres %d, and %d or newer is needed", version/10000, minPostgres/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s, and UTF8 is needed", encoding)
	}
	return nil
}

// raiseEventClock lets new events come after all stored ones. They do, unless
// the database was restored into a server whose transactions are numbered from
// a lower number: then events are from transactions that have not begun yet.
func raiseEventClock(ctx context.Context, pool *pgxpool.Pool) error {
	var migrated, behind bool
	err := pool.QueryRow(ctx, "SELECT to_regclass('event_clock') IS NOT NULL AND to_regclass('events') IS NOT NULL").Scan(&migrated)
	if err != nil || !migrated {
		return err
	}
	const lead = `(SELECT max(tx_id) FROM events) - pg_snapshot_xmax(pg_current_snapshot())::text::bigint`
	if err := pool.QueryRow(ctx, "SELECT coalesce("+lead+" >= tx_offset, false) FROM event_clock").Scan(&behind); err != nil || !behind {
		return err
	}
	_, err = pool.Exec(ctx, "UPDATE event_clock SET tx_offset = "+lead+" + 1 WHERE "+lead+" >= tx_offset")
	return err
}

func (e *postgresEngine) name() Engine  { return Postgres }
func (e *postgresEngine) reader() *conn { return e.read }

func (e *postgresEngine) close() error {
	e.pool.pool.Close()
	return nil
}

func (e *postgresEngine) begin(ctx context.Context) (transaction, error) {
	return e.pool.begin(ctx, pgx.TxOptions{})
}

func (e *postgresEngine) snapshot(ctx context.Context) (transaction, error) {
	return e.pool.begin(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
}

func postgresQueries(db pgdb.DBTX) *conn {
	return &conn{Querier: pgadapter.New(pgdb.New(db)), raw: postgresRaw{db}, engine: Postgres}
}

// postgresRaw implements raw.
type postgresRaw struct{ db pgdb.DBTX }

func (r postgresRaw) query(ctx context.Context, query string, args []any) (rows, error) {
	rs, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return rs, nil
}

func (r postgresRaw) exec(ctx context.Context, query string, args []any) (int64, error) {
	tag, err := r.db.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}
