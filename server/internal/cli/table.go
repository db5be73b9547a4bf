package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// table prints rows in columns.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, header ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(header...)
	return t
}

// row adds a row. Errors of the writer are those of flush.
func (t *table) row(cells ...string) {
	for i, text := range cells {
		cells[i] = cell(text)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// cell makes text of others, such as the title of a feed, fit for a terminal:
// it breaks no column, moves no cursor and does not reverse what follows.
func cell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// eachRow calls fn for every row of a list, page by page.
func eachRow[T any](list func(kgl.Page) (kgl.List[T], error), fn func(T)) error {
	page := kgl.Page{Limit: kgl.MaxPageLimit}
	for {
		l, err := list(page)
		if err != nil {
			return err
		}
		for _, row := range l.Rows {
			fn(row)
		}
		if l.Next == nil {
			return nil
		}
		page.After = l.Next
	}
}

func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format("2006-01-02 15:04:05")
}
