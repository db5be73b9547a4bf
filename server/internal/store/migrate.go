package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	migratesqlite "github.com/golang-migrate/migrate/v4/database/sqlite3"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	migrations "github.com/peermesh/kgl-backend/sql"
)

// How long a starter waits for another one that migrates.
const (
	migrateLockTimeout = 10 * time.Minute
	migrateLockPoll    = 50 * time.Millisecond
)

// MigrationStatus compares the schema of a database with that of this binary.
type MigrationStatus struct {
	Version int64 // of the database; 0 for an empty one
	Latest  int64 // that this binary knows
	Dirty   bool  // a migration to Version failed, under golang-migrate itself: ours leave no such mark

	// Oldest is the version of the schema that a binary must know at least to work
	// with the database. It is read only where Version is beyond Latest; 0: the
	// database does not say.
	Oldest int64

	previous int64 // the version before Version
}

// Err returns what keeps this binary from working with the database, and what
// to do about it; nil when nothing does.
func (s MigrationStatus) Err() error {
	if s.Newer() {
		return nil
	}
	return s.inexact()
}

// inexact is Err for what needs exactly the schema of this binary.
func (s MigrationStatus) inexact() error {
	if err := s.obstacle(); err != nil {
		return err
	}
	if s.Version < s.Latest {
		return fmt.Errorf("the schema of the database has version %d and this binary needs %d: run `kgl migrate up`", s.Version, s.Latest)
	}
	return nil
}

// obstacle returns what keeps this binary from migrating the database.
func (s MigrationStatus) obstacle() error {
	if s.Dirty {
		undo := fmt.Sprintf("UPDATE schema_migrations SET version = %d, dirty = false", s.previous)
		if s.previous == 0 {
			undo = "DELETE FROM schema_migrations"
		}
		return fmt.Errorf("the migration of the database to version %d failed and is marked as dirty; it was rolled back as a whole: "+
			"restore a backup, or remove what made it fail, run `%s` in the database (after a failed `kgl migrate down`: "+
			"set the version from which it started) and then `kgl migrate up`", s.Version, undo)
	}
	if s.Version > s.Latest {
		return fmt.Errorf("the schema of the database has version %d, and this binary knows versions up to %d: "+
			"run the newer kgl that migrated it, or migrate down with that one first", s.Version, s.Latest)
	}
	return nil
}

// Migrator changes the schema of one database. Any number of processes may
// migrate at the same time: one does the work, the others wait for it.
type Migrator struct {
	url   string
	loc   location
	files fs.FS // holds dir
	dir   string
	known []int64 // versions, ascending
}

// NewMigrator returns a Migrator of the database that databaseURL names, with
// the migrations that are built into this binary.
func NewMigrator(databaseURL string) (*Migrator, error) {
	loc, err := parseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	if loc.engine == SQLite {
		return newMigrator(databaseURL, loc, migrations.SQLite, "sqlite/migrations")
	}
	return newMigrator(databaseURL, loc, migrations.Postgres, "postgres/migrations")
}

// MigrateUp brings the schema of a database to the newest version, and makes an
// SQLite database that is not there.
func MigrateUp(ctx context.Context, databaseURL string) error {
	m, err := NewMigrator(databaseURL)
	if err != nil {
		return err
	}
	return m.Up(ctx)
}

func newMigrator(databaseURL string, loc location, files fs.FS, dir string) (*Migrator, error) {
	m := &Migrator{url: databaseURL, loc: loc, files: files, dir: dir}
	names, err := fs.Glob(files, dir+"/*.up.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var v int64
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, dir+"/"), "%d_", &v); err != nil {
			return nil, fmt.Errorf("the migration %s has no number: %w", name, err)
		}
		m.known = append(m.known, v)
	}
	if len(m.known) == 0 {
		return nil, errors.New("there are no migrations in " + dir)
	}
	slices.Sort(m.known)
	return m, nil
}

// Status reads the version of the database. It changes nothing but that it
// creates the empty file of a new SQLite database.
func (m *Migrator) Status(ctx context.Context) (MigrationStatus, error) {
	db, err := m.open()
	if err != nil {
		return MigrationStatus{}, err
	}
	defer func() { _ = db.Close() }()
	return m.status(ctx, db)
}

func (m *Migrator) status(ctx context.Context, db *sql.DB) (MigrationStatus, error) {
	s := MigrationStatus{Latest: m.known[len(m.known)-1]}
	exists := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
	if m.loc.engine == Postgres {
		exists = "SELECT count(to_regclass('schema_migrations'))"
	}
	var n int
	if err := db.QueryRowContext(ctx, exists).Scan(&n); err != nil {
		return s, fmt.Errorf("read the version of the schema: %w", err)
	}
	if n == 0 {
		return s, nil
	}
	err := db.QueryRowContext(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&s.Version, &s.Dirty)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("read the version of the schema: %w", err)
	}
	for _, v := range m.known {
		if v < s.Version {
			s.previous = v
		}
	}
	if s.Version > s.Latest && !s.Dirty {
		err = s.readOldest(ctx, db)
		return s, err
	}
	return s, nil
}

// Check returns nil when this binary can work with the database: it has the
// binary's schema, or a newer one that says so, and is not the target of an
// unfinished copy. Otherwise the error says what to do.
func (m *Migrator) Check(ctx context.Context) error {
	db, err := m.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := m.checkCopied(ctx, db); err != nil {
		return err
	}
	s, err := m.status(ctx, db)
	if err != nil {
		return err
	}
	return s.Err()
}

