package transfer

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// Tables that are not simply copied. The clock of events is set so that
// their order goes on: docs/decisions/0003-event-order.md. The end of the audit
// chain and the clock have a row from the migrations.
const (
	migrationsTable = "schema_migrations"
	clockTable      = "event_clock"
	auditHeadTable  = "audit_head"
	settingsTable   = "settings" // in which migrations say which binaries fit
	keysTable       = "signing_keys"
	eventsTable     = "events"
)

// side is what both databases of a copy can do. A side is used by one goroutine
// at a time.
type side interface {
	engine() store.Engine
	// tables reads the catalogue, without what the engine, the migrations and
	// the copy keep for themselves.
	tables(ctx context.Context) ([]table, error)
	count(ctx context.Context, t table) (int64, error)
	// read calls fn for each row of a span, in the order of the primary key. The
	// row is fn's to keep.
	read(ctx context.Context, t table, s span, fn func(row []any) error) error
	close()
}

// source is a database that is copied.
type source interface {
	side
	// lock keeps writers out until the source is closed; from then on every read
	// sees one state. It waits a bounded time for those that write now.
	lock(ctx context.Context, tables []table, wait time.Duration) error
	// locked returns an error when the lock was lost.
	locked(ctx context.Context) error
	position(ctx context.Context) (position, error)
}

// target is a database that is made a copy.
type target interface {
	side
	// claim keeps other copies and servers out until the target is closed.
	claim(ctx context.Context) error
	// filled returns the names of the tables that hold more than migrations put
	// there.
	filled(ctx context.Context) ([]string, error)
	// marker returns how far a copy came, nil when there is no marker. A marker
	// that cannot be read is one that says nothing.
	marker(ctx context.Context) (*state, error)
	// mark creates the marker, or replaces what it says.
	mark(ctx context.Context, s *state) error
	// recreate makes the schema anew, and with it empties the tables.
	recreate(ctx context.Context) error
	// strip removes the rows that migrations put into tables, the secondary
	// indexes and the foreign keys, and marks s with the statements that give
	// them back.
	strip(ctx context.Context, tables []table, s *state) error
	// write stores rows and marks s, in one transaction.
	write(ctx context.Context, t table, rows [][]any, s *state) error
	// replace makes rows the only ones of a small table.
	replace(ctx context.Context, t table, rows [][]any, s *state) error
	// build runs the first pending statement of s, and marks s without it.
	build(ctx context.Context, s *state) error
	// loaded checks the references and lets the planner know the tables.
	loaded(ctx context.Context, tables []table) error
	// finish sets the clock and the sequence of events, removes the marker, and
	// makes all of the copy durable.
	finish(ctx context.Context, p position) error
}

// span bounds keys: behind after, up to and with upTo. nil is no bound.
type span struct{ after, upTo []any }

// position is where events will go on: behind every position that the source
// ever gave out.
type position struct {
	tx  int64 // none is greater
	seq int64 // with tx, none is greater
}
