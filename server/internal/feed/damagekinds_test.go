package feed

import (
	"bytes"
	"math/rand"
	"strings"
)

// damage is a way in which documents of the wild are broken. apply returns the
// changes to a sound document, nil where it offers no place for them; encode,
// if set, then changes the bytes of the whole.
type damage struct {
	name        string
	family      string
	apply       func(s *subject, r *rand.Rand) []change
	encode      func([]byte) []byte // nil result: this document cannot be written that way
	contentType string
}

type changer = func(s *subject, r *rand.Rand) []change

// unchanged is for kinds that only encode.
func unchanged(*subject, *rand.Rand) []change { return []change{} }

// one returns one change in a random item for which pick finds a place.
func one(pick func(s *subject, it *subjectItem, r *rand.Rand) *change) changer {
	return func(s *subject, r *rand.Rand) []change {
		for _, i := range r.Perm(len(s.items)) {
			if c := pick(s, &s.items[i], r); c != nil {
				return []change{*c}
			}
		}
		return nil
	}
}

// every makes the change in all items.
func every(pick func(s *subject, it *subjectItem, r *rand.Rand) *change) changer {
	return func(s *subject, r *rand.Rand) []change {
		var out []change
		for i := range s.items {
			if c := pick(s, &s.items[i], r); c != nil {
				out = append(out, *c)
			}
		}
		return out
	}
}

type picker = func(s *subject, it *subjectItem, r *rand.Rand) *change

// inTitle inserts at the end of a title's text.
func inTitle(ins string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		c := it.find("title")
		if c == nil || c.whole.to == c.text.to {
			return nil
		}
		at := c.text.to
		if bytes.HasSuffix(s.doc[:at], []byte("]]>")) {
			at = c.text.from
		}
		return &change{at: at, ins: ins}
	}
}

// inBody inserts in the middle of the text of a description or content, at its
// start when it is CDATA or elements.
func inBody(ins string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		c := it.find("description", "summary", "content", "encoded")
		if c == nil {
			return nil
		}
		return &change{at: c.text.from, ins: ins}
	}
}

// insideItem inserts before a random child of an item.
func insideItem(ins string) picker {
	return func(s *subject, it *subjectItem, r *rand.Rand) *change {
		if len(it.children) == 0 {
			return nil
		}
		return &change{at: it.children[r.Intn(len(it.children))].whole.from, ins: ins}
	}
}

// betweenItems inserts before an item.
func betweenItems(ins string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change { return &change{at: it.whole.from, ins: ins} }
}

// endTag replaces the end tag of the first of the named elements of an item.
func endTag(replace func(tag string) string, names ...string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		for _, name := range names {
			if c := it.find(name); c != nil && c.whole.to > c.text.to {
				return &change{c.text.to, c.whole.to - c.text.to, replace(string(s.doc[c.text.to:c.whole.to]))}
			}
		}
		return nil
	}
}

func none(string) string { return "" }

// itemEnd replaces the end tag of an item.
func itemEnd(ins string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		at := bytes.LastIndex(s.doc[:it.whole.to], []byte("</"))
		return &change{at, it.whole.to - at, ins}
	}
}

// itemStart deletes the start tag of an item that is not the first.
func itemStart(s *subject, r *rand.Rand) []change {
	if len(s.items) < 2 {
		return nil
	}
	it := &s.items[1+r.Intn(len(s.items)-1)]
	if len(it.children) == 0 || bytes.Contains(s.doc[it.whole.from:it.children[0].whole.from], []byte("about")) {
		return nil
	}
	end := bytes.IndexByte(s.doc[it.whole.from:], '>') + 1
	return []change{{it.whole.from, end, ""}}
}

// inTag changes a start tag inside of an item that has attributes.
func inTag(alter func(tag string) string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		for _, c := range it.children {
			end := bytes.IndexByte(s.doc[c.whole.from:], '>') + 1
			tag := string(s.doc[c.whole.from : c.whole.from+end])
			if strings.Contains(tag, `="`) && c.whole != it.key {
				if to := alter(tag); to != tag && to != "" {
					return &change{c.whole.from, end, to}
				}
			}
		}
		return nil
	}
}

