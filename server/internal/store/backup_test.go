package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

const keyText = `{"a key of this test":"c2VjcmV0LWtleQ"}`

func backupOptions(target string) store.BackupOptions {
	return store.BackupOptions{
		Target: target, Version: "test", Clock: kgl.ClockFunc(func() time.Time { return now }),
		Files: map[string][]byte{"keys.json": []byte(keyText)},
	}
}

func restoreOptions(force bool) store.RestoreOptions {
	return store.RestoreOptions{Force: force, Clock: kgl.ClockFunc(func() time.Time { return now })}
}

// newBackup makes a database with some rows and a backup of it.
func newBackup(t *testing.T) (databaseURL, target string) {
	t.Helper()
	databaseURL = sqliteURL(t)
	db := open(t, databaseURL)
	for n := range 50 {
		writePair(t.Context(), db, n)
	}
	noError(t, db.Close())
	target = filepath.Join(t.TempDir(), "kgl.backup.db")
	_, err := store.Backup(t.Context(), databaseURL, backupOptions(target))
	noError(t, err)
	return databaseURL, target
}

// writePair writes a setting and an event in one transaction.
func writePair(ctx context.Context, db *store.DB, n int) error {
	return db.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.SetSetting(ctx, fmt.Sprint("n", n), strings.Repeat("v", 500), now); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, []kgl.Event{{ID: fmt.Sprint("n", n), Type: kgl.EventContentCreated, SubjectType: "content", OccurredAt: now}})
	})
}

func plain(t *testing.T, path string, params url.Values) *sql.DB {
	t.Helper()
	db := store.OpenPlain(path, params)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func scan[T any](t *testing.T, db *sql.DB, query string) T {
	t.Helper()
	var v T
	noError(t, db.QueryRowContext(t.Context(), query).Scan(&v))
	return v
}

func folder(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	noError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestBackupUnderLoad backs up while four writers write: each backup holds what
// was acknowledged before it began and whole transactions only, and no write
// fails.
func TestBackupUnderLoad(t *testing.T) {
	databaseURL := sqliteURL(t)
	db := open(t, databaseURL)
	// Large enough to be copied in several steps.
	noError(t, db.SetSetting(t.Context(), "large", strings.Repeat("v", 20<<20), now))
	var next, acknowledged atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var mu sync.Mutex
	written := map[int]bool{}
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1))
				if err := writePair(t.Context(), db, n); err != nil {
					t.Errorf("a write failed: %v", err)
					return
				}
				mu.Lock()
				written[n] = true
				mu.Unlock()
				acknowledged.Add(1)
			}
		})
	}
	target := filepath.Join(t.TempDir(), "b.db")
	for round := range 3 {
		reach(t, &acknowledged, int64(100*(round+1)))
		mu.Lock()
		before := slices.Collect(func(yield func(int) bool) {
			for n := range written {
				if !yield(n) {
					return
				}
			}
		})
		mu.Unlock()
		opts := backupOptions(target)
		opts.Force = true
		// The writers go on between the steps of the copy.
		steps := 0
		opts.Progress = func(stage string, _, _ int64) {
			if stage == "copying" {
				steps++
				reach(t, &acknowledged, acknowledged.Load()+20)
			}
		}
		info, err := store.Backup(t.Context(), databaseURL, opts)
		noError(t, err)
		if steps < 5 || steps > 10 {
			t.Errorf("copied in %d steps: it must go on while others write, and not start again", steps)
		}
		checkBackup(t, target, info, before)
	}
	stop()
	writers.Wait()
}

// reach waits until a counter has reached a number.
func reach(t *testing.T, counter *atomic.Int64, n int64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); counter.Load() < n; time.Sleep(time.Millisecond) {
		if t.Failed() || time.Now().After(deadline) {
			t.Fatalf("%d writes, and not %d", counter.Load(), n)
		}
	}
}

// checkBackup restores a backup elsewhere and looks for the writes.
func checkBackup(t *testing.T, target string, info store.BackupInfo, want []int) {
	t.Helper()
	dir := t.TempDir()
	restored := "sqlite:///" + filepath.Join(dir, "new", "kgl.db")
	done, err := store.Restore(t.Context(), restored, target, restoreOptions(false))
	noError(t, err)
	if done.Aside != "" || done.Backup.Rows["events"] != info.Rows["events"] {
		t.Errorf("restored %+v of %+v", done, info)
	}
	db := open(t, restored)
	events := storetest.Events(t, db)
	if int64(len(events)) != info.Rows["events"] || len(events) < len(want) {
		t.Errorf("%d events, the manifest says %d, %d were acknowledged", len(events), info.Rows["events"], len(want))
	}
	have := map[string]bool{}
	for _, e := range events {
		have[e.ID] = true
		_, err := db.Setting(t.Context(), e.ID)
		noError(t, err) // the other half of its transaction
	}
	for _, n := range want {
		if !have[fmt.Sprint("n", n)] {
			t.Errorf("the acknowledged write %d is not in the backup", n)
		}
	}
	if int64(len(have))+2 != info.Rows["settings"] {
		t.Errorf("%d settings and %d events", info.Rows["settings"], len(have))
	}
	noError(t, writePair(t.Context(), db, -1)) // it goes on
}

