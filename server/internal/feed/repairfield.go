package feed

import (
	"bytes"
	"strings"
)

// leaf writes a text field: its start tag, its content with every tag escaped,
// its end tag.
func (r *repairer) leaf(t token) {
	if t.closed {
		r.writeStart(t, "", true)
		return
	}
	end, after, cut := r.leafContent(t)
	if r.startsItem(t, r.src[t.end:end]) {
		r.splitItem(t.start)
	}
	if cut && isKeyField(t.name) {
		r.lx.pos = after
		return // the document ends inside of it
	}
	typ, _ := findAttr(t.body, "type")
	if r.atom && strings.Contains(strings.ToLower(typ), "xhtml") {
		// As XHTML the parser would take the content as it is; escaped, it is
		// HTML, in which the text of the original is escaped once more.
		r.writeStart(t, "html", false)
		r.out.Write(bytes.ReplaceAll(bytes.ReplaceAll(r.src[t.end:end], []byte("&"), []byte("&amp;")), []byte("<"), []byte("&lt;")))
	} else {
		r.writeStart(t, "", false)
		r.writeContent(t.end, end)
	}
	r.out.WriteString("</")
	r.out.Write(t.name)
	r.out.WriteByte('>')
	r.lx.pos = after
}

// startsItem reports whether a field belongs to another item than the one that
// is open, or to none that is: its item has lost its start tag. A channel and
// an item say their title and id once.
func (r *repairer) startsItem(t token, content []byte) bool {
	if !identifies(t.name, r.atom) {
		return false
	}
	name, value := local(t.name), strings.TrimSpace(string(content))
	switch r.top().kind {
	case frameItem:
		had, has := r.itemHas[name]
		r.itemHas[name] = value
		return has && had != value
	case frameChannel, frameRoot:
		had := r.channelHas[name]
		r.channelHas[name] = true
		return had
	}
	return false
}

// leafContent finds the end of a text field's content, where reading goes on,
// and whether the document ends inside of the field.
func (r *repairer) leafContent(t token) (end, after int, cut bool) {
	limit := r.nextBoundary(t.end)
	if end := r.findEnd(t, limit); end >= 0 {
		after = end + 2 + len(t.name)
		for after < len(r.src) && isSpace(r.src[after]) {
			after++
		}
		if after < len(r.src) && r.src[after] == '>' {
			after++
		} else {
			r.notes.mark(WarnTag, end)
		}
		return end, after, false
	}
	after = r.findSibling(t.end, limit)
	if end := r.misspeltEnd(t, after); end >= 0 {
		r.notes.mark(WarnTag, end)
		return end, after, false
	}
	r.notes.mark(WarnUnclosed, t.start)
	return after, after, after == len(r.src)
}

// misspeltEnd returns where, right before limit, an end tag stands that is
// almost that of a field; -1 when none does.
func (r *repairer) misspeltEnd(t token, limit int) int {
	content := bytes.TrimRight(r.src[t.end:limit], " \t\r\n")
	i := bytes.LastIndex(content, []byte("</"))
	if i < 0 || content[len(content)-1] != '>' {
		return -1
	}
	if name := tagName(content[i+2:]); i+3+len(name) == len(content) && similar(name, t.name) {
		return t.end + i
	}
	return -1
}

// findEnd returns where the end tag of a field starts, -1 when there is none
// before limit.
func (r *repairer) findEnd(t token, limit int) int {
	name := lower(t.name)
	if r.noEnd[name] >= limit && limit > 0 {
		return -1
	}
	end := r.walk(t.end, limit, func(i int) bool {
		if r.src[i+1] != '/' {
			return false
		}
		return bytes.EqualFold(tagName(r.src[i+2:]), t.name)
	})
	if end == limit {
		r.noEnd[name] = limit
		return -1
	}
	return end
}

// findSibling returns where the next field of the item starts, or limit.
func (r *repairer) findSibling(from, limit int) int {
	return r.walk(from, limit, func(i int) bool {
		if r.src[i+1] == '/' {
			name := tagName(r.src[i+2:])
			for _, e := range r.stack {
				if e.kind == frameOther && bytes.EqualFold(e.name, name) {
					return true
				}
			}
			return false
		}
		return isSibling(tagName(r.src[i+1:]), r.atom)
	})
}

// nextBoundary returns where, at or behind from, an item, channel or root
// starts or ends, or the document does.
func (r *repairer) nextBoundary(from int) int {
	if from >= r.boundaryFrom && from <= r.boundary && r.boundary > 0 {
		return r.boundary
	}
	r.boundaryFrom = from
	r.boundary = r.walk(from, len(r.src), func(i int) bool {
		name := tagName(r.src[i+1:])
		if r.src[i+1] == '/' {
			name = tagName(r.src[i+2:])
		}
		return isItemName(name) || isRootName(name) || isChannelName(name)
	})
	return r.boundary
}

// walk calls found for each '<' that starts a tag between from and limit, with
// CDATA sections and comments left out, until it returns true; it returns that
// place, or limit.
func (r *repairer) walk(from, limit int, found func(i int) bool) int {
	lx := &r.ahead
	for i := from; i < limit; {
		j := bytes.IndexByte(r.src[i:limit], '<')
		if j < 0 {
			return limit
		}
		i += j
		if i+2 >= len(r.src) || !lx.markupAt(i) {
			i++
			continue
		}
		if r.src[i+1] == '!' {
			lx.pos = i
			lx.next()
			i = lx.pos
			continue
		}
		if found(i) {
			return i
		}
		i++
	}
	return limit
}
