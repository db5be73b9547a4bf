package feed

import (
	"bytes"
	"math/rand"
	"regexp"
	"strings"
)

func tagDamages() []damage {
	early := func(ins string) changer {
		return func(s *subject, r *rand.Rand) []change {
			if len(s.items) < 2 {
				return nil
			}
			return []change{{at: s.items[r.Intn(len(s.items)-1)].whole.to, ins: ins}}
		}
	}
	atEnd := func(del string) changer {
		return func(s *subject, _ *rand.Rand) []change {
			if at := bytes.LastIndex(s.doc, []byte(del)); at > s.area().to-1 {
				return []change{{at, len(del), ""}}
			}
			return nil
		}
	}
	upper := func(tag string) string {
		if u := strings.ToUpper(tag); u != tag {
			return u
		}
		return strings.ToLower(tag)
	}
	return []damage{
		{name: "item end lost", apply: one(itemEnd(""))},
		{name: "all item ends lost", apply: every(itemEnd(""))},
		{name: "item start lost", apply: itemStart},
		{name: "item end doubled", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			return &change{at: it.whole.to, ins: "</item></entry>"}
		})},
		{name: "item start doubled", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			end := bytes.IndexByte(s.doc[it.whole.from:], '>') + 1
			return &change{at: it.whole.from, ins: string(s.doc[it.whole.from : it.whole.from+end])}
		})},
		{name: "title end lost", apply: one(endTag(none, "title"))},
		{name: "all title ends lost", apply: every(endTag(none, "title"))},
		{name: "link end lost", apply: one(endTag(none, "link", "updated"))},
		{name: "guid end lost", apply: one(endTag(none, "guid", "id"))},
		{name: "date end lost", apply: one(endTag(none, "pubdate", "published", "date"))},
		{name: "body end lost", apply: one(endTag(none, "description", "content", "encoded", "summary"))},
		{name: "all body ends lost", apply: every(endTag(none, "description", "content", "encoded", "summary"))},
		{name: "category end lost", apply: one(endTag(none, "category", "author", "creator"))},
		{name: "end tag not ended", apply: one(endTag(func(tag string) string { return strings.TrimSuffix(tag, ">") }, "title", "description", "guid"))},
		{name: "end tag without slash", apply: one(endTag(func(tag string) string { return strings.Replace(tag, "/", "", 1) }, "title", "description"))},
		{name: "end tag misspelt", apply: one(endTag(func(tag string) string { return tag[:3] + tag[4:] }, "title", "description", "summary"))},
		{name: "end tag in another case", apply: every(endTag(upper, "title", "description", "id"))},
		{name: "start tag not ended", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			if c := it.find("title", "description", "summary"); c != nil {
				return &change{c.text.from - 1, 1, ""}
			}
			return nil
		})},
		{name: "start tag without bracket", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			if c := it.find("description", "summary", "content", "pubdate", "updated"); c != nil {
				return &change{c.whole.from, 1, ""}
			}
			return nil
		})},
		{name: "crossed tags", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			// the end tag of an element after the start tag of the next
			for i := 1; i < len(it.children); i++ {
				a, b := it.children[i-1], it.children[i]
				if a.text.to < a.whole.to && b.text.to < b.whole.to && a.whole != it.key && b.whole != it.key && a.whole != it.link && b.whole != it.link {
					between := string(s.doc[a.whole.to:b.text.from])
					return &change{a.text.to, b.text.from - a.text.to, between + string(s.doc[a.text.to:a.whole.to])}
				}
			}
			return nil
		})},
		{name: "item and field crossed", apply: one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			c := it.children[len(it.children)-1]
			end := bytes.LastIndex(s.doc[:it.whole.to], []byte("</"))
			if c.text.to == c.whole.to || c.whole == it.key || c.whole == it.link {
				return nil
			}
			return &change{c.text.to, it.whole.to - c.text.to, string(s.doc[end:it.whole.to]) + string(s.doc[c.text.to:c.whole.to])}
		})},
		{name: "early channel end", apply: early("</channel>")},
		{name: "early root end", apply: early("</channel></rss></feed></rdf:RDF>")},
		{name: "stray end tags", apply: every(insideItem("</b></div></x:y>"))},
		{name: "stray start tag", apply: one(insideItem("<div><p>"))},
		{name: "HTML between fields", apply: one(insideItem("<p>One<br>two &copy; <img src=x alt='a'><a href=y>z</p>"))},
		{name: "HTML in a body", apply: every(inBody("<p>One<br>two<img src=x></p><a href='y'>z<ul><li>a<li>b"))},
		{name: "root end lost", apply: func(s *subject, _ *rand.Rand) []change {
			at := bytes.LastIndex(s.doc, []byte("</"))
			return []change{{at, len(s.doc) - at, ""}}
		}},
		{name: "channel end lost", apply: atEnd("</channel>")},
		{name: "root start lost", apply: func(s *subject, _ *rand.Rand) []change {
			return []change{{s.root.from, s.root.len(), ""}}
		}},
		{name: "channel start lost", apply: func(s *subject, _ *rand.Rand) []change {
			if s.channel.len() == 0 || s.channel.from > s.items[0].whole.from {
				return nil
			}
			return []change{{s.channel.from, s.channel.len(), ""}}
		}},
		{name: "one item is noise", apply: func(s *subject, r *rand.Rand) []change {
			it := &s.items[r.Intn(len(s.items))]
			noise := make([]byte, 200)
			for i := range noise {
				noise[i] = `<>&"'/=! ]x?-`[r.Intn(13)]
			}
			return []change{{it.whole.from + it.whole.len()/3, it.whole.len() / 2, string(noise)}}
		}},
		{name: "wrapped lines", apply: func(s *subject, _ *rand.Rand) []change {
			// a mail gateway that breaks lines at 998 characters
			var out []change
			for at := 998; at < len(s.doc); at += 998 {
				if s.doc[at]&0xC0 != 0x80 {
					out = append(out, change{at: at, ins: "\r\n"})
				}
			}
			return out
		}},
	}
}

