package benchdata

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Stats is how many rows were stored.
type Stats struct {
	Items, Sources, Entities, Relationships, Mentions, Evidence, Duplicates, Revisions, Events int
}

// errNotEmpty refuses a database in use.
var errNotEmpty = errors.New("benchdata: the database holds content already: give it an empty one")

// database writes rows of one engine.
type database interface {
	// count returns the number of rows of a table.
	count(ctx context.Context, table string) (int64, error)
	// begin prepares for writing.
	begin(ctx context.Context) error
	// dropIndexes drops the indexes of tables that belong to no constraint: index
	// makes them again, which is much quicker than to keep them up to date.
	dropIndexes(ctx context.Context, tables ...string) error
	// insert writes rows of one table in one transaction.
	insert(ctx context.Context, t table, rows [][]any) error
	// store writes a batch in one transaction. Events get the transaction's
	// position in the order of events, see docs/decisions.
	store(ctx context.Context, b *batch) error
	// index makes the indexes that were dropped.
	index(ctx context.Context) error
	// exec runs statements one by one.
	exec(ctx context.Context, statements ...string) error
	// finish checks the rows and leaves the database as the service expects it.
	finish(ctx context.Context) error
	close() error
}

// Fill fills the migrated database of databaseURL, which has the form that
// KGL_DATABASE_URL has. A fill that is broken off leaves a database to throw away.
func Fill(ctx context.Context, databaseURL string, cfg Config) (stats Stats, err error) {
	if err := cfg.check(); err != nil {
		return Stats{}, err
	}
	db, err := open(ctx, databaseURL)
	if err != nil {
		return Stats{}, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	n, err := db.count(ctx, "contents")
	if err != nil {
		return Stats{}, fmt.Errorf("benchdata: is the database migrated? %w", err)
	}
	if n > 0 {
		return Stats{}, errNotEmpty
	}
	if err := db.begin(ctx); err != nil {
		return Stats{}, err
	}
	if stats, err = storeAll(ctx, db, cfg); err != nil {
		return stats, err
	}
	if err := db.index(ctx); err != nil {
		return stats, err
	}
	if err := db.exec(ctx, countGraph()...); err != nil {
		return stats, err
	}
	return stats, db.finish(ctx)
}

func storeAll(ctx context.Context, db database, cfg Config) (Stats, error) {
	size := cfg.BatchItems
	if size < 1 {
		size = defaultBatch
	}
	g, total := newGenerator(cfg), Stats{}
	// Rows are made while the batch before them is stored.
	full, empty := make(chan *batch), make(chan *batch, 2)
	empty <- new(batch)
	empty <- new(batch)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(full)
		for n := 0; n < cfg.Items; {
			b := <-empty
			b.clear()
			for end := min(n+size, cfg.Items); n < end; n++ {
				g.step(n, b)
			}
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	for b := range full {
		if err := db.store(ctx, b); err != nil {
			return total, err
		}
		total.add(b)
		if cfg.Progress != nil {
			cfg.Progress(total.Items)
		}
		empty <- b
	}
	return total, ctx.Err()
}

func (s *Stats) add(b *batch) {
	s.Items += len(b[contents])
	s.Sources += len(b[sources])
	s.Entities += len(b[entities])
	s.Relationships += len(b[relationships])
	s.Mentions += len(b[mentions])
	s.Evidence += len(b[evidence])
	s.Duplicates += len(b[links])
	s.Revisions += len(b[revisions])
	s.Events += len(b[events])
}

func open(ctx context.Context, databaseURL string) (database, error) {
	switch {
	case strings.HasPrefix(databaseURL, "sqlite:///"):
		return openSQLite(strings.TrimPrefix(databaseURL, "sqlite:///"))
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		return openPostgres(ctx, databaseURL)
	}
	return nil, errors.New("benchdata: the database URL must begin with sqlite:/// or postgres://")
}
