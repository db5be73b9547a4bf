package builtin

import "strings"

// currencyMarks stand before or behind a number.
const currencyMarks = "$€£¥₦₹₩₽₺₱฿₫₪₴₵₡₲₸"

// amountAt returns the end of the amount of money that begins at token i, or i:
// "$2 million", "C$12m", "EUR 5,000", "3,000 euros", "20 Canadian dollars".
func (d *document) amountAt(i int) int {
	at := i
	if t := d.tokens[at]; t.kind == word && t.upper || t.kind == word && len(t.text) == 1 && t.capital {
		if !d.lex.is(t.lower, "currency") && !(at+1 < len(d.tokens) && d.currencyMark(at+1) && !d.tokens[at+1].spaced) {
			return i
		}
		at++
	}
	if at < len(d.tokens) && d.currencyMark(at) && (at == i || !d.tokens[at].spaced) {
		at++
	}
	if at >= len(d.tokens) || d.tokens[at].kind != number || !d.sameLine(i, at) {
		return i
	}
	scaled, ok := d.numeral(at)
	if !ok {
		return i
	}
	prefixed := at > i
	at++
	if !scaled && at < len(d.tokens) && d.sameLine(i, at) && d.lex.is(d.tokens[at].lower, "scale") && d.tokens[at].kind == word {
		at++
	}
	if end := d.currencyBehind(i, at); end > at {
		return end
	}
	if !prefixed {
		return i
	}
	return at
}

func (d *document) currencyMark(i int) bool {
	return d.tokens[i].kind == mark && strings.Contains(currencyMarks, d.tokens[i].text)
}

func (d *document) sameLine(i, k int) bool {
	return d.tokens[i].sentence == d.tokens[k].sentence && (i == k || !d.tokens[k].line)
}

// numeral reports whether token i is a number as amounts have it, and whether
// it holds its scale, such as "40m" or "2.5bn".
func (d *document) numeral(i int) (scaled, ok bool) {
	w := d.tokens[i].lower
	digits := strings.TrimRight(w, "abcdefghijklmnopqrstuvwxyz-+")
	tail := strings.TrimLeft(w[len(digits):], "-+")
	if digits == "" || strings.Trim(digits, "0123456789.,'") != "" {
		return false, false
	}
	if tail == "" {
		return false, true
	}
	return true, d.lex.is(tail, "scale")
}

// currencyBehind returns the end of the currency that begins at token at, or at.
func (d *document) currencyBehind(i, at int) int {
	end := at
	if end < len(d.tokens) && d.sameLine(i, end) && d.tokens[end].capital {
		if e, n := lookup(d.lex.names, d.tokens, end, len(d.tokens), false); n == 1 && (e.typ == typeNationality || e.typ == typeLocation) {
			end++
		}
	}
	if end < len(d.tokens) && d.sameLine(i, end) && (d.lex.is(d.tokens[end].lower, "currency") && d.tokens[end].kind == word || d.currencyMark(end)) {
		if d.currencyMark(end) && end+1 < len(d.tokens) && d.tokens[end+1].kind == number && !d.tokens[end+1].spaced {
			return at // it belongs to the next amount
		}
		return end + 1
	}
	return at
}
