package feed

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
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
	p.AllowAttrs("width", "height").Matching(regexp.MustCompile(`(?i)^\s*[0-9]{1,5}\s*px\s*$`)).OnElements("img") // written without px
	// Only to be seen behind the policy: the picture goes, and the style with it.
	p.AllowAttrs("style").Matching(unseenStyle).OnElements("img")
	return p
}

// unseenStyle matches the style of a picture that nobody is meant to see: at
// most one pixel wide or high, or not displayed at all. Such pictures count readers.
var unseenStyle = regexp.MustCompile(`(?i)(?:^|;)\s*(?:(?:max-)?(?:width|height)\s*:\s*(?:0+(?:\.\d*)?|0*1(?:\.0*)?|0*\.\d+)\s*(?:px)?|display\s*:\s*none)\s*(?:!\s*important\s*)?(?:;|$)`)

const maxOpenTags = 100

// sanitised is what is made of the HTML of an item.
type sanitised struct {
	html  string // safe to show inside of a page
	text  string // the same as plain text
	image string // URL of the first picture that is not declared to be small
}

// sanitise returns HTML that is safe to show inside of a page, and its plain
// text. Links and images are http, https or (links only) mailto; relative ones
// are resolved against the base of r or, without one, dropped. Ids, styles,
// scripts, forms, frames and images of one pixel are removed, tags are balanced,
// attributes sorted; the results have at most maxHTML and maxText bytes.
// Sanitising the HTML again changes nothing.
func sanitise(src string, r resolver, maxHTML, maxText int) sanitised {
	return newSanitiser().sanitise(src, r, maxHTML, maxText)
}

// sanitiser holds the buffers of sanitise and of the hashes, which the next item
// takes over.
type sanitiser struct {
	policed bytes.Buffer
	writer  htmlWriter
	hashed  []byte // of the hashes of the item
}

func newSanitiser() *sanitiser { return &sanitiser{} }

func (s *sanitiser) sanitise(src string, r resolver, maxHTML, maxText int) sanitised {
	if len(src) > 2*maxHTML {
		src = strings.ToValidUTF8(src[:2*maxHTML], "")
	}
	s.policed.Reset()
	if err := policy.SanitizeReaderToWriter(strings.NewReader(dropControls(src)), &s.policed); err != nil {
		return sanitised{} // a reader of a string and a buffer do not fail
	}
	w := &s.writer
	w.reset(r, maxHTML, maxText)
	lx := htmlLexer{src: s.policed.Bytes(), attrs: w.attrs}
	for !w.full && lx.next() {
		switch {
		case lx.name == nil:
			w.writeText(lx.text)
		case lx.end:
			w.end(atom.Lookup(lx.name))
		default:
			w.start(atom.Lookup(lx.name), lx.attrs)
		}
	}
	w.attrs = lx.attrs
	return w.finish()
}

// htmlWriter writes tokens that passed the policy, balanced and bounded, and
// collects their text on the way.
type htmlWriter struct {
	resolver resolver
	out      []byte
	text     textBuilder
	image    string
	stack    []atom.Atom
	attrs    []htmlAttr
	tail     int // bytes that the end tags of the stack take
	anchors  int // open anchors that were left out because they link nowhere
	dropped  int // start tags that were left out for their depth
	max      int
	full     bool
}

func (w *htmlWriter) reset(r resolver, maxHTML, maxText int) {
	*w = htmlWriter{
		resolver: r, max: maxHTML, out: w.out[:0], stack: w.stack[:0], attrs: w.attrs,
		text: textBuilder{max: maxText, b: w.text.b[:0]},
	}
}

func (w *htmlWriter) finish() sanitised {
	for len(w.stack) > 0 {
		w.pop()
	}
	return sanitised{html: string(bytes.TrimSpace(w.out)), text: w.text.String(), image: w.image}
}

// fits reports whether n more bytes fit; once they do not, nothing more does.
func (w *htmlWriter) fits(n int) bool {
	if len(w.out)+w.tail+n > w.max {
		w.full = true
	}
	return !w.full
}

