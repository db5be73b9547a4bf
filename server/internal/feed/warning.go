package feed

import "fmt"

// WarningCode is a stable name of something that is wrong with a document or
// an item and did not keep it from being read.
type WarningCode string

// Warnings about a document.
const (
	WarnCharset       WarningCode = "charset"        // the declared charset is unknown, or does not fit the bytes
	WarnBadBytes      WarningCode = "bad_bytes"      // bytes that are not in the document's charset
	WarnDoubleEncoded WarningCode = "double_encoded" // the text looks as if it was encoded as UTF-8 twice; left as it is
	WarnControlChars  WarningCode = "control_chars"  // characters that no feed may hold were removed
	WarnCompressed    WarningCode = "compressed"     // the document itself is a gzip file
	WarnLeadingJunk   WarningCode = "leading_junk"   // something stood before the feed
	WarnTrailingJunk  WarningCode = "trailing_junk"  // something stood after the feed
	WarnDoctype       WarningCode = "entities"       // entities are declared; they were not expanded
	WarnMalformed     WarningCode = "malformed"      // not well formed; mended
	WarnTruncated     WarningCode = "truncated"      // the document ends before its end
	WarnTooManyItems  WarningCode = "too_many_items" // only the first items were read
	WarnTooManyTags   WarningCode = "too_many_tags"  // only the first part was read
	WarnItemSkipped   WarningCode = "item_skipped"   // an item could not be read
	WarnItemEmpty     WarningCode = "item_empty"     // an item without title, content, link and id was left out
	WarnItemRepeated  WarningCode = "item_repeated"  // the same item stands twice in the document
	WarnGUIDRepeated  WarningCode = "guid_repeated"  // several items have one id, which therefore identifies none
	WarnNoItems       WarningCode = "no_items"       // the feed is empty
	WarnFieldType     WarningCode = "field_type"     // a JSON field has another type than the format says
	WarnUnknownFormat WarningCode = "version"        // a version that the format does not know
)

// Warnings about what a stage mended in a document that is not well formed; an
// item has those of its own part.
const (
	WarnDeclaration WarningCode = "declaration"   // the XML declaration stands twice, in a wrong place, or is XML 1.1
	WarnBareLess    WarningCode = "bare_less"     // a '<' in a text that starts no tag
	WarnReference   WarningCode = "reference"     // an '&' that starts no reference, or one to what does not exist
	WarnNamespace   WarningCode = "namespace"     // the root has the namespace of another format, or none that is known
	WarnPrefix      WarningCode = "prefix"        // a prefix of a name that is not declared
	WarnSection     WarningCode = "section"       // a CDATA section, comment or instruction is not ended or not allowed
	WarnTag         WarningCode = "tag"           // a tag is not well formed
	WarnAttribute   WarningCode = "attribute"     // an attribute is not well formed, or stands twice
	WarnUnclosed    WarningCode = "unclosed"      // an element has no end tag
	WarnStray       WarningCode = "stray_end"     // an end tag has no start tag
	WarnItemSplit   WarningCode = "item_boundary" // the start or the end of an item was missing
	WarnJSONSyntax  WarningCode = "json_syntax"   // commas, colons, brackets or comments that JSON does not allow
	WarnJSONString  WarningCode = "json_value"    // texts, keys or numbers that are not as JSON writes them
)

// Warnings about an item. An item may also have WarnGUIDRepeated, and
// WarnTruncated when the document ended inside of it: then it is not whole.
const (
	WarnDateMissing WarningCode = "date_missing" // no date was published
	WarnDateInvalid WarningCode = "date_invalid" // a date was published that cannot be read
	WarnDateFuture  WarningCode = "date_future"  // a date was published that lies in the future
	WarnLinkMissing WarningCode = "link_missing" // no usable link was published
	WarnFieldCut    WarningCode = "field_cut"    // a field was longer than its limit
)

// Warning tells what was wrong and was mended, left out or worked around.
type Warning struct {
	Code    WarningCode
	Message string
}

// notes collects the warnings about a document, each code once per message.
type notes struct {
	list     []Warning
	repaired bool
	cutItem  bool // the document ended inside of its last item
	stages   []Stage
	current  int // stage that is being passed

	muted    bool    // places of a text that is not the decoded document are not marked
	places   []place // what was mended where
	reported int     // how many of them are in list
	counts   map[WarningCode]int
}

const maxWarnings = 50

func (n *notes) add(code WarningCode, format string, args ...any) {
	w := Warning{Code: code, Message: fmt.Sprintf(format, args...)}
	for _, have := range n.list {
		if have == w {
			return
		}
	}
	if len(n.list) >= maxWarnings {
		return
	}
	n.list = append(n.list, w)
	if s := n.stage(); s != nil {
		s.Warnings = append(s.Warnings, w)
	}
}

// mend adds a warning about damage that was repaired.
func (n *notes) mend(code WarningCode, format string, args ...any) {
	n.setMended()
	n.add(code, format, args...)
}

// setMended notes that the stage mended something.
func (n *notes) setMended() {
	n.repaired = true
	if s := n.stage(); s != nil {
		s.Mended = true
	}
}
