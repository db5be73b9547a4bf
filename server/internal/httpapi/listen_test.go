package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve runs the harness behind a real listener and returns its address.
func (h *harness) serve(change func(s *http.Server), most int) string {
	h.t.Helper()
	server := NewHTTPServer(h.handler, h.deps.Log)
	if change != nil {
		change(server)
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(limitConnections(server, listener, most)) }()
	h.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			h.t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			h.t.Error(err)
		}
	})
	return listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServerBoundsEverything(t *testing.T) {
	s := NewHTTPServer(http.NotFoundHandler(), newHarness(t).deps.Log)
	for name, d := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s = %s", name, d)
		}
	}
}

func TestSlowHeadersLoseTheirConnection(t *testing.T) {
	h := newHarness(t)
	conn := dial(t, h.serve(func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond }, 10))
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(conn); err != nil || strings.Contains(string(data), "200 OK") {
		t.Errorf("read %q, %v; want the connection closed", data, err)
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	conn := dial(t, newHarness(t).serve(nil, 10))
	go func() {
		// The server may stop reading before all is written.
		_, _ = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: a\r\nX-Large: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status = %d, want 431", res.StatusCode)
	}
}

// TestBodyOfUnknownLengthIsBounded sends a chunked body past the limit.
func TestBodyOfUnknownLengthIsBounded(t *testing.T) {
	h := newHarness(t)
	req := httptest.NewRequest("POST", "/api/v1/sources", io.MultiReader(
		strings.NewReader(`{"url":"`), io.LimitReader(endless{}, 100<<20)))
	req.ContentLength = -1
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res := httptest.NewRecorder()
	h.handler.ServeHTTP(res, req)
	if res.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", res.Code)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
