package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// blockingServer serves with room for most connections. Each request for
// /block is announced on blocked and answered once release is closed, all else
// is answered at once.
func blockingServer(t *testing.T, most int) (address string, blocked <-chan struct{}, release chan struct{}) {
	t.Helper()
	h := newHarness(t)
	arrived, release := make(chan struct{}, most), make(chan struct{})
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if req.URL.Path == "/block" {
			arrived <- struct{}{}
			<-release
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return h.serve(nil, most), arrived, release
}

// ask sends a request and returns where its status comes; 0 for a connection
// that ends without one.
func ask(t *testing.T, conn net.Conn, path string) <-chan int {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			status <- 0
			return
		}
		_ = res.Body.Close()
		status <- res.StatusCode
	}()
	return status
}

// wantClosed fails unless the server closes conn.
func wantClosed(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
		t.Errorf("%s: read %d bytes, %v; want it closed", what, n, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func TestConnectionThatWaitsLongestMakesRoom(t *testing.T) {
	address, _, _ := blockingServer(t, 3)
	silent := dial(t, address)
	slow := dial(t, address)
	if _, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	idle := dial(t, address)
	if got := <-ask(t, idle, "/"); got != http.StatusNoContent {
		t.Fatalf("status = %d", got)
	}
	for i, oldest := range []net.Conn{silent, slow, idle} {
		if got := <-ask(t, dial(t, address), "/"); got != http.StatusNoContent {
			t.Errorf("newcomer %d: status = %d", i, got)
		}
		wantClosed(t, []string{"silent", "slow headers", "idle"}[i], oldest)
	}
}

func TestConnectionThatSendsItsBodySlowlyMakesRoom(t *testing.T) {
	address, _, _ := blockingServer(t, 2)
	var slow []net.Conn
	for range 2 {
		conn := dial(t, address)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12"); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}
	for i := range slow {
		if got := <-ask(t, dial(t, address), "/"); got != http.StatusNoContent {
			t.Errorf("newcomer %d: status = %d", i, got)
		}
	}
	wantClosed(t, "the first slow body", slow[0])
}

func TestWholeBodyKeepsThePlace(t *testing.T) {
	address, blocked, release := blockingServer(t, 1)
	working := dial(t, address)
	if _, err := io.WriteString(working, "POST /block HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234"); err != nil {
		t.Fatal(err)
	}
	<-blocked
	newcomer := ask(t, dial(t, address), "/")
	select {
	case got := <-newcomer:
		t.Errorf("the newcomer was served: %d", got)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	res, err := http.ReadResponse(bufio.NewReader(working), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := <-newcomer; got != http.StatusNoContent {
		t.Errorf("newcomer: status = %d", got)
	}
}

func TestConnectionAtWorkKeepsItsPlace(t *testing.T) {
	address, blocked, release := blockingServer(t, 2)
	first, second := ask(t, dial(t, address), "/block"), ask(t, dial(t, address), "/block")
	<-blocked
	<-blocked
	waiting := ask(t, dial(t, address), "/")
	select {
	case got := <-waiting:
		t.Errorf("a third connection was served: %d", got)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	for name, status := range map[string]<-chan int{"first": first, "second": second, "third": waiting} {
		if got := <-status; got != http.StatusNoContent {
			t.Errorf("%s: status = %d", name, got)
		}
	}
}

func TestCloseEndsAnAcceptThatWaits(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitConnections(&http.Server{ReadHeaderTimeout: time.Second}, inner, 0)
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	conn := dial(t, inner.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("Accept returned a connection")
	}
	wantClosed(t, "the connection that waited", conn)
}
