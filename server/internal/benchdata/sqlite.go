package benchdata

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

type sqliteDB struct {
	db      *sql.DB
	conn    *sql.Conn
	indexes []string // statements that make the indexes which were dropped
}

// openSQLite opens an existing file. Nothing waits for the disk, and the undo
// log is in memory: only the migrated, empty schema is at stake.
func openSQLite(path string) (database, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("benchdata: %w", err)
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=rw&_busy_timeout=5000"}
	db, err := sql.Open("sqlite3", u.String())
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteDB{db: db, conn: conn}, nil
}

func (d *sqliteDB) close() error { return errors.Join(d.conn.Close(), d.db.Close()) }

func (d *sqliteDB) count(ctx context.Context, table string) (n int64, err error) {
	err = d.conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n)
	return n, err
}

func (d *sqliteDB) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := d.conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("benchdata: %s: %w", s, err)
		}
	}
	return nil
}

func (d *sqliteDB) begin(ctx context.Context) error {
	return d.exec(ctx, "PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA foreign_keys = OFF", "PRAGMA cache_size = -262144",
		"PRAGMA locking_mode = EXCLUSIVE")
}

func (d *sqliteDB) store(ctx context.Context, b *batch) error {
	return d.inTx(ctx, func(tx *sql.Tx) error {
		for i, t := range tables() {
			if len(b[i]) == 0 {
				continue
			}
			if err := storeRows(ctx, tx, t, b[i]); err != nil {
				return fmt.Errorf("benchdata: %s: %w", t.name, err)
			}
		}
		return nil
	})
}

func (d *sqliteDB) insert(ctx context.Context, t table, rows [][]any) error {
	return d.inTx(ctx, func(tx *sql.Tx) error {
		if err := storeRows(ctx, tx, t, rows); err != nil {
			return fmt.Errorf("benchdata: %s: %w", t.name, err)
		}
		return nil
	})
}

func (d *sqliteDB) inTx(ctx context.Context, fn func(tx *sql.Tx) error) (err error) {
	tx, err := d.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rolledBack(tx.Rollback())) }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// rolledBack forgives a rollback that came after the commit.
func rolledBack(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func storeRows(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ")
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES ("+marks+")")
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

func (d *sqliteDB) dropIndexes(ctx context.Context, tables ...string) error {
	var drops []string
	for _, t := range tables {
		rows, err := d.conn.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL", t)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, definition string
			if err := rows.Scan(&name, &definition); err != nil {
				return err
			}
			drops, d.indexes = append(drops, "DROP INDEX "+name), append(d.indexes, definition)
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return d.exec(ctx, drops...)
}

// index does nothing after begin, which drops none: the pages of the indexes
// come to lie between those of the rows, as they do in a database that grew.
func (d *sqliteDB) index(ctx context.Context) error { return d.exec(ctx, d.indexes...) }

func (d *sqliteDB) finish(ctx context.Context) error {
	var table sql.NullString
	err := d.conn.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if err == nil {
		return fmt.Errorf("benchdata: a row of %s refers to nothing", table.String)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return d.exec(ctx, countFolded, "PRAGMA locking_mode = NORMAL", "PRAGMA synchronous = FULL", "PRAGMA journal_mode = WAL")
}
