package transfer_test

import (
	"crypto/rand"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

// TestThereAndBack copies a database with rows in every table to another one,
// and back: nothing of it changes. The report names every table that the
// migrations make.
func TestThereAndBack(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source := newFull(t, from)
		want := dump(t, source)
		for table, rows := range want {
			if len(rows) == 0 {
				t.Fatalf("the fixture has no row in %s", table)
			}
		}
		there := newURL(t, to)
		report := move(t, transfer.Options{From: source, To: there}.WithFault(2, func(string) error { return nil }))
		wantSame(t, dump(t, there), want)
		noError(t, check(t, there))
		if have, fresh := schemaOf(t, there), schemaOf(t, newMigrated(t, to)); !slices.Equal(have, fresh) {
			t.Errorf("the schema of the copy is\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(fresh, "\n"))
		}
		var names []string
		for _, table := range report.Tables {
			names = append(names, table.Name)
			if n := len(want[table.Name]); table.Rows != int64(n) || table.Sum == (transfer.Sum{}) {
				t.Errorf("reported of %s: %d rows, want %d; checksum %v", table.Name, table.Rows, n, table.Sum)
			}
		}
		slices.Sort(names)
		if all := slices.Sorted(maps.Keys(want)); !slices.Equal(names, all) {
			t.Errorf("copied %v, the schema has %v and event_clock", names, all)
		}

		back := newMigrated(t, from) // a migrated database is empty, too
		again := move(t, transfer.Options{From: there, To: back})
		wantSame(t, dump(t, back), want)
		if !slices.Equal(again.Tables, report.Tables) {
			t.Errorf("the checksums differ:\n%v\n%v", again.Tables, report.Tables)
		}
	})
}

// TestCatalogues fails when a table or column is on one engine only, has
// another place or kind, or a kind that a copy cannot carry.
func TestCatalogues(t *testing.T) {
	sqliteURL := newMigrated(t, "sqlite")
	sqlite, err := transfer.Catalogue(t.Context(), "", strings.TrimPrefix(sqliteURL, "sqlite:///"))
	noError(t, err)
	postgresURL := newMigrated(t, "postgres")
	postgres, err := transfer.Catalogue(t.Context(), postgresURL, "")
	noError(t, err)
	if !maps.Equal(sqlite, postgres) {
		t.Errorf("SQLite has\n%v\nPostgres has\n%v", sqlite, postgres)
	}
	for _, url := range []string{sqliteURL, postgresURL} {
		db := raw(t, url)
		defer func() { noError(t, db.Close()) }()
		names := tableNames(t, db, isPostgres(url))
		if !slices.Equal(names, slices.Sorted(maps.Keys(sqlite))) {
			t.Errorf("the copy knows %v, the schema has %v", slices.Sorted(maps.Keys(sqlite)), names)
		}
	}
}

// TestEventsGoOn writes an event to a copy: it comes after all that were copied,
// and all are seen.
func TestEventsGoOn(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source, target := newFull(t, from), newURL(t, to)
		first := appendEvent(t, source)
		move(t, transfer.Options{From: source, To: target})
		second := appendEvent(t, target)
		if comparePositions(second, first) <= 0 {
			t.Errorf("the event of the copy is at %v, the last of the source at %v", second, first)
		}
		seen := eventsOf(t, target)
		if len(seen) != fixtureRows+2 || !slices.IsSortedFunc(seen, comparePositions) || seen[len(seen)-1] != second {
			t.Errorf("events at %v", seen)
		}
		// On from there, and back to where it came from.
		third := newURL(t, from)
		move(t, transfer.Options{From: target, To: third})
		if last := appendEvent(t, third); comparePositions(last, second) <= 0 {
			t.Errorf("the event of the copy of the copy is at %v, want it after %v", last, second)
		}
	})
}

// TestOrdinaryRole copies as a role that owns its databases and may do nothing
// else.
func TestOrdinaryRole(t *testing.T) {
	role := strings.ToLower("kgl_" + rand.Text()[:10])
	admin := pgtest.URL(t)
	execute(t, admin, "CREATE ROLE "+role+" LOGIN NOSUPERUSER PASSWORD 'x'")
	t.Cleanup(func() { execute(t, admin, "DROP ROLE "+role) }) // after its databases
	owned := func() string {
		u, err := url.Parse(pgtest.NewDatabase(t))
		noError(t, err)
		execute(t, admin, `ALTER DATABASE "`+strings.TrimPrefix(u.Path, "/")+`" OWNER TO `+role)
		u.User = url.UserPassword(role, "x")
		return u.String()
	}
	source, first, second := newFull(t, "sqlite"), owned(), owned()
	move(t, transfer.Options{From: source, To: first})
	wantRefused(t, transfer.Options{From: first, To: first, Force: true}, "the same database")
	move(t, transfer.Options{From: first, To: second})
	wantSame(t, dump(t, second), dump(t, source))
}
