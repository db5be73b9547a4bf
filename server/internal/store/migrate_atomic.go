package store

import (
	"bytes"
	"fmt"
	"io"

	"github.com/golang-migrate/migrate/v4/database"
)

// atomicDriver makes a migration and the version that it leads to one
// transaction. golang-migrate writes the new version as dirty, migrates, and
// writes it again, in three: a process that dies between them leaves a database
// that nobody can start on without writing SQL by hand, although the migration
// was rolled back. With this driver there is the old version or the new one, and
// whoever starts next goes on from there.
//
// It relies on what the drivers below do with a migration: SQLite's wraps it in
// a transaction, and Postgres runs the statements of one message as one.
type atomicDriver struct {
	database.Driver
	to *int // the version that the next Run leads to; nil: none is announced
}

// SetVersion announces the version of the next Run, where golang-migrate would
// mark it as dirty.
func (d *atomicDriver) SetVersion(version int, dirty bool) error {
	if dirty {
		d.to = &version
		return nil
	}
	if d.to == nil {
		return nil // Run has written it
	}
	d.to = nil
	return d.Driver.SetVersion(version, false) // a version without a file
}

// Run implements database.Driver.
func (d *atomicDriver) Run(migration io.Reader) error {
	if d.to == nil {
		return d.Driver.Run(migration)
	}
	text, err := io.ReadAll(migration)
	if err != nil {
		return err
	}
	mark := "\n;DELETE FROM schema_migrations;"
	if *d.to != database.NilVersion {
		mark += fmt.Sprintf("INSERT INTO schema_migrations (version, dirty) VALUES (%d, false);", *d.to)
	}
	if err := d.Driver.Run(bytes.NewReader(append(text, mark...))); err != nil {
		return err
	}
	d.to = nil
	return nil
}