// declaration replaces the XML declaration.
func declaration(ins string) changer {
	return func(s *subject, _ *rand.Rand) []change {
		return []change{{0, bytes.Index(s.doc, []byte("?>")) + 2, ins}}
	}
}

func before(ins string) changer {
	return func(*subject, *rand.Rand) []change { return []change{{ins: ins}} }
}

func after(ins string) changer {
	return func(s *subject, _ *rand.Rand) []change { return []change{{at: len(s.doc), ins: ins}} }
}

// both makes the changes of two kinds; a must lie before b.
func both(a, b changer) changer {
	return func(s *subject, r *rand.Rand) []change {
		x, y := a(s, r), b(s, r)
		if x == nil || y == nil {
			return nil
		}
		return append(x, y...)
	}
}

// area is from the start of the first to the end of the last item.
func (s *subject) area() extent {
	return extent{s.items[0].whole.from, s.items[len(s.items)-1].whole.to}
}

// cutAt cuts the document off.
func cutAt(place func(s *subject, r *rand.Rand) int) changer {
	return func(s *subject, r *rand.Rand) []change {
		if at := place(s, r); at > 0 {
			return []change{{at, len(s.doc) - at, ""}}
		}
		return nil
	}
}

// cutShare cuts behind a share of the items' area, in percent.
func cutShare(percent int) changer {
	return cutAt(func(s *subject, _ *rand.Rand) int {
		a := s.area()
		return a.from + a.len()*percent/100
	})
}

// cutInside cuts in the middle of a random occurrence of a mark.
func cutInside(mark string, offset int) changer {
	return cutAt(func(s *subject, r *rand.Rand) int {
		a := s.area()
		n := bytes.Count(s.doc[a.from:a.to], []byte(mark))
		if n == 0 {
			return 0
		}
		at := a.from - 1
		for skip := r.Intn(n); skip >= 0; skip-- {
			at += 1 + bytes.Index(s.doc[at+1:], []byte(mark))
		}
		return at + offset
	})
}

// hole deletes a block at a random place in the items.
func hole(size int) changer {
	return func(s *subject, r *rand.Rand) []change {
		a := s.area()
		if a.len() < 2*size {
			return nil
		}
		return []change{{a.from + r.Intn(a.len()-size), size, ""}}
	}
}

// anyByte changes single bytes at random places of the document.
func anyByte(times int, make func(at int, s *subject, r *rand.Rand) change) changer {
	return func(s *subject, r *rand.Rand) []change {
		step := len(s.doc) / times
		if step < 2 {
			return nil
		}
		var out []change
		for i := range times {
			out = append(out, make(i*step+r.Intn(step-1), s, r))
		}
		return out
	}
}

// textByte inserts at a random place in the text of a body.
func textByte(ins string) picker {
	return func(s *subject, it *subjectItem, r *rand.Rand) *change {
		c := it.find("description", "content", "encoded", "summary", "content_html", "content_text")
		if c == nil || c.text.len() < 40 {
			return nil
		}
		at := c.text.from + 12 + r.Intn(c.text.len()-16)
		// not inside of a tag, a reference or an escape: that is another kind
		if strings.ContainsAny(string(s.doc[at-8:at]), `<&\[`) || s.doc[at]&0xC0 == 0x80 {
			return nil
		}
		return &change{at: at, ins: ins}
	}
}

