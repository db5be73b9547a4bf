package benchdata

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// indexesOf returns the definitions of all indexes, in order.
func indexesOf(t *testing.T, databaseURL string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef")
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestFillLeavesAllIndexes(t *testing.T) {
	databaseURL := pgtest.NewDatabase(t)
	m, err := store.NewMigrator(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := indexesOf(t, databaseURL)
	cfg := testConfig()
	cfg.Items = 20
	if _, err := Fill(t.Context(), databaseURL, cfg); err != nil {
		t.Fatal(err)
	}
	if after := indexesOf(t, databaseURL); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("%d indexes before and %d after the fill", len(before), len(after))
	}
}