func textDamages() []damage {
	return []damage{
		{name: "a < b", apply: every(inTitle(" a < b"))},
		{name: "a <b c", apply: one(inTitle(" a <b c"))},
		{name: "a<5 and <-", apply: one(inTitle(" a<5 <- <3 <"))},
		{name: "bare ampersand", apply: every(inTitle(" R&D & more &"))},
		{name: "HTML entities", apply: every(inTitle(" &nbsp;&eacute;&hellip;"))},
		{name: "unknown entities", apply: one(inTitle(" &unknown;&x.y;&;"))},
		{name: "reference without semicolon", apply: one(inTitle(" &amp &lt &#8217 &copy"))},
		{name: "forbidden references", apply: every(inTitle(" &#11;&#x1F;&#0;&#xFFFF;"))},
		{name: "surrogate references", apply: one(inTitle(" &#xD83D;&#xDE00;&#55357;"))},
		{name: "huge references", apply: one(inTitle(" &#99999999999;&#x110000;&#xFFFFFFFFFFF;"))},
		{name: "empty references", apply: one(inTitle(" &#;&#x;&#xZZ;&#-1;"))},
		{name: "]]> in text", apply: every(inTitle(" ]]> "))},
		{name: "> and quotes in text", apply: one(inTitle(` > -- "quoted' >> `))},
		{name: "tags in a title", apply: one(inTitle(" <b>bold</b> <i>open <br>"))},
		{name: "link with bare &", apply: every(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			for i := it.whole.from; i+5 < it.whole.to; i++ {
				if bytes.HasPrefix(s.doc[i:], []byte("&amp;")) && strikes([]change{{at: i, del: 5}}, it.link) && it.link != it.whole && it.link != it.key {
					return &change{i, 5, "&"}
				}
			}
			return nil
		})},
	}
}

