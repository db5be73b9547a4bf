package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

var now = time.Unix(1_700_000_000, 0).UTC()

func wantCode(t *testing.T, err error, code kgl.Code) {
	t.Helper()
	if c := kgl.ErrorCode(err); c != code {
		t.Fatalf("error %v has the code %q, want %q", err, c, code)
	}
}

func TestDatabaseURLs(t *testing.T) {
	for _, tc := range []struct {
		url    string
		engine store.Engine
		path   string
	}{
		{"sqlite:///data/kgl.db", store.SQLite, "data/kgl.db"},
		{"sqlite:////var/lib/kgl.db", store.SQLite, "/var/lib/kgl.db"},
		{"sqlite:///with%20space/a%23b.db", store.SQLite, "with space/a#b.db"},
		{"postgres://u:p@h:5432/n?sslmode=disable", store.Postgres, ""},
		{"postgresql://h/n", store.Postgres, ""},
		{"sqlite:///", "", ""},
		{"sqlite://data/kgl.db", "", ""},
		{"sqlite:///kgl.db?mode=rw", "", ""},
		{"sqlite:///folder/", "", ""},
		{"mysql://h/n", "", ""},
		{"", "", ""},
		{"postgres://u:secret@h:port/n", "", ""},
	} {
		engine, err := store.EngineOf(tc.url)
		if (err != nil) != (tc.engine == "") || engine != tc.engine {
			t.Errorf("%q: engine %q, %v", tc.url, engine, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
		if path, ok := store.SQLitePath(tc.url); path != tc.path && ok {
			t.Errorf("%q: path %q", tc.url, path)
		}
	}
}

// TestOpenHidesThePassword opens URLs that cannot work.
func TestOpenHidesThePassword(t *testing.T) {
	for _, url := range []string{
		"postgres://user:geheim@127.0.0.1:1/none?connect_timeout=1", "postgres://user:geheim@127.0.0.1/none?sslmode=odd", "odd://user:geheim@h/n",
	} {
		_, err := store.Open(t.Context(), store.Config{URL: url, AcquireTimeout: time.Second})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}

func TestSQLiteFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b#c d")
	url := "sqlite:///" + strings.NewReplacer(" ", "%20", "#", "%23").Replace(dir) + "/kgl.db"
	noError(t, migrateUp(t.Context(), url))
	db := open(t, url)
	noError(t, db.SetSetting(t.Context(), "k", "v", now))
	names := 0
	noError(t, filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		noError(t, err)
		info, err := d.Info()
		noError(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		names++
		return nil
	}))
	if names < 5 { // two folders, the database, -wal, -shm
		t.Errorf("%d files", names)
	}
}

func TestSQLiteSettings(t *testing.T) {
	db := openSQLite(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0", "temp_store": "2", "busy_timeout": "5000",
	} {
		have, err := db.ScanRaw(t.Context(), true, "SELECT * FROM pragma_"+pragma)
		if err != nil || have != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, have, want, err)
		}
	}
	for _, write := range []bool{true, false} {
		if have, err := db.ScanRaw(t.Context(), write, "PRAGMA mmap_size"); err != nil || have != "0" {
			t.Errorf("writer %v: mmap_size is %q, want 0 (%v)", write, have, err)
		}
	}
	if have, err := db.ScanRaw(t.Context(), true, "SELECT sqlite_compileoption_used('ENABLE_FTS5')"); err != nil || have != "1" {
		t.Errorf("FTS5: %q, %v", have, err)
	}
	if _, err := db.ScanRaw(t.Context(), false, "INSERT INTO settings VALUES ('k', 'v', 0) RETURNING key"); err == nil {
		t.Error("a reader wrote")
	}
}

func TestSQLiteFullDisk(t *testing.T) {
	db := openSQLite(t)
	pages, err := db.ScanRaw(t.Context(), true, "SELECT * FROM pragma_page_count")
	noError(t, err)
	if _, err := db.ScanRaw(t.Context(), true, "PRAGMA max_page_count = "+pages); err != nil {
		t.Fatal(err)
	}
	err = db.SetSetting(t.Context(), "k", strings.Repeat("x", 1<<20), now)
	wantCode(t, err, kgl.CodeStorageFull)
	_, err = db.Setting(t.Context(), "k")
	wantCode(t, err, kgl.CodeNotFound)
}

