package outbound

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"code.dny.dev/ssrf"
)

// blockedError says that the policy refuses a destination, and why. Its text
// is for the log: users see what they see of a host that is down.
type blockedError struct{ why error }

func (e *blockedError) Error() string { return "blocked by policy: " + e.why.Error() }

func (e *blockedError) Unwrap() error { return e.why }

func blocked(format string, args ...any) error {
	return &blockedError{why: fmt.Errorf(format, args...)}
}

// guard holds the address policy: the special-purpose registries of IANA, as
// package ssrf keeps them, opened only for the networks of the configuration.
type guard struct {
	allowed  []netip.Prefix
	ports    []uint16
	guardian *ssrf.Guardian
}

func newGuard(p Policy) *guard {
	g := &guard{ports: slices.Clone(p.AllowedPorts)}
	for _, n := range p.AllowedNetworks {
		g.allowed = append(g.allowed, unmapPrefix(n))
	}
	g.guardian = ssrf.New(ssrf.WithPorts(g.ports...))
	return g
}

// unmapPrefix turns ::ffff:10.0.0.0/104 into 10.0.0.0/8, because addresses
// are compared in their unmapped form.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// check returns a *blockedError unless the address and port may be dialled.
func (g *guard) check(dst netip.AddrPort) error {
	if dst.Port() == 0 {
		return blocked("port 0")
	}
	if dst.Addr().Zone() != "" { // before Unmap, which drops it
		return blocked("%s has a zone", dst.Addr())
	}
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	if g.refusedMetadata(dst.Addr()) {
		return blocked("%s is the address of a metadata service", dst.Addr())
	}
	if g.opened(dst.Addr()) {
		return nil
	}
	if err := g.guardian.SafeAddrPort(dst); err != nil {
		return &blockedError{why: err}
	}
	return nil
}

// opened reports whether the address lies in an allowed network. An address
// behind NAT64 stands for the IPv4 address inside it (RFC 6052 section 2.1):
// opening 64:ff9b::/96 opens the way to public IPv4 hosts, not to the
// gateway's own loopback or private networks.
func (g *guard) opened(addr netip.Addr) bool {
	if !slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return false
	}
	if !ssrf.IPv6NAT64Prefix.Contains(addr) {
		return true
	}
	b := addr.As16()
	inner := netip.AddrFrom4([4]byte(b[12:]))
	return g.opened(inner) || g.guardian.SafeAddr(inner) == nil
}

// checkPort refuses a port that cannot be right for a host whose address is
// not known yet: inside the allowed networks every port is free.
func (g *guard) checkPort(port uint16) error {
	if port == 0 || len(g.allowed) == 0 && !slices.Contains(g.ports, port) {
		return blocked("%w: %d", ssrf.ErrProhibitedPort, port)
	}
	return nil
}

// loopbackOpen reports whether the local host may be reached at all.
func (g *guard) loopbackOpen() bool {
	return g.opened(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || g.opened(netip.IPv6Loopback())
}

type (
	trustKey    struct{} // marks the context of a request to a trusted origin
	attemptsKey struct{} // holds the *atomic.Int32 of one dial
)

// dialer opens connections whose every address passed the guard.
func (g *guard) dialer(cfg Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{
		Timeout:        cfg.Limits.Dial,
		Resolver:       cfg.Resolver,
		ControlContext: g.control,
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return d.DialContext(context.WithValue(ctx, attemptsKey{}, new(atomic.Int32)), network, addr)
	}
}

// control runs on a new socket with the resolved address, before connect: an
// error here means that no packet is sent. The transport keeps the values of
// the request's context when it dials.
func (g *guard) control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return blocked("network %s", network)
	}
	dst, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked("address cannot be read")
	}
	if n, ok := ctx.Value(attemptsKey{}).(*atomic.Int32); !ok || n.Add(1) > maxDialAttempts {
		return blocked("more than %d addresses of one name", maxDialAttempts)
	}
	if ctx.Value(trustKey{}) != nil {
		return nil
	}
	return g.check(dst)
}
