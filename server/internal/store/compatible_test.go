package store_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/peermesh/kgl-backend/server/internal/store"
	migrations "github.com/peermesh/kgl-backend/sql"
)

// says is the statement by which a migration tells which binaries can work with
// the schema that it leaves.
const says = `INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '%d', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;`

// TestNewerSchema migrates past what this binary knows: it works on where the
// migration says so, refuses where not, and leaves whole tables alone anyway.
func TestNewerSchema(t *testing.T) {
	for name, tc := range map[string]struct {
		statement string
		works     bool
	}{
		"expands":       {fmt.Sprintf(says, 1), true},
		"contracts":     {fmt.Sprintf(says, 9001), false},
		"says nonsense": {fmt.Sprintf(says, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			eachEmpty(t, func(t *testing.T, url string) {
				files, dir := later(t, url, false)
				files[dir+"/9001_later.up.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE sources ADD COLUMN extra TEXT NOT NULL DEFAULT '';\n" + tc.statement)}
				newer, err := store.NewMigratorOf(url, files, dir)
				noError(t, err)
				noError(t, newer.Up(t.Context()))
				noError(t, newer.Check(t.Context()))
				ours := migrator(t, url)
				wantError(t, ours.CheckExact(t.Context()), "newer kgl")
				wantError(t, ours.Down(t.Context(), 1), "newer kgl")
				if !tc.works {
					wantError(t, ours.Check(t.Context()), "newer kgl")
					wantError(t, ours.Up(t.Context()), "newer kgl")
					return
				}
				noError(t, ours.Check(t.Context()))
				noError(t, ours.Up(t.Context()))
				noError(t, open(t, url).Ping(t.Context()))
			})
		})
	}
}

// TestMigrationsSayWhoFits reads the migrations behind the first: each tells
// since which version of the schema a binary can work with what it leaves.
func TestMigrationsSayWhoFits(t *testing.T) {
	told := regexp.MustCompile(`'schema_compatible_from', '(\d+)'`)
	for dir, files := range map[string]fs.FS{"sqlite/migrations": migrations.SQLite, "postgres/migrations": migrations.Postgres} {
		names, err := fs.Glob(files, dir+"/*.sql")
		noError(t, err)
		for _, name := range names {
			base := strings.TrimPrefix(name, dir+"/")
			version, err := strconv.Atoi(base[:4])
			noError(t, err)
			if version == 1 {
				continue
			}
			text, err := fs.ReadFile(files, name)
			noError(t, err)
			m := told.FindSubmatch(text)
			if m == nil {
				t.Errorf("%s does not set schema_compatible_from: see docs/decisions/0011-schema-compatibility.md", name)
				continue
			}
			if from, _ := strconv.Atoi(string(m[1])); from < 1 || from > version {
				t.Errorf("%s is compatible from %d", name, from)
			}
		}
	}
}
