package transfer

import (
	"context"
	"errors"
	"fmt"
)

// Bounds of a batch, which is what the process holds of the rows: one that is
// read, one that waits and one that is written.
const (
	batchRows  = 5000
	batchBytes = 2 << 20
)

// batch is what one transaction writes.
type batch struct {
	rows  [][]any
	bytes int
	counted
}

// ErrInterrupted is the cause of a copy that was told to stop.
var ErrInterrupted = errors.New("the copy was stopped; run the same command again to go on with it")

// load copies the rows that the target does not have yet.
func (c *copier) load(ctx context.Context) error {
	report := c.reporter(PhaseCopy, c.all)
	report.done = c.state.rows()
	for _, t := range c.tables {
		if err := c.opts.fault("load " + t.name); err != nil {
			return err
		}
		if err := c.loadTable(ctx, t, report); err != nil {
			return err
		}
	}
	return nil
}

// loadTable reads in one goroutine and writes in another.
func (c *copier) loadTable(ctx context.Context, t table, report *reporter) error {
	p := c.state.Tables[t.name]
	var after []any
	if p.Last != nil {
		var err error
		if after, err = decodeKey(t, p.Last); err != nil {
			return err
		}
	}
	reading, stop := context.WithCancel(ctx)
	batches, failed := make(chan batch, 1), make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- c.readBatches(reading, t, after, batches)
	}()
	err := c.writeBatches(ctx, t, batches, report)
	stop()
	for range batches { // let the reader end
	}
	readErr := <-failed
	if err == nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	if err == nil {
		err = readErr
	}
	return err
}

// readBatches sends the rows behind a key.
func (c *copier) readBatches(ctx context.Context, t table, after []any, out chan<- batch) error {
	var h summer
	var b batch
	send := func() error {
		if len(b.rows) == 0 {
			return nil
		}
		select {
		case out <- b:
			b = batch{}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := c.from.read(ctx, t, span{after: after}, func(row []any) error {
		sum, size := h.row(row)
		b.rows, b.bytes = append(b.rows, row), b.bytes+size
		b.add(sum)
		if len(b.rows) < c.opts.batch && b.bytes < batchBytes {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}

// writeBatches writes what comes. A batch that was begun is written to its end.
func (c *copier) writeBatches(ctx context.Context, t table, batches <-chan batch, report *reporter) error {
	for b := range batches {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		if err := c.opts.fault("batch " + t.name); err != nil {
			return err
		}
		last, err := encodeKey(t.keyOf(b.rows[len(b.rows)-1]))
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		before := c.state.Tables[t.name]
		now := progress{counted: before.counted, Last: last}
		now.Rows += b.Rows
		now.Sum.add(b.Sum)
		c.state.Tables[t.name] = now
		if err := c.to.write(context.WithoutCancel(ctx), t, b.rows, c.state); err != nil {
			return err
		}
		report.rows(t.name, b.Rows, now.Rows, c.total[t.name])
	}
	return nil
}

// index gives the target its indexes and foreign keys back.
func (c *copier) index(ctx context.Context) error {
	report := c.reporter(PhaseIndex, int64(len(c.state.Pending)))
	for len(c.state.Pending) > 0 {
		if err := c.opts.fault("index"); err != nil {
			return err
		}
		if err := c.to.build(ctx, c.state); err != nil {
			return interrupted(ctx, fmt.Errorf("the target: %w", err))
		}
		name := firstWords(c.state.Pending[0])
		c.state.Pending = c.state.Pending[1:]
		report.rows(name, 1, 1, 1)
	}
	if err := c.to.loaded(ctx, c.tables); err != nil {
		return interrupted(ctx, fmt.Errorf("the target: %w", err))
	}
	return nil
}

// interrupted returns the error, or ErrInterrupted where the end of ctx is its
// cause.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}
