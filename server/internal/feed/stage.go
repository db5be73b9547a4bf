package feed

import "slices"

// StageName names a step on the way from the bytes of a document to its items.
type StageName string

// The stages, in their order. A document passes decode, scan and parse; repair
// only when the scan found damage, and salvage only when the parser refused the
// document as a whole.
const (
	StageDecode    StageName = "decode"    // bytes of any charset to valid UTF-8 without forbidden characters
	StageScan      StageName = "scan"      // one pass over the tags or the JSON: sound or damaged, safe or built to exhaust a reader
	StageRepair    StageName = "repair"    // a damaged document is written anew as a sound one
	StageParse     StageName = "parse"     // the elements of the format are read
	StageSalvage   StageName = "salvage"   // item by item, because the parser refused the whole
	StageNormalise StageName = "normalise" // fields, links, dates, identity
)

// Stage tells what one stage met and did. A stage that a document did not need
// is not in the list of its stages. Shown as a list, one line a stage, it
// answers whether and how a document was repaired:
//
//	decode     mended    charset: 3 bytes are not UTF-8, the first in line 12; ...
//	scan       damaged   malformed: ...
//	repair     mended    unclosed: 1 element has no end tag, the first in line 40; ...
//	parse      as it is
//	normalise  as it is
type Stage struct {
	Name     StageName
	Mended   bool      // the stage changed what was published, so that it could be read
	Warnings []Warning // what it met, in the order of the document's Warnings
}

// enter begins a stage: what is noted from here on belongs to it. Entering a
// stage again continues it.
func (n *notes) enter(name StageName) {
	i := slices.IndexFunc(n.stages, func(s Stage) bool { return s.Name == name })
	if i < 0 {
		i = len(n.stages)
		n.stages = append(n.stages, Stage{Name: name})
	}
	n.current = i
}

// stage returns the current stage; nil before the first.
func (n *notes) stage() *Stage {
	if n.current >= len(n.stages) {
		return nil
	}
	return &n.stages[n.current]
}
