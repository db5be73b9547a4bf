package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
)

// CopyMarker is the table that package transfer keeps in the target of a copy
// until the copy is complete. It is no part of the migrated schema.
const CopyMarker = "db_copy"

var errHalfCopied = errors.New("the database is the target of a `kgl db copy` that did not come to its end: " +
	"run the same command again to go on with it, or with --force to start over")

// Locate returns the engine that a database URL names, and the path of the file
// on SQLite.
func Locate(databaseURL string) (Engine, string, error) {
	loc, err := parseURL(databaseURL)
	return loc.engine, loc.path, err
}

// SQLiteConnector opens connections to a file of SQLite, which params set up as
// https://github.com/mattn/go-sqlite3 describes it.
func SQLiteConnector(path string, params url.Values) driver.Connector {
	return sqliteConnector(path, params)
}

// HoldFile keeps others from replacing a file of SQLite, as a restoration does,
// until it is released.
func HoldFile(ctx context.Context, path string) (release func(), err error) {
	l, err := lockUse(ctx, path, DefaultAcquireTimeout)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}

// checkCopied refuses the target of a copy that is not complete.
func (m *Migrator) checkCopied(ctx context.Context, db *sql.DB) error {
	exists := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '" + CopyMarker + "'"
	if m.loc.engine == Postgres {
		exists = "SELECT count(to_regclass('" + CopyMarker + "'))"
	}
	var n int
	if err := db.QueryRowContext(ctx, exists).Scan(&n); err != nil {
		return fmt.Errorf("look for an unfinished copy: %w", err)
	}
	if n > 0 {
		return errHalfCopied
	}
	return nil
}
