package feed

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CanonicalURL returns the form of an http or https URL under which the same
// page is known whoever links to it. It is a key for comparison and still a
// working address. The rules, in this order, until nothing changes:
//
//   - White space around, tabs and line breaks inside, user names, passwords
//     and fragments go; fragments that are routes ("#!", "#/") stay.
//   - Pages that were wrapped by an AMP cache are unwrapped.
//   - The host is lower case, ASCII (IDNA), without a trailing dot; the labels
//     www, m, mobile and amp before a registrable domain go, so does an m
//     behind a language ("en.m.wikipedia.org").
//   - The default port goes; http becomes https, except with another port and
//     for addresses and local names, where https would not work.
//   - Dot segments are resolved; percent-encoding is upper case, removed from
//     unreserved characters (RFC 3986, 6.2.2) and from !'()*,:@ , which mean
//     nothing else inside of a path or a query, added to forbidden ones.
//   - AMP forms of the path go: "/amp" and "/amp/" at its end, ".amp",
//     ".amp.html"; so do session ids (";jsessionid=").
//   - Query parameters that track a reader or mark an AMP page go; the others
//     are sorted by name, those of one name keep their order.
//
// A slash at the end, index pages and the case of the path are left alone:
// servers tell them apart. CanonicalURL(CanonicalURL(x)) is CanonicalURL(x).
// The error is kgl.CodeInvalid for anything that is no http or https URL.
func CanonicalURL(raw string) (string, error) {
	raw = trimURL(raw)
	for range 16 {
		next, err := canonicalOnce(raw)
		if err != nil || next == raw {
			return next, err
		}
		raw = next
	}
	return "", kgl.Invalid("url", "is wrapped too often")
}

func canonicalOnce(raw string) (string, error) {
	if len(raw) > maxURL {
		return "", kgl.Invalid("url", "is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil {
		if u, err = url.Parse(escapeLoose(raw)); err != nil {
			return "", kgl.Invalid("url", "is not a URL")
		}
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", kgl.Invalid("url", "is not an http or https URL")
	}
	if inner := unwrapAMP(u); inner != "" {
		return inner, nil
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port := u.Port()
	if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = ""
	}
	if u.Scheme == "http" && port == "" && isPublicName(host) {
		u.Scheme = "https"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	out := u.Scheme + "://" + host + canonicalPath(u.EscapedPath())
	if query := canonicalQuery(u.RawQuery); query != "" {
		out += "?" + query
	}
	if f := u.EscapedFragment(); strings.HasPrefix(f, "!") || strings.HasPrefix(f, "/") {
		out += "#" + normaliseEscapes(f)
	}
	return out, nil
}

// unwrapAMP returns the page inside of an AMP cache URL, empty when u is none.
func unwrapAMP(u *url.URL) string {
	host, path := strings.ToLower(u.Hostname()), u.EscapedPath()
	switch {
	case strings.HasSuffix(host, ".cdn.ampproject.org") || host == "cdn.ampproject.org":
		// /c/s/host/path: kind of content, s for https, then the page.
		parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 2)
		if len(parts) != 2 || len(parts[0]) != 1 {
			return ""
		}
		path = parts[1]
	case (host == "google.com" || strings.HasPrefix(host, "www.google.")) && strings.HasPrefix(path, "/amp/"):
		path = strings.TrimPrefix(path, "/amp/")
	default:
		return ""
	}
	scheme := "http://"
	if rest, ok := strings.CutPrefix(path, "s/"); ok {
		scheme, path = "https://", rest
	}
	if host, _, _ := strings.Cut(path, "/"); !strings.Contains(host, ".") {
		return ""
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return scheme + path
}

func canonicalHost(host string) (string, error) {
	host = strings.TrimRight(strings.ToLower(host), ".")
	if host == "" {
		return "", kgl.Invalid("url", "has no host")
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names that IDNA forbids and servers have, such as with "_".
		ascii = host
	}
	for i := range len(ascii) {
		if c := ascii[i]; !isNameByte(c) && c != '~' || c == ':' {
			return "", kgl.Invalid("url", "has a host that is no name")
		}
	}
	return dropForm(strings.TrimRight(ascii, ".")), nil
}

// dropForm removes the labels that tell one form of a site from another.
func dropForm(host string) string {
	for {
		label, rest, ok := strings.Cut(host, ".")
		if !ok || !isPublicName(rest) {
			return host
		}
		switch label {
		case "www", "m", "mobile", "amp":
			host = rest
			continue
		}
		if second, domain, ok := strings.Cut(rest, "."); ok && second == "m" && len(label) <= 3 && isPublicName(domain) {
			host = label + "." + domain
			continue
		}
		return host
	}
}

// isPublicName reports whether a host is a registrable domain or below one.
func isPublicName(host string) bool {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
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

func canonicalPath(path string) string {
	path = removeDots(normaliseEscapes(path))
	if i := strings.Index(strings.ToLower(path), ";jsessionid="); i >= 0 {
		end := strings.IndexAny(path[i+1:], "/;")
		if end < 0 {
			path = path[:i]
		} else {
			path = path[:i] + path[i+1+end:]
		}
	}
	switch {
	case strings.HasSuffix(path, "/amp/") && len(path) > len("/amp/"):
		path = strings.TrimSuffix(path, "amp/")
	case strings.HasSuffix(path, "/amp") && len(path) > len("/amp"):
		path = strings.TrimSuffix(path, "/amp")
	case strings.HasSuffix(path, ".amp.html"):
		path = strings.TrimSuffix(path, ".amp.html") + ".html"
	case strings.HasSuffix(path, ".amp") && !strings.HasSuffix(path, "/.amp"):
		path = strings.TrimSuffix(path, ".amp")
	}
	return path
}

// removeDots resolves "." and ".." segments (RFC 3986, 5.2.4).
func removeDots(path string) string {
	if path == "" {
		return "/"
	}
	segments := strings.Split(path, "/")[1:]
	out := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

func canonicalQuery(query string) string {
	var kept []string
	for _, param := range strings.Split(query, "&") {
		param = normaliseEscapes(param)
		name, value, _ := strings.Cut(param, "=")
		if param != "" && !isTracking(strings.ToLower(name), strings.ToLower(value)) {
			kept = append(kept, param)
		}
	}
	slices.SortStableFunc(kept, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	return strings.Join(kept, "&")
}

// normaliseEscapes decodes the percent-encoding of characters that need none,
// writes the rest in upper case, and encodes what may not stand in a URL.
func normaliseEscapes(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' {
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				c, escaped = unhex(s[i+1])<<4|unhex(s[i+2]), true
				i += 2
			} else {
				escaped = true // a lone '%' becomes "%25"
			}
		}
		switch {
		case isUnreserved(c), escaped && strings.IndexByte("!'()*,:@", c) >= 0, !escaped && c > 0x20 && c < 0x7F && !strings.ContainsRune("\"<>\\^`{|}", rune(c)):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
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
