package httpapi

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// MaxConnections is how many connections LimitConnections keeps open at once.
const MaxConnections = 2048

// LimitConnections bounds the connections of s, which must be served through
// the returned listener, at MaxConnections. When a peer comes and all places
// are taken, the connection that has waited longest for its peer, be it for the
// headers of a request or for the next request, is closed in its favour: peers
// that open many connections and say nothing keep nobody out. Only when all
// connections are at work, the newcomer waits.
func LimitConnections(s *http.Server, l net.Listener) net.Listener {
	return limitConnections(s, l, MaxConnections)
}

func limitConnections(s *http.Server, l net.Listener, most int) net.Listener {
	limited := &limitedListener{Listener: l, most: most, waiting: list.New()}
	limited.changed.L = &limited.mu
	before := s.ConnState
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if c, ok := conn.(*limitedConn); ok {
			limited.setWaiting(c, state == http.StateNew || state == http.StateIdle)
		}
		if before != nil {
			before(conn, state)
		}
	}
	s.ConnContext = withConnection(s.ConnContext)
	if s.Handler != nil {
		s.Handler = watchBodies(s.Handler)
	}
	return limited
}

type connectionKey struct{}

// withConnection lets requests know their connection.
func withConnection(before func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, conn)
		}
		return context.WithValue(ctx, connectionKey{}, conn)
	}
}

// watchBodies makes a connection count as waiting while a body is read from it.
func watchBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		conn, ok := req.Context().Value(connectionKey{}).(*limitedConn)
		if ok && req.Body != nil && req.Body != http.NoBody {
			watched := *req
			watched.Body = &watchedBody{ReadCloser: req.Body, conn: conn}
			req = &watched
		}
		next.ServeHTTP(w, req)
	})
}

// watchedBody is a body that its peer may be slow to send. From the first read
// to the last its connection waits, so that a byte now and then does not move
// it to the end of the line.
type watchedBody struct {
	io.ReadCloser
	conn *limitedConn
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.conn.listener.setWaiting(b.conn, true)
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.conn.listener.setWaiting(b.conn, false)
	}
	return n, err
}

type limitedListener struct {
	net.Listener
	most int

	mu      sync.Mutex
	changed sync.Cond  // a connection was closed or began to wait, or the listener was closed
	open    int        // connections that have a place
	waiting *list.List // of *limitedConn: those that wait for their peer, longest first
	closed  bool
}

// limitedConn is a connection with a place. Its fields belong to the
// listener's mutex.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	waits    *list.Element // nil while it is at work
	left     bool          // gave its place back
}

func (l *limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &limitedConn{Conn: conn, listener: l}
	if !l.enter(c) {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// enter gives c a place, if need be that of the connection that waits longest.
// It returns false when the listener is closed.
func (l *limitedListener) enter(c *limitedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open >= l.most && !l.closed {
		if longest := l.waiting.Front(); longest != nil {
			idle := longest.Value.(*limitedConn)
			l.leave(idle)
			// Its goroutine meets the closed connection and ends.
			_ = idle.Conn.Close()
			continue
		}
		l.changed.Wait()
	}
	if l.closed {
		return false
	}
	l.open++
	c.waits = l.waiting.PushBack(c)
	return true
}

// leave takes the place of c, once. The mutex is held.
func (l *limitedListener) leave(c *limitedConn) {
	if c.left {
		return
	}
	c.left = true
	l.open--
	l.forget(c)
	l.changed.Signal()
}

// forget takes c off the list of those that wait. The mutex is held.
func (l *limitedListener) forget(c *limitedConn) {
	if c.waits != nil {
		l.waiting.Remove(c.waits)
		c.waits = nil
	}
}

func (l *limitedListener) setWaiting(c *limitedConn, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.left:
	case !waits:
		l.forget(c)
	case c.waits == nil:
		c.waits = l.waiting.PushBack(c)
		l.changed.Signal()
	}
}

// Close closes the listener and ends an Accept that waits for a place.
func (l *limitedListener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.changed.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

func (c *limitedConn) Close() error {
	c.listener.mu.Lock()
	c.listener.leave(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
