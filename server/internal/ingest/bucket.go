package ingest

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// registrable returns what the requests to a host are counted under: the domain
// that its operator registered, such as example.co.uk for feeds.example.co.uk, or
// the address of a host that is an IP address. host may have a port. It is empty
// for this machine, which needs no protection from itself, and for a name that
// is no domain.
//
// Platforms that give each customer a domain, such as github.io, count as one:
// it is their servers that are asked.
func registrable(host string) string {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip = ip.Unmap(); ip.IsLoopback() {
			return ""
		}
		return ip.String()
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return ""
	}
	for {
		suffix, icann := publicsuffix.PublicSuffix(name)
		_, parent, dotted := strings.Cut(suffix, ".")
		if icann || !dotted {
			domain, err := publicsuffix.EffectiveTLDPlusOne(name)
			if err != nil {
				return ""
			}
			return domain
		}
		// A suffix that a company runs, such as github.io: it counts itself.
		if up, _ := publicsuffix.PublicSuffix(parent); up == parent {
			return suffix
		}
		name = parent
	}
}