// writeText writes text with the references that the policy wrote. Text is
// written whole or not at all.
func (w *htmlWriter) writeText(src []byte) {
	if bytes.IndexByte(src, '&') < 0 && !mayHoldControls(src) {
		w.text.writeBytes(src)
		if n := bytes.IndexByte(src, '\r'); n < 0 && w.fits(len(src)) {
			w.out = append(w.out, src...)
			return
		}
	}
	text := dropControls(unescapeHTML(src)) // those that were references until now
	w.text.write(text)
	at := len(w.out)
	w.out = appendEscaped(w.out, text, false)
	n := len(w.out) - at
	if w.out = w.out[:at]; w.fits(n) {
		w.out = w.out[:at+n]
	}
}

// appendEscaped appends text for HTML, in an attribute or outside of one.
func appendEscaped(out []byte, text string, attribute bool) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		var ref string
		switch text[i] {
		case '&':
			ref = "&amp;"
		case '<':
			ref = "&lt;"
		case '>':
			ref = "&gt;"
		case '"':
			if !attribute {
				continue
			}
			ref = "&#34;"
		case '\r':
		default:
			continue
		}
		out = append(append(out, text[from:i]...), ref...)
		from = i + 1
	}
	return append(out, text[from:]...)
}

func (w *htmlWriter) start(a atom.Atom, attrs []htmlAttr) {
	if a == 0 || a == atom.Map || a == atom.Area {
		return
	}
	attrs, ok := w.keep(a, attrs)
	if !ok {
		if a == atom.A {
			w.anchors++
		}
		return
	}
	w.impliedEnd(a)
	void := isVoidHTML(a)
	if !void && len(w.stack) >= maxOpenTags {
		w.dropped++
		return
	}
	at, name := len(w.out), a.String()
	w.out = append(append(w.out, '<'), name...)
	for i, at := range attrs {
		if i > 0 && attrs[i-1].key == at.key {
			continue
		}
		w.out = append(append(append(w.out, ' '), at.key...), '=', '"')
		w.out = append(appendEscaped(w.out, at.value, true), '"')
	}
	w.out = append(w.out, '>')
	n, room := len(w.out)-at, len(w.out)-at
	if !void {
		room += len(name) + 3
	}
	if w.out = w.out[:at]; !w.fits(room) {
		return
	}
	w.out = w.out[:at+n]
	w.text.open(a)
	if !void {
		w.stack = append(w.stack, a)
		w.tail += len(name) + 3
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
	w.out = append(append(append(w.out, "</"...), name...), '>')
}

// keep returns the attributes that stay, sorted; false when the element makes
// no sense without one that went.
func (w *htmlWriter) keep(element atom.Atom, attrs []htmlAttr) ([]htmlAttr, bool) {
	kept := attrs[:0]
	src, href, small := "", false, false
	linked := hasAttr(attrs, "href")
	for _, a := range attrs {
		switch a.key {
		case "id", "name", "usemap", "ismap":
			continue
		case "style": // that is unseenStyle
			return nil, false
		case "href", "cite":
			if a.value = w.resolver.link(a.value, true); a.value == "" {
				continue
			}
			href = href || a.key == "href"
		case "src":
			if a.value = w.resolver.link(a.value, false); a.value == "" {
				continue
			}
			src = a.value
		case "lang":
			if a.value = languageTag(a.value); a.value == "" {
				continue
			}
		case "width", "height":
			if i := strings.IndexAny(a.value, "pP"); i >= 0 {
				a.value = a.value[:i]
			}
			a.value = strings.TrimSpace(a.value)
			if n, err := strconv.Atoi(a.value); err == nil && element == atom.Img {
				if n <= 1 {
					return nil, false
				}
				small = small || n < minImage
			}
		case "rel":
			if !linked {
				continue
			}
		}
		a.value = dropControls(a.value)
		kept = append(kept, a)
	}
	if element == atom.Img && src == "" || element == atom.A && !href {
		return nil, false
	}
	if element == atom.Img && w.image == "" && !small {
		w.image = src
	}
	slices.SortStableFunc(kept, func(a, b htmlAttr) int { return strings.Compare(a.key, b.key) })
	return kept, true
}

// minImage is the least width and height, in pixels, of a picture that may
// stand for an item; smaller ones are icons.
const minImage = 50

func hasAttr(attrs []htmlAttr, key string) bool {
	return slices.ContainsFunc(attrs, func(a htmlAttr) bool { return a.key == key })
}

func isVoidHTML(a atom.Atom) bool {
	switch a {
	case atom.Br, atom.Hr, atom.Img, atom.Wbr, atom.Col:
		return true
	}
	return false
}
