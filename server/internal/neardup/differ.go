package neardup

// differences are what two texts do not have in common, by what it means.
type differences struct {
	numbers   int // places where both have a number, and not the same
	names     int // places where both have a name, and not the same
	edges     int // such places at the start or the end of both
	edited    int // units of other words that stand for each other
	rewritten int // units of longer parts that stand for each other
}

// changed reports whether anything stands for anything else; what only one of
// the texts has does not count.
func (d differences) changed() bool {
	return d.numbers+d.names+d.edges+d.edited+d.rewritten > 0
}

const (
	// maxSlot is the longest part, in tokens, that counts as a word or a name
	// that stands for another one; what is longer was written anew.
	maxSlot = 8

	// islandTokens is how many equal tokens between two gaps belong to them: a
	// name may share a word with the name in its place.
	islandTokens = 2

	// maxEdge is the longest line, in tokens, that a site or an agency puts before
	// or after an article.
	maxEdge = 25
)

func (g gap) left() (from, to int)  { return g.a0, g.a1 }
func (g gap) right() (from, to int) { return g.b0, g.b1 }

// isSlot reports whether a few words stand for a few others.
func (g gap) isSlot() bool { return g.twoSided() && g.within(maxSlot) }

func (g gap) twoSided() bool { return g.a0 < g.a1 && g.b0 < g.b1 }

func (g gap) within(n int) bool { return g.a1-g.a0 <= n && g.b1-g.b0 <= n }

func commonUnits(a []token, gaps []gap) int {
	n := unitsOf(a)
	for _, g := range gaps {
		n -= unitsOf(a[g.a0:g.a1])
	}
	return n
}

// differ sorts the gaps of an alignment by what they mean. Gaps with an island
// of a few equal tokens between them are taken together. maxEdge is the longest
// gap at the start or the end that is one of differences.edges.
func differ(a, b []token, gaps []gap, maxEdge int) differences {
	var d differences
	for len(gaps) > 0 {
		whole, n := gaps[0], 1
		for ; n < len(gaps) && gaps[n].a0-whole.a1 <= islandTokens; n++ {
			whole.a1, whole.b1 = gaps[n].a1, gaps[n].b1
		}
		d.add(a, b, whole, gaps[:n], maxEdge)
		gaps = gaps[n:]
	}
	return d
}

func (d *differences) add(a, b []token, whole gap, parts []gap, maxEdge int) {
	if !whole.twoSided() {
		return
	}
	numbers, names := conflict(a, b, whole)
	for _, g := range parts {
		moreNumbers, moreNames := conflict(a, b, g)
		numbers, names = numbers || moreNumbers, names || moreNames
	}
	atEdge := whole.a0 == 0 && whole.b0 == 0 || whole.a1 == len(a) && whole.b1 == len(b)
	switch {
	case (numbers || names) && atEdge && whole.within(maxEdge):
		d.edges++
	case numbers:
		d.numbers++
	case names:
		d.names++
	case whole.isSlot():
		d.edited += max(unitsOf(a[whole.a0:whole.a1]), unitsOf(b[whole.b0:whole.b1]))
	default:
		d.rewritten += min(unitsOf(a[whole.a0:whole.a1]), unitsOf(b[whole.b0:whole.b1]))
	}
}

// conflict reports whether both sides of a gap name something, and not the same.
func conflict(a, b []token, g gap) (numbers, names bool) {
	if !g.isSlot() {
		return false, false
	}
	left, right := a[g.a0:g.a1], b[g.b0:g.b1]
	return has(left, number) && has(right, number), has(left, name) && has(right, name)
}

func has(tokens []token, k kind) bool {
	for _, t := range tokens {
		if t.is(k) {
			return true
		}
	}
	return false
}

// named reports whether one of the tokens is in a title, in a part that the
// other title does not have. side takes the title's side of a gap.
func named(title []token, gaps []gap, tokens []token, side func(gap) (from, to int)) bool {
	for _, g := range gaps {
		from, to := side(g)
		for _, t := range title[from:to] {
			for _, u := range tokens {
				if t.hash == u.hash {
					return true
				}
			}
		}
	}
	return false
}
