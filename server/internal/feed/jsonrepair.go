package feed

import "bytes"

// jsonRepairer writes a damaged JSON document anew as a valid one. Commas and
// colons are supplied where they are missing and left out where they do not
// belong; brackets are closed by what follows them; texts are closed by what
// looks like the next member.
type jsonRepairer struct {
	src   []byte
	pos   int
	out   bytes.Buffer
	notes *notes
	stack []jsonOpen
}

// jsonOpen is an object or array that is open.
type jsonOpen struct {
	closer byte // '}' or ']'
	filled bool // has a member or element
	items  bool // is the list of items
	item   bool // is an item
	key    string
}

// repairJSON returns text from its object on as valid JSON.
func repairJSON(text []byte, from int, n *notes) ([]byte, error) {
	r := &jsonRepairer{src: text, pos: from, notes: n}
	r.out.Grow(len(text) - from + 64)
	for {
		r.blank()
		if r.pos >= len(r.src) {
			break
		}
		if err := r.step(); err != nil {
			return nil, err
		}
		if len(r.stack) == 0 {
			r.trailing()
			break
		}
	}
	if len(r.stack) > 0 {
		for _, open := range r.stack {
			n.cutItem = n.cutItem || open.item
		}
		n.mend(WarnTruncated, "the document ends before its end; what was complete was read")
		r.closeTo(0)
	}
	n.reportMends(text)
	n.setMended()
	return r.out.Bytes(), nil
}

func (r *jsonRepairer) blank() {
	at, comment := skipBlank(r.src, r.pos)
	if comment {
		r.notes.mark(WarnJSONSyntax, r.pos)
	}
	r.pos = at
}

func (r *jsonRepairer) trailing() {
	if rest := bytes.Trim(r.src[r.pos:], " \t\r\n;)]"); len(rest) > 0 {
		r.notes.mend(WarnTrailingJunk, "something stands after the feed; it was left out")
	}
}

func (r *jsonRepairer) top() *jsonOpen {
	if len(r.stack) == 0 {
		return &jsonOpen{}
	}
	return &r.stack[len(r.stack)-1]
}

// step reads one bracket, member or element.
func (r *jsonRepairer) step() error {
	switch c := r.src[r.pos]; c {
	case ',', ':', ';':
		r.pos++
		return r.comma(c)
	case '}', ']':
		r.close(c)
		return nil
	case '{', '[':
		if r.top().closer == '}' {
			r.closeLostItem(c)
		}
		return r.open(c, "")
	}
	if r.top().closer == '}' {
		return r.member()
	}
	if keyAt(r.src, r.pos) > 0 && r.top().items {
		r.notes.mark(WarnItemSplit, r.pos)
		r.push('{', "")
		return r.member()
	}
	r.element("")
	return nil
}

// comma reads a separator; one that is doubled, or behind the last element, is
// marked.
func (r *jsonRepairer) comma(c byte) error {
	at, _ := skipBlank(r.src, r.pos)
	if c != ',' || !r.top().filled || at < len(r.src) && bytes.IndexByte([]byte(",}]"), r.src[at]) >= 0 {
		r.notes.mark(WarnJSONSyntax, r.pos-1)
	}
	return nil
}

// separate writes the comma before a further member or element.
func (r *jsonRepairer) separate() {
	if t := r.top(); t.filled {
		r.out.WriteByte(',')
	} else {
		t.filled = true
	}
}

func (r *jsonRepairer) open(c byte, key string) error {
	r.pos++
	if len(r.stack) >= maxDepth {
		return tooDeep()
	}
	r.push(c, key)
	return nil
}

func (r *jsonRepairer) push(c byte, key string) {
	if len(r.stack) > 0 && r.top().closer == ']' {
		r.separate()
	}
	o := jsonOpen{closer: ']', key: key, items: len(r.stack) == 1 && key == "items"}
	if c == '{' {
		o = jsonOpen{closer: '}', key: key, item: r.top().items}
	}
	r.out.WriteByte(c)
	r.stack = append(r.stack, o)
}

// closeLostItem is called where an object cannot go on: at a bracket in place
// of a key. When a list of items is open, the item before has lost its end;
// when that was closed too early, it is opened again.
func (r *jsonRepairer) closeLostItem(c byte) {
	r.notes.mark(WarnItemSplit, r.pos)
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i].items && c == '{' {
			r.closeTo(i + 1)
			return
		}
	}
	// A member without a name, which nothing reads.
	r.separate()
	key := ""
	if len(r.stack) == 1 && c == '{' {
		key = "items" // its list was closed before its end
		r.out.WriteString(`"items":`)
		r.push('[', key)
		return
	}
	r.out.WriteString(`"":`)
}

