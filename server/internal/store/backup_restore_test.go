package store_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

// TestRestoreInPlace restores over databases that are there: they are moved
// aside whole, and nothing of them meets the new one.
func TestRestoreInPlace(t *testing.T) {
	_, target := newBackup(t)
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string)
	}{
		{"sound", func(t *testing.T, path string) {
			db := open(t, "sqlite:///"+path)
			noError(t, db.SetSetting(t.Context(), "old", "v", now))
			noError(t, db.Close())
		}},
		{"with a journal of a dead process", func(t *testing.T, path string) {
			db := plain(t, path, url.Values{"_journal_mode": {"WAL"}})
			_, err := db.ExecContext(t.Context(), "INSERT INTO settings VALUES ('old', 'v', 1)")
			noError(t, err)
			wal, err := os.ReadFile(path + "-wal")
			noError(t, err)
			noError(t, db.Close())
			noError(t, os.WriteFile(path+"-wal", wal, 0o600))
		}},
		{"damaged", func(t *testing.T, path string) {
			noError(t, os.WriteFile(path, []byte("old "+strings.Repeat("not a database ", 1000)), 0o600))
			noError(t, os.WriteFile(path+"-wal", []byte("old"), 0o600))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			databaseURL := sqliteURL(t)
			path, _ := store.SQLitePath(databaseURL)
			tt.prepare(t, path)
			if _, err := store.Restore(t.Context(), databaseURL, target, restoreOptions(false)); err == nil || !strings.Contains(err.Error(), "--force") {
				t.Fatalf("without force: %v", err)
			}
			opts := restoreOptions(true)
			given := map[string][]byte{}
			opts.Files = func(files map[string][]byte, _ string) error { given = files; return nil }
			done, err := store.Restore(t.Context(), databaseURL, target, opts)
			noError(t, err)
			if string(given["keys.json"]) != keyText {
				t.Errorf("files %q", given)
			}
			restored, err := os.ReadFile(path)
			noError(t, err)
			if bytes.Contains(restored, []byte("c2VjcmV0LWtleQ")) || bytes.Contains(restored, []byte("kgl backup sha256")) {
				t.Error("what belongs to the backup is in the database")
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			db := open(t, databaseURL)
			_, err = db.Setting(t.Context(), "old")
			wantCode(t, err, kgl.CodeNotFound)
			_, err = db.Setting(t.Context(), "n7")
			noError(t, err)
			aside, err := os.ReadFile(done.Aside)
			noError(t, err)
			if !bytes.Contains(aside, []byte("old")) {
				t.Error("the old database is not what was moved aside")
			}
		})
	}
}

// TestRestoreInUse restores while somebody has the database open: a server, or
// a program that knows nothing of our lock.
func TestRestoreInUse(t *testing.T) {
	_, target := newBackup(t)
	databaseURL := sqliteURL(t)
	path, _ := store.SQLitePath(databaseURL)
	refused := func(who string) {
		t.Helper()
		if _, err := store.Restore(t.Context(), databaseURL, target, restoreOptions(true)); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v", who, err)
		}
	}
	db := open(t, databaseURL)
	refused("a server")
	noError(t, db.SetSetting(t.Context(), "still", "there", now))
	noError(t, db.Close())
	other := plain(t, path, url.Values{"_journal_mode": {"WAL"}})
	if n := scan[int](t, other, "SELECT count(*) FROM settings WHERE key <> 'schema_compatible_from'"); n != 1 {
		t.Errorf("%d settings", n)
	}
	refused("another program")
	noError(t, other.Close())
	opts := restoreOptions(true)
	opts.Files = func(map[string][]byte, string) error {
		_, err := store.Open(t.Context(), store.Config{URL: databaseURL, AcquireTimeout: 1})
		if err == nil || !strings.Contains(err.Error(), "restoring") {
			t.Errorf("opened in the middle of it: %v", err)
		}
		return nil
	}
	_, err := store.Restore(t.Context(), databaseURL, target, opts)
	noError(t, err)
	if _, err := store.Restore(t.Context(), "postgres://h/d", target, opts); err != store.ErrBackupEngine {
		t.Errorf("Postgres: %v", err)
	}
}

// TestEventsAfterRestore restores an older state, twice: whoever has read all
// events of the time that was lost still sees each new one.
func TestEventsAfterRestore(t *testing.T) {
	databaseURL, target := newBackup(t)
	clock := kgl.NewFakeClock(now)
	opts := restoreOptions(true)
	opts.Clock = clock
	for n := range 3 {
		db := open(t, databaseURL)
		for i := range 10 {
			noError(t, writePair(t.Context(), db, 100*(n+1)+i))
		}
		events := storetest.Events(t, db)
		read := events[len(events)-1].Position
		noError(t, db.Close())
		clock.Advance(time.Second)
		_, err := store.Restore(t.Context(), databaseURL, target, opts)
		noError(t, err)
		db = open(t, databaseURL)
		noError(t, writePair(t.Context(), db, 1000))
		fresh, err := db.EventsAfter(t.Context(), read, 10)
		noError(t, err)
		if len(fresh) != 1 || fresh[0].ID != "n1000" {
			t.Errorf("after restoration %d a reader sees %+v", n+1, fresh)
		}
		noError(t, db.Close())
	}
}

