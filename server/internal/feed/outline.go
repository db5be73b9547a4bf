package feed

// itemFacts is what an item says that the parser loses: it rewrites atom:id as
// if it were a URL, and drops rdf:about, the types of titles and summaries, and
// xml:base and xml:lang.
type itemFacts struct {
	id          string // of the first id element
	about       string // rdf:about
	base        string // xml:base in scope of the item
	contentBase string // xml:base of its content element
	lang        string // xml:lang
	titleType   string
	summaryType string
	body        string // source of an XHTML body element
	start, end  int    // in the source, with its tags
	mended      []Warning
	from, to    int // in the decoded document, when it was repaired
}

// edit replaces src[at:at+del].
type edit struct {
	at, del int
	ins     string
}

// outline is what one pass over the tags of a document tells about it.
type outline struct {
	src       []byte
	root      []byte // name of the root element
	rootStart int
	rootOpen  int    // where its start tag ends
	base      string // xml:base in scope of the feed's own fields
	lang      string // xml:lang of the root or the channel
	items     []itemFacts
	skipped   int // items beyond the limit
	edits     []edit
	sound     bool // well formed, one root, nothing around it
	cutAt     int  // where reading stopped because of maxElements; 0 when it did not
	stoppedAt int  // where reading stopped when the document is not sound
}

// takeSources notes where in the damaged document the items start whose order
// is that of the repaired one.
func (o *outline) takeSources(starts []int, size int) {
	for i := range o.items {
		o.items[i].from, o.items[i].to = starts[i], size
		if i+1 < len(starts) {
			o.items[i].to = starts[i+1]
		}
	}
}

// noteMended gives each item what was mended inside of it.
func (o *outline) noteMended(n *notes) {
	if len(n.places) == 0 {
		return
	}
	for i := range o.items {
		it := &o.items[i]
		if it.to == 0 {
			it.from, it.to = it.start, it.end
		}
		it.mended = n.mendedIn(it.from, it.to)
	}
}

func (s *scanner) edit(at, del int, ins string) {
	if s.skipping > 0 {
		return
	}
	s.edits = append(s.edits, edit{at: at, del: del, ins: ins})
}
