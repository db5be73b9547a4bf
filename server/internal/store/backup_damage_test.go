package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestDamagedBackup changes a backup in many places: none is restored, and the
// database that is there stays.
func TestDamagedBackup(t *testing.T) {
	_, target := newBackup(t)
	whole, err := os.ReadFile(target)
	noError(t, err)
	damaged := map[string][]byte{
		"empty": {}, "one byte": whole[:1], "half": whole[:len(whole)/2], "without the last byte": whole[:len(whole)-1],
		"without the hash": whole[:len(whole)-84], "one byte more": append(slices.Clone(whole), 'x'), "text": []byte(strings.Repeat("no database ", 100)),
	}
	for i := 0; i < len(whole); i += len(whole) / 100 {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		damaged[fmt.Sprint("bit of byte ", i)] = flipped
	}
	for i := len(whole) - 84; i < len(whole); i++ {
		flipped := slices.Clone(whole)
		flipped[i] ^= 4
		damaged[fmt.Sprint("hash byte ", i)] = flipped
	}
	present := sqliteURL(t)
	path, _ := store.SQLitePath(present)
	before, err := os.ReadFile(path)
	noError(t, err)
	for name, content := range damaged {
		noError(t, os.WriteFile(target, content, 0o600))
		if _, err := store.VerifyBackup(t.Context(), target, nil); err == nil {
			t.Errorf("%s: verified", name)
		}
		opts := restoreOptions(true)
		opts.Files = func(map[string][]byte, string) error { t.Errorf("%s: the keys were replaced", name); return nil }
		if _, err := store.Restore(t.Context(), present, target, opts); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	after, err := os.ReadFile(path)
	noError(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the present database was changed")
	}
	for _, name := range folder(t, filepath.Dir(path)) {
		if name != "kgl.db" && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s was left", name)
		}
	}
}

// TestUnfitBackup restores backups whose content does not fit, with a good hash.
func TestUnfitBackup(t *testing.T) {
	for _, tt := range []struct{ name, statement, want string }{
		{"newer schema", "UPDATE schema_migrations SET version = 9999", "newer kgl"},
		{"dirty schema", "UPDATE schema_migrations SET dirty = 1", "dirty"},
		{"newer form", `UPDATE kgl_backup SET content = '{"format":99,"kgl_version":"9.9"}' WHERE name = 'manifest'`, "form 99"},
		{"no manifest", "DROP TABLE kgl_backup", "no manifest"},
		{"half copied", "CREATE TABLE db_copy (x)", "kgl db copy"},
		{"a row less", "DELETE FROM settings WHERE key = 'n7'", "manifest"},
		{"a reference to nothing", "INSERT INTO content_deletions (source_id, identity_kind, identity_key, content_hash) VALUES ('none', 'guid', 'k', 'h')", "do not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, target := newBackup(t)
			store.Rewrite(t, target, tt.statement)
			_, verify := store.VerifyBackup(t.Context(), target, nil)
			fresh := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
			_, restore := store.Restore(t.Context(), fresh, target, restoreOptions(false))
			for _, err := range []error{verify, restore} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v", err)
				}
			}
			path, _ := store.SQLitePath(fresh)
			if _, err := os.Stat(path); err == nil {
				t.Error("it is there all the same")
			}
		})
	}
}

// TestRestoreOlderSchema restores a backup of an older schema: serving migrates
// it then.
func TestRestoreOlderSchema(t *testing.T) {
	_, target := newBackup(t)
	store.Rewrite(t, target, "UPDATE schema_migrations SET version = version - 1",
		`UPDATE kgl_backup SET content = json_set(content, '$.schema_version', json_extract(content, '$.schema_version') - 1) WHERE name = 'manifest'`)
	fresh := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	done, err := store.Restore(t.Context(), fresh, target, restoreOptions(false))
	noError(t, err)
	if done.Backup.Schema != done.Backup.Latest-1 {
		t.Errorf("%+v", done.Backup)
	}
}