// TestBackupFile looks at the file as other programs see it.
func TestBackupFile(t *testing.T) {
	databaseURL, target := newBackup(t)
	info, err := os.Stat(target)
	noError(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if names := folder(t, filepath.Dir(target)); len(names) != 1 {
		t.Errorf("files %v", names)
	}
	content, err := os.ReadFile(target)
	noError(t, err)
	if content[18] != 1 || content[19] != 1 {
		t.Error("the backup is in WAL mode, and so needs files beside it")
	}
	db := plain(t, target, url.Values{"mode": {"ro"}})
	if got := scan[string](t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Error(got)
	}
	if n := scan[int](t, db, "SELECT count(*) FROM settings WHERE key LIKE 'n%'"); n != 50 {
		t.Errorf("%d settings", n)
	}
	if got := scan[string](t, db, "SELECT content FROM kgl_backup WHERE name = 'keys.json'"); got != keyText {
		t.Errorf("keys %q", got)
	}
	said, err := store.VerifyBackup(t.Context(), target, nil)
	noError(t, err)
	if said.Version != "test" || !said.CreatedAt.Equal(now) || said.Rows["settings"] != 51 || said.Schema != said.Latest || !slices.Equal(said.Files, []string{"keys.json"}) {
		t.Errorf("manifest %+v", said)
	}
	after, err := os.ReadFile(target)
	noError(t, err)
	if !bytes.Equal(content, after) || len(folder(t, filepath.Dir(target))) != 1 {
		t.Error("looking at the backup changed something")
	}
	path, _ := store.SQLitePath(databaseURL)
	if main, err := os.ReadFile(path); err != nil || bytes.Contains(main, []byte(keyText)) {
		t.Errorf("the keys are in the database: %v", err)
	}
}

// TestBackupTargets tries places where a backup must not or cannot go.
func TestBackupTargets(t *testing.T) {
	databaseURL, target := newBackup(t)
	path, _ := store.SQLitePath(databaseURL)
	dir := filepath.Dir(target)
	link := filepath.Join(dir, "link")
	noError(t, os.Symlink(path, link))
	other, _ := store.SQLitePath(sqliteURL(t))
	for _, tt := range []struct {
		target string
		force  bool
		want   string
	}{
		{target, false, "--force"},
		{path, true, "the database itself"},
		{other, true, "is no backup"},
		{dir, true, "not a file"},
		{link, true, "not a file"},
		{os.DevNull, true, "not a file"},
		{filepath.Join(dir, "none", "b.db"), false, "no such file"},
	} {
		opts := backupOptions(tt.target)
		opts.Force = tt.force
		if _, err := store.Backup(t.Context(), databaseURL, opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.target, err)
		}
	}
	opts := backupOptions(target)
	opts.Force = true
	_, err := store.Backup(t.Context(), databaseURL, opts)
	noError(t, err)
	if _, err := store.Backup(t.Context(), "sqlite:///"+filepath.Join(dir, "nothing.db"), backupOptions(filepath.Join(dir, "x"))); err == nil {
		t.Error("a database that is not there was backed up")
	}
	if _, err := store.Backup(t.Context(), "postgres://h/d", opts); err != store.ErrBackupEngine {
		t.Errorf("Postgres: %v", err)
	}
	if names := folder(t, dir); len(names) != 2 {
		t.Errorf("files %v", names)
	}
}

// TestBackupOfNoInstallation refuses databases that could not be restored.
func TestBackupOfNoInstallation(t *testing.T) {
	for statement, want := range map[string]string{
		"CREATE TABLE db_copy (x)":               "kgl db copy",
		"DROP TABLE schema_migrations":           "no schema",
		"UPDATE schema_migrations SET dirty = 1": "dirty", "UPDATE schema_migrations SET version = 9999": "newer kgl",
		"PRAGMA foreign_keys=off; INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash) VALUES ('none', 'guid', 'k', 'h')": "do not exist",
	} {
		databaseURL := sqliteURL(t)
		path, _ := store.SQLitePath(databaseURL)
		db := plain(t, path, url.Values{})
		_, err := db.ExecContext(t.Context(), statement)
		noError(t, err)
		noError(t, db.Close())
		target := filepath.Join(t.TempDir(), "b.db")
		if _, err := store.Backup(t.Context(), databaseURL, backupOptions(target)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", statement, err)
		}
		if names := folder(t, filepath.Dir(target)); len(names) != 0 {
			t.Errorf("%s: files %v", statement, names)
		}
	}
}

// TestBackupInterrupted ends the context in the middle of each stage: no file
// is left.
func TestBackupInterrupted(t *testing.T) {
	databaseURL := sqliteURL(t)
	for _, stage := range []string{"copying", "checking", "hashing"} {
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		opts := backupOptions(filepath.Join(dir, "b.db"))
		opts.Progress = func(at string, _, _ int64) {
			if at == stage {
				cancel()
			}
		}
		if _, err := store.Backup(ctx, databaseURL, opts); err == nil {
			t.Errorf("%s: it did not notice", stage)
		}
		if names := folder(t, dir); len(names) != 0 {
			t.Errorf("%s: files %v", stage, names)
		}
	}
}
