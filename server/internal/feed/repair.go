package feed

import "bytes"

// repair writes a damaged XML document anew as a well-formed one. It follows
// what the elements of a feed are (vocab.go) rather than how their tags nest:
//
//   - what stands before the root and after its end is left out; a missing
//     root or channel is supplied; further roots and channels are merged;
//   - an item starts a new item, whatever is still open;
//   - what is inside of a text field is content: its tags are escaped, so that
//     they cannot break the structure and come out as they were;
//   - a field without an end tag ends where the next field starts, or the item;
//   - an end tag closes what it names, if that is open, else it is dropped;
//   - a field that tells items apart and comes again belongs to a next item,
//     whose start is missing;
//   - whatever is open at the end of the document is closed.
//
// What is mended is marked in n, in places of src.
func repair(src []byte, n *notes) ([]byte, error) {
	mended, _, err := repairItems(src, n)
	return mended, err
}

// repairItems is repair, and returns where in src each item starts as well.
func repairItems(src []byte, n *notes) (mended []byte, items []int, err error) {
	r := &repairer{
		lx: lexer{src: src, mending: true}, ahead: lexer{src: src, mending: true}, src: src, notes: n,
		noEnd: map[string]int{}, channelHas: map[string]bool{},
	}
	if err := r.run(); err != nil {
		return nil, nil, err
	}
	return r.out.Bytes(), r.items, nil
}

func (r *repairer) run() error {
	src, n := r.src, r.notes
	r.out.Grow(len(src) + len(src)/16)
	r.lastItem = lastItemStart(src)
	if err := r.findRoot(); err != nil {
		return err
	}
	for {
		t, ok := r.lx.next()
		if !ok {
			break
		}
		if err := r.token(t); err != nil {
			return err
		}
		if len(r.stack) == 0 {
			r.trailing()
			break
		}
	}
	if len(r.stack) > 0 {
		for _, e := range r.stack {
			n.cutItem = n.cutItem || e.kind == frameItem
		}
		n.mend(WarnTruncated, "the document ends before its end; what was complete was read")
		r.closeTo(0)
	}
	n.reportMends(src)
	n.setMended()
	return nil
}

type openElement struct {
	name []byte
	kind frameKind
}

type repairer struct {
	lx       lexer
	ahead    lexer // looks ahead of lx
	src      []byte
	out      bytes.Buffer
	notes    *notes
	stack    []openElement
	atom     bool
	lastItem int   // where the last start tag of an item is; -1 without items
	items    []int // where in src each item starts

	hasEntities bool // a document type may declare entities

	channelHas map[string]bool   // identifying fields that the channel has said
	itemHas    map[string]string // identifying fields that the open item has said

	// boundary is the first start or end of an item, channel or root at or
	// behind boundaryFrom; noEnd tells per name up to where no end tag of it
	// is. Both keep the search for the ends of fields linear.
	boundaryFrom, boundary int
	noEnd                  map[string]int
}

// lastItemStart finds the last start tag of an item, by its bytes alone; -1 when
// there is none.
func lastItemStart(src []byte) int {
	for i := len(src); ; {
		if i = bytes.LastIndexByte(src[:i], '<'); i < 0 || isItemName(tagName(src[i+1:])) {
			return i
		}
	}
}

// findRoot skips to the first element of a feed and opens it.
func (r *repairer) findRoot() error {
	junk, page := false, false
	for {
		t, ok := r.lx.next()
		if !ok {
			if page {
				return invalid("the document is an HTML page, not a feed")
			}
			return invalid("the document has no feed in it")
		}
		switch t.kind {
		case tokText:
			junk = junk || len(bytes.TrimSpace(r.src[t.start:t.end])) > 0
		case tokPI:
			noteDeclaration(r.src, t, r.notes)
		case tokDoctype:
			r.hasEntities = true
			if bytes.Contains(r.src[t.start:t.end], []byte("<!ENTITY")) {
				r.notes.add(WarnDoctype, "the document type declares entities; they were not expanded")
			}
		case tokStart:
			if r.openRoot(t) {
				if junk || page {
					r.notes.mend(WarnLeadingJunk, "something that is no feed stands before the feed; it was left out")
				}
				return nil
			}
			junk = true
			page = page || local(t.name) == "html"
		}
	}
}

