package main

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	migrations "github.com/peermesh/kgl-backend/sql"
)

func render(t *testing.T, files fstest.MapFS) string {
	t.Helper()
	var out strings.Builder
	if err := run(context.Background(), &out, files); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPage(t *testing.T) {
	got := render(t, fstest.MapFS{
		"sqlite/migrations/0001_init.up.sql": {Data: []byte(`
			CREATE TABLE parents (id TEXT NOT NULL PRIMARY KEY, score DOUBLE PRECISION);
			CREATE TABLE children (
				id TEXT NOT NULL PRIMARY KEY,
				parent_id TEXT NOT NULL REFERENCES parents (id) ON DELETE CASCADE,
				friend_id TEXT REFERENCES parents (id),
				twin_id TEXT NOT NULL UNIQUE REFERENCES parents (id),
				note TEXT NOT NULL DEFAULT 'x');
			CREATE INDEX children_note ON children (note DESC, id) WHERE note <> '';
			CREATE VIRTUAL TABLE notes USING fts5 (note);`)},
		"sqlite/migrations/0002_more.up.sql":   {Data: []byte("ALTER TABLE parents ADD COLUMN later BIGINT;")},
		"sqlite/migrations/0002_more.down.sql": {Data: []byte("not run")},
	})
	for _, want := range []string{
		"  parents ||--o{ children : \"parent_id\"\n", "  parents |o--o{ children : \"friend_id\"\n", "  parents ||--o| children : \"twin_id\"\n",
		"    DOUBLE_PRECISION score\n", "    BIGINT later\n", "    TEXT id PK\n", "    TEXT parent_id FK\n", "    TEXT twin_id FK, UK\n",
		"| parent_id | TEXT |  |  | parents.id, on delete cascade |\n", "| friend_id | TEXT | yes |  | parents.id |\n", "| note | TEXT |  | `'x'` |  |\n",
		"| children_note | note DESC, id | where `note <> ''` |\n", "| unique constraint | twin_id |  |\n", "| **id** | TEXT |",
		"Virtual tables of SQLite: `notes`.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "notes_data") || strings.Contains(got, "sqlite_") {
		t.Errorf("inner tables are shown:\n%s", got)
	}
}

func TestPageIsDeterministicAndHoldsTheSchema(t *testing.T) {
	var first, second strings.Builder
	for _, out := range []*strings.Builder{&first, &second} {
		if err := run(context.Background(), out, migrations.SQLite); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("two runs differ")
	}
	for _, table := range []string{"sources", "contents", "entities", "events", "users", "audit_events"} {
		if !strings.Contains(first.String(), "\n### "+table+"\n") {
			t.Errorf("table %s is missing", table)
		}
	}
}

func TestNoMigrations(t *testing.T) {
	if err := run(context.Background(), &strings.Builder{}, fstest.MapFS{}); err == nil {
		t.Error("an empty folder gave a page")
	}
}
