package store_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestSessionIsKnown looks for the process of the server behind a connection:
// without it a lost answer is waited for until the statement's limit.
func TestSessionIsKnown(t *testing.T) {
	db := open(t, postgresTemplate.NewDatabase(t))
	noted, backend, err := db.NotedProcess(t.Context())
	if err != nil || noted == 0 || noted != backend {
		t.Errorf("process %d is noted, and it is %d (%v)", noted, backend, err)
	}
}

// TestLostSession ends the wait for a session that works on nothing, together
// with the session and its locks.
func TestLostSession(t *testing.T) {
	url := postgresTemplate.NewDatabase(t)
	db, other := open(t, url), open(t, url)
	err := db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
		noError(t, tx.SetSetting(ctx, "k", "v", now))
		began := time.Now()
		err := db.LoseAnswer(ctx)
		wantCode(t, err, kgl.CodeUnavailable)
		if took := time.Since(began); took > store.DefaultStatementTimeout/2 {
			t.Errorf("it was waited for %v, as if the server could not be asked", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		noError(t, other.SetSetting(ctx, "k", "w", now)) // it waited for the lock before
		return err
	})
	wantCode(t, err, kgl.CodeUnavailable)
	noError(t, db.Ping(t.Context()))
}

// TestNewConnectionFallsSilent loses the network between the handshake of a new
// connection and its first statement. The pool has one place: it must be free
// when the network is back.
func TestNewConnectionFallsSilent(t *testing.T) {
	direct := postgresTemplate.NewDatabase(t)
	u, err := url.Parse(direct)
	noError(t, err)
	g := newGate(t, u.Host)
	u.Host = g.listener.Addr().String()
	db, err := store.Open(t.Context(), store.Config{URL: u.String(), MaxConns: 1, AcquireTimeout: 4 * time.Second})
	noError(t, err)
	defer func() { noError(t, db.Close()) }()
	set := func() error { return db.SetSetting(t.Context(), "k", "v", now) }
	noError(t, set())
	g.mute.Store(true)
	noError(t, open(t, direct).ExecRaw(t.Context(),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"))
	wantCode(t, set(), kgl.CodeUnavailable) // over the connection that was ended
	wantCode(t, set(), kgl.CodeUnavailable) // over a new one
	g.mute.Store(false)
	noError(t, set())
}

// gate stands between the store and Postgres.
type gate struct {
	listener net.Listener
	mute     atomic.Bool // connections fall silent after their handshake

	mu    sync.Mutex
	conns []net.Conn
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	g := &gate{listener: listener}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			g.mu.Lock()
			g.conns = append(g.conns, in, out)
			g.mu.Unlock()
			go func() {
				_, _ = io.Copy(out, in)
				_ = out.Close()
			}()
			go g.answer(in, out)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, c := range g.conns {
			_ = c.Close()
		}
	})
	return g
}

// readyForQuery is the message that ends the handshake and every answer.
var readyForQuery = []byte{'Z', 0, 0, 0, 5, 'I'}

// answer passes on what Postgres says.
func (g *gate) answer(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
			_ = to.Close()
			return
		}
		if g.mute.Load() && bytes.HasSuffix(buf[:n], readyForQuery) {
			return // and nobody is told
		}
	}
}