func (r *repairer) openRoot(t token) bool {
	t.closed = false
	switch {
	case isRootName(t.name):
		r.atom = local(t.name) == "feed"
		r.open(t, frameRoot)
	case isChannelName(t.name):
		r.supplyRoot("rss", ` version="2.0"`)
		r.open(t, frameChannel)
	case isItemName(t.name) && local(t.name) == "entry":
		r.supplyRoot("feed", ` xmlns="http://www.w3.org/2005/Atom"`)
		r.openItem(t)
	case isItemName(t.name):
		r.supplyChannel()
		r.openItem(t)
	case r.rootIsLost(t):
		// The start of the document is lost: its first fields are those of the
		// feed, in the format of its items.
		if bytes.Contains(r.src, []byte("</entry>")) {
			r.supplyRoot("feed", ` xmlns="http://www.w3.org/2005/Atom"`)
		} else {
			r.supplyChannel()
		}
		r.lx.pos = t.start
	default:
		return false
	}
	return true
}

// rootIsLost reports whether a first element is a field of a feed whose root
// and channel are missing.
func (r *repairer) rootIsLost(t token) bool {
	if local(t.name) != "title" && local(t.name) != "id" || r.lastItem < t.start {
		return false
	}
	for _, tag := range []string{"<rss", "<feed", "<rdf", "<RDF", ":RDF", "<channel", "<html", "<HTML"} {
		if bytes.Contains(r.src, []byte(tag)) {
			return false
		}
	}
	return true
}

func (r *repairer) supplyChannel() {
	r.supplyRoot("rss", ` version="2.0"`)
	r.out.WriteString("<channel>")
	r.stack = append(r.stack, openElement{[]byte("channel"), frameChannel})
}

func (r *repairer) supplyRoot(name, attrs string) {
	r.atom = name == "feed"
	r.out.WriteString("<" + name + attrs + ">")
	r.stack = append(r.stack, openElement{[]byte(name), frameRoot})
}

func (r *repairer) token(t token) error {
	if t.bad && t.kind != tokText {
		r.notes.mark(damageOf(t), t.start)
	}
	switch t.kind {
	case tokStart:
		return r.start(t)
	case tokEnd:
		r.end(t)
	case tokText:
		if r.top().kind == frameOther {
			r.writeText(t.start, t.end)
		} else if i := bytes.IndexByte(r.src[t.start:t.end], '<'); i >= 0 {
			r.notes.mark(WarnBareLess, t.start+i)
		}
	case tokCDATA:
		if r.top().kind == frameOther {
			r.writeCDATA(t.body)
		}
	case tokPI:
		noteDeclaration(r.src, t, r.notes)
	}
	return nil
}

// damageOf names the damage of a token that is not as XML wants it.
func damageOf(t token) WarningCode {
	switch {
	case t.kind == tokStart && validName(t.name) && !t.broken:
		return WarnAttribute
	case t.kind == tokStart || t.kind == tokEnd || t.kind == tokGarbage:
		return WarnTag
	}
	return WarnSection
}

func (r *repairer) top() openElement { return r.stack[len(r.stack)-1] }