func sectionDamages() []damage {
	mark := func(old, replacement string) changer {
		return one(func(s *subject, it *subjectItem, _ *rand.Rand) *change {
			for _, c := range it.children {
				if c.whole == it.key || c.whole == it.link {
					continue
				}
				if i := bytes.Index(s.doc[c.whole.from:c.whole.to], []byte(old)); i >= 0 {
					return &change{c.whole.from + i, len(old), replacement}
				}
			}
			return nil
		})
	}
	return []damage{
		{name: "CDATA end lost", apply: mark("]]>", "")},
		{name: "CDATA end cut", apply: mark("]]>", "]>")},
		{name: "CDATA end with blank", apply: mark("]]>", "]] >")},
		{name: "CDATA start lost", apply: mark("<![CDATA[", "")},
		{name: "CDATA misspelt", apply: mark("<![CDATA[", "<![CDATA [")},
		{name: "CDATA lower case", apply: mark("<![CDATA[", "<![cdata[")},
		{name: "CDATA without bracket", apply: mark("<![CDATA[", "<!CDATA[")},
		{name: "CDATA in CDATA", apply: mark("<![CDATA[", "<![CDATA[<![CDATA[x]]>")},
		{name: "CDATA escaped", apply: mark("<![CDATA[", "&lt;![CDATA[")},
		{name: "CDATA between items", apply: one(betweenItems("<![CDATA[ a <item> b ]]>"))},
		{name: "comment with dashes", apply: one(betweenItems("<!-- a -- b --->"))},
		{name: "comment with a tag", apply: one(insideItem("<!-- <item> <title> -- -->"))},
		{name: "comment not ended", apply: one(insideItem("<!-- lost "))},
		{name: "comment of HTML", apply: one(insideItem("<!-- more -> <!--more-->"))},
		{name: "comment start cut", apply: one(insideItem("<!- no comment -->"))},
		{name: "PHP in an item", apply: one(insideItem(`<?php echo "<b>$x</b>"; ?>`))},
		{name: "PHP not ended", apply: one(insideItem(`<?php echo `))},
		{name: "declaration in an item", apply: one(insideItem(`<?xml version="1.0" encoding="utf-8"?>`))},
		{name: "doctype in an item", apply: one(insideItem(`<!DOCTYPE html>`))},
		{name: "other declarations", apply: one(insideItem(`<!ELEMENT a (b)><!x>`))},
	}
}

func attributeDamages() []damage {
	re := func(expr, to string) changer {
		x := regexp.MustCompile(expr)
		return every(inTag(func(tag string) string { return x.ReplaceAllString(tag, to) }))
	}
	return []damage{
		{name: "attribute unquoted", apply: re(`="([^" /]+)"`, `=$1`)},
		{name: "attribute quote lost", apply: re(`"([ />]*)$`, `$1`)},
		{name: "attribute opening quote lost", apply: one(inTag(func(tag string) string { return strings.Replace(tag, `="`, `=`, 1) }))},
		{name: "attribute twice", apply: re(`( [A-Za-z:]+="[^"]*")`, `$1$1`)},
		{name: "attribute without value", apply: re(`^<([A-Za-z:]+)`, `<$1 nowrap`)},
		{name: "attribute with <", apply: re(`^<([A-Za-z:]+)`, `<$1 alt="a < b <c> d"`)},
		{name: "attribute with >", apply: re(`^<([A-Za-z:]+)`, `<$1 alt="a > b"`)},
		{name: "attribute with bare &", apply: re(`^<([A-Za-z:]+)`, `<$1 alt="a & b &copy; &#2;"`)},
		{name: "attribute in smart quotes", apply: re(`^<([A-Za-z:]+)`, `<$1 alt=“x y”`)},
		{name: "attribute in double quotes", apply: re(`^<([A-Za-z:]+)`, `<$1 alt=""x""`)},
		{name: "attribute blanks lost", apply: re(`" ([a-z])`, `"$1`)},
		{name: "attribute escaped", apply: re(`^<([A-Za-z:]+)`, `<$1 alt=\"x\"`)},
	}
}

func namespaceDamages() []damage {
	xmlns := regexp.MustCompile(`\s+xmlns(:[A-Za-z0-9]+)?\s*=\s*("[^"]*"|'[^']*')`)
	prefixed := regexp.MustCompile(`\s+xmlns:[A-Za-z0-9]+\s*=\s*("[^"]*"|'[^']*')`)
	root := func(x *regexp.Regexp, to string) changer {
		return func(s *subject, _ *rand.Rand) []change {
			tag := s.doc[s.root.from:s.root.to]
			var out []change
			for _, m := range x.FindAllIndex(tag, -1) {
				out = append(out, change{s.root.from + m[0], m[1] - m[0], to})
			}
			return out
		}
	}
	return []damage{
		{name: "undeclared prefix", apply: every(insideItem("<foo:bar baz:id='1'>x</foo:bar><thr:total>3</thr:total>"))},
		{name: "all declarations of prefixes lost", apply: root(prefixed, "")},
		{name: "all declarations lost", apply: root(xmlns, "")},
		{name: "empty declarations", apply: root(prefixed, ` xmlns:a=""`)},
		{name: "two colons in a name", apply: one(insideItem("<a:b:c>x</a:b:c><:d/><e:/>"))},
		{name: "digits and dots as names", apply: one(insideItem("<1a>x</1a><.b/><-c>"))},
		{name: "names beyond ASCII", apply: one(insideItem("<größe>x</größe><日付>y</日付>"))},
	}
}
