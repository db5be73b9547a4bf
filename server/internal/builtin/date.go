package builtin

import (
	"strconv"
	"strings"
)

// dateAt returns the end of the date that begins at token i and its canonical
// form, or i: "3 March 2025", "March 3", "18 to 21 June 2026", "May 2024",
// "2025-08-14". Months, years and weekdays alone are none.
func (d *document) dateAt(i int) (end int, name string) {
	if y, m, day, ok := isoDate(d.tokens[i].text); ok {
		return i + 1, strconv.Itoa(day) + " " + months[m-1] + " " + strconv.Itoa(y)
	}
	at := i
	days, at := d.days(i, at)
	if days != "" && at < len(d.tokens) && d.tokens[at].lower == "of" && d.sameLine(i, at) {
		at++
	}
	month := 0
	if at < len(d.tokens) && d.sameLine(i, at) {
		month = monthOf(d.tokens[at].text)
	}
	if month == 0 {
		return i, ""
	}
	at++
	if days == "" {
		days, at = d.days(i, at)
	}
	year, at := d.year(i, at)
	name = months[month-1]
	if days != "" {
		name = days + " " + name
	}
	if year != "" {
		name += " " + year
	}
	if days == "" && year == "" {
		return i, ""
	}
	return at, name
}

// days reads "3", "3rd", "the 3rd", "18-21" and "18 to 21" from token at on.
func (d *document) days(i, at int) (string, int) {
	if at >= len(d.tokens) || !d.sameLine(i, at) {
		return "", at
	}
	from, to, ranged := strings.Cut(strings.ReplaceAll(d.tokens[at].lower, "–", "-"), "-")
	first, ok := dayOf(from)
	if !ok || d.tokens[at].kind != number {
		return "", at
	}
	if ranged {
		if last, ok := dayOf(to); ok {
			return first + " to " + last, at + 1
		}
		return "", at
	}
	if at+2 < len(d.tokens) && d.sameLine(i, at+2) && strings.Contains("to and - – —", d.tokens[at+1].lower) && d.tokens[at+2].kind == number {
		if last, ok := dayOf(d.tokens[at+2].lower); ok {
			return first + " to " + last, at + 3
		}
	}
	return first, at + 1
}

func dayOf(w string) (string, bool) {
	for _, suffix := range []string{"st", "nd", "rd", "th"} {
		w = strings.TrimSuffix(w, suffix)
	}
	n, err := strconv.Atoi(w)
	return strconv.Itoa(n), err == nil && n >= 1 && n <= 31 && len(w) <= 2
}

// year reads "2025" and ", 2025".
func (d *document) year(i, at int) (string, int) {
	k := at
	if k < len(d.tokens) && d.tokens[k].text == "," {
		k++
	}
	if k < len(d.tokens) && d.sameLine(i, k) && d.tokens[k].kind == number && len(d.tokens[k].text) == 4 {
		if n, err := strconv.Atoi(d.tokens[k].text); err == nil && n >= 1000 && n <= 2999 {
			return d.tokens[k].text, k + 1
		}
	}
	return "", at
}

var months = [...]string{
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}

// monthOf returns the number of a month by its name or its first three letters.
func monthOf(w string) int {
	w = strings.TrimSuffix(w, ".")
	for n, m := range months {
		if w == m || w == m[:3] && w != "May" || w == "Sept" && m == "September" {
			return n + 1
		}
	}
	return 0
}

// isoDate reads "2025-08-14".
func isoDate(w string) (year, month, day int, ok bool) {
	if len(w) != 10 || w[4] != '-' || w[7] != '-' {
		return 0, 0, 0, false
	}
	year, e1 := strconv.Atoi(w[:4])
	month, e2 := strconv.Atoi(w[5:7])
	day, e3 := strconv.Atoi(w[8:])
	ok = e1 == nil && e2 == nil && e3 == nil && month >= 1 && month <= 12 && day >= 1 && day <= 31
	return year, month, day, ok
}