// close reads a closing bracket. One that does not fit the innermost container
// is left out when what follows goes on inside of that, and closes it when what
// follows goes on in its parent; else it closes the next one that it fits.
func (r *jsonRepairer) close(c byte) {
	at := r.pos
	r.pos++
	top := len(r.stack) - 1
	if r.stack[top].closer == c && !(top == 0 && r.moreItems()) {
		r.closeTo(top)
		return
	}
	r.notes.mark(WarnJSONSyntax, at)
	switch {
	case top == 0 || r.fits(top):
		return
	case r.fits(top - 1):
		r.closeTo(top)
		return
	}
	for i := top; i >= 0; i-- {
		if r.stack[i].closer == c {
			r.closeTo(i)
			return
		}
	}
}

// moreItems reports whether another item follows the end of the document's
// object, which then came too early.
func (r *jsonRepairer) moreItems() bool {
	i, _ := skipBlank(r.src, r.pos)
	if i >= len(r.src) || r.src[i] != ',' {
		return false
	}
	i, _ = skipBlank(r.src, i+1)
	return i < len(r.src) && (r.src[i] == '{' || keyAt(r.src, i) > 0)
}

// fits reports whether what follows goes on inside of an open container, or
// ends it.
func (r *jsonRepairer) fits(depth int) bool {
	in := r.stack[depth]
	i, _ := skipBlank(r.src, r.pos)
	if i >= len(r.src) {
		return false
	}
	if r.src[i] == in.closer {
		return true
	}
	if r.src[i] != ',' {
		return false
	}
	i, _ = skipBlank(r.src, i+1)
	switch {
	case i >= len(r.src):
		return false
	case in.closer == '}':
		return keyAt(r.src, i) > 0
	case in.items:
		return r.src[i] == '{'
	}
	return keyAt(r.src, i) == 0
}

func (r *jsonRepairer) closeTo(depth int) {
	for len(r.stack) > depth {
		r.out.WriteByte(r.top().closer)
		r.stack = r.stack[:len(r.stack)-1]
	}
}

// member reads a key and its value.
func (r *jsonRepairer) member() error {
	at := r.pos
	key, ok := r.key()
	if !ok {
		r.notes.mark(WarnJSONString, at)
		return nil
	}
	if r.top().item && key == "id" && r.hasID() {
		r.closeTo(len(r.stack) - 1)
		r.notes.mark(WarnItemSplit, at)
		r.push('{', "")
	}
	r.blank()
	if r.pos < len(r.src) && r.src[r.pos] == ':' {
		r.pos++
	} else {
		r.notes.mark(WarnJSONSyntax, r.pos)
	}
	r.blank()
	if r.pos >= len(r.src) {
		return nil // the value is lost
	}
	if c := r.src[r.pos]; c == ',' || c == '}' || c == ']' {
		r.notes.mark(WarnJSONSyntax, r.pos)
		return nil
	}
	mark := r.out.Len()
	filled := r.top().filled
	r.separate()
	r.writeText([]byte(key))
	r.out.WriteByte(':')
	switch c := r.src[r.pos]; c {
	case '{', '[':
		return r.open(c, key)
	}
	if whole := r.element(key); !whole {
		// A value that the document ends in would be a wrong one.
		r.out.Truncate(mark)
		r.top().filled = filled
		return nil
	}
	if t := r.top(); t.item && key == "id" {
		t.key = "id"
	}
	return nil
}

// hasID reports whether the open item has said its id: a further one is that of
// the next item, whose start is lost.
func (r *jsonRepairer) hasID() bool { return r.top().key == "id" }

// key reads the key of a member. Without one it moves on by a token.
func (r *jsonRepairer) key() (string, bool) {
	size, quote := quoteAt(r.src, r.pos)
	if size == 0 {
		from := r.pos
		for r.pos < len(r.src) && isKeyByte(r.src[r.pos]) {
			r.pos++
		}
		if r.pos == from {
			r.pos++
			return "", false
		}
		r.notes.mark(WarnJSONString, from)
		return string(r.src[from:r.pos]), true
	}
	if quote != `"` {
		r.notes.mark(WarnJSONString, r.pos)
	}
	from := r.pos + size
	for i := from; i < len(r.src) && i < from+maxLookAhead && r.src[i] != '\n'; i++ {
		if bytes.HasPrefix(r.src[i:], []byte(quote)) {
			if keyAt(r.src, i) > 0 {
				r.pos = i // the quote of the next key: this one has lost its rest
				return "", false
			}
			r.pos = i + len(quote)
			return string(r.src[from:i]), true
		}
		// A key that has lost its closing quote ends at its colon.
		if r.src[i] == ':' && i > from && quote == `"` && i+1 < len(r.src) && bytes.IndexByte([]byte(` "[{`), r.src[i+1]) >= 0 {
			r.notes.mark(WarnJSONString, i)
			r.pos = i
			return string(r.src[from:i]), true
		}
	}
	r.pos = from
	return "", false
}
