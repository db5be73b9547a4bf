package feed

import (
	"net/url"
	"strings"
)

// maxURL is the longest URL that is kept, in bytes.
const maxURL = 4096

// resolver makes links absolute.
type resolver struct{ base *url.URL }

// newResolver resolves against the first of the bases that is an absolute http
// or https URL, after those behind it: newResolver("../x", "http://a/b/") has
// the base http://a/x.
func newResolver(bases ...string) resolver {
	var r resolver
	for i := len(bases) - 1; i >= 0; i-- {
		if link := r.link(bases[i], false); link != "" {
			if u, err := url.Parse(link); err == nil {
				r.base = u
			}
		}
	}
	return r
}

// link returns a link as an absolute URL with the scheme http or https, or
// mailto where that is allowed; empty for any other. User names and passwords
// are removed.
func (r resolver) link(raw string, mailto bool) string {
	raw = trimURL(raw)
	if raw == "" || len(raw) > maxURL {
		return ""
	}
	if isPlainURL(raw) {
		return raw
	}
	raw = r.completeURL(raw)
	u, err := url.Parse(raw)
	if err != nil {
		if u, err = url.Parse(escapeLoose(raw)); err != nil {
			return ""
		}
	}
	if r.base != nil && !u.IsAbs() {
		u = r.base.ResolveReference(u)
	}
	switch u.Scheme {
	case "http", "https":
		// Package url lets some of what no host may have pass.
		if u.Host == "" || u.Opaque != "" || strings.ContainsAny(u.Host, " \"<>`") {
			return ""
		}
		u.User = nil
	case "mailto":
		if !mailto || !isEmail(strings.SplitN(u.Opaque, "?", 2)[0]) {
			return ""
		}
	default:
		return ""
	}
	out := u.String()
	if strings.ContainsAny(out, " \"<>`") { // of a query, which parsing leaves as it is
		out = escapeLoose(out)
	}
	if len(out) > maxURL {
		return ""
	}
	return out
}

// completeURL adds what browsers and people leave out of absolute URLs: the
// second slash of "http:/e.example.org/", the scheme of "www.example.org/".
func (r resolver) completeURL(raw string) string {
	if len(raw) < 6 {
		return raw
	}
	for _, scheme := range []string{"http:/", "https:/"} {
		if rest := raw[min(len(raw), len(scheme)):]; len(rest) > 1 && strings.EqualFold(raw[:len(scheme)], scheme) && rest[0] != '/' {
			return scheme + "/" + rest
		}
	}
	if strings.EqualFold(raw[:4], "www.") {
		if r.base != nil {
			return r.base.Scheme + "://" + raw
		}
		return "https://" + raw
	}
	return raw
}

// first returns the first of the links that can be used; empty when none can.
func (r resolver) first(links []string) string {
	for _, l := range links {
		if u := r.link(l, false); u != "" {
			return u
		}
	}
	return ""
}

// isPlainURL reports whether a text is an absolute http or https URL that
// parsing and writing again would not change: without user name, fragment and
// escapes.
func isPlainURL(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if host, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	i := 0
	for i < len(host) && (host[i] >= 'a' && host[i] <= 'z' || isDigit(host[i]) || host[i] == '.' || host[i] == '-') {
		i++
	}
	if i == 0 || i < len(host) && host[i] != '/' {
		return false
	}
	for ; i < len(host); i++ {
		switch c := host[i] | 0x20; {
		case c >= 'a' && c <= 'z', isDigit(host[i]):
		default:
			switch host[i] {
			case '-', '.', '_', '~', '/', '?', '=', '&', '+', ',', ';', ':', '@', '$':
			default:
				return false
			}
		}
	}
	return true
}

// trimURL removes white space around a URL and, as browsers do, tabs and line
// breaks inside of it, with other control characters.
func trimURL(s string) string {
	s = strings.TrimSpace(s)
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r == '\u200B' || r == '\uFEFF' {
			return -1
		}
		return r
	}, s)
}

// escapeLoose escapes what keeps a URL from being parsed: '%' that escapes
// nothing, spaces, and brackets outside of a host.
func escapeLoose(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])):
			b.WriteString("%25")
		case c == ' ':
			b.WriteString("%20")
		case c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '}' || c == '|' || c == '\\' || c == '^':
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// languageTag returns a language tag in its usual case ("en-US"), empty when
// the text is none.
func languageTag(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "_", "-")
	if len(s) < 2 || len(s) > 35 {
		return ""
	}
	parts := strings.Split(s, "-")
	for i, p := range parts {
		if p == "" || len(p) > 8 {
			return ""
		}
		for j := 0; j < len(p); j++ {
			if c := p[j] | 0x20; !(c >= 'a' && c <= 'z') && !(i > 0 && isDigit(p[j])) {
				return ""
			}
		}
		switch {
		case i > 0 && len(p) == 2:
			parts[i] = strings.ToUpper(p)
		case i > 0 && len(p) == 4 && !isDigit(p[0]):
			parts[i] = strings.ToUpper(p[:1]) + strings.ToLower(p[1:])
		default:
			parts[i] = strings.ToLower(p)
		}
	}
	if len(parts[0]) > 3 || len(parts[0]) < 2 {
		return ""
	}
	return strings.Join(parts, "-")
}
