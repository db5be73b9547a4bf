package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CheckURL judges a URL that a user wants to have fetched, without any
// network: it must be an absolute http or https URL of at most MaxURLBytes,
// without user name and password, with a sane host, on a port and (when the
// host is an address) to an address that the policy allows. The pseudo scheme
// feed: is understood. It returns the URL as it will be requested: host in
// lower-case ASCII, no fragment.
//
// What a name resolves to is not judged here but at every dial, because it
// may change. Errors are CodeInvalid about the field "url"; their text never
// repeats the URL.
func (c *Client) CheckURL(raw string) (*url.URL, error) {
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	if err := c.checkDestination(u); err != nil {
		invalid := kgl.Invalid("url", "must not point to a private, local or reserved address")
		// The list of ports is no secret: it depends on the configuration,
		// not on what runs at the target.
		if errors.Is(err, ssrf.ErrProhibitedPort) {
			invalid = kgl.Invalid("url", "uses a port that is not allowed")
		}
		invalid.Err = err
		return nil, invalid
	}
	return u, nil
}

// checkDestination applies what of the policy can be known before the name is
// resolved. It returns a *blockedError.
func (c *Client) checkDestination(u *url.URL) error {
	if c.trusted[originOf(u)] {
		return nil
	}
	port := portOf(u)
	if err := c.guard.checkPort(port); err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.guard.check(netip.AddrPortFrom(addr, port))
	}
	// RFC 6761 section 6.3: names under localhost always mean this host.
	if host := u.Hostname(); (host == "localhost" || strings.HasSuffix(host, ".localhost")) && !c.guard.loopbackOpen() {
		return blocked("the name of the local host")
	}
	return nil
}

// parseURL reads a URL in the form that people type or paste. Only its own
// words reach the error: those of url.Parse quote the input, which may hold a
// password.
func parseURL(raw string) (*url.URL, error) {
	switch {
	case raw == "":
		return nil, kgl.Invalid("url", "must not be empty")
	case len(raw) > MaxURLBytes:
		return nil, kgl.Invalid("url", "must not be longer than %d bytes", MaxURLBytes)
	case !utf8.ValidString(raw) || strings.ContainsFunc(raw, notInURL):
		return nil, kgl.Invalid("url", "must not contain spaces or control characters")
	}
	u, err := url.Parse(withoutFeedScheme(raw))
	if err != nil {
		return nil, kgl.Invalid("url", "is not a valid URL")
	}
	if err := normalise(u); err != nil {
		return nil, err
	}
	return u, nil
}

func notInURL(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// withoutFeedScheme turns feed:https://host/ and feed://host/, which browsers
// once handed to feed readers, into the URL that is meant.
func withoutFeedScheme(raw string) string {
	const scheme = "feed:"
	if len(raw) < len(scheme) || !strings.EqualFold(raw[:len(scheme)], scheme) {
		return raw
	}
	rest := raw[len(scheme):]
	if strings.HasPrefix(rest, "//") {
		return "http:" + rest
	}
	return rest
}

// normalise checks the form of a parsed URL and brings its host into the one
// spelling that is both judged and dialled.
func normalise(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return kgl.Invalid("url", "must start with http:// or https://")
	case u.User != nil:
		return kgl.Invalid("url", "must not contain a user name or password")
	case u.Opaque != "" || u.Hostname() == "":
		return kgl.Invalid("url", "must name a host")
	}
	host, err := normaliseHost(u.Hostname())
	if err != nil {
		return err
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return kgl.Invalid("url", "has an invalid port")
		}
		host += ":" + strconv.FormatUint(n, 10)
	}
	u.Host = host
	u.Fragment, u.RawFragment = "", ""
	u.RawQuery = escapeQuery(u.RawQuery)
	if len(u.String()) > MaxURLBytes { // escaping made it longer
		return kgl.Invalid("url", "must not be longer than %d bytes", MaxURLBytes)
	}
	return nil
}

// escapeQuery escapes what may not stand in a query (URL Standard, section
// 1.3, "query percent-encode set"). Package url keeps a query as it came, and
// a space in it would break the request line.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		switch c := query[i]; {
		case c <= ' ', c >= 0x7f, c == '"', c == '<', c == '>':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// normaliseHost returns a host as it stands in a URL: an address in its
// shortest form, in brackets when it is IPv6, or a name in lower-case ASCII
// without a final dot.
func normaliseHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", kgl.Invalid("url", "must not contain an address with a zone")
		}
		if addr = addr.Unmap(); addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	name, err := asciiName(strings.TrimSuffix(host, "."))
	if err != nil {
		return "", err
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.Is4() {
		return addr.String(), nil // digits in other scripts: an address after all
	}
	if endsInNumber(name) {
		return "", kgl.Invalid("url", "must write an address as four decimal numbers")
	}
	return name, nil
}

// asciiName returns a host name in lower-case ASCII. Underscores are let
// through: they are no host names by RFC 952, but feeds live under them.
func asciiName(name string) (string, error) {
	errName := kgl.Invalid("url", "has an invalid host name")
	name = strings.ToLower(name)
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) || strings.Contains(name, "xn--") {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", errName
		}
		name = strings.TrimSuffix(ascii, ".")
	}
	if len(name) > 253 {
		return "", errName
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return "", errName
		}
	}
	return name, nil
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// endsInNumber reports whether the last label of a name is a number in the
// sense of the URL Standard (section 3.5, "ends in a number checker"). No
// public name ends so, but the C library takes such names (2130706433,
// 0x7f.1, 0177.0.0.1) for IPv4 addresses.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, found := strings.CutPrefix(last, "0x")
	return found && strings.Trim(hex, "0123456789abcdef") == ""
}

// origin is the unit of trust and of credentials (RFC 6454).
type origin struct {
	scheme, host string
	port         uint16
}

func originOf(u *url.URL) origin {
	return origin{scheme: u.Scheme, host: u.Hostname(), port: portOf(u)}
}

// portOf returns the port that a normalised URL means.
func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}
