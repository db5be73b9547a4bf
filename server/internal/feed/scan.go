package feed

import (
	"bytes"
	"net/url"
	"strings"
)

// Bounds of the structure of a document. Feeds of the wild stay far below
// them; a parser that copies the namespaces in scope for every element needs
// them.
const (
	maxDepth      = 256        // open elements
	maxNamespaces = 256        // namespace declarations in scope
	maxScopeWork  = 20_000_000 // sum over the elements of the declarations in their scope
	maxElements   = 250_000    // elements that are read
	maxAttributes = 1000       // attributes of an element that are read: the parser keeps 64 bytes for each
)

type frameKind uint8

const (
	frameOther frameKind = iota
	frameRoot
	frameChannel
	frameItem
	frameID
	frameBody
)

// holdsFields reports whether an element holds other elements and no text.
func (k frameKind) holdsFields() bool {
	return k == frameRoot || k == frameChannel || k == frameItem
}

type frame struct {
	name  []byte
	kind  frameKind
	ns    int    // declarations in scope
	base  string // xml:base in scope
	inner int    // where its content starts
}

// scanner walks over the tags of a document once.
type scanner struct {
	outline
	limits   Limits
	notes    *notes
	stack    []frame
	done     bool // the root has ended
	elements int
	channels int
	work     int
	skipping int // depth of the skipped item, 0 outside of one
	skipFrom int

	doctype  bool            // a document type may declare entities
	prefixes map[string]bool // declared somewhere, or marked as not declared
}

// scan reads the outline of an XML document. It stops at the first thing that
// is not as XML wants it: then sound is false and the rest means nothing. The
// error is for documents that no repair makes readable.
func scan(src []byte, limits Limits, n *notes) (*outline, error) {
	s := &scanner{outline: outline{src: src}, limits: limits, notes: n, prefixes: map[string]bool{"xml": true, markerPrefix: true}}
	lx := lexer{src: src}
	for {
		t, ok := lx.next()
		if !ok {
			s.sound = s.done && len(s.stack) == 0
			s.stoppedAt = len(src)
			return &s.outline, nil
		}
		s.stoppedAt = t.start
		if t.bad || t.kind == tokGarbage {
			return &s.outline, nil
		}
		sound, err := s.token(t)
		if err != nil || !sound {
			return &s.outline, err
		}
	}
}

func (s *scanner) token(t token) (sound bool, err error) {
	switch t.kind {
	case tokStart:
		return s.start(t)
	case tokEnd:
		return s.endElement(t), nil
	case tokText, tokCDATA:
		if len(s.stack) == 0 {
			return t.kind == tokText && len(bytes.TrimSpace(s.src[t.start:t.end])) == 0, nil
		}
		s.cutText(t)
		if t.kind != tokText {
			break
		}
		if s.stack[len(s.stack)-1].kind.holdsFields() && len(bytes.TrimSpace(s.src[t.start:t.end])) == 0 {
			// White space between fields says nothing, and costs the parser as
			// much as a field.
			s.edit(t.start, t.end-t.start, "")
		} else if !s.doctype {
			s.references(t)
		}
	case tokDoctype:
		s.doctype = true
		if bytes.Contains(s.src[t.start:t.end], []byte("<!ENTITY")) {
			s.notes.add(WarnDoctype, "the document type declares entities; they were not expanded")
		}
		s.edit(t.start, t.end-t.start, "")
	case tokPI:
		noteDeclaration(s.src, t, s.notes)
		s.edit(t.start, t.end-t.start, "")
	}
	return true, nil
}

