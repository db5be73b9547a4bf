package feed

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxHostRules bounds how many sets of rules hold for one host: its own, that
// of a host above it, and that of its name under any suffix.
const maxHostRules = 4

// maxNameBytes is the length of the longest host name (RFC 1035, 2.3.4). In
// other scripts a character has up to four bytes.
const maxNameBytes = 253

// hostName returns a host in lower-case ASCII, an address in its usual form.
func hostName(host string) (string, error) {
	if isPlainName(host) {
		return host, nil
	}
	if strings.Contains(host, "%") {
		decoded, err := url.PathUnescape(host)
		if err != nil {
			return "", kgl.Invalid("url", "has a host that is no name")
		}
		host = decoded
	}
	if len(host) > 4*maxNameBytes || !utf8.ValidString(host) {
		return "", kgl.Invalid("url", "has a host that is no name")
	}
	host = strings.TrimRight(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return addr.Unmap().String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names that IDNA forbids and servers have, such as with "_" or a heart.
		if ascii, err = idna.Punycode.ToASCII(host); err != nil {
			return "", kgl.Invalid("url", "has a host that is no name")
		}
	}
	ascii = strings.TrimRight(ascii, ".")
	if addr, err := netip.ParseAddr(ascii); err == nil && addr.Zone() == "" {
		return addr.Unmap().String(), nil // digits in other scripts: an address after all
	}
	if !isName(ascii) {
		return "", kgl.Invalid("url", "has a host that is no name")
	}
	return ascii, nil
}

// isPlainName reports whether a host needs no work: a name in lower-case
// ASCII without encoded labels, and no address.
func isPlainName(host string) bool {
	return isName(host) && !strings.Contains(host, "xn--") && !isDigit(host[strings.LastIndexByte(host, '.')+1])
}

// isName reports whether a host is a name in lower case, with the lengths of
// RFC 1035. Underscores and tildes are in no host name by RFC 952, but pages
// live there.
func isName(host string) bool {
	if len(host) > maxNameBytes {
		return false
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', isDigit(c), c == '-', c == '_', c == '~':
			if label++; label > 63 {
				return false
			}
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return label > 0
}

// appendHost appends a host with its port.
func appendHost(buf []byte, host, port string) []byte {
	if strings.IndexByte(host, ':') >= 0 {
		buf = append(append(append(buf, '['), host...), ']')
	} else {
		buf = append(buf, host...)
	}
	if port != "" {
		buf = append(append(buf, ':'), port...)
	}
	return buf
}

// siteOf returns the host under which a site is known: without the labels that
// tell one form of it from another, and under its own name.
func (r *urlRules) siteOf(host string) string {
	for {
		label, rest, ok := strings.Cut(host, ".")
		if !ok {
			return host
		}
		if slices.Contains(r.labels, label) && isPublicName(rest) {
			host = rest
			continue
		}
		if second, domain, ok := strings.Cut(rest, "."); ok && len(label) <= 3 && slices.Contains(r.language, second) && isPublicName(domain) {
			host = label + "." + domain
			continue
		}
		if rules := r.hosts[host]; rules != nil && rules.name != "" {
			host = rules.name
			continue
		}
		return host
	}
}

// rulesOf appends the rules that hold on a host, its own first.
func (r *urlRules) rulesOf(host string, found []*hostRules) []*hostRules {
	if rules := r.hosts[host]; rules != nil {
		found = append(found, rules)
	}
	label, _, ok := strings.Cut(host, ".")
	if rules := r.anywhere[label]; ok && rules != nil {
		if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && domain == host {
			found = append(found, rules)
		}
	}
	for name := host; ; {
		if rules := r.below[name]; rules != nil {
			return append(found, rules)
		}
		_, above, ok := strings.Cut(name, ".")
		if !ok {
			return found
		}
		name = above
	}
}

// isPublicName reports whether a host is a registrable domain or below one.
func isPublicName(host string) bool {
	dot := strings.LastIndexByte(host, '.')
	if dot < 0 || strings.IndexByte(host, ':') >= 0 {
		return false
	}
	last := host[dot+1:]
	switch last {
	case "local", "localhost", "internal", "lan", "home", "test", "onion":
		return false
	}
	if last == "" || isDigit(last[0]) {
		return false
	}
	_, err := publicsuffix.EffectiveTLDPlusOne(host)
	return err == nil
}
