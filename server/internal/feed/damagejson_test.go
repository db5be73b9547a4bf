package feed

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"regexp"

	"golang.org/x/text/encoding/charmap"
)

// inValue inserts behind the opening quote of a text of an item.
func inValue(ins string) picker {
	return func(s *subject, it *subjectItem, _ *rand.Rand) *change {
		for _, name := range []string{"title", "summary", "content_text", "content_html"} {
			if c := it.find(name); c != nil && c.text.len() > 2 && s.doc[c.text.from] == '"' {
				return &change{at: c.text.from + 1, ins: ins}
			}
		}
		return nil
	}
}

// inItems replaces what an expression matches in the items; a key that is
// struck is not counted.
func inItems(expr, to string) changer {
	x := regexp.MustCompile(expr)
	return func(s *subject, _ *rand.Rand) []change {
		a := s.area()
		var out []change
		for _, m := range x.FindAllSubmatchIndex(s.doc[a.from:a.to], -1) {
			ins := x.Expand(nil, []byte(to), s.doc[a.from:a.to], m)
			out = append(out, change{a.from + m[0], m[1] - m[0], string(ins)})
		}
		return out
	}
}

// member changes the bytes around a random member of an item that is not its
// key or link.
func member(alter func(s *subject, c *child) *change) changer {
	return one(func(s *subject, it *subjectItem, r *rand.Rand) *change {
		for _, i := range r.Perm(len(it.children)) {
			if c := &it.children[i]; c.whole != it.key && c.whole != it.link {
				if x := alter(s, c); x != nil {
					return x
				}
			}
		}
		return nil
	})
}