func (s *scanner) start(t token) (sound bool, err error) {
	f := frame{name: t.name, inner: t.end}
	var parent *frame
	if len(s.stack) > 0 {
		parent = &s.stack[len(s.stack)-1]
		f.ns, f.base = parent.ns, parent.base
	}
	f.kind = s.kindOf(t, parent)
	if parent == nil {
		if s.done || f.kind != frameRoot {
			return false, nil
		}
		s.root, s.rootStart, s.rootOpen = t.name, t.start, t.end
	}
	if s.skipping == 0 {
		if s.elements++; s.elements > maxElements {
			s.cutAt = t.start
			return false, nil
		}
	}
	if f.kind == frameChannel {
		// Of several channels the parser keeps the last; repair merges them.
		if s.channels++; s.channels > 1 {
			return false, nil
		}
	}
	s.attributes(t, &f, parent)
	if parent == nil {
		s.ownNamespace(t)
	}
	s.prefix(t)
	if len(s.stack) >= maxDepth && s.mostlyUnclosedHTML() {
		return false, nil
	}
	if err := s.bounds(f); err != nil {
		return false, err
	}
	if s.skipping == 0 {
		s.facts(t, f, parent)
	}
	if t.closed {
		if f.kind == frameItem {
			s.closeItem(len(s.stack)+1, t.end)
		}
		if f.kind == frameRoot {
			s.done = true
		}
		return true, nil
	}
	s.stack = append(s.stack, f)
	return true, nil
}

func (s *scanner) kindOf(t token, parent *frame) frameKind {
	switch {
	case parent == nil:
		if isRootName(t.name) {
			return frameRoot
		}
	case parent.kind == frameRoot || parent.kind == frameChannel:
		if isItemName(t.name) {
			return frameItem
		}
		if parent.kind == frameRoot && isChannelName(t.name) {
			return frameChannel
		}
	case parent.kind == frameItem && local(t.name) == "id" && !isExtensionPrefix(prefix(t.name)):
		return frameID
	case parent.kind == frameItem && local(t.name) == "body":
		return frameBody
	}
	return frameOther
}

// attributes takes the namespaces and xml:base of a start tag into the frame,
// and xml:base out of the document: the parser resolves against it in its own
// way.
func (s *scanner) attributes(t token, f *frame, parent *frame) {
	if bytes.Contains(t.body, []byte("xmlns")) || bytes.Contains(t.body, []byte("xml:base")) {
		as := attrScanner{src: t.body}
		offset := t.start + 1 + len(t.name)
		for {
			a, ok := as.next()
			if !ok {
				break
			}
			switch {
			case bytes.HasPrefix(a.name, []byte("xmlns")):
				f.ns++
				if len(a.name) > 6 {
					s.prefixes[string(a.name[6:])] = true
				}
			case string(a.name) == "xml:base":
				f.base = joinBase(f.base, strings.TrimSpace(a.text()))
				if local(t.name) != "link" { // of a link the parser resolves its own base, and only that
					s.edit(offset+a.start, a.end-a.start, "")
				}
			}
		}
	}
	if f.kind == frameRoot || f.kind == frameChannel {
		s.base = f.base
		if lang, ok := findAttr(t.body, "xml:lang"); ok && s.lang == "" {
			s.lang = lang
		}
	}
}

// prefix marks a prefix that nothing declares, once.
func (s *scanner) prefix(t token) {
	colon := bytes.IndexByte(t.name, ':')
	if colon < 0 || s.prefixes[string(t.name[:colon])] {
		return
	}
	s.notes.mark(WarnPrefix, t.start)
	s.prefixes[string(t.name[:colon])] = true
}

// references marks what starts no reference that XML knows; the parser takes
// it as it was meant.
func (s *scanner) references(t token) {
	if s.notes.muted {
		return
	}
	for at := t.start; ; at++ {
		i := bytes.IndexByte(s.src[at:t.end], '&')
		if i < 0 {
			return
		}
		if at += i; badReferenceAt(s.src[at:t.end]) {
			s.notes.mark(WarnReference, at)
		}
	}
}

func joinBase(base, ref string) string {
	u, err := url.Parse(ref)
	if err != nil {
		return base
	}
	if base == "" {
		return ref
	}
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	return b.ResolveReference(u).String()
}

