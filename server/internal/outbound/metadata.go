package outbound

import (
	"net/netip"
	"slices"
)

// isMetadata reports whether an address is that of a service which hands the
// credentials of a cloud machine to whoever asks from it. They are public
// facts of the providers; most lie in ranges that are refused anyway, and all
// stay refused when such a range is allowed.
func isMetadata(addr netip.Addr) bool {
	switch addr.String() {
	case "169.254.169.254", // AWS, Azure, Google, Oracle, OpenStack and most others
		"169.254.169.253",    // AWS, the resolver
		"169.254.170.2",      // AWS ECS, credentials of tasks
		"169.254.170.23",     // AWS EKS, credentials of pods
		"169.254.0.23",       // Tencent
		"169.254.42.42",      // Scaleway
		"100.100.100.200",    // Alibaba
		"192.0.0.192",        // Oracle, the older platform
		"168.63.129.16",      // Azure, the agent of the host: a public address that answers inside of Azure
		"fd00:ec2::254",      // AWS
		"fd00:ec2::253",      // AWS, the resolver
		"fd00:ec2::23",       // AWS EKS, credentials of pods
		"fd20:ce::254",       // Google
		"fd00:c1::a9fe:a9fe", // Oracle
		"fd00:42::42",        // Scaleway
		"fe80::a9fe:a9fe":    // OpenStack
		return true
	}
	return false
}

// refusedMetadata reports whether the address is that of a metadata service,
// itself or inside of an IPv6 address that stands for it, and was not named by
// an allowed network of this one address. 10.0.0.0/8 is a network of people;
// 169.254.0.0/16 or 0.0.0.0/0 was not meant to hand out credentials.
func (g *guard) refusedMetadata(addr netip.Addr) bool {
	if slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr() == addr }) {
		return false
	}
	return isMetadata(addr) || slices.ContainsFunc(embedded(addr), isMetadata)
}

// embedded returns the IPv4 addresses that an IPv6 address can stand for:
// compatible and translated (RFC 4291, RFC 2765), NAT64 (RFC 6052, RFC 8215),
// 6to4 (RFC 3056) and Teredo (RFC 4380). A mapped one was unmapped before.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case b[0] == 0x20 && b[1] == 0x02:
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0:
		for i := 12; i < 16; i++ {
			b[i] ^= 0xff // Teredo hides the client's address so
		}
		return []netip.Addr{netip.AddrFrom4([4]byte(b[4:8])), netip.AddrFrom4([4]byte(b[12:]))}
	case [4]byte(b[:4]) == [4]byte{0, 0x64, 0xff, 0x9b}: // at the end, or in the middle around a zero byte
		return []netip.Addr{last, netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]})}
	case [8]byte(b[:8]) == [8]byte{}:
		return []netip.Addr{last}
	}
	return nil
}
