package store_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

func TestConformanceSQLite(t *testing.T)   { storetest.Run(t, openSQLite) }
func TestConformancePostgres(t *testing.T) { storetest.Run(t, openPostgres) }

// engines are the openers of both engines, for tests that are not part of the suite.
var engines = map[string]storetest.Open{"sqlite": openSQLite, "postgres": openPostgres}

func open(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func migrateUp(ctx context.Context, url string) error {
	m, err := store.NewMigrator(url)
	if err != nil {
		return err
	}
	return m.Up(ctx)
}

var postgresTemplate = pgtest.NewTemplate(migrateUp)

func openPostgres(t *testing.T) *store.DB {
	t.Helper()
	return open(t, postgresTemplate.NewDatabase(t))
}

// migratedSQLite is a migrated database file that tests copy.
var migratedSQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "kgl.db")
	if err := migrateUp(context.Background(), "sqlite:///"+path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
})

func openSQLite(t *testing.T) *store.DB {
	t.Helper()
	return open(t, sqliteURL(t))
}

// sqliteURL returns the URL of a migrated database.
func sqliteURL(t *testing.T) string {
	t.Helper()
	file, err := migratedSQLite()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kgl.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:///" + path
}