func (s *scanner) bounds(f frame) error {
	if len(s.stack) >= maxDepth {
		return invalid("the document is nested deeper than %d elements", maxDepth)
	}
	if f.ns > maxNamespaces {
		return invalid("the document declares more than %d namespaces in one place", maxNamespaces)
	}
	if s.work += f.ns; s.work > maxScopeWork {
		return invalid("the document declares too many namespaces over too many elements")
	}
	return nil
}

// mostlyUnclosedHTML tells depth that comes from HTML or items without end tags, which
// is damage and can be repaired, from depth that was built.
func (s *scanner) mostlyUnclosedHTML() bool {
	n := 0
	for _, f := range s.stack {
		switch local(f.name) {
		case "br", "img", "hr", "p", "li", "input", "meta", "item", "entry":
			n++
		}
	}
	return 2*n > len(s.stack)
}

func (s *scanner) facts(t token, f frame, parent *frame) {
	switch {
	case f.kind == frameItem:
		s.openItem(t, f)
	case parent != nil && parent.kind == frameItem && len(s.items) > 0:
		it := &s.items[len(s.items)-1]
		switch local(t.name) {
		case "title":
			if typ, ok := findAttr(t.body, "type"); ok && prefix(t.name) == prefix(s.root) {
				it.titleType = strings.ToLower(typ)
			}
		case "summary":
			if typ, ok := findAttr(t.body, "type"); ok {
				it.summaryType = strings.ToLower(typ)
			}
		case "content", "encoded":
			it.contentBase = f.base
		}
	}
}

func (s *scanner) openItem(t token, f frame) {
	if len(s.items) >= s.limits.MaxItems {
		s.skipping = len(s.stack) + 1
		s.skipFrom = t.start
		s.skipped++
		return
	}
	it := itemFacts{base: f.base, start: t.start}
	it.about, _ = findAttr(t.body, "rdf:about")
	if p := prefix(s.root); it.about == "" && p != "" {
		it.about, _ = findAttr(t.body, p+":about")
	}
	if it.about == "" {
		it.about, _ = findAttr(t.body, "about")
	}
	it.lang, _ = findAttr(t.body, "xml:lang")
	if !t.closed {
		s.edit(t.end, 0, marker(len(s.items)))
	}
	s.items = append(s.items, it)
}

// endElement closes the innermost element; it reports whether the tag names it.
func (s *scanner) endElement(t token) bool {
	if len(s.stack) == 0 {
		return false
	}
	f := s.stack[len(s.stack)-1]
	if !bytes.Equal(f.name, t.name) {
		return false
	}
	switch f.kind {
	case frameItem:
		s.closeItem(len(s.stack), t.end)
	case frameID:
		if it := s.currentItem(); it != nil && it.id == "" {
			it.id = decodeText(s.src[f.inner:t.start])
		}
	case frameBody:
		if it := s.currentItem(); it != nil {
			it.body = string(s.src[f.inner:t.start])
		}
	case frameRoot:
		s.done = true
	}
	s.stack = s.stack[:len(s.stack)-1]
	return true
}

func (s *scanner) currentItem() *itemFacts {
	if s.skipping > 0 || len(s.items) == 0 {
		return nil
	}
	return &s.items[len(s.items)-1]
}

func (s *scanner) closeItem(depth, end int) {
	if s.skipping == 0 {
		if it := s.currentItem(); it != nil {
			it.end = end
		}
		return
	}
	if s.skipping != depth {
		return
	}
	s.skipping = 0
	// Items that are skipped one after the other become one edit.
	if n := len(s.edits); n > 0 {
		last := &s.edits[n-1]
		if from := last.at + last.del; last.ins == "" && from <= s.skipFrom && len(bytes.TrimSpace(s.src[from:s.skipFrom])) == 0 {
			last.del = end - last.at
			return
		}
	}
	s.edit(s.skipFrom, end-s.skipFrom, "")
}
