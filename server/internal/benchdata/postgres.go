package benchdata

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

type postgresDB struct {
	conn    *pgx.Conn
	indexes []string // statements that make the indexes which were dropped
}

func openPostgres(ctx context.Context, databaseURL string) (database, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("benchdata: %w", err)
	}
	return &postgresDB{conn: conn}, nil
}

func (d *postgresDB) close() error { return d.conn.Close(context.Background()) }

func (d *postgresDB) count(ctx context.Context, table string) (n int64, err error) {
	err = d.conn.QueryRow(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n)
	return n, err
}

func (d *postgresDB) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := d.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("benchdata: %s: %w", s, err)
		}
	}
	return nil
}

// begin makes the commits wait for nothing and, where the user may, leaves out
// the checks of foreign keys: the same rows pass them on SQLite, at the end.
func (d *postgresDB) begin(ctx context.Context) error {
	var superuser bool
	if err := d.conn.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&superuser); err != nil {
		return err
	}
	if superuser {
		if err := d.exec(ctx, "SET session_replication_role = replica"); err != nil {
			return err
		}
	}
	// As the service's connections have it.
	if err := d.exec(ctx, `SELECT set_config(name, 'lz4', false) FROM pg_settings
		WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)`, "SET synchronous_commit = off"); err != nil {
		return err
	}
	var names []string
	for _, t := range tables() {
		names = append(names, t.name)
	}
	return d.dropIndexes(ctx, names...)
}

func (d *postgresDB) dropIndexes(ctx context.Context, tables ...string) error {
	var names []string
	for _, t := range tables {
		rows, err := d.conn.Query(ctx, `SELECT x.indexrelid::regclass::text, pg_get_indexdef(x.indexrelid) FROM pg_index x
			WHERE x.indrelid = $1::regclass AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid)`, t)
		if err != nil {
			return err
		}
		var name, definition string
		_, err = pgx.ForEachRow(rows, []any{&name, &definition}, func() error {
			names, d.indexes = append(names, "DROP INDEX "+name), append(d.indexes, definition)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return d.exec(ctx, names...)
}

// eventTx is where the position in the order of events stands in a row of events.
const eventTx = 0

func (d *postgresDB) store(ctx context.Context, b *batch) error {
	return pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		var position int64
		if err := tx.QueryRow(ctx, "SELECT k.tx_offset + CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) FROM event_clock k").Scan(&position); err != nil {
			return err
		}
		for _, row := range b[events] {
			row[eventTx] = position
		}
		for i, t := range tables() {
			if len(b[i]) == 0 {
				continue
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(b[i])); err != nil {
				return fmt.Errorf("benchdata: %s: %w", t.name, err)
			}
		}
		return nil
	})
}

func (d *postgresDB) insert(ctx context.Context, t table, rows [][]any) error {
	if _, err := d.conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("benchdata: %s: %w", t.name, err)
	}
	return nil
}

func (d *postgresDB) index(ctx context.Context) error {
	return d.exec(ctx, append([]string{"SET maintenance_work_mem = '256MB'"}, d.indexes...)...)
}

// finish does what autovacuum would have done by and by.
func (d *postgresDB) finish(ctx context.Context) error {
	return d.exec(ctx, countFolded, "VACUUM ANALYZE")
}