// Up applies all migrations that the database lacks; none where a newer binary
// was here and this one can work on.
func (m *Migrator) Up(ctx context.Context) error {
	if s, err := m.Status(ctx); err != nil || s.Newer() {
		return err
	}
	return m.run(ctx, func(mg *migrate.Migrate, s MigrationStatus) error {
		if s.Version == s.Latest {
			return nil
		}
		return mg.Up()
	})
}

// Down takes the given number of migrations back, at most all.
func (m *Migrator) Down(ctx context.Context, steps int) error {
	if steps < 1 {
		return errors.New("the number of migrations to take back must be at least 1")
	}
	return m.run(ctx, func(mg *migrate.Migrate, s MigrationStatus) error {
		if s.Version == 0 {
			return nil
		}
		err := mg.Steps(-steps)
		if short := (migrate.ErrShortLimit{}); errors.As(err, &short) {
			return nil // there were fewer
		}
		return err
	})
}

// run calls fn under the lock that keeps other migrators out.
func (m *Migrator) run(ctx context.Context, fn func(*migrate.Migrate, MigrationStatus) error) error {
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	// migrate closes the handle that it is given, so the check has its own.
	db, err := m.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	s, err := m.status(ctx, db)
	if err == nil {
		err = s.obstacle()
	}
	if err != nil {
		return err
	}
	if err := m.migrate(ctx, func(mg *migrate.Migrate) error { return fn(mg, s) }); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	// The check reads the whole database: every start that migrates nothing is
	// spared it.
	after, err := m.status(ctx, db)
	if err != nil || after.Version == s.Version {
		return err
	}
	return m.checkForeignKeys(ctx, db)
}

func (m *Migrator) migrate(ctx context.Context, fn func(*migrate.Migrate) error) error {
	src, err := iofs.New(m.files, m.dir)
	if err != nil {
		return err
	}
	db, err := m.open()
	if err != nil {
		return err
	}
	drv, err := m.driver(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	mg, err := migrate.NewWithInstance("embedded", src, string(m.loc.engine), &atomicDriver{Driver: drv})
	if err != nil {
		return errors.Join(err, db.Close())
	}
	mg.LockTimeout = migrateLockTimeout
	stop := context.AfterFunc(ctx, func() { mg.GracefulStop <- true })
	defer stop()
	err = fn(mg)
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	srcErr, dbErr := mg.Close()
	return errors.Join(err, srcErr, dbErr, ctx.Err())
}

func (m *Migrator) driver(db *sql.DB) (database.Driver, error) {
	if m.loc.engine == SQLite {
		return migratesqlite.WithInstance(db, &migratesqlite.Config{})
	}
	return migratepgx.WithInstance(db, &migratepgx.Config{})
}

// open returns a handle of its own. On SQLite foreign keys are off, because
// dropping the old table of a rebuild would else delete what refers to it.
func (m *Migrator) open() (*sql.DB, error) {
	if m.loc.engine == SQLite {
		if err := createPrivate(m.loc.path); err != nil {
			return nil, err
		}
		db := sql.OpenDB(sqliteConnector(m.loc.path, map[string][]string{
			"_txlock": {"immediate"}, "_synchronous": {"FULL"}, "_foreign_keys": {"off"},
		}))
		db.SetMaxOpenConns(1)
		return db, nil
	}
	cfg, err := pgx.ParseConfig(m.url)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	setDefault(cfg.RuntimeParams, "application_name", DefaultApplicationName+" migrate")
	return stdlib.OpenDB(*cfg), nil
}

// lock keeps other processes and goroutines out. On SQLite it is a lock of a
// file beside the database, since migrate locks within a process only.
func (m *Migrator) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, migrateLockTimeout)
	take := m.lockFile
	if m.loc.engine == Postgres {
		take = m.lockPostgres
	}
	release, err := take(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("wait for another process that migrates: %w", err)
	}
	return func() { release(); cancel() }, nil
}

func (m *Migrator) lockFile(ctx context.Context) (func(), error) {
	if err := createPrivate(m.loc.path); err != nil {
		return nil, err
	}
	l := flock.New(m.loc.path+migrateLockSuffix, flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, migrateLockPoll); err != nil {
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}

// migrateLockKey is the advisory lock under which the version is read and the
// work is decided; migrate takes one of its own while it works.
const migrateLockKey = 0x6b676c // "kgl"

func (m *Migrator) lockPostgres(ctx context.Context) (func(), error) {
	db, err := m.open()
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err == nil {
		_, err = c.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrateLockKey))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// The end of the session gives the lock back.
	return func() { _ = c.Close(); _ = db.Close() }, nil
}

// checkForeignKeys finds rows that a rebuild of a table left without parent.
func (m *Migrator) checkForeignKeys(ctx context.Context, db *sql.DB) error {
	if m.loc.engine != SQLite {
		return nil
	}
	rs, err := db.QueryContext(ctx, "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2")
	if err != nil {
		return fmt.Errorf("check the foreign keys: %w", err)
	}
	defer func() { _ = rs.Close() }()
	var faults []error
	for rs.Next() {
		var table, parent string
		var n int64
		if err := rs.Scan(&table, &parent, &n); err != nil {
			return err
		}
		faults = append(faults, fmt.Errorf("%d rows of %s refer to rows of %s that do not exist", n, table, parent))
	}
	if err := errors.Join(append(faults, rs.Err())...); err != nil {
		return fmt.Errorf("the migration damaged references, restore a backup: %w", err)
	}
	return nil
}
