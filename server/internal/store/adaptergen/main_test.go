package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const queries = `package sqlitedb

import "context"

func (q *Queries) Things(ctx context.Context, ids string) ([]Thing, error) { return nil, nil }
func (q *Queries) Thing(ctx context.Context, arg ThingParams) (Thing, error) { return Thing{}, nil }
func (q *Queries) Count(ctx context.Context) (int64, error) { return 0, nil }
func (q *Queries) Names(ctx context.Context, before *int64) ([]string, error) { return nil, nil }
func (q *Queries) Drop(ctx context.Context, id string) error { return nil }
func helper() {}
`

func generate(t *testing.T, files map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := run([]string{dir}, &out)
	return out.String(), err
}

func TestAdapter(t *testing.T) {
	engine := "package sqlitedb\nfunc (q *Queries) Special(ctx context.Context) error { return nil }\n"
	text, err := generate(t, map[string]string{"a.sql.go": queries, "b_engine.sql.go": engine, "db.go": "package sqlitedb\nfunc (q *Queries) WithTx(tx *sql.Tx) *Queries { return q }\n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Things(ctx context.Context, arg string) ([]sqlitedb.Thing, error)",
		"out[i] = sqlitedb.Thing(row)",
		"q.db.Thing(ctx, pgdb.ThingParams(arg))",
		"return sqlitedb.Thing(row), err",
		"Count(ctx context.Context) (int64, error)",
		"Names(ctx context.Context, arg *int64) ([]string, error)",
		"return q.db.Drop(ctx, arg)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the adapter lacks %q:\n%s", want, text)
		}
	}
	for _, banned := range []string{"Special", "WithTx", "helper"} {
		if strings.Contains(text, banned) {
			t.Errorf("the adapter has %q", banned)
		}
	}
	if again, _ := generate(t, map[string]string{"a.sql.go": queries}); again != text {
		t.Error("two runs differ")
	}
}

func TestAdapterRefuses(t *testing.T) {
	for name, fn := range map[string]string{
		"two arguments": "func (q *Queries) A(ctx context.Context, a, b string) error { return nil }",
		"three results": "func (q *Queries) A(ctx context.Context) (int, int, error) { return 0, 0, nil }",
		"no Go":         "func",
	} {
		if _, err := generate(t, map[string]string{"a.sql.go": "package sqlitedb\n" + fn}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := run(nil, nil); err == nil {
		t.Error("no folder: no error")
	}
}
