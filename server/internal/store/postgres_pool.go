package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/peermesh/kgl-backend/gen/pgdb"
)

const (
	// pingAfter is how long a connection may idle before it is asked whether it
	// still works, and pingTimeout how long it may take to say so.
	pingAfter   = time.Second
	pingTimeout = 2 * time.Second
)

// boundedPool is a pool in which nothing waits without end: not for a
// connection, and not for an answer over one whose other end is gone.
//
// A network that drops packets, or a server that was swapped for another one,
// leaves connections that never fail by themselves. So an idle connection is
// tried before use, every statement is watched over, and the first connection
// that is found dead takes all others of its age with it.
type boundedPool struct {
	pool  *pgxpool.Pool
	watch *watch
	wait  time.Duration // for a connection
}

// idledKey marks a connection that has to be tried before use.
const idledKey = "kgl-idled"

// noteIdleness implements pgxpool.Config.ShouldPing. The pool would keep the
// place of a connection that failed its ping until pgx has taken leave of a
// server that does not answer, which takes 15 s: boundedPool pings itself.
func noteIdleness(_ context.Context, p pgxpool.ShouldPingParams) bool {
	p.Conn.PgConn().CustomData()[idledKey] = p.IdleDuration > pingAfter
	return false
}

// acquire returns a connection that answered a moment ago. Unless ctx itself
// has ended, whatever goes wrong means that the database cannot be used at the
// moment.
func (p *boundedPool) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wctx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	for {
		c, err := p.pool.Acquire(wctx)
		if err != nil {
			if ctx.Err() == nil {
				s := p.pool.Stat()
				return nil, unavailable(fmt.Errorf("no connection to be had in %v (%d of %d were in use and %d being made): %w",
					p.wait, s.AcquiredConns(), s.MaxConns(), s.ConstructingConns(), err))
			}
			return nil, err
		}
		if p.alive(ctx, c) {
			return c, nil
		}
	}
}

// alive reports whether a connection works, and gives it back when not.
func (p *boundedPool) alive(ctx context.Context, c *pgxpool.Conn) bool {
	if idled, _ := c.Conn().PgConn().CustomData()[idledKey].(bool); !idled {
		return true
	}
	// A caller who leaves must not cost a connection that is well.
	pctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	if err := c.Ping(pctx); err == nil {
		return true
	}
	p.pool.Reset()
	p.release(c)
	return false
}

// release gives a connection back. One that pgx gave up is taken out of the
// pool: its place is free at once, while pgx still tries to part from the server.
func (p *boundedPool) release(c *pgxpool.Conn) {
	if c.Conn().IsClosed() {
		c.Hijack()
		return
	}
	c.Release()
}

// judge looks at the outcome of a statement of ctx, and drops the connections
// of the pool when it shows that they lead nowhere: the connection broke, no
// answer came in time, or the server takes no writes any more. Those in use are
// dropped when they come back.
func (p *boundedPool) judge(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pe.Code {
		case "25006", // read_only_sql_transaction: the server became a standby
			"57P01", "57P02": // admin_shutdown, crash_shutdown
			p.pool.Reset()
		}
		return
	}
	if errors.Is(err, errNoAnswer) || isConnectionError(err) {
		p.pool.Reset()
	}
}

func (p *boundedPool) begin(ctx context.Context, opts pgx.TxOptions) (transaction, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	watched, end := p.watch.start(ctx, sessionOf(c))
	tx, err := c.BeginTx(watched, opts)
	if err = end(err); err != nil {
		p.judge(ctx, err)
		p.release(c)
		return nil, err
	}
	s := session{tx, p, sessionOf(c)}
	return &postgresTx{tx: tx, session: s, release: func() { p.release(c) }, queries: postgresQueries(s)}, nil
}

// Exec implements pgdb.DBTX.
func (p *boundedPool) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer p.release(c)
	return session{c, p, sessionOf(c)}.Exec(ctx, query, args...)
}

// Query implements pgdb.DBTX.
func (p *boundedPool) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return session{c, p, sessionOf(c)}.rows(ctx, func() { p.release(c) }, query, args)
}

// QueryRow implements pgdb.DBTX.
func (p *boundedPool) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	rs, err := p.Query(ctx, query, args...)
	return oneRow{rows: rs, err: err}
}

// sendBatch runs statements in one message and one transaction, and returns how
// many rows each has changed.
func (p *boundedPool) sendBatch(ctx context.Context, batch *pgx.Batch) (affected []int64, err error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer p.release(c)
	watched, end := session{c, p, sessionOf(c)}.watch(ctx)
	results := c.SendBatch(watched, batch)
	for range batch.Len() {
		tag, failed := results.Exec()
		if failed != nil {
			err = failed
			break
		}
		affected = append(affected, tag.RowsAffected())
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return affected, end(err)
}

// postgresTx implements transaction.
type postgresTx struct {
	tx      pgx.Tx
	session session
	release func()
	queries *conn
}

func (t *postgresTx) conn() *conn { return t.queries }

func (t *postgresTx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	watched, end := t.session.watch(ctx)
	err := end(t.tx.Commit(watched))
	if err == nil {
		t.end()
	}
	return err
}

func (t *postgresTx) rollback(ctx context.Context) {
	if t.release == nil {
		return
	}
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.session.pool.wait)
	defer cancel()
	_ = t.tx.Rollback(rctx)
	t.end()
}

func (t *postgresTx) end() {
	t.release()
	t.release = nil
}

// session runs statements on one connection, or in its transaction, and watches
// over each. It implements pgdb.DBTX.
type session struct {
	db   pgdb.DBTX
	pool *boundedPool
	pid  uint32 // of the server's process; 0 when it is not known
}

// watch starts to watch over a statement; end judges its outcome and returns it.
func (s session) watch(ctx context.Context) (watched context.Context, end func(error) error) {
	watched, done := s.pool.watch.start(ctx, s.pid)
	return watched, func(err error) error {
		err = done(err)
		s.pool.judge(ctx, err)
		return err
	}
}

// Exec implements pgdb.DBTX.
func (s session) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	watched, end := s.watch(ctx)
	tag, err := s.db.Exec(watched, query, args...)
	return tag, end(err)
}

// Query implements pgdb.DBTX.
func (s session) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	return s.rows(ctx, func() {}, query, args)
}

// QueryRow implements pgdb.DBTX.
func (s session) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	rs, err := s.Query(ctx, query, args...)
	return oneRow{rows: rs, err: err}
}

// rows runs a query; release is called when its rows end.
func (s session) rows(ctx context.Context, release func(), query string, args []any) (pgx.Rows, error) {
	watched, end := s.watch(ctx)
	rs, err := s.db.Query(watched, query, args...)
	if err != nil {
		err = end(err)
		release()
		return nil, err
	}
	return &watchedRows{Rows: rs, end: end, release: release}, nil
}

// watchedRows ends the watch with the rows.
type watchedRows struct {
	pgx.Rows
	end     func(error) error
	release func()
	err     error
}

// Next implements pgx.Rows.
func (r *watchedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close implements pgx.Rows.
func (r *watchedRows) Close() {
	r.Rows.Close()
	if r.end != nil {
		r.err = r.end(r.Rows.Err())
		r.end = nil
		r.release()
	}
}

// Err implements pgx.Rows.
func (r *watchedRows) Err() error {
	if r.end == nil {
		return r.err
	}
	return r.Rows.Err()
}

// oneRow is the only row of a result.
type oneRow struct {
	rows pgx.Rows
	err  error
}

// Scan implements pgx.Row.
func (r oneRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
