package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"sync/atomic"
	"time"
)

// Client sends requests under one policy. It is safe for concurrent use and
// keeps a small pool of connections, each of which passed the policy when it
// was made.
type Client struct {
	userAgent string
	limits    Limits
	guard     *guard
	trusted   map[origin]bool
	transport *http.Transport
	gzips     gzipPool
}

// New returns a client under the policy and the limits of cfg. The error
// names the part of cfg that cannot be used.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		userAgent: cfg.UserAgent,
		limits:    cfg.Limits,
		guard:     newGuard(cfg.Policy),
		trusted:   make(map[origin]bool, len(cfg.Policy.TrustedOrigins)),
	}
	for i, raw := range cfg.Policy.TrustedOrigins {
		u, err := parseURL(raw)
		if err != nil {
			return nil, fmt.Errorf("outbound: Policy.TrustedOrigins[%d]: %w", i, err)
		}
		c.trusted[originOf(u)] = true
	}
	c.transport = newTransport(cfg, c.guard)
	return c, nil
}

// newTransport returns a transport that takes nothing from the environment.
func newTransport(cfg Config, g *guard) *http.Transport {
	return &http.Transport{
		Proxy:       nil, // a proxy of the environment would dial in our place
		DialContext: g.dialer(cfg),
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    cfg.RootCAs,
		},
		TLSHandshakeTimeout:    cfg.Limits.TLS,
		ResponseHeaderTimeout:  cfg.Limits.Header,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: cfg.Limits.MaxHeader,
		DisableCompression:     true, // decoded here, where decoded bytes are counted
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: http2Silence, PingTimeout: http2Ping},
		MaxConnsPerHost:        cfg.Limits.ConnsPerHost,
		MaxIdleConnsPerHost:    cfg.Limits.IdlePerHost,
		MaxIdleConns:           cfg.Limits.IdleConns,
		IdleConnTimeout:        idleConnTimeout,
	}
}

// Close closes the connections that are idle. Requests under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// progress records how far a request came, because what an error means
// depends on it. The transport reports from other goroutines.
type progress struct {
	started     atomic.Bool // resolving or dialling
	connected   atomic.Bool
	handshaking atomic.Bool
	reused      atomic.Bool
	remote      atomic.Pointer[netip.AddrPort]
}

// trace returns the hooks of net/http. Got1xxResponse must stay unset: with
// it the transport stops counting interim responses against MaxHeader.
func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { p.started.Store(true) },
		ConnectStart: func(string, string) { p.started.Store(true) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				p.connected.Store(true)
			}
		},
		TLSHandshakeStart: func() { p.handshaking.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			p.handshaking.Store(err != nil)
		},
		GotConn: func(info httptrace.GotConnInfo) {
			p.connected.Store(true)
			p.handshaking.Store(false)
			p.reused.Store(info.Reused)
			if addr, err := netip.ParseAddrPort(info.Conn.RemoteAddr().String()); err == nil {
				addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
				p.remote.Store(&addr)
			}
		},
	}
}

// exchange sends one request, whose URL was checked, and follows nothing. The
// context of the request carries the deadline; parent is the caller's own.
func (c *Client) exchange(parent context.Context, req *http.Request) (*http.Response, *progress, error) {
	p := new(progress)
	ctx := httptrace.WithClientTrace(req.Context(), p.trace())
	if c.trusted[originOf(req.URL)] {
		ctx = context.WithValue(ctx, trustKey{}, true)
	}
	resp, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, p, explain(parent, p, req.URL.Host, err)
	}
	return resp, p, nil
}