func (r *repairer) start(t token) error {
	switch {
	case isItemName(t.name):
		if d := r.depthOf(frameItem); d < len(r.stack) {
			if t.closed && r.stack[d].kind == frameItem {
				return nil // an empty item inside of an item says nothing
			}
			if r.stack[d].kind == frameItem {
				r.notes.mark(WarnItemSplit, t.start)
			}
			r.closeTo(d)
		}
		r.openItem(t)
		return nil
	case isRootName(t.name):
		return nil
	case isChannelName(t.name) && !r.atom:
		if d := r.depthOf(frameChannel); d < len(r.stack) {
			r.closeTo(d + 1)
			clear(r.channelHas)
			return nil
		}
		r.closeTo(1)
		r.open(t, frameChannel)
		return nil
	}
	for r.top().kind == frameOther && !fitsIn(r.top().name, t.name, r.atom) {
		r.notes.mark(WarnUnclosed, t.start)
		r.closeTo(len(r.stack) - 1)
	}
	if r.respell(&t); isItemName(t.name) {
		return r.start(t)
	}
	if isVoid(t.name, t.body) {
		r.writeStart(t, "", true)
		return nil
	}
	if isLeaf(t.name, r.atom) && validName(t.name) {
		r.leaf(t)
		return nil
	}
	if !validName(t.name) {
		return nil
	}
	r.open(t, frameOther)
	if len(r.stack) > maxDepth {
		return invalid("the document is nested deeper than %d elements", maxDepth)
	}
	return nil
}

// depthOf returns the depth at which an element of the kind is open; for an
// item also the depth at which one may start; else the present depth.
func (r *repairer) depthOf(kind frameKind) int {
	for i, e := range r.stack {
		if e.kind == kind {
			return i
		}
	}
	if kind != frameItem {
		return len(r.stack)
	}
	for i := len(r.stack) - 1; i > 0; i-- {
		if k := r.stack[i].kind; k == frameChannel || k == frameRoot {
			return i + 1
		}
	}
	return 1
}

func (r *repairer) end(t token) {
	kind := frameOther
	switch {
	case isItemName(t.name):
		kind = frameItem
	case isChannelName(t.name), isRootName(t.name):
		if r.lastItem >= t.end {
			return // more items follow: the end came too early
		}
		kind = frameRoot
		if isChannelName(t.name) {
			kind = frameChannel
		}
	}
	for i := len(r.stack) - 1; i >= 0; i-- {
		e := r.stack[i]
		if kind != frameOther && e.kind == kind || kind == frameOther && bytes.EqualFold(e.name, t.name) {
			if i < len(r.stack)-1 {
				r.notes.mark(WarnUnclosed, t.start)
			}
			r.closeTo(i)
			return
		}
		if e.kind != frameOther && kind == frameOther {
			break // an end tag of a field closes no item
		}
	}
	r.notes.mark(WarnStray, t.start)
}

// openItem opens an item. A start tag within a start tag is one item.
func (r *repairer) openItem(t token) {
	r.items = append(r.items, t.start)
	r.itemHas = map[string]string{}
	r.open(t, frameItem)
}

// splitItem opens an item whose start tag is missing before a field at at.
func (r *repairer) splitItem(at int) {
	r.notes.mark(WarnItemSplit, at)
	r.closeTo(r.depthOf(frameItem))
	name := "item"
	if r.atom {
		name = "entry"
	}
	r.openItem(token{start: at, name: []byte(name)})
}

// closeTo closes the open elements down to a depth.
func (r *repairer) closeTo(depth int) {
	for len(r.stack) > depth {
		e := r.top()
		r.out.WriteString("</")
		r.out.Write(e.name)
		r.out.WriteByte('>')
		r.stack = r.stack[:len(r.stack)-1]
	}
}

func (r *repairer) trailing() {
	if len(bytes.TrimSpace(r.src[r.lx.pos:])) > 0 {
		r.notes.mend(WarnTrailingJunk, "something stands after the feed; it was left out")
	}
}

func (r *repairer) open(t token, kind frameKind) {
	name := t.name
	if !validName(name) {
		name = []byte(local(name))
	}
	t.name = name
	r.writeStart(t, "", t.closed)
	if !t.closed {
		r.stack = append(r.stack, openElement{name, kind})
	}
}
