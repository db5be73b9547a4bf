package outbound

import (
	"net/http"
	"net/netip"
	"testing"
)

func networks(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// Cases 1 and 5: what hands out the credentials of a machine stays refused
// when the configuration opens the network around it, in whatever form the
// address comes.
func TestCase05MetadataStaysRefused(t *testing.T) {
	wide := newGuard(Policy{AllowedPorts: []uint16{80}, AllowedNetworks: networks("0.0.0.0/0", "::/0", "169.254.0.0/16", "fd00::/8")})
	for _, text := range []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fe80::a9fe:a9fe",
		"::ffff:169.254.169.254",   // mapped
		"::a9fe:a9fe",              // compatible
		"::ffff:0:a9fe:a9fe",       // translated
		"64:ff9b::a9fe:a9fe",       // NAT64
		"64:ff9b:1::a9fe:a9fe",     // NAT64 of a site
		"64:ff9b:1:a9fe:a9:fe00::", // the same, in the middle
		"2002:a9fe:a9fe::1",        // 6to4
		"2001:0:a9fe:a9fe::",       // Teredo, server
		"2001:0:1:1:0:0:5601:5601", // Teredo, client
		"2002:6464:64c8::1",        // 6to4 of Alibaba's
	} {
		if wide.check(netip.AddrPortFrom(netip.MustParseAddr(text), 80)) == nil {
			t.Errorf("%s may be dialled", text)
		}
	}
	for _, text := range []string{"169.254.169.1", "10.0.0.1", "127.0.0.1", "::1", "fd00:ec2::1", "2002:a00:1::1", "64:ff9b::8.8.4.4"} {
		if err := wide.check(netip.AddrPortFrom(netip.MustParseAddr(text), 8080)); err != nil {
			t.Errorf("%s lies in an allowed network: %v", text, err)
		}
	}
	// Azure's lies in public space, and is refused without any configuration.
	if newGuard(Policy{AllowedPorts: []uint16{80}}).check(netip.MustParseAddrPort("168.63.129.16:80")) == nil {
		t.Error("168.63.129.16 may be dialled")
	}
}

// Whoever names the one address means it.
func TestMetadataNamedExactly(t *testing.T) {
	g := newGuard(Policy{AllowedPorts: []uint16{80}, AllowedNetworks: networks("169.254.169.254/32", "fd00:ec2::254/128", "::ffff:100.100.100.200/128")})
	for text, open := range map[string]bool{
		"169.254.169.254": true, "fd00:ec2::254": true, "100.100.100.200": true, "::ffff:169.254.169.254": true,
		"169.254.170.2": false, "fd00:ec2::23": false, "169.254.169.253": false, "64:ff9b::a9fe:a9fe": false,
	} {
		if err := g.check(netip.AddrPortFrom(netip.MustParseAddr(text), 80)); (err == nil) != open {
			t.Errorf("%s: %v, want open=%t", text, err, open)
		}
	}
}

// A network that begins with the address is not the address.
func TestMetadataInTheSmallestNetwork(t *testing.T) {
	g := newGuard(Policy{AllowedPorts: []uint16{80}, AllowedNetworks: networks("169.254.169.254/31", "fd00:ec2::254/127")})
	for text, open := range map[string]bool{"169.254.169.254": false, "169.254.169.255": true, "fd00:ec2::254": false, "fd00:ec2::255": true} {
		if err := g.check(netip.AddrPortFrom(netip.MustParseAddr(text), 80)); (err == nil) != open {
			t.Errorf("%s: %v, want open=%t", text, err, open)
		}
	}
}

// Cases 4 and 5 with everything private allowed: names that resolve to a
// metadata service beside an allowed address, and redirects to one.
func TestCase05MetadataBesideAllowed(t *testing.T) {
	s := respond(t, "ok")
	port := portOfServer(t, s.URL)
	dns := zone(map[string][]string{
		"mixed.example": {"169.254.169.254", "fd00:ec2::254", "127.0.0.1"},
		"meta.example":  {"169.254.169.254", "fd00:ec2::254"},
	})
	c := newClient(t, withDNS(dns), func(cfg *Config) { cfg.Policy.AllowedNetworks = networks("0.0.0.0/0", "::/0") })
	if resp := mustGet(t, c, "http://mixed.example:"+port+"/"); string(resp.Body) != "ok" || resp.RemoteAddr.Addr().String() != "127.0.0.1" {
		t.Errorf("%q from %s", resp.Body, resp.RemoteAddr)
	}
	for _, to := range []string{"http://meta.example/", "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]:8080/", "http://[::ffff:a9fe:a9fe]/"} {
		_, err := get(t, c, to)
		wantReason(t, err, ReasonBlocked)
		moved := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		_, err = get(t, c, moved.URL)
		wantReason(t, err, ReasonBlocked)
	}
}
