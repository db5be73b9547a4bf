package feed

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
)

// removeDots resolves "." and ".." segments (RFC 3986, 5.2.4) of the path that
// begins at start, and gives an empty one its slash.
func removeDots(buf []byte, start int) []byte {
	if len(buf) == start {
		return append(buf, '/')
	}
	path := buf[start:]
	if !bytes.Contains(path, []byte("/.")) {
		return buf
	}
	w := 0 // how much of the result is written, over what was read
	for i := 0; i < len(path); {
		end := len(path)
		if j := bytes.IndexByte(path[i+1:], '/'); j >= 0 {
			end = i + 1 + j
		}
		switch segment := path[i+1 : end]; string(segment) {
		case "..":
			w = max(bytes.LastIndexByte(path[:w], '/'), 0)
			fallthrough
		case ".":
			if end == len(path) {
				path[w] = '/'
				w++
			}
		default:
			w += copy(path[w:], path[i:end])
		}
		i = end
	}
	return buf[:start+w]
}

// shortenPath removes from the path that begins at start what its rules name,
// until nothing more goes: sessions, and endings of other forms of the page.
func (r *urlRules) shortenPath(buf []byte, start int) []byte {
	for {
		before := len(buf)
		buf = r.dropSessions(buf, start)
		buf = r.dropEnding(buf, start)
		if len(buf) == before {
			return buf
		}
		buf = removeDots(buf, start)
	}
}

func (r *urlRules) dropEnding(buf []byte, start int) []byte {
	for i := 0; i < len(r.endings); i++ {
		e := r.endings[i]
		rest, ok := bytes.CutSuffix(buf[start:], []byte(e.from))
		if !ok || len(rest) == 0 || e.from[0] == '.' && rest[len(rest)-1] == '/' {
			continue
		}
		buf = append(buf[:start+len(rest)], e.to...)
		i = -1 // there may be another before it
	}
	return buf
}

func (r *urlRules) dropSessions(buf []byte, start int) []byte {
	for i := start; i < len(buf); i++ {
		end := i
		switch buf[i] {
		case ';':
			end = r.sessionEnd(buf, i)
		case '/':
			end = r.segmentEnd(buf, i)
		}
		if end > i {
			buf = slices.Delete(buf, i, end)
			i--
		}
	}
	return removeDots(buf, start) // an empty one gets its slash
}

// sessionEnd returns where the session that begins at i ends; i when none does.
func (r *urlRules) sessionEnd(buf []byte, i int) int {
	for _, name := range r.sessions {
		if len(buf)-i >= len(name) && strings.EqualFold(string(buf[i:i+len(name)]), name) {
			if j := bytes.IndexAny(buf[i+1:], "/;"); j >= 0 {
				return i + 1 + j
			}
			return len(buf)
		}
	}
	return i
}

// segmentEnd returns where the segment that begins with the slash at i ends, if
// it is a session; else i.
func (r *urlRules) segmentEnd(buf []byte, i int) int {
	for _, pattern := range r.segments {
		segment := buf[i+1:]
		if len(segment) < len(pattern.text) || !strings.EqualFold(string(segment[:len(pattern.text)]), pattern.text) {
			continue
		}
		if j := bytes.IndexByte(segment, '/'); j >= 0 {
			segment = segment[:j]
		}
		if pattern.matches(strings.ToLower(string(segment))) {
			return i + 1 + len(segment)
		}
	}
	return i
}

// matches reports whether a segment or a value, in lower case where case does
// not matter, fits.
func (p urlPattern) matches(s string) bool {
	inner, ok := strings.CutPrefix(s, p.text)
	if !ok {
		return false
	}
	if inner, ok = strings.CutSuffix(inner, p.tail); !ok {
		return false
	}
	switch {
	case !p.open:
		return inner == ""
	case p.rest:
		return true
	case p.count > 0:
		return len(inner) == p.count && !strings.ContainsFunc(inner, notInID)
	}
	return inner != ""
}

func notInID(c rune) bool {
	return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_'
}

// unwrap returns the page that a cache or a redirect names, empty when it is
// none.
func unwrap(rules []*hostRules, path []byte, query string) string {
	for _, own := range rules {
		for _, cache := range own.caches {
			if inner := cachedPage(cache, string(path), query); inner != "" {
				return inner
			}
		}
		for _, redirect := range own.redirects {
			from, begins := strings.CutSuffix(redirect.path, "*")
			if string(path) != from && (!begins || !strings.HasPrefix(string(path), from)) {
				continue
			}
			if inner := redirectedPage(redirect.param, query); inner != "" {
				return inner
			}
		}
	}
	return ""
}

// cachedPage returns the page whose host and path follow those of a cache, in
// which "?" stands for any character.
func cachedPage(cache, path, query string) string {
	if len(path) < len(cache) {
		return ""
	}
	for i := range len(cache) {
		if cache[i] != path[i] && (cache[i] != '?' || path[i] == '/') {
			return ""
		}
	}
	scheme, page := "http://", path[len(cache):]
	if rest, ok := strings.CutPrefix(page, "s/"); ok {
		scheme, page = "https://", rest
	}
	if query != "" {
		page += "?" + query
	}
	return wholePage(scheme + page)
}

// redirectedPage returns the first page that stands in a parameter of a query.
func redirectedPage(name, query string) string {
	for param := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(string(appendURL(nil, param)), "=")
		if key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			if page := wholePage(trimURL(value)); page != "" {
				return page
			}
		}
	}
	return ""
}

// wholePage returns a URL that names a site, empty for anything else.
func wholePage(raw string) string {
	u, err := splitURL(raw)
	if err != nil || len(raw) > maxURL {
		return ""
	}
	if host, err := hostName(u.host); err != nil || !strings.Contains(host, ".") {
		return ""
	}
	return raw
}

// rewrite returns the address of a page by the rules for paths, empty when none
// fits.
func rewrite(rules []*hostRules, path []byte, u urlParts) string {
	for _, own := range rules {
		for _, rule := range own.paths {
			target, ok := rule.apply(string(path))
			if !ok {
				continue
			}
			if target == "" {
				return ""
			}
			host, _, _ := strings.Cut(target, "/")
			if !isName(strings.ToLower(host)) {
				continue
			}
			page := "https://" + target
			if !strings.Contains(target, "?") {
				if u.query != "" {
					page += "?" + u.query
				}
				if u.fragment != "" {
					page += "#" + u.fragment
				}
			}
			if page = wholePage(page); page != "" {
				return page
			}
		}
	}
	return ""
}

// apply returns the target for a path, and whether the path fits. A slash at
// the end of the path makes no difference, except to what {*} stands for.
func (rule pathRule) apply(path string) (target string, ok bool) {
	target, rest := rule.to, path[1:]
	for i, pattern := range rule.from {
		if pattern.rest {
			return strings.Replace(target, "{*}", rest, 1), rest != ""
		}
		segment, after, more := strings.Cut(rest, "/")
		last := i == len(rule.from)-1
		if !pattern.matches(segment) || last && after != "" || !last && !more {
			return "", false
		}
		if pattern.name != "" {
			target = strings.ReplaceAll(target, "{"+pattern.name+"}", segment)
		}
		rest = after
	}
	return target, true
}
