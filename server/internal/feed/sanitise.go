package feed

import (
	"sort"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// policy is what may stay of the HTML of an item: bluemonday's policy for
// user-generated content, without relative links, which are resolved before.
// It is built once and never changed after.
var policy = newPolicy()

func newPolicy() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AllowElements("center", "font", "big", "kbd", "header", "footer", "main")
	return p
}

const maxOpenTags = 100

// sanitise returns HTML that is safe to show inside of a page, and its plain
// text. Links and images are http, https or (links only) mailto; relative ones
// are resolved against the base of r or, without one, dropped. Ids, styles,
// scripts, forms, frames and images of one pixel are removed, tags are balanced,
// attributes sorted; the results have at most maxHTML and maxText bytes.
// Sanitising the HTML again changes nothing.
func sanitise(src string, r resolver, maxHTML, maxText int) (safe, text string) {
	if len(src) > 2*maxHTML {
		src = strings.ToValidUTF8(src[:2*maxHTML], "")
	}
	w := &htmlWriter{resolver: r, max: maxHTML, text: textBuilder{max: maxText}}
	z := html.NewTokenizer(strings.NewReader(policy.Sanitize(dropControls(src))))
	for !w.full {
		switch z.Next() {
		case html.ErrorToken:
			return w.finish()
		case html.TextToken:
			w.writeText(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			w.start(z.Token())
		case html.EndTagToken:
			w.end(z.Token().DataAtom)
		}
	}
	return w.finish()
}

// htmlWriter writes tokens that passed the policy, balanced and bounded, and
// collects their text on the way.
type htmlWriter struct {
	resolver resolver
	out      strings.Builder
	text     textBuilder
	stack    []atom.Atom
	tail     int // bytes that the end tags of the stack take
	anchors  int // open anchors that were left out because they link nowhere
	dropped  int // start tags that were left out for their depth
	max      int
	full     bool
}

func (w *htmlWriter) finish() (string, string) {
	for len(w.stack) > 0 {
		w.pop()
	}
	return strings.TrimSpace(w.out.String()), w.text.String()
}

// fits reports whether n more bytes fit; once they do not, nothing more does.
func (w *htmlWriter) fits(n int) bool {
	if w.out.Len()+w.tail+n > w.max {
		w.full = true
	}
	return !w.full
}

func (w *htmlWriter) writeText(s string) {
	s = dropControls(s) // those that were references until now
	w.text.write(s)
	escaped := textEscaper.Replace(s)
	if w.fits(len(escaped)) {
		w.out.WriteString(escaped)
	}
}

var (
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "")
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "\r", "")
)

func (w *htmlWriter) start(t html.Token) {
	if t.DataAtom == 0 || t.DataAtom == atom.Map || t.DataAtom == atom.Area {
		return
	}
	attrs, ok := w.attributes(t)
	if !ok {
		if t.DataAtom == atom.A {
			w.anchors++
		}
		return
	}
	w.impliedEnd(t.DataAtom)
	void := isVoidHTML(t.DataAtom)
	if !void && len(w.stack) >= maxOpenTags {
		w.dropped++
		return
	}
	tag := "<" + t.DataAtom.String() + attrs + ">"
	room := len(tag)
	if !void {
		room += len(t.DataAtom.String()) + 3
	}
	if !w.fits(room) {
		return
	}
	w.text.open(t.DataAtom)
	w.out.WriteString(tag)
	if !void {
		w.stack = append(w.stack, t.DataAtom)
		w.tail += len(t.DataAtom.String()) + 3
	}
}

// impliedEnd writes the end tags that HTML lets authors leave out.
func (w *htmlWriter) impliedEnd(a atom.Atom) {
	for len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		switch {
		case top == atom.P && isBlock(a):
		case top == atom.Li && a == atom.Li:
		case (top == atom.Dt || top == atom.Dd) && (a == atom.Dt || a == atom.Dd):
		case (top == atom.Td || top == atom.Th) && (a == atom.Td || a == atom.Th || a == atom.Tr):
		case top == atom.Tr && a == atom.Tr:
		default:
			return
		}
		w.pop()
	}
}

func (w *htmlWriter) end(a atom.Atom) {
	if a == atom.A && w.anchors > 0 {
		w.anchors--
		return
	}
	if w.dropped > 0 {
		w.dropped--
		return
	}
	for i := len(w.stack) - 1; i >= 0; i-- {
		if w.stack[i] == a {
			for len(w.stack) > i {
				w.pop()
			}
			return
		}
	}
}

func (w *htmlWriter) pop() {
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	w.text.close(top)
	name := top.String()
	w.tail -= len(name) + 3
	w.out.WriteString("</" + name + ">")
}

// attributes returns the attributes that stay, sorted; false when the element
// makes no sense without one that went.
func (w *htmlWriter) attributes(t html.Token) (string, bool) {
	kept := t.Attr[:0]
	src := false
	for _, a := range t.Attr {
		switch a.Key {
		case "id", "name", "usemap", "ismap":
			continue
		case "href", "cite":
			if a.Val = w.resolver.link(a.Val, true); a.Val == "" {
				continue
			}
		case "src":
			if a.Val = w.resolver.link(a.Val, false); a.Val == "" {
				continue
			}
			src = true
		case "lang":
			if a.Val = languageTag(a.Val); a.Val == "" {
				continue
			}
		case "width", "height":
			if n, err := strconv.Atoi(a.Val); err == nil && n <= 1 && t.DataAtom == atom.Img {
				return "", false
			}
		case "rel":
			if !hasHref(t.Attr) {
				continue
			}
		}
		kept = append(kept, a)
	}
	if t.DataAtom == atom.Img && !src || t.DataAtom == atom.A && !hasHref(kept) {
		return "", false
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Key < kept[j].Key })
	var b strings.Builder
	for i, a := range kept {
		if i > 0 && kept[i-1].Key == a.Key {
			continue
		}
		b.WriteString(" " + a.Key + `="` + attrEscaper.Replace(dropControls(a.Val)) + `"`)
	}
	return b.String(), true
}

func hasHref(attrs []html.Attribute) bool {
	for _, a := range attrs {
		if a.Key == "href" {
			return true
		}
	}
	return false
}

func isVoidHTML(a atom.Atom) bool {
	switch a {
	case atom.Br, atom.Hr, atom.Img, atom.Wbr, atom.Col:
		return true
	}
	return false
}