func xmlDamages() []damage {
	var out []damage
	for _, f := range []struct {
		name  string
		kinds []damage
	}{
		{"cut off, holes, blocks twice", cutDamages()},
		{"single bytes", byteDamages()},
		{"charsets, labels, gzip", encodingDamages()},
		{"before, between and after", surroundingDamages()},
		{"declaration and document type", prologDamages()},
		{"tags", tagDamages()},
		{"text and references", textDamages()},
		{"CDATA, comments, instructions", sectionDamages()},
		{"attributes", attributeDamages()},
		{"namespaces and names", namespaceDamages()},
	} {
		for _, d := range f.kinds {
			d.family = f.name
			out = append(out, d)
		}
	}
	return out
}

func cutDamages() []damage {
	return []damage{
		{name: "cut at a tenth", apply: cutShare(10)},
		{name: "cut at half", apply: cutShare(50)},
		{name: "cut at nine tenths", apply: cutShare(90)},
		{name: "cut anywhere", apply: cutAt(func(s *subject, r *rand.Rand) int { a := s.area(); return a.from + r.Intn(a.len()) })},
		{name: "cut in a tag", apply: cutInside("<", 2)},
		{name: "cut in an end tag", apply: cutInside("</", 4)},
		{name: "cut in an attribute", apply: cutInside(`="`, 4)},
		{name: "cut in a reference", apply: cutInside("&", 2)},
		{name: "cut in CDATA", apply: cutInside("<![CDATA[", 12)},
		{name: "cut in a CDATA mark", apply: cutInside("<![CDATA[", 5)},
		{name: "cut between items", apply: cutAt(func(s *subject, r *rand.Rand) int { return s.items[r.Intn(len(s.items))].whole.to })},
		{name: "cut before the end", apply: cutAt(func(s *subject, _ *rand.Rand) int { return bytes.LastIndex(s.doc, []byte("</")) })},
		{name: "head lost", apply: func(s *subject, _ *rand.Rand) []change { return []change{{0, s.root.to, ""}} }},
		{name: "head and channel lost", apply: func(s *subject, _ *rand.Rand) []change { return []change{{0, s.items[0].whole.from, ""}} }},
		{name: "hole of 64 bytes", apply: hole(64)},
		{name: "hole of 512 bytes", apply: hole(512)},
		{name: "block repeated", apply: func(s *subject, r *rand.Rand) []change {
			a := s.area()
			if a.len() < 1024 {
				return nil
			}
			at := a.from + r.Intn(a.len()-512)
			return []change{{at: at + 512, ins: string(s.doc[at : at+512])}}
		}},
	}
}

func byteDamages() []damage {
	return []damage{
		{name: "bad byte in a title", apply: one(inTitle(" caf\xe9"))},
		{name: "bad byte in every body", apply: every(textByte("\xff"))},
		{name: "cut character", apply: one(inTitle(" \xe2\x80"))},
		{name: "NUL in a title", apply: one(inTitle("\x00"))},
		{name: "control characters", apply: every(inTitle("\x0b\x1f\x08"))},
		{name: "C1 controls", apply: one(inTitle(" \u0085\u0092"))},
		{name: "U+FFFE and U+FFFF", apply: one(inTitle(" \uFFFE\uFFFF"))},
		{name: "encoded surrogates", apply: one(inTitle(" \xed\xa0\xbd\xed\xb8\x80"))},
		{name: "overlong character", apply: one(inTitle(" \xc0\xbc"))},
		{name: "windows quotes", apply: every(inTitle(" \x93quoted\x94 \x96"))},
		{name: "byte changed", apply: anyByte(1, func(at int, _ *subject, r *rand.Rand) change { return change{at, 1, string([]byte{byte(r.Intn(256))})} })},
		{name: "byte lost", apply: anyByte(1, func(at int, _ *subject, _ *rand.Rand) change { return change{at, 1, ""} })},
		{name: "byte added", apply: anyByte(1, func(at int, _ *subject, r *rand.Rand) change { return change{at, 0, string([]byte{byte(r.Intn(256))})} })},
		{name: "bit flipped", apply: anyByte(1, func(at int, s *subject, r *rand.Rand) change {
			return change{at, 1, string([]byte{s.doc[at] ^ 1<<r.Intn(8)})}
		})},
		{name: "five bytes changed", apply: anyByte(5, func(at int, _ *subject, r *rand.Rand) change { return change{at, 1, string([]byte{byte(r.Intn(256))})} })},
		{name: "line noise", apply: anyByte(1, func(at int, _ *subject, r *rand.Rand) change {
			b := make([]byte, 16)
			r.Read(b)
			return change{at, 0, string(b)}
		})},
	}
}

