package feed

import (
	"bytes"
	"strconv"

	ext "github.com/mmcdole/gofeed/extensions"
)

// markerPrefix names an element that is put first into every item, so that an
// item that comes back from the parser is known again. Nothing declares the
// prefix; the parser hands it on as it is.
const markerPrefix = "kglmark"

func marker(i int) string {
	n := strconv.Itoa(i)
	return "<" + markerPrefix + ":n>" + n + "</" + markerPrefix + ":n>"
}

// factsOf returns what the scanner noted about a parsed item.
func (o *outline) factsOf(e ext.Extensions) itemFacts {
	if marks := e[markerPrefix]["n"]; len(marks) > 0 {
		if i, err := strconv.Atoi(marks[0].Value); err == nil && i >= 0 && i < len(o.items) {
			return o.items[i]
		}
	}
	return itemFacts{}
}

// render returns src[from:to] with the edits applied: what the parser gets.
func (o *outline) render(out *bytes.Buffer, from, to int) {
	pos := from
	for _, e := range o.edits {
		if e.at < pos || e.at >= to {
			continue
		}
		out.Write(o.src[pos:e.at])
		out.WriteString(e.ins)
		pos = min(e.at+e.del, to)
	}
	out.Write(o.src[pos:to])
}

// document renders the whole document from its root on.
func (o *outline) document() []byte {
	var out bytes.Buffer
	size := len(o.src) - o.rootStart
	for _, e := range o.edits {
		size += len(e.ins) - e.del
	}
	out.Grow(max(size, 0) + 512)
	o.render(&out, o.rootStart, len(o.src))
	return out.Bytes()
}

// single renders one item as a document of its own.
func (o *outline) single(i int) []byte {
	var out bytes.Buffer
	o.render(&out, o.rootStart, o.rootOpen)
	o.render(&out, o.items[i].start, o.items[i].end)
	out.WriteString("</" + string(o.root) + ">")
	return out.Bytes()
}

// header renders the document without its items.
func (o *outline) header() []byte {
	var out bytes.Buffer
	pos := o.rootStart
	for _, it := range o.items {
		if it.start >= pos {
			o.render(&out, pos, it.start)
			pos = it.end
		}
	}
	o.render(&out, pos, len(o.src))
	return out.Bytes()
}
