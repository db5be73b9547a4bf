package builtin

import "slices"

// deadlineWords tell that a date is a deadline, untilWords stand before one.
var (
	deadlineWords = []string{"deadline", "deadlines", "apply", "applications", "application", "closes", "close", "due", "submissions", "submit", "entries", "call", "applicants", "have"}
	untilWords    = []string{"by", "until", "till", "before", "on", "is", "through", "than", "to"}
	deadlineRule  = pattern{relation: "has_deadline", rule: "has_deadline", certain: true}
)

// maxBack is how many sentences may lie between a grant and its deadline.
const maxBack = 2

// deadlines relates grants and programs with the dates until which one can
// apply for them. The date often stands in a sentence of its own.
func (d *document) deadlines() []link {
	var links []link
	for k, m := range d.found {
		if m.typ != typeDate || !d.untilBefore(m.from) {
			continue
		}
		at := d.deadlineWord(m)
		if at < 0 {
			continue
		}
		if g := d.nearestGrant(k); g >= 0 {
			links = append(links, link{from: g, to: k, at: at, pattern: deadlineRule})
		}
	}
	return links
}

// untilBefore looks for the small word before a date: "by", "by midnight on".
func (d *document) untilBefore(i int) bool {
	for k := i - 1; k >= 0 && k >= i-3 && d.tokens[k].sentence == d.tokens[i].sentence; k-- {
		if slices.Contains(untilWords, d.tokens[k].lower) {
			return true
		}
	}
	return false
}

// deadlineWord returns the nearest token before a date, in its sentence, that
// makes it a deadline, or -1.
func (d *document) deadlineWord(m mention) int {
	for k := m.from - 1; k >= 0 && m.from-k <= maxDoubt && d.tokens[k].sentence == d.tokens[m.from].sentence; k-- {
		if slices.Contains(deadlineWords, d.tokens[k].lower) {
			return k
		}
	}
	return -1
}

// nearestGrant returns the grant or program that a deadline belongs to: the last
// one before it, not too far away.
func (d *document) nearestGrant(k int) int {
	sentence := d.tokens[d.found[k].from].sentence
	for g := k - 1; g >= 0 && d.tokens[d.found[g].from].sentence >= sentence-maxBack; g-- {
		if typ := d.found[g].typ; typ == typeGrant || typ == typeProgram {
			return g
		}
	}
	return -1
}
