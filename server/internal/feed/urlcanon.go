package feed

import (
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CanonicalURL returns the form of an http or https URL under which the same
// page is known whoever links to it. It is a key for comparison and still a
// working address. What is told here is fixed; what else makes two URLs one
// page stands in urlrules.txt:
//
//   - White space around, tabs and line breaks inside, user names, passwords
//     and fragments go; fragments that are routes ("#!", "#/") stay.
//   - Pages that were wrapped by an AMP cache or a redirect that names its
//     target are unwrapped.
//   - The host is lower case, ASCII (IDNA), without a trailing dot and without
//     labels such as www that tell one form of the site.
//   - The default port goes; http becomes https, except with another port and
//     for addresses and local names, where https would not work.
//   - Dot segments are resolved; percent-encoding is upper case, removed from
//     unreserved characters (RFC 3986, 6.2.2) and from !'()*,:@ , which mean
//     nothing else inside of a path or a query, added to forbidden ones.
//   - Parameters of the query that tell nothing of the page go; the others are
//     sorted by name, those of one name keep their order. Sessions and AMP
//     forms go from the path.
//
// A slash at the end, index pages and the case of the path are left alone:
// servers tell them apart. CanonicalURL(CanonicalURL(x)) is CanonicalURL(x).
// The error is kgl.CodeInvalid for anything that is no http or https URL.
func CanonicalURL(raw string) (string, error) { return pageRules.canonical(raw) }

// maxWraps bounds how often a URL is unwrapped or rewritten.
const maxWraps = 16

func (r *urlRules) canonical(raw string) (string, error) {
	if strings.ContainsFunc(raw, notInURL) {
		raw = trimURL(raw)
	}
	for range maxWraps {
		next, again, err := r.canonicalOnce(raw)
		if err != nil || !again {
			return next, err
		}
		raw = next
	}
	return "", kgl.Invalid("url", "is wrapped too often")
}

// notInURL reports whether a character may be one that trimURL removes.
func notInURL(c rune) bool { return c <= ' ' || c >= 0x7F }

// canonicalOnce returns the canonical form of raw, or another URL of the same
// page to begin with again.
func (r *urlRules) canonicalOnce(raw string) (out string, again bool, err error) {
	if len(raw) > maxURL {
		return "", false, kgl.Invalid("url", "is longer than %d bytes", maxURL)
	}
	u, err := splitURL(raw)
	if err != nil {
		return "", false, err
	}
	name, err := hostName(u.host)
	if err != nil {
		return "", false, err
	}
	site := r.siteOf(name)
	scheme := "https://"
	if !u.secure && (u.port != "" || !isPublicName(site)) {
		scheme = "http://"
	}
	var space [1024]byte // most URLs are built without another allocation
	buf := append(space[:0], scheme...)
	buf = appendHost(buf, site, u.port)

	start := len(buf)
	buf = removeDots(appendURL(buf, u.path), start)
	var found [2 * maxHostRules]*hostRules
	var own []*hostRules // of this site
	if u.port == "" {
		own = r.rulesOf(site, found[:0])
		wrapped := own
		if name != site {
			wrapped = r.rulesOf(name, own)
		}
		if inner := unwrap(wrapped, buf[start:], u.query); inner != "" {
			return inner, true, nil
		}
		before := len(buf)
		if buf = r.shortenPath(buf, start); len(buf) != before {
			if inner := unwrap(wrapped, buf[start:], u.query); inner != "" {
				return inner, true, nil
			}
		}
		if page := rewrite(own, buf[start:], u); page != "" {
			return page, true, nil
		}
	} else {
		buf = r.shortenPath(buf, start)
	}
	if u.query != "" {
		buf = r.appendQuery(buf, start, u.query, own)
	}
	if f := u.fragment; strings.HasPrefix(f, "!") || strings.HasPrefix(f, "/") {
		buf = appendURL(append(buf, '#'), f)
	}
	switch {
	case len(buf) > maxURL: // escaping made it longer
		return "", false, kgl.Invalid("url", "is longer than %d bytes", maxURL)
	case string(buf) == raw:
		return raw, false, nil
	}
	return string(buf), false, nil
}

// urlParts are the parts of an http or https URL as they were written.
type urlParts struct {
	secure   bool
	host     string // without brackets
	port     string // empty for the default one
	path     string // empty, or from its first slash on
	query    string
	fragment string
}

// splitURL takes a URL apart. Names and passwords are left out. The host is not
// checked yet.
func splitURL(raw string) (urlParts, error) {
	var u urlParts
	rest := raw
	switch {
	case len(raw) > len("https://") && strings.EqualFold(raw[:len("https://")], "https://"):
		u.secure, rest = true, raw[len("https://"):]
	case len(raw) > len("http://") && strings.EqualFold(raw[:len("http://")], "http://"):
		rest = raw[len("http://"):]
	default:
		return u, kgl.Invalid("url", "is not an http or https URL")
	}
	rest, u.fragment, _ = strings.Cut(rest, "#")
	rest, u.query, _ = strings.Cut(rest, "?")
	authority := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, u.path = rest[:i], rest[i:]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]

	colon := strings.LastIndexByte(authority, ':')
	if inner, isAddress := strings.CutPrefix(authority, "["); isAddress {
		address, behind, closed := strings.Cut(inner, "]")
		if !closed || behind != "" && behind[0] != ':' || strings.IndexByte(address, ':') < 0 {
			return u, kgl.Invalid("url", "has a host that is no name")
		}
		u.host, colon = address, -1
		if behind != "" {
			colon = len(authority) - len(behind)
		}
	} else if colon >= 0 {
		u.host = authority[:colon]
	} else {
		u.host = authority
	}
	if colon >= 0 {
		port, err := portNumber(authority[colon+1:])
		if err != nil {
			return u, err
		}
		u.port = port
	}
	if u.secure && u.port == "443" || !u.secure && u.port == "80" {
		u.port = ""
	}
	return u, nil
}

// portNumber checks a port and returns it without zeros in front.
func portNumber(port string) (string, error) {
	trimmed := strings.TrimLeft(port, "0")
	for i := range len(trimmed) {
		if !isDigit(trimmed[i]) {
			return "", kgl.Invalid("url", "has a port that is no number")
		}
	}
	if trimmed == "" && port != "" || len(trimmed) > 5 || len(trimmed) == 5 && trimmed > "65535" {
		return "", kgl.Invalid("url", "has a port that is too large or 0")
	}
	return trimmed, nil
}

// unescaped is what stays in a path or a query as it is; decoded is what needs
// no percent-encoding, if it has one.
var unescaped, decoded = escapeTables()

func escapeTables() (plain, decode [256]bool) {
	for i := range 256 {
		c := byte(i)
		decode[i] = isUnreserved(c) || c != 0 && strings.IndexByte("!'()*,:@", c) >= 0
		plain[i] = decode[i] || c > 0x20 && c < 0x7F && strings.IndexByte("\"%<>\\^`{|}", c) < 0
	}
	return plain, decode
}

// appendURL appends s with its percent-encoding in one form: none for
// characters that need none, upper case for the rest, which is also added to
// what may not stand in a URL.
func appendURL(buf []byte, s string) []byte {
	const hexDigits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unescaped[c] {
			buf = append(buf, c)
			continue
		}
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if decoded[c] {
				buf = append(buf, c)
				continue
			}
		}
		buf = append(buf, '%', hexDigits[c>>4], hexDigits[c&15])
	}
	return buf
}

func isUnreserved(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