// TestReadOnlyDatabaseFailsPing serves a database that cannot be written.
func TestReadOnlyDatabaseFailsPing(t *testing.T) {
	db := openSQLite(t)
	noError(t, db.Ping(t.Context()))
	if _, err := db.ScanRaw(t.Context(), true, "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.Ping(t.Context()), kgl.CodeUnavailable)

	url := postgresTemplate.NewDatabase(t)
	noError(t, open(t, url).Ping(t.Context()))
	readOnly := open(t, url+"&default_transaction_read_only=on")
	wantCode(t, readOnly.Ping(t.Context()), kgl.CodeUnavailable)
}

// TestWaitForConnectionIsBounded holds the only connection that the other call
// could use.
func TestWaitForConnectionIsBounded(t *testing.T) {
	file, err := migratedSQLite()
	noError(t, err)
	path := filepath.Join(t.TempDir(), "kgl.db")
	noError(t, os.WriteFile(path, file, 0o600))
	for name, url := range map[string]string{"sqlite": "sqlite:///" + path, "postgres": postgresTemplate.NewDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 1, AcquireTimeout: 500 * time.Millisecond})
			noError(t, err)
			defer func() { noError(t, db.Close()) }()
			outside := t.Context()
			noError(t, db.InTx(outside, func(ctx context.Context, tx kgl.Store) error {
				err := db.SetSetting(outside, "k", "v", now)
				wantCode(t, err, kgl.CodeUnavailable)
				var e *kgl.Error
				if errors.As(err, &e); e.RetryAfter <= 0 {
					t.Error("no RetryAfter")
				}
				return nil
			}))
			noError(t, db.SetSetting(outside, "k", "v", now))
		})
	}
}

// TestDeadlockIsRetried lets two transactions wait for each other once.
func TestDeadlockIsRetried(t *testing.T) {
	db, err := store.Open(t.Context(), store.Config{URL: postgresTemplate.NewDatabase(t), Random: bytes.NewReader(make([]byte, 1<<10))})
	noError(t, err)
	defer func() { noError(t, db.Close()) }()
	both := []string{"a", "b"}
	for _, k := range both {
		noError(t, db.SetSetting(t.Context(), k, "0", now))
	}
	ready := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	attempts := make(chan int, 2)
	results := make(chan error, 2)
	for i := range 2 {
		go func() {
			n := 0
			results <- db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
				n++
				if err := tx.SetSetting(ctx, both[i], "1", now); err != nil {
					return err
				}
				if n == 1 {
					close(ready[i])
					<-ready[1-i]
				}
				return tx.SetSetting(ctx, both[1-i], "1", now)
			})
			attempts <- n
		}()
	}
	for range 2 {
		noError(t, <-results)
	}
	// One gives way, or on a slow machine each of them, once.
	if n := <-attempts + <-attempts; n < 3 || n > 4 {
		t.Errorf("%d attempts, want 3 or 4", n)
	}
}

func TestRetriesAreBounded(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			n := 0
			err := db.InTx(t.Context(), func(context.Context, kgl.Store) error {
				n++
				return store.SerializationFailure
			})
			wantCode(t, err, kgl.CodeUnavailable)
			if n != 5 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// TestStopOfServerIsUnavailable ends the connections under the pool.
func TestStopOfServerIsUnavailable(t *testing.T) {
	url := postgresTemplate.NewDatabase(t)
	db, other := open(t, url), open(t, url)
	err := db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
		if _, err := tx.Setting(ctx, "k"); !kgl.Is(err, kgl.CodeNotFound) {
			return err
		}
		noError(t, other.ExecRaw(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"))
		return tx.SetSetting(ctx, "k", "v", now)
	})
	wantCode(t, err, kgl.CodeUnavailable)
	noError(t, db.Ping(t.Context()))
}

func TestPostgresSession(t *testing.T) {
	url := postgresTemplate.NewDatabase(t)
	db := open(t, url)
	for setting, want := range map[string]string{
		"application_name": "kgl", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "10s", "jit": "off",
	} {
		if have, err := db.ScanRaw(t.Context(), false, "SHOW "+setting); err != nil || have != want {
			t.Errorf("%s is %q, want %q (%v)", setting, have, want, err)
		}
	}
	own := open(t, url+"&statement_timeout=1234")
	if have, err := own.ScanRaw(t.Context(), false, "SHOW statement_timeout"); err != nil || have != "1234ms" {
		t.Errorf("the URL's statement_timeout became %q (%v)", have, err)
	}
}

// TestRestoredEventsStayInFront pretends that the database comes from a server
// with higher transaction numbers.
func TestRestoredEventsStayInFront(t *testing.T) {
	url := postgresTemplate.NewDatabase(t)
	first := open(t, url)
	event := func(id string) []kgl.Event {
		return []kgl.Event{{ID: id, Type: kgl.EventContentCreated, SubjectType: "content", OccurredAt: now}}
	}
	noError(t, first.AppendEvents(t.Context(), event("old")))
	noError(t, first.ExecRaw(t.Context(), "UPDATE events SET tx_id = tx_id + 1000000"))
	restored := open(t, url)
	noError(t, restored.AppendEvents(t.Context(), event("new")))
	noError(t, open(t, url).AppendEvents(t.Context(), event("newer")))
	events := storetest.Events(t, restored)
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	if strings.Join(ids, " ") != "old new newer" {
		t.Errorf("events %v", ids)
	}
}
