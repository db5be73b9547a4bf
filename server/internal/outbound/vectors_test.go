package outbound

import (
	"net/netip"
	"strings"
	"testing"
)

// rows returns the rows of a shared table of tab-separated values.
func rows(t *testing.T, name string) [][]string {
	t.Helper()
	var out [][]string
	for line := range strings.SplitSeq(string(shared(t, name)), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < 2 {
			t.Fatalf("%s: %q has no verdict", name, line)
		}
		if fields[0] == "address" || fields[0] == "url" {
			continue
		}
		out = append(out, fields)
	}
	if len(out) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return out
}

// Case 1 with the shared list: the verdict at dial, at the creation of a
// source, and for a name that resolves to the address.
func TestCase01SharedAddresses(t *testing.T) {
	table := rows(t, "vectors/ssrf/addresses.tsv")
	c := newClient(t)
	for _, row := range table {
		addr, err := netip.ParseAddr(row[0])
		if err != nil {
			// "::ffff:0:127.0.0.1" and the like are written as they stand in
			// RFCs; package netip reads them too.
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		want := row[1] == "allow"
		if got := c.guard.check(netip.AddrPortFrom(addr, 80)) == nil; got != want {
			t.Errorf("%s: dialled=%t, want %s", row[0], got, row[1])
		}
		host := row[0]
		if addr.Is6() {
			host = "[" + host + "]"
		}
		if _, err := c.CheckURL("http://" + host + "/"); (err == nil) != want {
			t.Errorf("%s as a URL: %v, want %s", row[0], err, row[1])
		}
		if want {
			continue // would leave the machine
		}
		byName := newClient(t, withDNS(zone(map[string][]string{"name.example": {addr.WithZone("").String()}})))
		_, err = get(t, byName, "http://name.example/")
		if r := ReasonOf(err); r != ReasonBlocked && (r != ReasonDNS || !addr.Is4In6()) {
			t.Errorf("%s by name: %v", row[0], err)
		}
	}
}

// Case 2 with the shared list, in this build; what remains of it for a build
// with cgo are names, which the guard judges by their addresses.
func TestCase02SharedURLs(t *testing.T) {
	dns := &fakeDNS{answers: func(name string, _ int) []string {
		switch {
		case strings.HasPrefix(name, "169.254.169.254."), strings.HasPrefix(name, "metadata."):
			return []string{"169.254.169.254"}
		case name == "example.com":
			return nil // must not be reached from a test
		}
		return []string{"127.0.0.1", "::1"}
	}}
	c := newClient(t, withDNS(dns))
	more := newClient(t, func(cfg *Config) { cfg.Policy.AllowedPorts = []uint16{80, 443, 8080} })
	for _, row := range rows(t, "vectors/ssrf/urls.tsv") {
		raw, verdict := row[0], row[1]
		_, err := c.CheckURL(raw)
		switch verdict {
		case "allow", "normalise":
			if err != nil {
				t.Errorf("%s: %v, want %s", raw, err, verdict)
			}
		case "policy":
			if _, opened := more.CheckURL(raw); err == nil || opened != nil {
				t.Errorf("%s: by default %v, with the port configured %v", raw, err, opened)
			}
		case "deny":
			if err != nil {
				continue
			}
			if _, err := get(t, c, raw); ReasonOf(err) != ReasonBlocked {
				t.Errorf("%s: %v, want a refusal", raw, err)
			}
		default:
			t.Errorf("%s: unknown verdict %q", raw, verdict)
		}
	}
}
