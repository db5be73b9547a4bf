package transfer

import (
	"context"
	"fmt"
	"slices"
)

// prepare decides whether the copy begins or goes on, and brings the target and
// c.state to where the next row can be written.
func (c *copier) prepare(ctx context.Context) (ignored []string, err error) {
	from, err := c.from.tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	found, err := c.to.marker(ctx)
	if err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	if found != nil && found.Phase == phaseLoading && !c.opts.Force {
		ignored, why, err := c.resume(ctx, from, found)
		if err != nil || why == "" {
			return ignored, err
		}
		c.opts.Note("starting over: " + why)
	}
	if found == nil || found.Phase != phaseLoading {
		if err := c.allow(ctx, from, found != nil); err != nil {
			return nil, fmt.Errorf("the target: %w", err)
		}
	}
	return c.begin(ctx, from)
}

// allow refuses a target whose content would be lost.
func (c *copier) allow(ctx context.Context, from []table, marked bool) error {
	tables, err := c.to.tables(ctx)
	if err != nil {
		return err
	}
	known := byName(from)
	var foreign []string
	for _, t := range tables {
		if _, ok := known[t.name]; !ok {
			foreign = append(foreign, t.name)
		}
	}
	if foreign != nil {
		return fmt.Errorf("it holds tables that are not KGL's (%s): give the copy a database of its own", list(foreign))
	}
	if marked || c.opts.Force {
		return nil
	}
	names, err := c.to.filled(ctx)
	if err != nil {
		return err
	}
	if names != nil {
		return fmt.Errorf("it is not empty: it has rows in %s. Name another database, or let --force delete all that it holds", list(names))
	}
	return nil
}

// begin makes the target an empty one with the schema.
func (c *copier) begin(ctx context.Context, from []table) (ignored []string, err error) {
	c.state = &state{Format: markerFormat, Phase: phasePreparing, Tables: map[string]progress{}}
	if err := c.to.mark(ctx, c.state); err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	if err := c.opts.fault("recreate"); err != nil {
		return nil, err
	}
	if err := c.to.recreate(ctx); err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	if ignored, err = c.adopt(ctx, from); err != nil {
		return nil, err
	}
	if err := c.opts.fault("strip"); err != nil {
		return nil, err
	}
	c.state.Phase = phaseLoading
	if err := c.to.strip(ctx, c.tables, c.state); err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	return ignored, nil
}

// adopt takes over the tables of the target, which are those of the migrated
// schema, and counts their rows in the source.
func (c *copier) adopt(ctx context.Context, from []table) (ignored []string, err error) {
	to, err := c.to.tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	c.tables, ignored, err = match(from, to)
	if err != nil {
		return nil, err
	}
	c.tables = slices.DeleteFunc(c.tables, func(t table) bool {
		if t.name == keysTable && c.opts.Keys != nil {
			c.keys = &t
			return true
		}
		return t.name == clockTable
	})
	c.total, c.all = map[string]int64{}, 0
	for _, t := range c.tables {
		n, err := c.from.count(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", t.name, err)
		}
		c.total[t.name] = n
		c.all += n
	}
	return ignored, nil
}

// resume takes over what an earlier run did, or says why the copy must start
// over.
func (c *copier) resume(ctx context.Context, from []table, found *state) (ignored []string, why string, err error) {
	if ignored, err = c.adopt(ctx, from); err != nil {
		return nil, err.Error(), ctx.Err()
	}
	if why, err = c.changed(ctx, found); err != nil || why != "" {
		return nil, why, err
	}
	c.state = found
	c.opts.Note(fmt.Sprintf("going on with an earlier run, which copied %d rows that the source still has", found.rows()))
	return ignored, "", nil
}

// changed says why an earlier run cannot be gone on with: the rows that it
// copied are not those of the source any more. Rows that came behind them do
// not matter: they are still to be copied.
func (c *copier) changed(ctx context.Context, found *state) (string, error) {
	known := byName(c.tables)
	for name := range found.Tables {
		if _, ok := known[name]; !ok {
			return "the schema is not that of the earlier run", nil
		}
	}
	report := c.reporter(PhaseRecheck, found.rows())
	for _, t := range c.tables {
		p, begun := found.Tables[t.name]
		if !begun {
			continue
		}
		last, err := decodeKey(t, p.Last)
		if err != nil {
			return "the marker of the earlier run cannot be read", nil
		}
		have, err := c.sum(ctx, c.from, t, span{upTo: last}, report, p.Rows)
		if err != nil {
			return "", fmt.Errorf("the source: %w", err)
		}
		if have != p.counted {
			return fmt.Sprintf("since the earlier run the source has changed in %s", t.name), nil
		}
	}
	return "", nil
}
