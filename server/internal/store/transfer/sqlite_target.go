package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// sqliteTarget implements target. Its connection has the file for itself.
type sqliteTarget struct {
	*sqlite
	migrator *store.Migrator
	lockFile *flock.Flock
	letGo    func() // gives the right to the file back
	inserts  map[string]*sql.Stmt
}

func newSQLiteTarget(path string, m *store.Migrator) *sqliteTarget {
	return &sqliteTarget{sqlite: &sqlite{path: path}, migrator: m, inserts: map[string]*sql.Stmt{}}
}

func (s *sqliteTarget) close() {
	s.release()
	if s.letGo != nil {
		s.letGo()
	}
	if s.lockFile != nil {
		_ = s.lockFile.Close()
	}
}

// release closes the connection.
func (s *sqliteTarget) release() {
	for name, stmt := range s.inserts {
		_ = stmt.Close()
		delete(s.inserts, name)
	}
	s.sqlite.close()
}

// claim implements target: a lock file keeps other copies out, the exclusive
// lock on the database everybody else.
func (s *sqliteTarget) claim(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	s.lockFile = flock.New(s.path+".copy.lock", flock.SetPermissions(0o600))
	free, err := s.lockFile.TryLock()
	if err != nil {
		return fmt.Errorf("lock the target: %w", err)
	}
	if !free {
		return errTargetCopied
	}
	if s.letGo, err = store.HoldFile(ctx, s.path); err != nil {
		return err
	}
	if _, err := s.migrator.Status(ctx); err != nil { // makes the file
		return err
	}
	return s.occupy(ctx)
}

var (
	errTargetCopied = errors.New("another `kgl db copy` works on the target")
	errTargetUsed   = errors.New("the target is in use: stop the server and everything else that has it open, then run the command again")
)

// occupy opens the connection. Until the end a loss of power may take back
// whole batches with what the marker says about them, which costs nothing.
func (s *sqliteTarget) occupy(ctx context.Context) error {
	opened, err := openSQLite(ctx, s.path, targetCache, url.Values{"_foreign_keys": {"off"}})
	if err != nil {
		return err
	}
	s.sqlite = opened
	for _, statement := range []string{
		"PRAGMA busy_timeout = 2000", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "BEGIN EXCLUSIVE", "COMMIT",
		"PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 8000", "PRAGMA temp_store = FILE",
	} {
		if err := s.exec(ctx, statement); err != nil {
			if isBusy(err) {
				return errTargetUsed
			}
			return err
		}
	}
	return nil
}

// filled implements target.
func (s *sqliteTarget) filled(ctx context.Context) ([]string, error) { return filled(ctx, s, s.number) }

