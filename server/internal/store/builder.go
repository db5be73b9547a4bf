package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// sqlText is a piece of SQL that stands in this package as a constant. Strings
// that come from elsewhere do not convert to it by themselves: values reach a
// statement as parameters only.
type sqlText string

// listQuery builds the SELECT of one page of a list that has filters and an
// order, for which generated queries would need one statement for each
// combination. It pages by keyset: by the values of the last row, never by a
// number of rows to skip.
type listQuery struct {
	engine Engine
	from   sqlText
	conds  []string
	args   []any
	order  string
	limit  int
}

// newList starts a query; from is "SELECT columns FROM tables".
func newList(engine Engine, from sqlText) *listQuery {
	return &listQuery{engine: engine, from: from}
}

// bind adds a parameter and returns its placeholder.
func (q *listQuery) bind(v any) string {
	q.args = append(q.args, v)
	if q.engine == Postgres {
		return "$" + strconv.Itoa(len(q.args))
	}
	return "?" + strconv.Itoa(len(q.args))
}

// where adds a condition without parameters.
func (q *listQuery) where(cond sqlText) { q.conds = append(q.conds, string(cond)) }

// compare adds "expr op parameter".
func (q *listQuery) compare(expr, op sqlText, v any) {
	q.conds = append(q.conds, string(expr)+" "+string(op)+" "+q.bind(v))
}

// call adds "before parameter after", for conditions around a value.
func (q *listQuery) call(before sqlText, v any, after sqlText) {
	q.conds = append(q.conds, string(before)+q.bind(v)+string(after))
}

// in adds a condition that the column has one of the values; no value: no
// condition.
func (q *listQuery) in(column sqlText, values []string) {
	switch len(values) {
	case 0:
	case 1:
		q.compare(column, "=", values[0])
	default:
		marks := make([]string, len(values))
		for i, v := range values {
			marks[i] = q.bind(v)
		}
		keep := ""
		if q.engine == SQLite {
			// Without statistics SQLite takes the index of the column, which gives
			// several values in no common order, and sorts all that it finds. The
			// plus keeps it on the index of the order.
			keep = "+"
		}
		q.conds = append(q.conds, keep+string(column)+" IN ("+strings.Join(marks, ", ")+")")
	}
}

// within adds the bounds of a time range to a column in microseconds.
func (q *listQuery) within(column sqlText, r kgl.TimeRange) {
	if !r.Since.IsZero() {
		q.compare(column, ">=", micros(r.Since))
	}
	if !r.Until.IsZero() {
		q.compare(column, "<", micros(r.Until))
	}
}

// prefix adds a condition that a column in byte order starts with a text.
func (q *listQuery) prefix(column sqlText, text string) {
	q.compare(column, ">=", text)
	q.compare(column, "<", text+"\U0010FFFF")
}

// direction of a list's order.
type direction bool

const (
	ascending  direction = false
	descending direction = true
)

// orderBy orders by the columns, which together are unique, all in one
// direction, and goes on behind the values after; nil: from the beginning.
func (q *listQuery) orderBy(dir direction, columns []sqlText, after []any) {
	suffix, op := "", " > "
	if dir == descending {
		suffix, op = " DESC", " < "
	}
	names, terms := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], terms[i] = string(c), string(c)+suffix
	}
	q.order = strings.Join(terms, ", ")
	if after == nil {
		return
	}
	marks := make([]string, len(after))
	for i, v := range after {
		marks[i] = q.bind(v)
	}
	q.conds = append(q.conds, "("+strings.Join(names, ", ")+")"+op+"("+strings.Join(marks, ", ")+")")
}

// text ends the query and returns the statement and its parameters. It asks for one row more than
// the page holds, to know whether the list goes on. Postgres gets the number as
// it is: it takes an unknown one for a tenth of the table, finds its plan for any
// number dearer than one for this number, and so plans every page anew.
func (q *listQuery) text() (string, []any) {
	var b strings.Builder
	text, _ := q.whole()
	b.WriteString(text)
	limit := strconv.Itoa(q.limit + 1)
	if q.engine == SQLite {
		limit = q.bind(int64(q.limit) + 1)
	}
	b.WriteString(" ORDER BY " + q.order + " LIMIT " + limit)
	return b.String(), q.args
}

// whole returns the query without its order and without a limit.
func (q *listQuery) whole() (string, []any) {
	if len(q.conds) == 0 {
		return string(q.from), q.args
	}
	return string(q.from) + " WHERE " + strings.Join(q.conds, " AND "), q.args
}

// pageLimit returns the number of rows of a page.
func pageLimit(p kgl.Page) int {
	if p.Limit < 1 {
		return kgl.DefaultPageLimit
	}
	return p.Limit
}

// readList runs q for a page. scan reads one row, position says where it
// stands in the order.
func readList[T any](ctx context.Context, c *conn, q *listQuery, p kgl.Page,
	scan func(rows) (T, error), position func(T) kgl.Position) (kgl.List[T], error) {
	p.Limit = pageLimit(p)
	q.limit = p.Limit
	text, args := q.text()
	rs, err := c.query(ctx, text, args)
	if err != nil {
		return kgl.List[T]{}, err
	}
	defer rs.Close()
	out := make([]T, 0, q.limit+1)
	for rs.Next() {
		row, err := scan(rs)
		if err != nil {
			return kgl.List[T]{}, err
		}
		out = append(out, row)
	}
	if err := rs.Err(); err != nil {
		return kgl.List[T]{}, err
	}
	return pageOf(out, p, position), nil
}
