package outbound

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// Case 15: a dropped SYN. On Linux a listener whose queue is full drops the
// SYNs of newcomers, so that a real black hole can be had without privileges.
func TestCase15DroppedSYN(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for { // until the queue is full
		conn, err := net.DialTimeout("tcp4", address, 100*time.Millisecond)
		if err != nil {
			break
		}
		defer func() { _ = conn.Close() }()
	}
	for name, limits := range map[string]Limits{
		"dial":  {Dial: 200 * time.Millisecond},
		"total": {Total: 200 * time.Millisecond, Dial: 400 * time.Millisecond},
	} {
		start := time.Now()
		_, err = get(t, newClient(t, open, withLimits(limits)), "http://"+address+"/")
		if d := time.Since(start); d < 150*time.Millisecond || d > 3*time.Second {
			t.Errorf("%s: took %s", name, d)
		}
		wantReason(t, err, ReasonUnreachable)
		if !isTimeout(err) {
			t.Errorf("%s: the log does not tell that it took too long: %v", name, err)
		}
		// Case 22: it looks like any other server that is down.
		if got := viewOf(t, err).Message; got != unreachableText {
			t.Errorf("%s: users see %q", name, got)
		}
	}
}
