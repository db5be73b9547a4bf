package transfer

import (
	"context"
	"errors"
	"fmt"
)

// reporter tells how far a phase has come.
type reporter struct {
	tell        func(Progress)
	phase       Phase
	done, total int64
}

func (c *copier) reporter(phase Phase, total int64) *reporter {
	return &reporter{tell: c.opts.Progress, phase: phase, total: total}
}

// rows tells of n more rows of a table.
func (r *reporter) rows(table string, n, rows, of int64) {
	r.done += n
	r.table(table, rows, of)
}

func (r *reporter) table(table string, rows, of int64) {
	r.tell(Progress{Phase: r.phase, Table: table, Rows: rows, Of: of, Done: r.done, Total: r.total})
}

// tellEvery is how many rows are read between two words about it.
const tellEvery = 5000

// sum counts and sums the rows of a span.
func (c *copier) sum(ctx context.Context, s side, t table, sp span, report *reporter, of int64) (counted, error) {
	var h summer
	var have counted
	var told int64
	err := s.read(ctx, t, sp, func(row []any) error {
		sum, _ := h.row(row)
		have.add(sum)
		if have.Rows-told == tellEvery {
			report.rows(t.name, tellEvery, have.Rows, of)
			told = have.Rows
		}
		return nil
	})
	if err == nil {
		report.rows(t.name, have.Rows-told, have.Rows, of)
	}
	return have, interrupted(ctx, err)
}

// verify reads the target back and compares it with what was read of the
// source.
func (c *copier) verify(ctx context.Context) ([]TableReport, error) {
	if err := c.opts.fault("verify"); err != nil {
		return nil, err
	}
	report := c.reporter(PhaseVerify, c.all)
	var tables []TableReport
	var faults []error
	for _, t := range c.tables {
		want := c.state.Tables[t.name].counted
		have, err := c.sum(ctx, c.to, t, span{}, report, want.Rows)
		if err != nil {
			return nil, interrupted(ctx, fmt.Errorf("the target: %w", err))
		}
		if want.Rows != c.total[t.name] || have != want {
			faults = append(faults, fmt.Errorf("%s: the source has %d rows, of which %d were copied with the checksum %v; the target has %d rows with the checksum %v",
				t.name, c.total[t.name], want.Rows, want.Sum, have.Rows, have.Sum))
		}
		tables = append(tables, TableReport{Name: t.name, Rows: have.Rows, Sum: have.Sum})
	}
	if faults != nil {
		return tables, errors.Join(append(faults, errors.New("the copy is not the same as the source and will not be served: run the command again with --force to start over"))...)
	}
	return tables, nil
}
