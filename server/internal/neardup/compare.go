package neardup

// Verdict is what Compare finds.
type Verdict struct {
	Same bool
	// Score is the part of the shorter text, 0 to 1, that the other one has too,
	// in the same order.
	Score float64
}

// The rules of a verdict, chosen by TestMeasure. Lengths are in units.
const (
	minCommon = MinWords * unitsPerWord

	// minScore is the least part of the shorter text that the other one has.
	minScore = 0.7

	// maxEdited and maxRewritten bound what may differ, as parts of what is
	// common.
	maxEdited    = 0.15
	maxRewritten = 0.40

	// alikeTitles is the part of the shorter title that the other one has, from
	// which both may name the same thing. Below it, a common text of less than
	// aloneCommon says nothing about what differs, and a longer one may differ in
	// unlikeRewritten of its length only.
	alikeTitles     = 0.5
	aloneCommon     = 150 * unitsPerWord
	unlikeRewritten = 0.15

	// teaserRatio is the ratio of the lengths below which the shorter one is a
	// teaser. Without alike titles it must be teaserCommon long: many articles of
	// a series begin with the same words.
	teaserRatio  = 0.6
	teaserCommon = 80 * unitsPerWord

	// edgeCommon is the length of a text whose first and last line may differ in
	// names and numbers: agencies, authors, places and times stand there.
	edgeCommon = 100 * unitsPerWord
)

// Compare tells whether two texts are the same article. It errs on the side of
// no: a pair that is not found is shown twice, but an article that is folded
// under another one is not seen.
func Compare(a, b Text) Verdict {
	e := weigh(a, b)
	return Verdict{Same: e.same(), Score: e.score()}
}

// evidence is what a verdict is made from.
type evidence struct {
	shorter, longer int
	common          int // in the same order
	body, title     differences
	titles          float64 // part of the shorter title that the other one has
	slots           int     // words that stand for each other in the titles, and in the texts too
}

func weigh(a, b Text) evidence {
	e := evidence{shorter: min(a.units, b.units), longer: max(a.units, b.units)}
	titles := align(a.title, b.title)
	if n := min(unitsOf(a.title), unitsOf(b.title)); n > 0 {
		e.titles = float64(commonUnits(a.title, titles)) / float64(n)
	}
	e.title = differ(a.title, b.title, titles, 0)
	gaps := align(a.body, b.body)
	e.common = commonUnits(a.body, gaps)
	e.body = differ(a.body, b.body, gaps, maxEdge)
	for _, g := range gaps {
		if e.titles > 0 && g.isSlot() && named(a.title, titles, a.body[g.a0:g.a1], gap.left) && named(b.title, titles, b.body[g.b0:g.b1], gap.right) {
			e.slots++
		}
	}
	return e
}

func (e evidence) score() float64 {
	if e.shorter == 0 {
		return 0
	}
	return float64(e.common) / float64(e.shorter)
}

func (e evidence) same() bool {
	d, common := e.body, float64(e.common)
	alike := e.titles >= alikeTitles
	switch {
	case e.common < minCommon || e.score() < minScore:
		return false
	case float64(d.edited) > maxEdited*common || float64(d.rewritten) > maxRewritten*common:
		return false
	case e.slots > 0:
		return false // one template: what the title names is another thing
	case (e.title.numbers > 0 || alike && e.title.names > 0) && (d.changed() || e.common < edgeCommon):
		return false
	case !alike && e.common < aloneCommon && d.changed():
		return false
	case !alike && float64(d.rewritten) > unlikeRewritten*common:
		return false
	case !alike && float64(e.shorter) < teaserRatio*float64(e.longer) && e.common < teaserCommon:
		return false
	}
	if d.edges > 0 && (!alike || e.common < edgeCommon) {
		return false
	}
	// A corrected number is not told from another announcement by the same sender.
	return d.numbers+d.names == 0
}
