package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// postgres is one connection to a database of Postgres.
type postgres struct{ conn *pgx.Conn }

// What a session of a copy is called, and the time within which it connects and
// gets the locks of its own statements.
const (
	postgresName    = "kgl db copy"
	postgresConnect = 10 * time.Second
	postgresLocks   = "30s"
)

// openPostgres connects. The session outlives the time limits that protect
// servers from forgotten transactions.
func openPostgres(ctx context.Context, databaseURL string) (*postgres, error) {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, err // pgx removes the password
	}
	cfg.ConnectTimeout = postgresConnect
	for name, value := range map[string]string{
		"application_name": postgresName, "lock_timeout": postgresLocks, "jit": "off",
		"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0",
	} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &postgres{conn: conn}
	// Added in Postgres 17: older servers refuse what they do not know.
	_, err = conn.Exec(ctx, "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'")
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *postgres) engine() store.Engine { return store.Postgres }

func (p *postgres) close() {
	ctx, cancel := context.WithTimeout(context.Background(), postgresConnect)
	defer cancel()
	_ = p.conn.Close(ctx)
}

func (p *postgres) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = p.conn.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

func (p *postgres) texts(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := p.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// ours are the tables of the schema that statements without one mean, without
// those of the migrations, of the copy and of extensions.
const ours = `FROM pg_class t WHERE t.relkind IN ('r', 'p') AND t.relnamespace = current_schema()::regnamespace
	AND t.relname NOT IN ('` + migrationsTable + `', '` + store.CopyMarker + `')
	AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')`

// tables implements side.
func (p *postgres) tables(ctx context.Context) ([]table, error) {
	names, err := p.texts(ctx, "SELECT t.relname "+ours+" ORDER BY t.relname")
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, name := range names {
		t := table{name: name}
		if err := p.columns(ctx, &t); err != nil {
			return nil, err
		}
		t.parents, err = p.texts(ctx, `SELECT DISTINCT r.relname FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid
			WHERE c.contype = 'f' AND c.conrelid = $1::regclass AND c.confrelid <> c.conrelid`, quote(name))
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (p *postgres) columns(ctx context.Context, t *table) error {
	rows, err := p.conn.Query(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(array_position(i.indkey::int2[], a.attnum), -1)
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname COLLATE "C"`, quote(t.name))
	if err != nil {
		return err
	}
	var name, declared string
	var position int
	key := map[int]int{}
	if _, err := pgx.ForEachRow(rows, []any{&name, &declared, &position}, func() error {
		if position >= 0 {
			key[position] = len(t.columns)
		}
		return t.add(name, declared)
	}); err != nil {
		return err
	}
	for position := range len(key) {
		t.key = append(t.key, key[position])
	}
	return t.check()
}

func (p *postgres) count(ctx context.Context, t table) (int64, error) {
	return p.number(ctx, "SELECT count(*) FROM "+quote(t.name))
}

// read implements side. Rows stream from the server.
func (p *postgres) read(ctx context.Context, t table, sp span, fn func(row []any) error) error {
	where, args := sp.where(t, "$")
	query := "SELECT " + strings.Join(t.names(), ", ") + " FROM " + quote(t.name) + where + " ORDER BY " + strings.Join(t.keyNames(), ", ")
	rows, err := p.conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
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

// identity tells databases apart, whatever their URLs are.
func (p *postgres) identity(ctx context.Context) (string, error) {
	texts, err := p.texts(ctx, `SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), pg_postmaster_start_time(), d.oid)
		FROM pg_database d WHERE d.datname = current_database()`)
	return strings.Join(texts, ""), err
}

// postgresSource implements source.
type postgresSource struct{ *postgres }

func openPostgresSource(ctx context.Context, databaseURL string) (*postgresSource, error) {
	p, err := openPostgres(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	return &postgresSource{p}, nil
}

// lockAttempt is how long one attempt waits for its locks. It is short because
// those who write later wait behind it.
const lockAttempt = 2 * time.Second

// lock implements source. The transaction sees the state of its first query,
// which comes after the locks.
func (p *postgresSource) lock(ctx context.Context, tables []table, wait time.Duration) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = quote(t.name)
	}
	// An index gives the order without sorting the bodies on disk.
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL lock_timeout = %d; SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; LOCK TABLE %s IN SHARE MODE",
		min(lockAttempt, wait).Milliseconds(), strings.Join(names, ", "))
	for left := wait; ; left -= lockAttempt {
		_, err := p.conn.Exec(ctx, begin)
		if err == nil {
			return nil
		}
		if _, undo := p.conn.Exec(ctx, "ROLLBACK"); undo != nil {
			return errors.Join(err, undo)
		}
		if !isLockFailure(err) {
			return fmt.Errorf("lock the source: %w", err)
		}
		if left <= lockAttempt {
			return errSourceBusy(wait)
		}
	}
}

// isLockFailure reports whether others held the locks for too long, or waited
// for ours.
func isLockFailure(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "55P03" || e.Code == "40P01") // lock_not_available, deadlock_detected
}

// locked implements source.
func (p *postgresSource) locked(ctx context.Context) error {
	if _, err := p.conn.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("the lock of the source was lost on the way: %w", err)
	}
	return nil
}

// position implements source. Transactions that begin later have greater
// numbers.
func (p *postgresSource) position(ctx context.Context) (pos position, err error) {
	pos.tx, err = p.number(ctx, `SELECT greatest(tx_offset + pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (SELECT max(tx_id) FROM events)) FROM event_clock`)
	if err != nil {
		return pos, err
	}
	sequence, err := p.texts(ctx, "SELECT pg_get_serial_sequence($1, 'seq')", eventsTable)
	if err != nil {
		return pos, err
	}
	pos.seq, err = p.number(ctx, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "+strings.Join(sequence, ""))
	return pos, err
}