func jsonDamages() []damage {
	afterItem := func(ins string) changer {
		return one(func(s *subject, it *subjectItem, _ *rand.Rand) *change { return &change{at: it.whole.to, ins: ins} })
	}
	list := []damage{
		{name: "JSON: cut at half", apply: cutShare(50)},
		{name: "JSON: cut anywhere", apply: cutAt(func(s *subject, r *rand.Rand) int { a := s.area(); return a.from + r.Intn(a.len()) })},
		{name: "JSON: cut in a key", apply: cutInside(`":`, -1)},
		{name: "JSON: cut in an escape", apply: cutInside(`\`, 1)},
		{name: "JSON: cut before the end", apply: cutAt(func(s *subject, _ *rand.Rand) int { return s.area().to })},
		{name: "JSON: hole of 64 bytes", apply: hole(64)},
		{name: "JSON: trailing commas", apply: every(func(_ *subject, it *subjectItem, _ *rand.Rand) *change { return &change{at: it.whole.to - 1, ins: ","} })},
		{name: "JSON: trailing comma in the list", apply: func(s *subject, _ *rand.Rand) []change { return []change{{at: s.area().to, ins: " ,\n"}} }},
		{name: "JSON: comma lost between items", apply: func(s *subject, r *rand.Rand) []change {
			if len(s.items) < 2 {
				return nil
			}
			i := r.Intn(len(s.items) - 1)
			a, b := s.items[i].whole.to, s.items[i+1].whole.from
			return []change{{a, b - a, "\n"}}
		}},
		{name: "JSON: comma lost in an item", apply: member(func(s *subject, c *child) *change {
			if s.doc[c.whole.to] == ',' {
				return &change{c.whole.to, 1, ""}
			}
			return nil
		})},
		{name: "JSON: commas doubled", apply: afterItem(",")},
		{name: "JSON: colon lost", apply: member(func(s *subject, c *child) *change { return &change{c.text.from - 1, 1, " "} })},
		{name: "JSON: single quotes", apply: inItems(`"(title|summary|content_html|content_text|tags|authors|date_published)"\s*:`, `'$1':`)},
		{name: "JSON: text in single quotes", apply: member(func(s *subject, c *child) *change {
			text := s.doc[c.text.from:c.text.to]
			if text[0] != '"' || bytes.ContainsAny(text, `'\`) {
				return nil
			}
			return &change{c.text.from, c.text.len(), "'" + string(text[1:len(text)-1]) + "'"}
		})},
		{name: "JSON: keys without quotes", apply: inItems(`"(title|summary|tags|language|authors)"\s*:`, `$1:`)},
		{name: "JSON: line comments", apply: afterItem("// a \"comment\" {\n")},
		{name: "JSON: block comments", apply: every(func(_ *subject, it *subjectItem, _ *rand.Rand) *change {
			return &change{at: it.whole.from, ins: "/* a [ { \" comment */"}
		})},
		{name: "JSON: line breaks in a text", apply: every(inValue("one\n\ttwo\r\n"))},
		{name: "JSON: control characters", apply: one(inValue("a\x00\x0b\x1f"))},
		{name: "JSON: bad byte", apply: one(inValue("caf\xe9 "))},
		{name: "JSON: bad escapes", apply: every(inValue(`\x41 \' \q \u12 \_`))},
		{name: "JSON: half a surrogate pair", apply: one(inValue(`\ud83d x \ude00 `))},
		{name: "JSON: quotes in a text", apply: one(inValue(`say "yes" or "no" now `))},
		{name: "JSON: quote lost", apply: member(func(s *subject, c *child) *change {
			if s.doc[c.text.to-1] != '"' {
				return nil
			}
			return &change{c.text.to - 1, 1, ""}
		})},
		{name: "JSON: brace lost", apply: one(func(_ *subject, it *subjectItem, _ *rand.Rand) *change { return &change{it.whole.to - 1, 1, ""} })},
		{name: "JSON: opening brace lost", apply: one(func(_ *subject, it *subjectItem, _ *rand.Rand) *change { return &change{it.whole.from, 1, ""} })},
		{name: "JSON: brace doubled", apply: afterItem("}")},
		{name: "JSON: bracket for brace", apply: one(func(_ *subject, it *subjectItem, _ *rand.Rand) *change { return &change{it.whole.to - 1, 1, "]"} })},
		{name: "JSON: words of other languages", apply: every(func(_ *subject, it *subjectItem, _ *rand.Rand) *change {
			return &change{at: it.whole.from + 1, ins: `"a": None, "b": True, "c": undefined, "d": NaN, "e": -Infinity, "f": .5, "g": +1, "h": 0x1F,`}
		})},
		{name: "JSON: null items", apply: one(func(_ *subject, it *subjectItem, _ *rand.Rand) *change {
			return &change{at: it.whole.from, ins: "null, 3, \"x\", [],"}
		})},
		{name: "JSON: key twice", apply: one(func(_ *subject, it *subjectItem, _ *rand.Rand) *change {
			return &change{at: it.whole.from + 1, ins: `"language":"en","language":"fr",`}
		})},
		{name: "JSON: warning before", apply: before(phpWarning)},
		{name: "JSON: headers before", apply: before("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")},
		{name: "JSON: junk after", apply: after("\n</body> } ]")},
		{name: "JSON: twice", apply: func(s *subject, _ *rand.Rand) []change { return []change{{at: len(s.doc), ins: string(s.doc)}} }},
		{name: "JSON: callback", apply: both(before("/**/callback_1("), after(");"))},
		{name: "JSON: script prefix", apply: before(")]}',\n")},
		{name: "JSON: endless loop prefix", apply: before("while(1);")},
		{name: "JSON: in a list", apply: both(before("["), after("]"))},
		{name: "JSON: BOM", apply: unchanged, encode: withPrefix("\xEF\xBB\xBF", nil)},
		{name: "JSON: BOM and blank", apply: unchanged, encode: withPrefix(" \xEF\xBB\xBF\n", nil)},
		{name: "JSON: UTF-16LE with BOM", apply: unchanged, encode: toUTF16(binary.LittleEndian, true)},
		{name: "JSON: UTF-16BE bare", apply: unchanged, encode: toUTF16(binary.BigEndian, false)},
		{name: "JSON: UTF-32LE bare", apply: unchanged, encode: toUTF32(binary.LittleEndian, false)},
		{name: "JSON: windows-1252", apply: unchanged, encode: in(charmap.Windows1252)},
		{name: "JSON: UTF-8, HTTP says ISO-8859-1", apply: unchanged, contentType: "application/json; charset=iso-8859-1"},
		{name: "JSON: gzip file", apply: unchanged, encode: gzipped(0)},
		{name: "JSON: byte changed", apply: anyByte(1, func(at int, _ *subject, r *rand.Rand) change { return change{at, 1, string([]byte{byte(r.Intn(256))})} })},
		{name: "JSON: byte lost", apply: anyByte(1, func(at int, _ *subject, _ *rand.Rand) change { return change{at, 1, ""} })},
	}
	for i := range list {
		list[i].family = "JSON"
	}
	return list
}
