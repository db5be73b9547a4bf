package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// DefaultLockWait is how long a copy waits for those who write to the source.
const DefaultLockWait = 30 * time.Second

// Options say what is copied, and how.
type Options struct {
	From, To string // database URLs, as store.Config takes them
	// Force empties a target that holds something, and starts over where a copy
	// was broken off.
	Force bool
	// LockWait bounds the wait for the source's lock. 0: DefaultLockWait.
	LockWait time.Duration
	// Keys returns the rows that the target's table of signing keys is to have,
	// since the home and the form of these keys differ between installations. It
	// is called when everything else was copied. nil: the table is copied like any
	// other.
	Keys func(ctx context.Context) ([]kgl.SigningKey, error)
	// Reseal returns the sealed secrets of a source as the target is to have them,
	// since each installation seals under its own key. It gives the same for the
	// same, so that a copy can be compared and gone on with. nil: they are copied
	// as they are.
	Reseal func(sourceID, sealed string) (string, error)
	// Progress is told how far the work has come, after each batch; may be nil.
	Progress func(Progress)
	// Note is told what an operator should know on the way; may be nil.
	Note func(text string)

	// fault is called before each step, for tests that break the copy off there.
	fault func(step string) error
	// batch bounds the rows of a batch, for tests. 0: batchRows.
	batch int
}

// Report is the outcome of a complete copy.
type Report struct {
	Tables  []TableReport `json:"tables"`
	Resumed int64         `json:"resumed_rows"` // that an earlier run had copied
	// Ignored are tables of the source that are not KGL's.
	Ignored []string `json:"ignored_tables,omitempty"`
}

// TableReport is what was compared of a table: the rows of the source, which
// are those of the target.
type TableReport struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Sum  Sum    `json:"checksum"`
}

// Rows returns how many rows were copied.
func (r Report) Rows() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Rows
	}
	return n
}

// Phase is a part of the work.
type Phase string

// The phases, in their order.
const (
	PhaseRecheck Phase = "recheck" // what an earlier run copied
	PhaseCopy    Phase = "copy"
	PhaseIndex   Phase = "index" // Done and Total count indexes and keys
	PhaseVerify  Phase = "verify"
)

// Progress is how far a phase has come.
type Progress struct {
	Phase       Phase
	Table       string
	Rows, Of    int64 // of the table
	Done, Total int64 // of the phase
}

// Run copies a database. It returns when the copy is complete and was compared
// with the source, or with an error after which the target cannot be served.
func Run(ctx context.Context, opts Options) (Report, error) {
	c := &copier{opts: opts.withDefaults()}
	defer c.close()
	if err := c.open(ctx); err != nil {
		return Report{}, err
	}
	return c.run(ctx)
}

func (o Options) withDefaults() Options {
	if o.LockWait <= 0 {
		o.LockWait = DefaultLockWait
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.fault == nil {
		o.fault = func(string) error { return nil }
	}
	if o.batch <= 0 {
		o.batch = batchRows
	}
	return o
}

// copier is one run.
type copier struct {
	opts   Options
	from   source
	to     target
	keys   *table           // signing_keys, when Options.Keys gives its rows
	tables []table          // of both, parents first, that are copied by rows
	total  map[string]int64 // rows of each in the source
	all    int64            // rows of all of them
	state  *state
}

func (c *copier) close() {
	if c.to != nil {
		c.to.close()
	}
	if c.from != nil {
		c.from.close()
	}
}

// open opens and claims both databases. The target is touched last.
func (c *copier) open(ctx context.Context) error {
	fromEngine, fromPath, err := store.Locate(c.opts.From)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	toEngine, toPath, err := store.Locate(c.opts.To)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if fromEngine == store.SQLite {
		// Looking at its schema would make the file.
		if _, err := os.Stat(fromPath); err != nil {
			return fmt.Errorf("the source: there is no database: %w", err)
		}
		if toEngine == store.SQLite && sameFile(fromPath, toPath) {
			return errSame
		}
	}
	m, err := store.NewMigrator(c.opts.From)
	if err == nil {
		err = m.CheckExact(ctx)
	}
	if err == nil {
		c.from, err = openSource(ctx, c.opts.From, fromEngine, fromPath)
	}
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if err := c.openTarget(ctx, toEngine, toPath); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if c.opts.Reseal != nil {
		c.from = resealing{source: c.from, reseal: c.opts.Reseal}
	}
	return nil
}

var errSame = errors.New("the source and the target are the same database")

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func openSource(ctx context.Context, url string, engine store.Engine, path string) (source, error) {
	if engine == store.SQLite {
		s, err := openSQLiteSource(ctx, path)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	p, err := openPostgresSource(ctx, url)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (c *copier) openTarget(ctx context.Context, engine store.Engine, path string) error {
	m, err := store.NewMigrator(c.opts.To)
	if err != nil {
		return err
	}
	if engine == store.SQLite {
		c.to = newSQLiteTarget(path, m)
		return c.to.claim(ctx)
	}
	to, err := openPostgresTarget(ctx, c.opts.To, m)
	if err != nil {
		return err
	}
	c.to = to
	if from, ok := c.from.(*postgresSource); ok {
		if err := differ(ctx, from.postgres, to.postgres); err != nil {
			return err
		}
	}
	return c.to.claim(ctx)
}

func differ(ctx context.Context, from, to *postgres) error {
	a, err := from.identity(ctx)
	if err != nil {
		return err
	}
	b, err := to.identity(ctx)
	if err == nil && a == b {
		err = errSame
	}
	return err
}

// run does the work on open databases.
func (c *copier) run(ctx context.Context) (Report, error) {
	if err := c.lockSource(ctx); err != nil {
		return Report{}, err
	}
	var report Report
	var err error
	if report.Ignored, err = c.prepare(ctx); err != nil {
		return report, err
	}
	report.Resumed = c.state.rows()
	for _, step := range []func(context.Context) error{c.load, c.index} {
		if err := step(ctx); err != nil {
			return report, err
		}
	}
	if report.Tables, err = c.verify(ctx); err != nil {
		return report, err
	}
	if err := c.copyKeys(ctx); err != nil {
		return report, fmt.Errorf("copy the signing keys: %w", err)
	}
	return report, c.finish(ctx)
}

// lockSource keeps writers out of the source, and says so.
func (c *copier) lockSource(ctx context.Context) error {
	tables, err := c.from.tables(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if err := c.from.lock(ctx, tables, c.opts.LockWait); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	c.opts.Note("the source is locked until the copy ends: servers that use it can read, but whatever they write waits and then fails")
	return nil
}

// finish lets the target be served.
func (c *copier) finish(ctx context.Context) error {
	if err := c.opts.fault("finish"); err != nil {
		return err
	}
	if err := c.from.locked(ctx); err != nil {
		return err
	}
	p, err := c.from.position(ctx)
	if err != nil {
		return fmt.Errorf("read the clock of events: %w", err)
	}
	if err := c.to.finish(ctx, p); err != nil {
		return fmt.Errorf("finish the copy: %w", err)
	}
	return nil
}

// list joins names for a sentence.
func list(names []string) string { return strings.Join(names, ", ") }
