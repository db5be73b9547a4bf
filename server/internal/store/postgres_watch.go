package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// answerSlack is how much later than the server's own timeout of a statement
	// its answer may come. After that the connection counts as dead.
	answerSlack = 5 * time.Second
	// watchEvery is how long an answer may take before the server is asked, over
	// another connection, whether it still works on it; and how often after that.
	watchEvery = 3 * time.Second
	// watchers is how many statements are asked for at once.
	watchers = 4
)

// errNoAnswer ends a statement whose answer will not come.
var errNoAnswer = errors.New("the connection is dead: no answer, and the server does not work on one")

// watch tells long statements from dead connections. A connection whose packets
// go nowhere looks the same as a server that thinks, and the statement's own
// timeout runs on the server.
type watch struct {
	config *pgx.ConnConfig
	limit  time.Duration // for an answer, whatever the server says
	turns  chan struct{}
}

func newWatch(config *pgx.ConnConfig, limit time.Duration) *watch {
	return &watch{config: config.Copy(), limit: limit, turns: make(chan struct{}, watchers)}
}

// start watches over one statement of the session with a process id; 0 where
// that is not known. end must be called with the outcome, which it returns.
func (w *watch) start(ctx context.Context, pid uint32) (watched context.Context, end func(error) error) {
	watched, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(watchEvery, func() { w.run(watched, pid, cancel) })
	return watched, func(err error) error {
		timer.Stop()
		if err != nil && context.Cause(watched) == errNoAnswer {
			err = unavailable(fmt.Errorf("%w: %w", errNoAnswer, err))
		}
		cancel(nil)
		return err
	}
}

func (w *watch) run(ctx context.Context, pid uint32, cancel context.CancelCauseFunc) {
	for waited := watchEvery; waited < w.limit; waited += watchEvery {
		if pid != 0 && !w.working(ctx, pid) {
			break
		}
		timer := time.NewTimer(watchEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	cancel(errNoAnswer)
}

// askSession tells whether a session works, and ends it where it has been idle
// for a while: its locks would outlive the connection that is lost.
const askSession = `WITH s AS (
  SELECT pid, coalesce(state LIKE 'idle%' AND clock_timestamp() - state_change > interval '1 second', false) AS lost
  FROM pg_stat_activity WHERE pid = $1)
SELECT count(*) FILTER (WHERE NOT lost) > 0, count(*) FILTER (WHERE lost AND pg_terminate_backend(pid)) FROM s`

// working reports whether the server works on a statement of a session. A
// server that cannot be asked does not.
func (w *watch) working(ctx context.Context, pid uint32) bool {
	select {
	case w.turns <- struct{}{}:
		defer func() { <-w.turns }()
	case <-ctx.Done():
		return true
	}
	c, err := pgx.ConnectConfig(ctx, w.config)
	if err != nil {
		// A server that has no connection to spare is well.
		_, answered := errors.AsType[*pgconn.PgError](err)
		return answered
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	defer func() { _ = c.Close(ctx) }()
	working, ended := false, 0
	err = c.QueryRow(ctx, askSession, int64(pid)).Scan(&working, &ended)
	return err == nil && working
}

// sessionKey holds the process id of a connection's session.
const sessionKey = "kgl-session"

// noteSession asks a new connection which process of the server it has. A pooler
// between us and the server gives ids of its own: there the limit must do.
func noteSession(ctx context.Context, c *pgx.Conn) error {
	var pid int64
	if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return err
	}
	if uint32(pid) == c.PgConn().PID() {
		c.PgConn().CustomData()[sessionKey] = uint32(pid)
	}
	return nil
}

func sessionOf(c *pgxpool.Conn) uint32 {
	pid, _ := c.Conn().PgConn().CustomData()[sessionKey].(uint32)
	return pid
}
