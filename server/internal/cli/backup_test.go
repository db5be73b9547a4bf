package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/app"
)

// TestBackupCommands backs an installation up, loses it, and restores it.
func TestBackupCommands(t *testing.T) {
	s := newShell(t, "")
	file := filepath.Join(s.dir, "kgl.backup.db")
	s.want(1, line("backup "+file), "there is no database to back up")
	s.want(0, line("migrate up"))
	s.want(0, line("source add https://a.example/"))
	kid := s.keyID()
	keys := filepath.Join(s.dir, "signing-keys.json")
	before, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	r := s.want(0, line("backup "+file), "wrote "+file, "with signing-keys.json")
	if !strings.Contains(r.stderr, "hashes of all passwords") || strings.Contains(r.stderr, "\r") {
		t.Errorf("stderr %q", r.stderr)
	}
	s.want(1, line("backup "+file), "--force")
	s.want(0, line("backup --force "+file), "wrote ")
	s.want(0, line("backup verify "+file), "is whole", "with signing-keys.json")

	s.want(1, line("restore "+file), "is there already", "--force")
	s.want(0, line("source add https://b.example/"))
	s.want(0, line("keys revoke "+kid))
	s.want(0, line("restore --force "+file), "restored ", "the old database is now ", "the old signing keys are now ", "next: start the server: kgl serve")
	if after, err := os.ReadFile(keys); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the signing keys are not those of the backup: %v", err)
	}
	if info, err := os.Stat(keys); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if r := s.want(0, line("source list"), "https://a.example/"); strings.Contains(r.stdout, "b.example") {
		t.Error("what came after the backup is there")
	}
	aside, err := filepath.Glob(filepath.Join(s.dir, "*.before-restore-*"))
	if err != nil || len(aside) != 2 {
		t.Errorf("aside are %v, %v", aside, err)
	}
	s.withApp(func(context.Context, *app.App) { s.want(1, line("restore --force "+file), "in use") })

	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(1, line("backup verify "+file), "not a whole backup")
	s.want(1, line("restore --force "+file), "not a whole backup")
	s.want(2, line("backup"), "accepts 1 arg(s)")
	s.want(2, line("restore"), "accepts 1 arg(s)")
	s.want(2, line("backup verify"), "accepts 1 arg(s)")
}

// TestBackupWithUnusableKeys refuses keys that others may have read, as the
// server does.
func TestBackupWithUnusableKeys(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("migrate up"))
	s.keyID()
	if err := os.Chmod(filepath.Join(s.dir, "signing-keys.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.want(1, line("backup "+filepath.Join(s.dir, "b.db")), "chmod 600")
}

// TestBackupOnPostgres says which command to run instead, without the password.
func TestBackupOnPostgres(t *testing.T) {
	s := newShell(t, "postgres://kgl:p%40ss-w0rd@db.example:5433/kgl?sslmode=verify-full&pool_max_conns=4&password=p%40ss-w0rd")
	at := "'postgres://kgl@db.example:5433/kgl?sslmode=verify-full'"
	for _, r := range []result{
		s.want(1, []string{"backup", "it's.dump"}, `pg_dump --format=custom --no-owner --no-privileges --file='it'\''s.dump' `+at+"\n", "KGL_MASTER_KEY"),
		s.want(1, line("restore kgl.dump"), "pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="+at+" kgl.dump\n"),
	} {
		if strings.Contains(r.stderr, "w0rd") {
			t.Errorf("the password is shown: %s", r.stderr)
		}
	}
}

// TestMeter shows work where there is no terminal.
func TestMeter(t *testing.T) {
	var small, large bytes.Buffer
	workOn(newMeter(&small), 1<<20)
	if small.String() != "copying\nchecking\n" {
		t.Errorf("%q", &small)
	}
	workOn(newMeter(&large), 1<<30)
	if n := strings.Count(large.String(), "\n"); n != 12 || !strings.Contains(large.String(), "copying     50 %  512.0 MiB of 1.0 GiB\n") {
		t.Errorf("%d lines:\n%s", n, &large)
	}
}

func workOn(m *meter, total int64) {
	for done := int64(0); done <= total; done += total / 256 {
		m.show("copying", done, total)
	}
	m.show("checking", 0, 0)
	m.end()
}
