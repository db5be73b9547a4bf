package feed

import (
	"bytes"
	"slices"
	"strings"
)

// span is a part of a buffer: a parameter, whose name ends at equals.
type span struct{ start, equals, end int }

// appendQuery appends a query without the parameters that tell nothing of the
// page, sorted by name. buf holds the URL up to its path, which begins at start.
func (r *urlRules) appendQuery(buf []byte, start int, query string, own []*hostRules) []byte {
	var (
		bytesSpace [1024]byte
		spansSpace [32]span
		params     = bytesSpace[:0]
		kept       = spansSpace[:0]
	)
	for more := true; more; {
		var param string
		param, query, more = strings.Cut(query, "&")
		if param == "" {
			continue
		}
		s := span{start: len(params)}
		params = appendURL(params, param)
		s.end = len(params)
		s.equals = s.end
		if i := bytes.IndexByte(params[s.start:], '='); i >= 0 {
			s.equals = s.start + i
		}
		if r.dropped(params[s.start:s.equals], params[min(s.equals+1, s.end):s.end], own) {
			params = params[:s.start]
			continue
		}
		kept = append(kept, s)
	}
	kept = onlyNamed(kept, params, buf[start:], own)
	if len(kept) > 1 {
		slices.SortStableFunc(kept, func(a, b span) int {
			return bytes.Compare(params[a.start:a.equals], params[b.start:b.equals])
		})
	}
	for i, s := range kept {
		separator := byte('&')
		if i == 0 {
			separator = '?'
		}
		buf = append(append(buf, separator), params[s.start:s.end]...)
	}
	return buf
}

// dropped reports whether a parameter goes, on every host or by the rules of
// this one.
func (r *urlRules) dropped(name, value []byte, own []*hostRules) bool {
	var nameSpace, valueSpace [64]byte
	name = appendLower(nameSpace[:0], name)
	value = appendLower(valueSpace[:0], value)
	if r.params.match(name, value) {
		return true
	}
	for _, rules := range own {
		if rules.params.match(name, value) {
			return true
		}
	}
	return false
}

// match reports whether a parameter is one of these. Both are in lower case.
func (p *paramRules) match(name, value []byte) bool {
	if patterns, ok := p.exact[string(name)]; ok {
		if len(patterns) == 0 {
			return true
		}
		for _, pattern := range patterns {
			if pattern.matches(string(value)) {
				return true
			}
		}
	}
	if len(name) == 0 {
		return false
	}
	for _, prefix := range p.prefixes[name[0]] {
		if len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// onlyNamed keeps the parameters that name the page, where the rules tell them
// and the query has one.
func onlyNamed(kept []span, params, path []byte, own []*hostRules) []span {
	for _, rules := range own {
		names := rules.only[string(path)]
		named := func(s span) bool { return slices.Contains(names, string(params[s.start:s.equals])) }
		if len(names) > 0 && slices.ContainsFunc(kept, named) {
			return slices.DeleteFunc(kept, func(s span) bool { return !named(s) })
		}
	}
	return kept
}

// appendLower appends ASCII letters in lower case.
func appendLower(buf, s []byte) []byte {
	for _, c := range s {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
}
