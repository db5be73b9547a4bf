package store

import "github.com/peermesh/kgl-backend/server/internal/kgl"

// pageOf makes a page of rows that were read with one more than the limit,
// which tells whether the list goes on. position gives the place of a row.
func pageOf[T any](rows []T, p kgl.Page, position func(T) kgl.Position) kgl.List[T] {
	if rows == nil {
		rows = []T{}
	}
	if len(rows) <= p.Limit {
		return kgl.List[T]{Rows: rows}
	}
	rows = rows[:p.Limit]
	next := position(rows[p.Limit-1])
	return kgl.List[T]{Rows: rows, Next: &next}
}
