package feed

import "bytes"

// respell gives an element whose name is damaged the name that was meant: that
// of the end tag that follows it, or that of an item where only items stand.
func (r *repairer) respell(t *token) {
	if isLeaf(t.name, r.atom) || isKnownContainer(t.name) || t.closed {
		return
	}
	if t.broken {
		if field := r.splitName(*t); field != nil {
			t.name, t.body = field, nil
			t.end = t.start + 1 + len(field)
		}
		return
	}
	if k := r.top().kind; k == frameChannel || k == frameRoot {
		name := []byte("item")
		if r.atom {
			name = []byte("entry")
		}
		if r.lastItem >= 0 && similar(t.name, name) {
			r.notes.mark(WarnTag, t.start)
			t.name = name
			return
		}
	}
	next := r.walk(t.end, len(r.src), func(int) bool { return true })
	if next+2 >= len(r.src) || r.src[next+1] != '/' {
		return
	}
	if name := tagName(r.src[next+2:]); isLeaf(name, r.atom) && similar(t.name, name) {
		r.notes.mark(WarnTag, t.start)
		t.name = name
	}
}

// splitName reads a tag that has lost its '>' and with it the end of its name,
// as in <titleA text</title>: the field is the one that the next tag ends. It
// returns nil for other tags.
func (r *repairer) splitName(t token) []byte {
	rest := r.src[t.end:]
	if len(rest) < 3 || rest[0] != '<' || rest[1] != '/' {
		return nil
	}
	field := tagName(rest[2:])
	if len(field) == 0 || len(field) >= len(t.name) || !bytes.HasPrefix(t.name, field) || !isLeaf(field, r.atom) {
		return nil
	}
	return field
}

// similar reports whether two names differ by one byte that is changed, lost or
// added, or by two that changed places.
func similar(a, b []byte) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(a) < 2 || bytes.Equal(a, b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && bytes.Equal(a[i+2:], b[i+2:])
		return swapped || bytes.Equal(a[i+1:], b[i+1:])
	}
	return bytes.Equal(a[i:], b[i+1:])
}
