package neardup

import "slices"

// anchorTokens is how many tokens in a row must be the same, and occur once in
// either text, to fix a place of the alignment.
const anchorTokens = 3

// maxGap bounds the part between two anchors that is aligned token by token:
// larger ones count as written anew.
const maxGap = 48

// A gap is a part of two texts that is not the same: a[a0:a1] stands where
// b[b0:b1] does. One of them may be empty.
type gap struct{ a0, a1, b0, b1 int }

// align finds what two texts have in common in the same order, and returns the
// gaps between. It is the patience diff of Bram Cohen over runs of tokens in
// place of lines.
func align(a, b []token) []gap {
	var gaps []gap
	at := gap{} // a0 and b0: what is aligned so far
	for _, m := range anchors(a, b) {
		if m.a < at.a0 || m.b < at.b0 {
			continue // inside of the run that the anchor before was extended to
		}
		i, j := m.a, m.b
		for i > at.a0 && j > at.b0 && a[i-1].hash == b[j-1].hash {
			i, j = i-1, j-1
		}
		gaps = fill(gaps, a, b, gap{at.a0, i, at.b0, j})
		i, j = m.a+anchorTokens, m.b+anchorTokens
		for i < len(a) && j < len(b) && a[i].hash == b[j].hash {
			i, j = i+1, j+1
		}
		at = gap{a0: i, b0: j}
	}
	return fill(gaps, a, b, gap{at.a0, len(a), at.b0, len(b)})
}

// match is a place at which two texts are the same.
type match struct{ a, b int }

// anchors returns the longest list of runs that are unique in both texts, and
// that follow each other in both.
func anchors(a, b []token) []match {
	const twice = -1
	places := make(map[uint64]int, len(b))
	for j := range len(b) - anchorTokens + 1 {
		h := runHash(b[j:])
		if _, seen := places[h]; seen {
			places[h] = twice
			continue
		}
		places[h] = j
	}
	firsts := make(map[uint64]int, len(a))
	list := make([]match, 0, len(a))
	for i := range len(a) - anchorTokens + 1 {
		h := runHash(a[i:])
		j, ok := places[h]
		if !ok || j == twice {
			continue
		}
		if first, seen := firsts[h]; seen {
			list[first].b = twice
			continue
		}
		firsts[h] = len(list)
		list = append(list, match{i, j})
	}
	list = slices.DeleteFunc(list, func(m match) bool { return m.b == twice })
	return increasing(list)
}

func runHash(t []token) uint64 {
	return mix(t[0].hash + 3*t[1].hash + 7*t[2].hash)
}

// increasing returns the longest part of a list, sorted by a, in which b grows
// too: the longest increasing subsequence by patience sorting.
func increasing(list []match) []match {
	if slices.IsSortedFunc(list, func(x, y match) int { return x.b - y.b }) {
		return list
	}
	var tops []int // of the piles: indexes of list
	before := make([]int, len(list))
	for i, m := range list {
		pile, _ := slices.BinarySearchFunc(tops, m.b, func(top, b int) int { return list[top].b - b })
		before[i] = -1
		if pile > 0 {
			before[i] = tops[pile-1]
		}
		if pile == len(tops) {
			tops = append(tops, i)
			continue
		}
		tops[pile] = i
	}
	out := make([]match, len(tops))
	for n, i := len(tops)-1, tops[len(tops)-1]; n >= 0; n-- {
		out[n] = list[i]
		i = before[i]
	}
	return out
}

// fill appends the gaps that are left of one when the tokens that its two sides
// have in common, in the same order, are taken out.
func fill(gaps []gap, a, b []token, g gap) []gap {
	for g.a0 < g.a1 && g.b0 < g.b1 && a[g.a0].hash == b[g.b0].hash {
		g.a0, g.b0 = g.a0+1, g.b0+1
	}
	for g.a0 < g.a1 && g.b0 < g.b1 && a[g.a1-1].hash == b[g.b1-1].hash {
		g.a1, g.b1 = g.a1-1, g.b1-1
	}
	n, m := g.a1-g.a0, g.b1-g.b0
	if n == 0 && m == 0 {
		return gaps
	}
	if n == 0 || m == 0 || n > maxGap || m > maxGap {
		return append(gaps, g)
	}
	var length [maxGap + 1][maxGap + 1]uint8 // of the longest common subsequence of the ends
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if a[g.a0+i].hash == b[g.b0+j].hash {
				length[i][j] = length[i+1][j+1] + 1
				continue
			}
			length[i][j] = max(length[i+1][j], length[i][j+1])
		}
	}
	open := gap{a0: g.a0, b0: g.b0}
	i, j := 0, 0
	for i < n && j < m {
		switch {
		case a[g.a0+i].hash == b[g.b0+j].hash:
			open.a1, open.b1 = g.a0+i, g.b0+j
			gaps = appendGap(gaps, open)
			i, j = i+1, j+1
			open = gap{a0: g.a0 + i, b0: g.b0 + j}
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	open.a1, open.b1 = g.a1, g.b1
	return appendGap(gaps, open)
}

func appendGap(gaps []gap, g gap) []gap {
	if g.a0 == g.a1 && g.b0 == g.b1 {
		return gaps
	}
	return append(gaps, g)
}
