package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"html"
	"slices"
	"strings"
	"testing"

	"github.com/mmcdole/gofeed"
)

// The rule by which the damage tests count.
//
// An item is LEFT in a damaged document when the damage changed and deleted
// nothing of its key, which is the element (in JSON the value) that gives it
// its id, or its link when it has no id. Only items that are left are counted.
//
// An item that is left is RECOVERED when the result has an item of its own with
// the same id and link and title, each as far as the damage did not strike the
// very element that gives it. Where the title itself was struck, the item must
// still have the same id and link.
//
// The text of a recovered item that no damage lies in must be what it was.
//
// A link that is published as a relative one depends on what stands before the
// items (xml:base, the link of the site): it is compared unless that was struck.
//
// The places of the elements are found by encoding/xml and encoding/json in the
// sound document, not by the code that is tested.

// extent is a part [from, to) of a document.
type extent struct{ from, to int }

func (s extent) len() int { return s.to - s.from }

// child is a direct child element of an item, or a member of it in JSON.
type child struct {
	name        string // local, lower case
	whole, text extent // with its tags (or name), and what is inside
}

// subject is a sound document that gets damaged.
type subject struct {
	name  string
	doc   []byte // UTF-8 without byte order mark
	json  bool
	items []subjectItem
	// root and channel are the start tags; end is where the list of items ends.
	root, channel extent
	base          string
	gofeed        []*gofeed.Item // what gofeed alone reads; nil when that is something else
}

type subjectItem struct {
	id, url, title, text string
	whole                extent
	children             []child
	key, link, tit       extent // the elements that give id, link and title
}

func (it *subjectItem) find(names ...string) *child {
	for _, name := range names {
		for i := range it.children {
			if it.children[i].name == name && it.children[i].text.len() > 0 {
				return &it.children[i]
			}
		}
	}
	return nil
}

// newSubject takes a document for a subject; false when it is not sound, or not
// all of its items can be told apart.
func newSubject(t testing.TB, name string, body []byte) (*subject, bool) {
	t.Helper()
	opts := testOptions()
	text, err := decode(body, "", opts.Limits.withDefaults().MaxBytes, &notes{})
	if err != nil {
		return nil, false
	}
	s := &subject{name: name, doc: bytes.TrimSpace(text), base: opts.BaseURL}
	if len(s.doc) == 0 || bytes.IndexByte(s.doc, 0) >= 0 {
		return nil, false
	}
	if s.json = s.doc[0] == '{'; s.json {
		if !json.Valid(s.doc) || !s.readJSON() {
			return nil, false
		}
	} else {
		s.declareUTF8()
		if !s.readXML() {
			return nil, false
		}
	}
	sound, err := Parse(context.Background(), s.doc, opts)
	if err != nil || len(sound.Items) != len(s.items) || sound.Skipped > 0 || wasRepaired(sound) || len(s.items) == 0 {
		return nil, false
	}
	keys := map[string]bool{}
	for i := range s.items {
		if it := &sound.Items[i]; !s.takeItem(&s.items[i], it.GUID, it.URL, it.Title) {
			return nil, false
		}
		s.items[i].text = sound.Items[i].ContentText
		if k := s.items[i].id + "\x00" + s.items[i].url; keys[k] {
			return nil, false
		} else {
			keys[k] = true
		}
	}
	if f, err := gofeed.NewParser().Parse(bytes.NewReader(s.doc)); err == nil && len(f.Items) == len(s.items) {
		s.gofeed = f.Items
	}
	return s, true
}

// wasRepaired reports whether a document was so damaged that it was written
// anew.
func wasRepaired(doc *Document) bool {
	return slices.ContainsFunc(doc.Stages, func(s Stage) bool { return s.Name == StageRepair })
}

// declareUTF8 makes the XML declaration tell the truth.
func (s *subject) declareUTF8() {
	if bytes.HasPrefix(s.doc, []byte("<?xml")) {
		if end := bytes.Index(s.doc, []byte("?>")); end > 0 {
			s.doc = bytes.TrimSpace(s.doc[end+2:])
		}
	}
	s.doc = append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"), s.doc...)
}

// readXML finds the items and their elements.
func (s *subject) readXML() bool {
	d := xml.NewDecoder(bytes.NewReader(s.doc))
	d.Strict = false
	var stack []string
	depth := 0 // of the open item
	var open *child
	for {
		from := int(d.InputOffset())
		tok, err := d.RawToken()
		if err != nil {
			return len(stack) == 0 && s.root.to > 0
		}
		to := int(d.InputOffset())
		switch tok := tok.(type) {
		case xml.StartElement:
			name := strings.ToLower(tok.Name.Local)
			stack = append(stack, name)
			switch {
			case len(stack) == 1:
				s.root = extent{from, to}
			case depth == 0 && name == "channel" && len(stack) == 2:
				s.channel = extent{from, to}
			case depth == 0 && (name == "item" || name == "entry") && len(stack) <= 3:
				depth = len(stack)
				s.items = append(s.items, subjectItem{whole: extent{from, to}})
			case depth > 0 && len(stack) == depth+1:
				it := &s.items[len(s.items)-1]
				it.children = append(it.children, child{name, extent{from, to}, extent{to, to}})
				open = &it.children[len(it.children)-1]
			}
		case xml.EndElement:
			if len(stack) == 0 {
				return false
			}
			if depth > 0 && len(stack) == depth {
				s.items[len(s.items)-1].whole.to = to
				depth = 0
			}
			if depth > 0 && len(stack) == depth+1 && open != nil {
				open.whole.to, open.text.to = to, max(from, open.text.from)
			}
			stack = stack[:len(stack)-1]
		}
	}
}