// filled asks each table of a target whether it holds a row of its own.
func filled(ctx context.Context, s side, number func(context.Context, string, ...any) (int64, error)) ([]string, error) {
	tables, err := s.tables(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range tables {
		condition := ""
		switch t.name {
		case clockTable:
			continue
		case auditHeadTable:
			condition = " WHERE seq > 0"
		case settingsTable:
			condition = " WHERE key <> 'schema_compatible_from'"
		}
		n, err := number(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+quote(t.name)+condition+" LIMIT 1) AS found")
		if err != nil {
			return nil, err
		}
		if n > 0 {
			names = append(names, t.name)
		}
	}
	return names, nil
}

// marker implements target.
func (s *sqliteTarget) marker(ctx context.Context) (*state, error) {
	n, err := s.number(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1", store.CopyMarker)
	if err != nil || n == 0 {
		return nil, err
	}
	texts, err := s.texts(ctx, readMarker)
	return stateOf(texts, err)
}

// stateOf returns what the rows of a marker say.
func stateOf(texts []string, err error) (*state, error) {
	if err != nil {
		return nil, fmt.Errorf("read how far the copy came: %w", err)
	}
	if s := parseState(strings.Join(texts, "")); s != nil {
		return s, nil
	}
	return &state{}, nil
}

// mark implements target.
func (s *sqliteTarget) mark(ctx context.Context, st *state) error {
	return s.transact(ctx, func(ctx context.Context) error {
		if err := s.exec(ctx, createMarker); err != nil {
			return err
		}
		return s.save(ctx, st)
	})
}

// save writes the marker inside a transaction.
func (s *sqliteTarget) save(ctx context.Context, st *state) error {
	text, err := st.text()
	if err != nil {
		return err
	}
	return s.exec(ctx, saveMarker, text)
}

// recreate implements target. The migrations have a connection of their own.
func (s *sqliteTarget) recreate(ctx context.Context) error {
	s.release()
	if err := migrateAnew(ctx, s.migrator); err != nil {
		return err
	}
	return s.occupy(ctx)
}

// migrateAnew takes all migrations back and applies them again.
func migrateAnew(ctx context.Context, m *store.Migrator) error {
	status, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if status.Version > 0 {
		if err := m.Down(ctx, int(status.Latest)); err != nil {
			return fmt.Errorf("empty the target: %w", err)
		}
	}
	if err := m.Up(ctx); err != nil {
		return fmt.Errorf("migrate the target: %w", err)
	}
	return nil
}

// strip implements target. Foreign keys are off on the connection.
func (s *sqliteTarget) strip(ctx context.Context, tables []table, st *state) error {
	return s.transact(ctx, func(ctx context.Context) error {
		const indexes = " FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name <> ?1 ORDER BY rowid"
		names, err := s.texts(ctx, "SELECT name"+indexes, migrationsTable)
		if err != nil {
			return err
		}
		if st.Pending, err = s.texts(ctx, "SELECT sql"+indexes, migrationsTable); err != nil {
			return err
		}
		for _, name := range names {
			if err := s.exec(ctx, "DROP INDEX "+quote(name)); err != nil {
				return err
			}
		}
		if err := clearSeeds(ctx, s, tables, func(statement string) error { return s.exec(ctx, statement) }); err != nil {
			return err
		}
		return s.save(ctx, st)
	})
}

// clearSeeds deletes the rows that migrations put into tables.
func clearSeeds(ctx context.Context, s side, tables []table, exec func(statement string) error) error {
	for _, t := range tables {
		if t.name == clockTable {
			continue
		}
		n, err := s.count(ctx, t)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := exec("DELETE FROM " + quote(t.name)); err != nil {
			return err
		}
	}
	return nil
}

// write implements target.
func (s *sqliteTarget) write(ctx context.Context, t table, rows [][]any, st *state) error {
	insert, err := s.insert(ctx, t)
	if err != nil {
		return err
	}
	return s.transact(ctx, func(ctx context.Context) error {
		for _, row := range rows {
			if _, err := insert.ExecContext(ctx, row...); err != nil {
				return fmt.Errorf("write %s: %w", t.locate(row), err)
			}
		}
		return s.save(ctx, st)
	})
}

// replace implements target.
func (s *sqliteTarget) replace(ctx context.Context, t table, rows [][]any, st *state) error {
	if err := s.exec(ctx, "DELETE FROM "+quote(t.name)); err != nil {
		return err
	}
	return s.write(ctx, t, rows, st)
}

func (s *sqliteTarget) insert(ctx context.Context, t table) (*sql.Stmt, error) {
	if stmt := s.inserts[t.name]; stmt != nil {
		return stmt, nil
	}
	places := strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ")
	stmt, err := s.conn.PrepareContext(ctx, "INSERT INTO "+quote(t.name)+" ("+strings.Join(t.names(), ", ")+") VALUES ("+places+")")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", t.name, err)
	}
	s.inserts[t.name] = stmt
	return stmt, nil
}

// build implements target.
func (s *sqliteTarget) build(ctx context.Context, st *state) error {
	next := st.Pending[0]
	return s.transact(ctx, func(ctx context.Context) error {
		if err := s.exec(ctx, next); err != nil {
			return err
		}
		left := *st
		left.Pending = st.Pending[1:]
		return s.save(ctx, &left)
	})
}

// loaded implements target.
func (s *sqliteTarget) loaded(ctx context.Context, _ []table) error {
	faults, err := s.texts(ctx, `SELECT count(*) || ' rows of ' || "table" || ' refer to rows of ' || parent || ' that do not exist'
		FROM pragma_foreign_key_check GROUP BY "table", parent`)
	if err != nil {
		return fmt.Errorf("check the references: %w", err)
	}
	if faults != nil {
		return errors.New("the source is damaged: " + strings.Join(faults, "; "))
	}
	return nil
}

// finish implements target.
func (s *sqliteTarget) finish(ctx context.Context, p position) error {
	if err := s.exec(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	err := s.transact(ctx, func(ctx context.Context) error {
		for _, step := range []struct {
			statement string
			args      []any
		}{
			{"UPDATE event_clock SET tx_offset = ?1", []any{p.tx}},
			{"INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)", []any{eventsTable}},
			{"UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", []any{eventsTable, p.seq}},
			{dropMarker, nil},
		} {
			if err := s.exec(ctx, step.statement, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	return s.exec(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}
