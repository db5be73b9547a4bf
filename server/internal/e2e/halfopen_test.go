package e2e

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// proxy stands between a server and Postgres. It can fall silent as a broken
// network does: connections stay open, and nothing comes out of them.
type proxy struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	silent bool
	dead   chan struct{} // closed when what is connected now dies
	conns  []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, dead: make(chan struct{})}
	go p.serve()
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.conns {
			_ = c.Close()
		}
	})
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns = append(p.conns, in)
		silent, dead := p.silent, p.dead
		p.mu.Unlock()
		if silent {
			continue // accepted by the kernel, and never answered
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		go forward(in, out, dead)
		go forward(out, in, dead)
	}
}

// forward copies until one side closes; once dead is closed it swallows.
func forward(from, to net.Conn, dead <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-dead:
			if err != nil {
				return // nobody is told
			}
			continue
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if err == io.EOF {
				_ = to.Close()
			}
			return
		}
	}
}

// silence lets every connection die without a word, old and new.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
	close(p.dead)
	p.dead = make(chan struct{})
}

// heal lets new connections through. The old ones stay dead.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = false
}

// url returns a database URL that leads through the proxy.
func (p *proxy) url(databaseURL, target string) string {
	return strings.Replace(databaseURL, target, p.listener.Addr().String(), 1)
}

// readiness returns the status of /ready.
func (b *backend) readiness(t *testing.T) int {
	t.Helper()
	res, err := http.Get(b.url + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// idleFor is longer than a connection idles before it is tried before use.
const idleFor = 1200 * time.Millisecond

// TestHalfOpenConnections lets idle connections to Postgres die without a word:
// callers are told soon, readiness turns red, and all is well when the network
// is.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "postgres")
	target := hostOf(t, in.setting("KGL_DATABASE_URL"))
	p := newProxy(t, target)
	in.environ = append(in.environ, "KGL_DATABASE_URL="+p.url(in.setting("KGL_DATABASE_URL"), target))
	b := in.launch(t, "serve").serving(in)
	c := b.as(t, client.RoleUser)
	read := func() (int, time.Duration) {
		began := time.Now()
		return c.do("GET", "/api/v1/dashboard", "").status, time.Since(began)
	}
	if status, _ := read(); status != http.StatusOK {
		t.Fatal(status)
	}
	time.Sleep(idleFor) // nothing shows from outside that a connection has idled
	p.silence()
	status, took := read()
	t.Logf("silent: %d after %v", status, took)
	if status != http.StatusServiceUnavailable || took > noConnection {
		t.Errorf("with silent connections: %d after %v", status, took)
	}
	if status := b.readiness(t); status != http.StatusServiceUnavailable {
		t.Errorf("readiness is %d", status)
	}
	p.heal()
	healed := time.Now()
	eventually(t, "the service is back", func() string {
		if status, _ := read(); status != http.StatusOK {
			return http.StatusText(status)
		}
		if status := b.readiness(t); status != http.StatusOK {
			return "not ready"
		}
		return ""
	})
	back := time.Since(healed)
	t.Logf("back %v after the network", back)
	if back > backAfter {
		t.Errorf("back after %v only", back)
	}
}

// hostOf returns the host and port of a database URL.
func hostOf(t *testing.T, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