// readJSON finds the items and their members.
func (s *subject) readJSON() bool {
	d := json.NewDecoder(bytes.NewReader(s.doc))
	if _, err := d.Token(); err != nil {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		if key != "items" {
			var skip json.RawMessage
			if d.Decode(&skip) != nil {
				return false
			}
			continue
		}
		if open, err := d.Token(); err != nil || open != json.Delim('[') {
			return false
		}
		for d.More() {
			var one json.RawMessage
			if d.Decode(&one) != nil {
				return false
			}
			to := int(d.InputOffset())
			it := subjectItem{whole: extent{to - len(one), to}}
			if !it.members(one) {
				return false
			}
			s.items = append(s.items, it)
		}
		if _, err := d.Token(); err != nil {
			return false
		}
	}
	return len(s.items) > 0
}

func (it *subjectItem) members(one []byte) bool {
	d := json.NewDecoder(bytes.NewReader(one))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		name := key.(string)
		end := int(d.InputOffset())
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
		to := int(d.InputOffset())
		at := it.whole.from
		it.children = append(it.children, child{name, extent{at + end - len(name) - 2, at + to}, extent{at + to - len(value), at + to}})
	}
	return true
}

// takeItem notes what an item gives, and which elements give it.
func (s *subject) takeItem(it *subjectItem, id, url, title string) bool {
	it.id, it.url, it.title = id, url, title
	it.key, it.link, it.tit = it.whole, it.whole, it.whole
	if c := it.find("title"); c != nil {
		it.tit = c.whole
	}
	// A link that FeedBurner replaced stands behind the others and counts most.
	for _, c := range slices.Backward(it.children) {
		if c.name == "link" || c.name == "url" || c.name == "guid" || c.name == "id" || c.name == "origlink" {
			if url != "" && strings.Contains(s.plain(c.whole), url) {
				it.link = c.whole
				if c.name == "origlink" {
					break
				}
			}
		}
	}
	switch {
	case id == "" && url == "":
		return false
	case id == "":
		it.key = it.link
	default:
		for _, c := range it.children {
			if (c.name == "guid" || c.name == "id") && strings.Contains(s.plain(c.whole), id) {
				it.key = c.whole
				break
			}
		}
		if it.key == it.whole && len(it.children) > 0 {
			it.key = extent{it.whole.from, it.children[0].whole.from} // rdf:about
		}
	}
	return true
}

func (s *subject) plain(at extent) string {
	text := string(s.doc[at.from:at.to])
	if s.json {
		return strings.ReplaceAll(text, `\/`, "/")
	}
	return html.UnescapeString(text)
}

// change replaces del bytes at at by ins.
type change struct {
	at, del int
	ins     string
}

func (c change) strikes(s extent) bool {
	if c.del == 0 {
		return c.at > s.from && c.at < s.to
	}
	return c.at < s.to && c.at+c.del > s.from
}

func strikes(list []change, s extent) bool {
	for _, c := range list {
		if c.strikes(s) {
			return true
		}
	}
	return false
}

// applyChanges returns the document with the changes, which are in order and
// do not overlap.
func applyChanges(doc []byte, list []change) []byte {
	var out []byte
	pos := 0
	for _, c := range list {
		out = append(append(out, doc[pos:c.at]...), c.ins...)
		pos = c.at + c.del
	}
	return append(out, doc[pos:]...)
}

// score counts the items that are left and those that are recovered. has
// returns the ids, links and titles that a parser gives, original those of the
// sound document.
type readItem struct{ id, url, title, text string }

func (s *subject) score(list []change, original, have []readItem) (c counts) {
	byKey := map[string][]int{}
	key := func(r readItem) string {
		if r.id != "" {
			return "i" + r.id
		}
		return "u" + r.url
	}
	for i, r := range have {
		byKey[key(r)] = append(byKey[key(r)], i)
	}
	headStruck := strikes(list, extent{0, s.items[0].whole.from})
	for i := range s.items {
		it := &s.items[i]
		if strikes(list, it.key) {
			continue
		}
		linkStruck := strikes(list, it.link) || headStruck && it.link == it.whole
		c.left++
		want := original[i]
		found := byKey[key(want)]
		for n, at := range found {
			got := have[at]
			if got.url != want.url && !linkStruck || got.title != want.title && !strikes(list, it.tit) {
				continue
			}
			byKey[key(want)] = append(found[:n:n], found[n+1:]...)
			c.recovered++
			if !strikes(list, it.whole) {
				c.untouched++
				if got.text == want.text {
					c.same++
				}
			}
			break
		}
	}
	return c
}

// counts are items of documents: those that are left, those of them that are
// recovered, those of these that no damage lies in, and those of these whose
// text is what it was.
type counts struct{ left, recovered, untouched, same int }

func (c *counts) add(d counts) {
	c.left += d.left
	c.recovered += d.recovered
	c.untouched += d.untouched
	c.same += d.same
}

func (s *subject) original() []readItem {
	var out []readItem
	for _, it := range s.items {
		out = append(out, readItem{it.id, it.url, it.title, it.text})
	}
	return out
}

func readItems(doc *Document) []readItem {
	var out []readItem
	for i := range doc.Items {
		out = append(out, readItem{doc.Items[i].GUID, doc.Items[i].URL, doc.Items[i].Title, doc.Items[i].ContentText})
	}
	return out
}

func gofeedItems(list []*gofeed.Item) []readItem {
	var out []readItem
	for _, it := range list {
		out = append(out, readItem{it.GUID, it.Link, it.Title, ""})
	}
	return out
}
