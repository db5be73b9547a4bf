package outbound

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const testAgent = "KGL-Backend/test (+https://example.org/kgl)"

// open lets the servers of the tests through: exactly one loopback address,
// so that 127.0.0.2 stands for a private network.
func open(cfg *Config) {
	cfg.Policy.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

func newClient(t *testing.T, options ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{UserAgent: testAgent}
	for _, option := range options {
		option(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func get(t *testing.T, c *Client, rawURL string) (*Response, error) {
	t.Helper()
	return c.Get(t.Context(), Request{URL: rawURL})
}

func mustGet(t *testing.T, c *Client, rawURL string) *Response {
	t.Helper()
	resp, err := get(t, c, rawURL)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return resp
}

// wantReason fails the test unless err is a failure for one of the reasons,
// with the code that belongs to it.
func wantReason(t *testing.T, err error, reasons ...Reason) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want reason %v", reasons)
	}
	for _, r := range reasons {
		if ReasonOf(err) == r {
			want := kgl.CodeFetchFailed
			switch r {
			case ReasonTimeout:
				want = kgl.CodeTimeout
			case ReasonTooLarge:
				want = kgl.CodeTooLarge
			case ReasonCanceled:
				want = kgl.CodeUnavailable
			}
			if !kgl.Is(err, want) {
				t.Fatalf("code of %v is %q, want %q", err, kgl.ErrorCode(err), want)
			}
			return
		}
	}
	t.Fatalf("reason of %v is %q, want %v", err, ReasonOf(err), reasons)
}

// userView is all that a user sees of an error.
type userView struct {
	Code       kgl.Code
	Message    string
	Fields     int
	RetryAfter time.Duration
}

func viewOf(t *testing.T, err error) userView {
	t.Helper()
	e, ok := errors.AsType[*kgl.Error](err)
	if !ok {
		t.Fatalf("%v is no domain error", err)
	}
	return userView{e.Code, e.Message, len(e.Fields), e.RetryAfter}
}

// serve starts an HTTP server on 127.0.0.1.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func respond(t *testing.T, body string) *httptest.Server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

func portOfServer(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// script is what a server does with one connection. done is closed when the
// test ends.
type script = func(conn net.Conn, done <-chan struct{})

// rawServer accepts connections on 127.0.0.1 and hands each to a script.
func rawServer(t *testing.T, run script) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				run(conn, done)
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + "/"
}

// answer returns a script that reads one request and writes a fixed answer.
func answer(text string) script {
	return func(conn net.Conn, _ <-chan struct{}) {
		if readRequest(conn) {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// flood returns a script that writes head and then part until nobody reads.
func flood(head, part string) script {
	return func(conn net.Conn, _ <-chan struct{}) {
		if !readRequest(conn) {
			return
		}
		_, err := io.WriteString(conn, head)
		for err == nil {
			_, err = io.WriteString(conn, part)
		}
	}
}

// drip returns a script that writes head and then part every ten milliseconds.
func drip(head, part string) script {
	return func(conn net.Conn, done <-chan struct{}) {
		if !readRequest(conn) {
			return
		}
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		_, err := io.WriteString(conn, head)
		for err == nil {
			select {
			case <-done:
				return
			case <-ticker.C:
				_, err = io.WriteString(conn, part)
			}
		}
	}
}

// hold is a script that says nothing.
func hold(conn net.Conn, done <-chan struct{}) {
	go func() { <-done; _ = conn.Close() }()
	_, _ = io.Copy(io.Discard, conn)
}

func readRequest(conn net.Conn) bool {
	_, err := http.ReadRequest(bufio.NewReader(conn))
	return err == nil
}

// trap listens on an address that must not be dialled and counts who does. A
// system on which 127.0.0.2 cannot be bound has nothing that could answer
// there; the trap then stays empty by nature.
func trap(t *testing.T, address string) *atomic.Int32 {
	t.Helper()
	visits := new(atomic.Int32)
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Logf("no trap at %s: %v", address, err)
		return visits
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = conn.Close()
		}
	}()
	return visits
}

// fakeDNS answers the questions of a resolver in place of the network.
type fakeDNS struct {
	answers func(name string, question int) []string // addresses; question counts those of a name and type A
	stall   <-chan struct{}                          // when set, no answer before it is closed

	mu    sync.Mutex
	asked map[string]int
}

// resolver returns a resolver that asks d.
func (d *fakeDNS) resolver() *net.Resolver {
	d.asked = make(map[string]int)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // no PacketConn: framed as DNS over TCP
		go d.talk(ours)
		return theirs, nil
	}}
}

func (d *fakeDNS) count(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[name]
}

func (d *fakeDNS) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		packet := make([]byte, size)
		if _, err := io.ReadFull(conn, packet); err != nil {
			return
		}
		if d.stall != nil {
			<-d.stall
			return
		}
		reply, err := d.reply(packet)
		if err != nil {
			return
		}
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
		if _, err := conn.Write(framed); err != nil {
			return
		}
	}
}

func (d *fakeDNS) reply(packet []byte) ([]byte, error) {
	var query dnsmessage.Message
	if err := query.Unpack(packet); err != nil {
		return nil, err
	}
	q := query.Questions[0]
	name := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
	out := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true},
		Questions: query.Questions,
	}
	d.mu.Lock()
	if q.Type == dnsmessage.TypeA {
		d.asked[name]++
	}
	addresses := d.answers(name, d.asked[name])
	d.mu.Unlock()
	if addresses == nil {
		out.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
		switch {
		case addr.Is4() && q.Type == dnsmessage.TypeA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	return out.Pack()
}

// zone is a fakeDNS with fixed records.
func zone(records map[string][]string) *fakeDNS {
	return &fakeDNS{answers: func(name string, _ int) []string { return records[name] }}
}

func withDNS(d *fakeDNS) func(*Config) {
	return func(cfg *Config) { cfg.Resolver = d.resolver() }
}

func withLimits(l Limits) func(*Config) {
	return func(cfg *Config) { cfg.Limits = l }
}

// trustCertificate makes a client accept the certificate of a test server.
func trustCertificate(s *httptest.Server) func(*Config) {
	return func(cfg *Config) {
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AddCert(s.Certificate())
	}
}

// runAgain runs the test that calls it in a process of its own.
func runAgain(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// shared returns a file of the shared test vectors, which stand beside the
// checkout or where KGL_SHARED says. They are not part of the project, so a
// checkout without them skips what only repeats its own tables.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("KGL_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("shared vectors are absent: set KGL_SHARED to read %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}