// TestRestoreThroughALink restores a database that is named by a symbolic link:
// the file is replaced where it lies, and the link stays.
func TestRestoreThroughALink(t *testing.T) {
	_, target := newBackup(t)
	databaseURL := sqliteURL(t)
	path, _ := store.SQLitePath(databaseURL)
	link := filepath.Join(t.TempDir(), "link.db")
	noError(t, os.Symlink(path, link))
	done, err := store.Restore(t.Context(), "sqlite:///"+link, target, restoreOptions(true))
	noError(t, err)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || filepath.Dir(done.Aside) != filepath.Dir(path) {
		t.Errorf("%v, %v, aside is %s", info, err, done.Aside)
	}
	_, err = open(t, databaseURL).Setting(t.Context(), "n7")
	noError(t, err)
}

// TestRestoreStopsAtKeys lets the keys fail: the database stays.
func TestRestoreStopsAtKeys(t *testing.T) {
	_, target := newBackup(t)
	databaseURL := sqliteURL(t)
	path, _ := store.SQLitePath(databaseURL)
	before, err := os.ReadFile(path)
	noError(t, err)
	opts := restoreOptions(true)
	failed := errors.New("the keys cannot be written")
	opts.Files = func(map[string][]byte, string) error { return failed }
	if _, err := store.Restore(t.Context(), databaseURL, target, opts); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed: %v", err)
	}
}

const (
	killedAt     = "KGL_TEST_KILLED_AT"
	killedURL    = "KGL_TEST_KILLED_URL"
	killedTarget = "KGL_TEST_KILLED_TARGET"
)

// TestBackupUntilKilled is not a test of its own: it is what the processes of
// TestKilledBackup and TestKilledRestore run. It stops in a stage, says so, and
// waits for its end.
func TestBackupUntilKilled(t *testing.T) {
	command, stage, _ := strings.Cut(os.Getenv(killedAt), " ")
	wait := func(at string, _, _ int64) {
		if at == stage {
			fmt.Println("reached", at)
			_, _ = io.ReadAll(os.Stdin)
		}
	}
	var err error
	switch command {
	case "backup":
		opts := backupOptions(os.Getenv(killedTarget))
		opts.Progress = wait
		_, err = store.Backup(t.Context(), os.Getenv(killedURL), opts)
	case "restore":
		opts := restoreOptions(true)
		opts.Progress = wait
		opts.Files = func(map[string][]byte, string) error { wait("keys", 0, 0); return nil }
		_, err = store.Restore(t.Context(), os.Getenv(killedURL), os.Getenv(killedTarget), opts)
	}
	noError(t, err)
}

// killIn runs a command in another process and kills that in a stage.
func killIn(t *testing.T, command, stage, databaseURL, target string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBackupUntilKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), killedAt+"="+command+" "+stage, killedURL+"="+databaseURL, killedTarget+"="+target)
	stdin, err := cmd.StdinPipe()
	noError(t, err)
	defer func() { _ = stdin.Close() }()
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	reached := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "reached "+stage {
			reached = true
			noError(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || !reached {
		t.Fatalf("it did not come to %s: %v", stage, err)
	}
}

// TestKilledBackup kills a backup in each of its stages: no file has its name,
// and the next run cleans up.
func TestKilledBackup(t *testing.T) {
	databaseURL := sqliteURL(t)
	target := filepath.Join(t.TempDir(), "b.db")
	for _, stage := range []string{"copying", "checking", "hashing"} {
		killIn(t, "backup", stage, databaseURL, target)
		names := folder(t, filepath.Dir(target))
		if len(names) == 0 {
			t.Errorf("%s: the killed process had written nothing", stage)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, ".b.db.partial-") {
				t.Errorf("%s: %s is there", stage, name)
			}
			if _, err := store.VerifyBackup(t.Context(), filepath.Join(filepath.Dir(target), name), nil); err == nil {
				t.Errorf("%s: what the killed process left passes for whole", stage)
			}
		}
	}
	_, err := store.Backup(t.Context(), databaseURL, backupOptions(target))
	noError(t, err)
	if names := folder(t, filepath.Dir(target)); len(names) != 1 {
		t.Errorf("files %v", names)
	}
}

// TestKilledRestore kills a restoration in each of its stages: the old database
// is there, whole, and the next run succeeds.
func TestKilledRestore(t *testing.T) {
	_, target := newBackup(t)
	databaseURL := sqliteURL(t)
	path, _ := store.SQLitePath(databaseURL)
	for _, stage := range []string{"reading", "checking", "keys"} {
		killIn(t, "restore", stage, databaseURL, target)
		db := open(t, databaseURL)
		noError(t, db.SetSetting(t.Context(), stage, "v", now))
		noError(t, db.Close())
	}
	done, err := store.Restore(t.Context(), databaseURL, target, restoreOptions(true))
	noError(t, err)
	for _, name := range folder(t, filepath.Dir(path)) {
		if name != "kgl.db" && name != filepath.Base(done.Aside) && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s was left", name)
		}
	}
}
