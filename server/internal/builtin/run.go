package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a name; longer rows of capitals come from text that is not
// prose.
const (
	maxNameTokens = 12
	maxNameRunes  = 120
)

// capitalised reports whether token i can be a part of a name by its shape.
func (d *document) capitalised(i int) bool {
	t := d.tokens[i]
	if t.kind != word || !t.capital || d.taken[i] || d.lex.is(t.lower, "function", "time") && !t.upper {
		return false
	}
	if d.lex.is(t.lower, "function", "time") && (len(t.text) < 2 || t.headline) {
		return false
	}
	if base, _, contracted := strings.Cut(t.lower, "'"); contracted && d.lex.is(base, "function") {
		return false // "I'd", "What's"
	}
	r, _ := utf8.DecodeRuneInString(t.text)
	return unicode.IsUpper(r) || unicode.IsTitle(r) || len(t.text) > 2
}

// run returns the end of the row of capitals that begins at token i, or i. A
// row includes the small words of names: "Bank of England", "Ludwig van
// Beethoven", "Center for the Arts".
func (d *document) run(i int) int {
	start := i
	if d.article(i) {
		i++
	} else if !d.capitalised(i) && !d.ordinal(i) {
		return i
	}
	to := i + 1
	for to < len(d.tokens) && to-start < maxNameTokens {
		next := d.continues(start, to)
		if next < 0 {
			break
		}
		to = next + 1
	}
	return to
}

// article reports whether token i is a "The" that belongs to the name behind it:
// it has its capital although no sentence begins with it.
func (d *document) article(i int) bool {
	t := d.tokens[i]
	return t.text == "The" && !t.first && !t.headline && i+1 < len(d.tokens) && d.adjacent(i+1) && d.capitalised(i+1)
}

// ordinal reports whether a name begins with the number at token i: "20th
// Century Fox".
func (d *document) ordinal(i int) bool {
	t := d.tokens[i]
	if t.kind != number || d.taken[i] || i+1 >= len(d.tokens) || !d.adjacent(i+1) || !d.capitalised(i+1) {
		return false
	}
	for _, suffix := range []string{"st", "nd", "rd", "th"} {
		if strings.HasSuffix(t.lower, suffix) {
			return true
		}
	}
	return false
}

// adjacent reports whether only space, or nothing, stands between token i and
// the one before it, in one sentence.
func (d *document) adjacent(i int) bool {
	t, before := d.tokens[i], d.tokens[i-1]
	return !t.line && t.sentence == before.sentence && !before.possessive && !d.taken[i]
}

// continues returns the index of the token that extends the row tokens[start:i],
// or -1.
func (d *document) continues(start, i int) int {
	if !d.adjacent(i) {
		return -1
	}
	t := d.tokens[i]
	switch {
	case d.capitalised(i):
		return i
	case t.kind == number:
		return d.trailingNumber(i)
	case t.text == "&":
		return d.capitalAt(i + 1)
	case t.text == `"` || t.text == "“":
		return d.nickname(i)
	case t.kind == mark:
		return d.suffixBehindComma(i)
	case t.capital && !d.tokens[start].first:
		return -1
	}
	before := d.tokens[i-1].lower
	switch {
	case t.lower == "and" && d.railway(i+1):
		return i + 1
	case t.lower == "of" && d.lex.is(before, "of"), t.lower == "for" && d.lex.is(before, "for"):
		if i+1 < len(d.tokens) && d.adjacent(i+1) && d.tokens[i+1].lower == "the" {
			return d.capitalAt(i + 2)
		}
		return d.capitalAt(i + 1)
	case t.lower == "and" && d.ofAuthority(start, i):
		return d.capitalAt(i + 1)
	case d.lex.is(t.lower, "particle"):
		if i+1 < len(d.tokens) && d.adjacent(i+1) && d.lex.is(d.tokens[i+1].lower, "particle") {
			return d.capitalAt(i + 2)
		}
		return d.capitalAt(i + 1)
	}
	return -1
}

func (d *document) capitalAt(i int) int {
	if i < len(d.tokens) && d.adjacent(i) && d.capitalised(i) {
		return i
	}
	return -1
}

// trailingNumber takes the number of "Apollo 11", but neither a year nor the
// number of "Google 3 months ago".
func (d *document) trailingNumber(i int) int {
	t := d.tokens[i]
	if len(t.text) > 3 || strings.ContainsAny(t.text, ".,-") || !d.tokens[i-1].capital {
		return -1
	}
	if i+1 < len(d.tokens) && d.adjacent(i+1) && (d.tokens[i+1].kind == word && !d.lex.is(d.tokens[i+1].lower, "function") || d.tokens[i+1].text == "%") {
		return -1
	}
	return i
}

// suffixBehindComma takes the ", Inc." of a company.
func (d *document) suffixBehindComma(i int) int {
	if d.tokens[i].text != "," || i+1 >= len(d.tokens) || !d.adjacent(i+1) {
		return -1
	}
	switch d.tokens[i+1].lower {
	case "inc", "inc.", "ltd", "ltd.", "llc":
		return i + 1
	}
	return -1
}

// nickname takes the quotation of William "Buckshot" May.
func (d *document) nickname(i int) int {
	if i+3 < len(d.tokens) && d.tokens[i].spaced && d.capitalAt(i+1) > 0 && strings.Contains("\"”", d.tokens[i+2].text) && d.capitalAt(i+3) > 0 {
		return i + 3
	}
	return -1
}

// railway reports whether the row of capitals at token i ends as the names of
// railways do, which have an "and" in the middle.
func (d *document) railway(i int) bool {
	for n := 0; n < 4 && i < len(d.tokens) && d.adjacent(i) && d.capitalised(i); n, i = n+1, i+1 {
		switch d.tokens[i].lower {
		case "railway", "railroad", "sons", "partners", "associates", "canal":
			return n > 0
		}
	}
	return false
}

// ofAuthority reports whether a row such as "Ministry of Trade" or "Department
// of Health" goes on behind an "and".
func (d *document) ofAuthority(start, i int) bool {
	for k := start; k+1 < i; k++ {
		if (d.tokens[k+1].lower == "of" || d.tokens[k+1].lower == "for") && (d.lex.last[d.tokens[k].lower] == typeOrganization || d.lex.first[d.tokens[k].lower] == typeOrganization) {
			return true
		}
	}
	return false
}
