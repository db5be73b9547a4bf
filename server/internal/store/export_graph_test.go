package store

import (
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// NeighborsText returns the statement that reads the edges of entities, and its
// arguments.
func NeighborsText(e Engine, q kgl.NeighborQuery, hub bool) (string, []any, error) {
	if e == SQLite {
		return packedNeighbors(q.IDs, q, hub)
	}
	text, args := neighborsOfAll(q)
	return text, args, nil
}

// Analyzed runs a statement of Postgres and returns its plan with the rows that
// each step read.
func Analyzed(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	var lines []string
	err := db.read(t.Context(), func(c *conn) error {
		rs, err := c.query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+query, args)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var line string
			if err := rs.Scan(&line); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return rs.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
