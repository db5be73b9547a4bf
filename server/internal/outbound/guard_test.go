package outbound

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Case 1: one address and more of every class that must not be dialled, and
// of the public ones next to them.
func TestCase01Addresses(t *testing.T) {
	g := newGuard(Policy{AllowedPorts: []uint16{80}})
	denied := map[string][]string{
		"this network":     {"0.0.0.0", "0.1.2.3"},
		"private":          {"10.20.30.40", "172.16.5.4", "172.31.0.9", "192.168.178.1"},
		"shared (CGNAT)":   {"100.64.3.2", "100.127.0.1"},
		"loopback":         {"127.0.0.1", "127.8.9.10", "::1"},
		"link-local":       {"169.254.1.1", "fe80::abcd", "fe80::1%eth0"},
		"metadata":         {"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"},
		"IETF":             {"192.0.0.1", "2001::5", "2001:1ff::1"},
		"documentation":    {"192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7", "3fff:1::7"},
		"benchmark":        {"198.18.7.7", "198.19.7.7", "2001:2::7"},
		"anycast services": {"192.31.196.9", "192.52.193.9", "192.88.99.9", "192.175.48.9", "2620:4f:8000::9"},
		"multicast":        {"224.0.0.251", "239.1.2.3", "ff02::fb"},
		"reserved":         {"240.1.2.3", "255.255.255.255", "4000::7", "8000::7", "5f00::7"},
		"unspecified":      {"::"},
		"mapped":           {"::ffff:127.0.0.1", "::ffff:10.1.1.1", "::ffff:169.254.169.254", "::ffff:8.8.4.4%eth0"},
		"compatible":       {"::10.1.1.1", "::169.254.169.254"},
		"translated":       {"::ffff:0:10.1.1.1"},
		"NAT64":            {"64:ff9b::10.1.1.1", "64:ff9b::8.8.4.4", "64:ff9b:1::1"},
		"6to4 and Teredo":  {"2002:a01:101::1", "2001:0:1::1"},
		"unique local":     {"fc00::7", "fdff::7"},
		"site-local":       {"fec0::7"},
		"discard":          {"100::7", "100:0:0:1::7"},
	}
	for class, addresses := range denied {
		for _, text := range addresses {
			if g.check(netip.AddrPortFrom(netip.MustParseAddr(text), 80)) == nil {
				t.Errorf("%s: %s may be dialled", class, text)
			}
		}
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.4.4", "100.63.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.7", "198.20.0.1",
		"223.1.2.3", "2001:4860:4860::8844", "2606:4700::1", "::ffff:8.8.4.4",
	} {
		if err := g.check(netip.AddrPortFrom(netip.MustParseAddr(text), 80)); err != nil {
			t.Errorf("%s is public: %v", text, err)
		}
	}
}

func TestAllowedNetworks(t *testing.T) {
	g := newGuard(Policy{
		AllowedPorts: []uint16{80},
		AllowedNetworks: []netip.Prefix{
			netip.MustParsePrefix("10.1.2.3/16"), // host bits are ignored
			netip.MustParsePrefix("::ffff:192.168.0.0/112"),
			netip.MustParsePrefix("64:ff9b::/96"),
			netip.MustParsePrefix("fe80::/10"),
		},
	})
	tests := []struct {
		dst  string
		open bool
	}{
		{"10.1.0.1:80", true},
		{"10.1.0.1:9999", true}, // every port is free inside
		{"10.1.0.1:0", false},
		{"10.2.0.1:80", false},
		{"192.168.7.7:80", true},
		{"[::ffff:10.1.0.1]:80", true},
		{"8.8.4.4:80", true},
		{"8.8.4.4:9999", false}, // outside, ports stay listed
		{"[64:ff9b::8.8.4.4]:80", true},
		{"[64:ff9b::127.0.0.1]:80", false}, // the gateway's own loopback
		{"[64:ff9b::10.1.0.1]:80", true},
		{"[64:ff9b::10.2.0.1]:80", false},
		{"[fe80::1]:80", true},
		{"[fe80::1%eth0]:80", false},
		{"127.0.0.1:80", false},
	}
	for _, tt := range tests {
		if err := g.check(netip.MustParseAddrPort(tt.dst)); (err == nil) != tt.open {
			t.Errorf("%s: open=%t, want %t (%v)", tt.dst, err == nil, tt.open, err)
		}
	}
}

