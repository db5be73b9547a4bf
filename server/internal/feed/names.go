package feed

import (
	"bytes"
	"strings"
)

// tagName returns the name at the start of b.
func tagName(b []byte) []byte {
	i := 0
	for i < len(b) && isNameByte(b[i]) {
		i++
	}
	return b[:i]
}

// local returns a name without its prefix, in lower case.
func local(name []byte) string {
	if i := bytes.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	return lower(name)
}

// prefix returns the prefix of a name in lower case, empty when it has none.
func prefix(name []byte) string {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return lower(name[:i])
	}
	return ""
}

func validName(b []byte) bool {
	if len(b) == 0 || !isNameStart(b[0]) {
		return false
	}
	colon := bytes.IndexByte(b, ':')
	if colon < 0 {
		return true
	}
	return colon > 0 && colon < len(b)-1 && isNameStart(b[colon+1]) && bytes.IndexByte(b[colon+1:], ':') < 0
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// lower is strings.ToLower for ASCII that allocates only when it has to: not for
// the names that nearly all elements of feeds have.
func lower(b []byte) string {
	if name, ok := commonNames[string(b)]; ok {
		return name
	}
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			return string(bytes.ToLower(b))
		}
	}
	return string(b)
}

var commonNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range strings.Fields(`rss RDF rdf feed channel item entry title link description guid pubDate category
		comments enclosure author source creator encoded content summary id updated published modified issued name
		email uri url image date subject thumbnail group player credit text keywords duration explicit episode
		commentRss origLink subtitle rights dc media slash wfw itunes atom atom10 feedburner sy thr dcterms xmlns`) {
		names[name] = strings.ToLower(name)
	}
	return names
}()
