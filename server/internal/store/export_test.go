package store

import (
	"context"
	"strings"
)

// What the tests of this folder see of the inside.
// ListQuery is the type of the queries below.
type ListQuery = *listQuery

var (
	UsersQuery         = usersQuery
	AuditQuery         = auditQuery
	EntitiesQuery      = entitiesQuery
	RelationshipsQuery = relationshipsQuery
)

// ExecRaw runs a statement that the store does not have.
func (db *DB) ExecRaw(ctx context.Context, query string, args ...any) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		_, err := c.exec(ctx, query, args)
		return err
	})
}

// Explain returns the lines of the plan of a list, with planning by cost
// turned off as far as Postgres lets: the tables of tests are too small for it.
func (db *DB) Explain(ctx context.Context, q *listQuery) (string, error) {
	q.limit = 20
	query, args := q.text()
	var lines []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		explain, columns := "EXPLAIN QUERY PLAN ", 4
		if c.engine == Postgres {
			explain, columns = "EXPLAIN (COSTS OFF) ", 1
			for _, s := range []string{"seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"} {
				if _, err := c.exec(ctx, "SET LOCAL enable_"+s+" = off", nil); err != nil {
					return err
				}
			}
		}
		rs, err := c.query(ctx, explain+query, args)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var line string
			var skip int64
			into := []any{&skip, &skip, &skip, &line}
			if err := rs.Scan(into[4-columns:]...); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return rs.Err()
	})
	return strings.Join(lines, "\n"), err
}