// Case 3: the name answers an allowed address, then a private one, with TTL
// 0. What is dialled is what was checked: one look-up for one dial, and the
// second dial is refused before a packet leaves.
func TestCase03Rebinding(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "first")
	})
	port := portOfServer(t, s.URL)
	visits := trap(t, "127.0.0.2:"+port)
	dns := &fakeDNS{answers: func(_ string, question int) []string {
		if question <= 1 {
			return []string{"127.0.0.1"}
		}
		return []string{"127.0.0.2"}
	}}
	c := newClient(t, open, withDNS(dns))
	target := "http://rebind.example:" + port + "/"

	if _, err := c.CheckURL(target); err != nil {
		t.Fatal(err)
	}
	resp := mustGet(t, c, target)
	if string(resp.Body) != "first" || resp.RemoteAddr.Addr().String() != "127.0.0.1" {
		t.Errorf("got %q from %s", resp.Body, resp.RemoteAddr)
	}
	if n := dns.count("rebind.example"); n != 1 {
		t.Errorf("%d look-ups for one request: the second could differ from the checked one", n)
	}
	_, err := get(t, c, target)
	wantReason(t, err, ReasonBlocked)
	if visits.Load() != 0 {
		t.Error("the private address was dialled")
	}
}

// Case 3, with the policy as it is by default: a name that comes to point to
// this host.
func TestCase03LoopbackByName(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the local server was reached") })
	c := newClient(t, withDNS(zone(map[string][]string{"evil.example": {"127.0.0.1", "::1"}})), func(cfg *Config) {
		cfg.Policy.AllowedPorts = []uint16{netip.MustParseAddrPort(s.Listener.Addr().String()).Port()}
	})
	_, err := get(t, c, "http://evil.example:"+portOfServer(t, s.URL)+"/")
	wantReason(t, err, ReasonBlocked)
}

// Case 4: allowed and private records mixed, in both orders.
func TestCase04MixedRecords(t *testing.T) {
	s := respond(t, "ok")
	port := portOfServer(t, s.URL)
	visits := trap(t, "127.0.0.2:"+port)
	for _, records := range [][]string{
		{"127.0.0.2", "127.0.0.1"},
		{"127.0.0.1", "127.0.0.2"},
		{"::1", "127.0.0.2", "169.254.169.254", "127.0.0.1"},
	} {
		c := newClient(t, open, withDNS(zone(map[string][]string{"mixed.example": records})))
		if resp := mustGet(t, c, "http://mixed.example:"+port+"/"); string(resp.Body) != "ok" {
			t.Errorf("%v: got %q", records, resp.Body)
		}
	}
	if visits.Load() != 0 {
		t.Error("the private address was dialled")
	}
}

func TestManyRecordsAreBounded(t *testing.T) {
	// Port 1 of the allowed address refuses at once, so that every attempt
	// would be made if nobody counted.
	records := make([]string, 1000)
	for i := range records {
		records[i] = "127.0.0.1"
	}
	c := newClient(t, open, withDNS(zone(map[string][]string{"many.example": records})))
	start := time.Now()
	_, err := get(t, c, "http://many.example:1/")
	wantReason(t, err, ReasonUnreachable, ReasonBlocked)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestAttemptsOfOneDialAreCounted(t *testing.T) {
	g := newGuard(Policy{AllowedPorts: []uint16{80}})
	ctx := context.WithValue(t.Context(), attemptsKey{}, new(atomic.Int32))
	for i := range maxDialAttempts {
		if err := g.control(ctx, "tcp4", "8.8.4.4:80", nil); err != nil {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	if g.control(ctx, "tcp4", "8.8.4.4:80", nil) == nil {
		t.Errorf("attempt %d is not refused", maxDialAttempts+1)
	}
	if g.control(t.Context(), "tcp4", "8.8.4.4:80", nil) == nil {
		t.Error("a dial that is not counted is not refused")
	}
}

func TestSlowDNSEndsAtTheDeadline(t *testing.T) {
	stall := make(chan struct{})
	defer close(stall)
	dns := &fakeDNS{stall: stall}
	c := newClient(t, withDNS(dns), withLimits(Limits{Total: 100 * time.Millisecond}))
	_, err := get(t, c, "http://slow.example/")
	wantReason(t, err, ReasonUnreachable, ReasonDNS)
}

func TestGuardRefusesOtherNetworks(t *testing.T) {
	g := newGuard(Policy{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	for _, network := range []string{"udp4", "unix", "tcp", ""} {
		if g.control(context.Background(), network, "8.8.4.4:80", nil) == nil {
			t.Errorf("network %q passes", network)
		}
	}
	if err := g.control(context.Background(), "tcp4", "not an address", nil); err == nil || strings.Contains(err.Error(), "not an") {
		t.Errorf("address that cannot be read: %v", err)
	}
}
