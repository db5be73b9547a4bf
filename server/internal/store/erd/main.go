// Command erd prints docs/erd.md: the tables, relations and indexes of the
// schema, read from a SQLite database that the migrations just made, so that the
// page cannot say what the schema is not. `make generate` runs it.
//
//	go run ./server/internal/store/erd >docs/erd.md
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	_ "github.com/mattn/go-sqlite3"

	migrations "github.com/peermesh/kgl-backend/sql"
)

func main() {
	if err := run(context.Background(), os.Stdout, migrations.SQLite); err != nil {
		fmt.Fprintln(os.Stderr, "erd:", err)
		os.Exit(1)
	}
}

// run migrates an empty database and prints the page.
func run(ctx context.Context, out io.Writer, files fs.FS) (err error) {
	db, err := sql.Open("sqlite3", "file::memory:?_foreign_keys=on")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // each connection to :memory: is a database of its own
	if err := migrateUp(ctx, db, files); err != nil {
		return err
	}
	tables, err := readTables(ctx, db)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, page(tables))
	return err
}

// migrateUp runs the files of all steps up, in the order of their numbers.
func migrateUp(ctx context.Context, db *sql.DB, files fs.FS) error {
	names, err := fs.Glob(files, "sqlite/migrations/*.up.sql")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("no migrations found")
	}
	for _, name := range names { // fs.Glob sorts
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
