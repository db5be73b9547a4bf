package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var sqlRules = map[string]func([]sqlFile) []string{
	"ascii": checkASCII, "forms": checkForms, "columns": checkColumns, "pairs": checkPairs, "migrations": checkMigrations,
}

func TestSQL(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := readSQL(os.DirFS(filepath.Join(root, "sql")))
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, f := range files {
		queries += len(f.queries)
	}
	if queries == 0 {
		t.Fatal("no queries found: the rules would test nothing")
	}
	for name, check := range sqlRules {
		t.Run(name, func(t *testing.T) {
			for _, fault := range check(files) {
				t.Error(fault)
			}
		})
	}
}

// TestSQLFormsAreEnforced shows each form that is banned, and its neighbour that
// is not.
func TestSQLFormsAreEnforced(t *testing.T) {
	for name, tt := range map[string]struct {
		sql  string
		want string // empty: allowed
	}{
		"slice":                {"SELECT id FROM t WHERE id IN (sqlc.slice('ids')) AND a = @a", "sqlc.slice"},
		"json list":            {"SELECT id FROM t WHERE id IN (SELECT value FROM json_each(@ids))", ""},
		"order by parameter":   {"SELECT id FROM t ORDER BY @sort LIMIT @row_limit", "ORDER BY"},
		"order by case":        {"SELECT id FROM t ORDER BY CASE WHEN @asc THEN id END", "ORDER BY"},
		"order by narg":        {"SELECT id FROM t ORDER BY sqlc.narg('sort')", "ORDER BY"},
		"order by column":      {"SELECT id FROM t WHERE a = @a ORDER BY created_at DESC, id LIMIT @row_limit", ""},
		"limit with a cast":    {"SELECT id FROM t ORDER BY id LIMIT @row_limit::bigint", ""},
		"order in a subselect": {"SELECT id FROM (SELECT id FROM t ORDER BY id) AS s WHERE id > @after", ""},
		"row value":            {"SELECT id FROM t WHERE (a, b) < (@a, @b)", "row-value"},
		"typed row value":      {"SELECT id FROM t WHERE (a, b) < (CAST(@a AS BIGINT), CAST(@b AS DOUBLE PRECISION))", ""},
		"half typed":           {"SELECT id FROM t WHERE (a, b) < (CAST(@a AS BIGINT), @b)", "row-value"},
		"cast null first":      {"SELECT id FROM t WHERE (CAST(@a AS TEXT) IS NULL OR a = @a)", "IS NULL OR"},
		"expanded keyset":      {"SELECT id FROM t WHERE a < @a OR (a = @a AND b < @b)", ""},
		"values list":          {"INSERT INTO t (a, b) VALUES (@a, @b)", ""},
		"offset":               {"SELECT id FROM t LIMIT 10 OFFSET @n", "OFFSET"},
		"offset column":        {"SELECT start_offset FROM t", ""},
		"null first":           {"SELECT id FROM t WHERE (@a IS NULL OR a = @a)", "IS NULL OR"},
		"narg first":           {"SELECT id FROM t WHERE (sqlc.narg('a') IS NULL OR a = sqlc.narg('a'))", "IS NULL OR"},
		"column first":         {"SELECT id FROM t WHERE (a = sqlc.narg('a') OR sqlc.narg('a') IS NULL)", ""},
		"column null":          {"SELECT id FROM t WHERE a IS NULL OR a > @a", ""},
		"pragma":               {"PRAGMA user_version", "PRAGMA"},
		"items":                {"INSERT INTO t SELECT value FROM json_each(@items)", "items"},
		"conflict set":         {"INSERT INTO t (a) VALUES (@a) ON CONFLICT (a) DO UPDATE SET b = @b", "ON CONFLICT"},
		"conflict set, cast":   {"INSERT INTO t (a) VALUES (@a)\nON CONFLICT (a)\nDO UPDATE\nSET b = CAST(sqlc.narg('b') AS TEXT)", "ON CONFLICT"},
		"conflict where":       {"INSERT INTO t (a) VALUES (@a) ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE t.b < @b RETURNING a", "ON CONFLICT"},
		"conflict excluded":    {"INSERT INTO t (a, b) VALUES (@a, @b) ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE t.b < excluded.b", ""},
		"conflict nothing":     {"INSERT INTO t (a) VALUES (@a) ON CONFLICT (a) DO NOTHING", ""},
		"in a comment":         {"-- no OFFSET here\nSELECT id FROM t", ""},
		"in a literal":         {"SELECT id FROM t WHERE a = 'OFFSET'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSQLFile("sqlite/queries/t.sql", "-- name: X :many\n"+tt.sql+";\n")
			got := strings.Join(checkForms([]sqlFile{f}), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	onPostgres := newSQLFile("postgres/queries/t.sql", "-- name: X :exec\nINSERT INTO t (a) VALUES (@a) ON CONFLICT (a) DO UPDATE SET b = @b;\n")
	if got := checkForms([]sqlFile{onPostgres}); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	kinds := newSQLFile("postgres/queries/t.sql", "-- name: X :copyfrom\nSELECT 1;\n-- name: Q :one\nSELECT 1;\n")
	if got := checkForms([]sqlFile{kinds}); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

func TestSQLPairsAreEnforced(t *testing.T) {
	file := func(name, text string) sqlFile { return newSQLFile(name, text) }
	const get, list = "-- name: Get :one\nSELECT 1;\n", "-- name: List :many\nSELECT 1;\n"
	for name, tt := range map[string]struct {
		files []sqlFile
		want  string
	}{
		"equal":        {[]sqlFile{file("sqlite/queries/a.sql", get), file("postgres/queries/a.sql", get)}, ""},
		"no file":      {[]sqlFile{file("sqlite/queries/a.sql", "")}, "sql/postgres: file queries/a.sql is missing"},
		"no query":     {[]sqlFile{file("sqlite/queries/a.sql", get), file("postgres/queries/a.sql", get+list)}, "sql/sqlite: query List"},
		"other kind":   {[]sqlFile{file("sqlite/queries/a.sql", get), file("postgres/queries/a.sql", strings.Replace(get, ":one", ":many", 1))}, ":one on sqlite, :many on postgres"},
		"twice":        {[]sqlFile{file("sqlite/queries/a.sql", get+get), file("postgres/queries/a.sql", get)}, "twice"},
		"engine file":  {[]sqlFile{file("sqlite/queries/search_engine.sql", get)}, ""},
		"moved a file": {[]sqlFile{file("sqlite/queries/a.sql", get), file("sqlite/queries/b.sql", ""), file("postgres/queries/a.sql", ""), file("postgres/queries/b.sql", get)}, "query Get of queries/a.sql is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(checkPairs(tt.files), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSQLFilesAreEnforced(t *testing.T) {
	up, down := "/migrations/0001_init.up.sql", "/migrations/0001_init.down.sql"
	complete := []sqlFile{{path: "sqlite" + up}, {path: "sqlite" + down}, {path: "postgres" + up}, {path: "postgres" + down}}
	for name, tt := range map[string]struct {
		rule  string
		files []sqlFile
		want  string
	}{
		"ascii":      {"ascii", []sqlFile{{path: "sqlite" + up, text: "-- caf\u00e9\n"}}, "sql/sqlite/migrations/0001_init.up.sql:1: not ASCII"},
		"complete":   {"migrations", complete, ""},
		"no down":    {"migrations", complete[:3], "migration 0001 has [up]"},
		"gap":        {"migrations", append(complete, sqlFile{path: "sqlite/migrations/0003_x.up.sql"}, sqlFile{path: "sqlite/migrations/0003_x.down.sql"}), "migration 0002"},
		"name":       {"migrations", append(complete, sqlFile{path: "sqlite/migrations/next.sql"}), "the name must be like"},
		"none":       {"migrations", complete[:2], "sql/postgres has no migrations"},
		"time type":  {"columns", []sqlFile{{path: "postgres" + up, text: "CREATE TABLE t (\n  at TIMESTAMPTZ NOT NULL\n);"}}, "column at TIMESTAMPTZ"},
		"bigint":     {"columns", []sqlFile{{path: "postgres" + up, text: "CREATE TABLE t (\n  at BIGINT NOT NULL, -- TIMESTAMPTZ\n  note TEXT\n);"}}, ""},
		"float type": {"columns", []sqlFile{{path: "sqlite" + up, text: "CREATE TABLE t (\n  score REAL NOT NULL\n);"}}, "column score REAL"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(sqlRules[tt.rule](tt.files), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