const phpWarning = "<br />\n<b>Warning</b>:  Undefined index: page in <b>/srv/www/feed.php</b> on line <b>31</b><br />\n"

func surroundingDamages() []damage {
	const page = "<!DOCTYPE html><html><head><title>Hello</title><link href='a.css'></head><body><p>Text<br>&nbsp;</body></html>\n"
	return []damage{
		{name: "warning before", apply: before(phpWarning)},
		{name: "warning between", apply: one(betweenItems(phpWarning))},
		{name: "warning in an item", apply: one(insideItem(phpWarning))},
		{name: "blank before", apply: before("\n\n \t\r\n")},
		{name: "long comment before", apply: before("<!-- " + strings.Repeat("x ", 2500) + "-->")},
		{name: "long text before", apply: before(strings.Repeat("lorem ipsum ", 420))},
		{name: "page before", apply: before(page)},
		{name: "headers before", apply: before("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nX-Id: <1&2>\r\n\r\n")},
		{name: "chunk sizes", apply: both(before("1f40\r\n"), both(one(betweenItems("\r\n2000\r\n")), after("\r\n0\r\n\r\n")))},
		{name: "script after", apply: after("<script>if (a<b && c) x()</script></body>")},
		{name: "page after", apply: after(page)},
		{name: "text after", apply: after("\nOK < done & gone\x00")},
		{name: "twice", apply: func(s *subject, _ *rand.Rand) []change { return []change{{at: len(s.doc), ins: string(s.doc)}} }},
		{name: "in a page", apply: both(before("<html><head></head><body><pre>"), after("</pre></body></html>"))},
	}
}

func prologDamages() []damage {
	const laughs = `<!DOCTYPE rss [<!ENTITY nbsp "&#160;"><!ENTITY own "text"><!ENTITY big "&own;&own;&own;">]>`
	return []damage{
		{name: "XML 1.1", apply: declaration(`<?xml version="1.1" encoding="UTF-8"?>`)},
		{name: "XML 2.0", apply: declaration(`<?xml version="2.0" encoding="UTF-8"?>`)},
		{name: "no declaration", apply: declaration("")},
		{name: "two declarations", apply: before(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")},
		{name: "declaration after the root", apply: func(s *subject, _ *rand.Rand) []change {
			return []change{{at: s.root.to, ins: `<?xml version="1.0"?>`}}
		}},
		{name: "declaration not ended", apply: declaration(`<?xml version="1.0" encoding="UTF-8">`)},
		{name: "declaration without blanks", apply: declaration(`<?xmlversion="1.0"encoding="UTF-8"?>`)},
		{name: "escaped declaration", apply: declaration(`<?xml version=\"1.0\" encoding=\"UTF-8\"?>`)},
		{name: "doctype with entities", apply: both(func(s *subject, _ *rand.Rand) []change { return []change{{at: s.root.from, ins: laughs}} }, one(inTitle(" &own; &big;")))},
		{name: "doctype of a page", apply: func(s *subject, _ *rand.Rand) []change {
			return []change{{at: s.root.from, ins: `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">`}}
		}},
		{name: "doctype not ended", apply: func(s *subject, _ *rand.Rand) []change {
			return []change{{at: s.root.from, ins: `<!DOCTYPE rss [ <!ENTITY a "b`}}
		}},
		{name: "instruction not ended", apply: func(s *subject, _ *rand.Rand) []change {
			return []change{{at: s.root.from, ins: `<?xml-stylesheet href="a.xsl">`}}
		}},
	}
}
