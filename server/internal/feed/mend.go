package feed

import (
	"bytes"
	"fmt"
)

// What the stages mend is counted by kind: a warning says how often and where
// first, and each item knows what was mended inside of it.

// place is where something was mended, in the decoded document.
type place struct {
	at   int
	code WarningCode
}

// maxPlaces bounds what is remembered of a document in which everything is
// broken; what is beyond is only counted.
const maxPlaces = 20_000

// mendMessages say what was mended, by code.
var mendMessages = map[WarningCode]string{
	WarnControlChars: "characters that no feed may hold were removed",
	WarnBadBytes:     "bytes that are not in the document's charset were read as windows-1252",
	WarnBareLess:     "a '<' that starts no tag was read as text",
	WarnReference:    "a reference to a character that does not exist, or an '&' that starts no reference, was mended",
	WarnSection:      "a CDATA section, comment or instruction that is not ended or not allowed was mended",
	WarnTag:          "a tag that is not well formed was mended or left out",
	WarnAttribute:    "attributes without quotes, without a value or given twice were mended",
	WarnUnclosed:     "an element without an end tag was closed",
	WarnPrefix:       "a prefix that no namespace is declared for was taken as it is",
	WarnStray:        "an end tag without a start tag was left out",
	WarnItemSplit:    "an item without a start or end tag was told from its neighbour",
	WarnJSONSyntax:   "commas, colons, brackets or comments that JSON does not allow were mended",
	WarnJSONString:   "texts, keys or numbers that are not as JSON writes them were mended",
}

// noteDeclaration tells of an XML declaration that is not one of XML 1.0 at the
// start of the document.
func noteDeclaration(src []byte, t token, n *notes) {
	pi := src[t.start:t.end]
	if !hasPrefixFold(pi, "<?xml") || len(pi) < 6 || isNameByte(pi[5]) && !bytes.HasPrefix(pi[5:], []byte("version")) {
		return
	}
	switch version, _ := findAttr(pi[5:], "version"); {
	case n.muted:
	case len(bytes.TrimSpace(src[:t.start])) > 0:
		n.mend(WarnDeclaration, "an XML declaration stands where none belongs; it was left out")
	case t.start > 0:
		n.mend(WarnDeclaration, "white space stands before the XML declaration")
	case version != "1.0" && version != "":
		n.mend(WarnDeclaration, "the document is declared as XML %s; it was read as XML 1.0", clip(version, 10))
	case !isSpace(pi[5]) || t.bad || version == "":
		n.mend(WarnDeclaration, "the XML declaration is not well formed; it was left out")
	}
}

// mark notes that something was mended at a place of the decoded document.
func (n *notes) mark(code WarningCode, at int) {
	if n.muted {
		return
	}
	if n.counts == nil {
		n.counts = map[WarningCode]int{}
	}
	if n.counts[code]++; len(n.places) < maxPlaces {
		n.places = append(n.places, place{at, code})
	}
}

// unmark forgets the places that were marked behind the first ones.
func (n *notes) unmark(first int) {
	n.places = n.places[:first]
	clear(n.counts)
}

// reportMends turns what was marked since the last report into a warning for
// each kind, in the order in which they were met. text is what the places are
// in.
func (n *notes) reportMends(text []byte) {
	reported := map[WarningCode]bool{}
	for _, p := range n.places[n.reported:] {
		if reported[p.code] {
			continue
		}
		reported[p.code] = true
		line := 1 + bytes.Count(text[:min(p.at, len(text))], []byte("\n"))
		times := "once"
		if c := n.counts[p.code]; c > 1 {
			times = fmt.Sprintf("%d times, first", c)
		}
		n.mend(p.code, "%s (%s in line %d)", mendMessages[p.code], times, line)
	}
	n.reported = len(n.places)
	clear(n.counts)
}

// mendedIn returns a warning for each kind of damage that was mended in
// text[from:to].
func (n *notes) mendedIn(from, to int) []Warning {
	var out []Warning
	for _, p := range n.places {
		if p.at < from || p.at >= to || hasCode(out, p.code) {
			continue
		}
		out = append(out, Warning{p.code, mendMessages[p.code]})
	}
	return out
}

func hasCode(list []Warning, code WarningCode) bool {
	for _, w := range list {
		if w.Code == code {
			return true
		}
	}
	return false
}
