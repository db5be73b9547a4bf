package store

import (
	"context"
	"net"
	"strings"
	"syscall"
	"time"
)

// The kernel finds a peer that does not acknowledge anything any more: by probes
// while we wait for an answer, and by unacknowledged data while we send. Without
// them it takes two hours and a quarter of one.
const (
	keepAliveIdle     = 10 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
	unacknowledgedFor = 15 * time.Second
)

// dialDatabase connects to the server of the database.
func dialDatabase(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}}
	if strings.HasPrefix(network, "tcp") {
		d.Control = func(_, _ string, c syscall.RawConn) error { return limitUnacknowledged(c, unacknowledgedFor) }
	}
	return d.DialContext(ctx, network, address)
}
