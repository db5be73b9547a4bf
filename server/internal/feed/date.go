package feed

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// dates derives the times of an item. The rules:
//
//   - Of the texts that may hold a date, in the order of preference (pubDate,
//     dc:date, dcterms:issued ..; for Atom published, then updated), the first
//     that can be read counts.
//   - A date without a zone is in UTC; a date without a time is at midnight.
//   - A date before 1970-01-02 is none: it is a zero that someone formatted.
//   - A date after now is not believed, so that no item is pinned to the top.
//   - Without a usable date the item was published now, and marked as inferred.
//   - The time of the update is never inferred.
func dates(published, updated []string, now time.Time) (pub time.Time, inferred bool, upd time.Time, warn []Warning) {
	pub, state := firstDate(published, now)
	switch {
	case state == dateOK:
	case state == dateFuture:
		warn = append(warn, Warning{WarnDateFuture, "the date of publication lies in the future; the time of the fetch stands for it"})
	case state == dateBad:
		warn = append(warn, Warning{WarnDateInvalid, "the date of publication " + strconv.Quote(clip(published[0], 60)) + " cannot be read"})
	}
	upd, updState := firstDate(updated, now)
	if updState != dateOK {
		upd = time.Time{}
	}
	if state == dateNone || state == dateBad {
		if updState == dateOK {
			return upd, false, upd, warn
		}
		if state == dateNone {
			warn = append(warn, Warning{WarnDateMissing, "no date was published"})
		}
	}
	if state != dateOK {
		return now, true, upd, warn
	}
	return pub, false, upd, warn
}

type dateState uint8

const (
	dateNone dateState = iota
	dateBad
	dateFuture
	dateOK
)

// firstDate returns the first of the texts that is a usable date. A zero now
// believes every date.
func firstDate(texts []string, now time.Time) (time.Time, dateState) {
	state := dateNone
	for _, text := range texts {
		t, ok := parseDate(text)
		switch {
		case !ok || t.Before(time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)):
			state = max(state, dateBad)
		case !now.IsZero() && t.After(now):
			return time.Time{}, dateFuture
		default:
			return t, dateOK
		}
	}
	return time.Time{}, state
}

// parseDate reads a date as feeds write them: RFC 822 and its many variants,
// RFC 3339 and ISO 8601, the output of common date functions, month names in
// several languages, Unix times. It reads by what the parts are, not by
// layouts, so that order, punctuation and missing parts matter little.
func parseDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 6 || len(text) > 100 {
		return time.Time{}, false
	}
	if t, ok := unixDate(text); ok {
		return t, true
	}
	p := dateParts{year: -1, month: -1, day: -1, hour: -1}
	for _, tok := range dateTokens(text) {
		if !p.take(tok) {
			return time.Time{}, false
		}
	}
	return p.time()
}

func unixDate(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch len(text) {
	case 10:
		return time.Unix(n, 0).UTC(), true
	case 13:
		return time.UnixMilli(n).UTC(), true
	}
	return time.Time{}, false
}

// dateTokens cuts a text at spaces and commas, and an ISO date from its time.
func dateTokens(text string) []string {
	if open := strings.IndexByte(text, '('); open > 6 {
		text = text[:open]
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' })
	var out []string
	for _, f := range fields {
		f = strings.Trim(f, ".")
		if i := strings.IndexAny(f, "Tt"); i >= 6 && isDigit(f[0]) && isDigit(f[i-1]) {
			out = append(out, f[:i])
			f = f[i+1:]
		}
		if f != "" {
			out = append(out, f)
		}
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

type dateParts struct {
	year, month, day   int
	hour, min, sec, ns int
	offset             int // seconds east of UTC
	zoned              bool
	pm, am             bool
}

// take reads one part; false when it fits nothing.
func (p *dateParts) take(tok string) bool {
	switch {
	case strings.Contains(tok, ":") && isDigit(tok[0]):
		return p.clock(tok)
	case (tok[0] == '+' || tok[0] == '-') && len(tok) > 1 && p.hour >= 0:
		return p.zoneOffset(strings.TrimLeft(tok, "-+"), tok[0] == '-')
	case isDigit(tok[0]):
		return p.number(tok)
	}
	return p.word(tok)
}

// clock reads a time of day, with the zone, AM or PM that may cling to it.
func (p *dateParts) clock(tok string) bool {
	if p.hour >= 0 {
		return true // such as the zone of "00:00:00.0 12:00:00"
	}
	end := strings.IndexFunc(tok, func(r rune) bool { return r != ':' && r != '.' && (r < '0' || r > '9') })
	zone := ""
	if end >= 0 {
		tok, zone = strings.TrimRight(tok[:end], ":."), tok[end:]
	}
	parts := strings.Split(tok, ":")
	values := [3]int{}
	for i := 0; i < len(parts) && i < 3; i++ {
		whole, frac, _ := strings.Cut(parts[i], ".")
		n, err := strconv.Atoi(whole)
		if err != nil {
			return false
		}
		values[i] = n
		if i == 2 && frac != "" {
			frac = (frac + "000000000")[:9]
			p.ns, _ = strconv.Atoi(frac)
		}
	}
	p.hour, p.min, p.sec = values[0], values[1], min(values[2], 59)
	if zone == "" {
		return true
	}
	if zone[0] == '+' || zone[0] == '-' {
		return p.zoneOffset(zone[1:], zone[0] == '-')
	}
	return p.word(zone)
}

// zoneOffset reads hhmm, hh:mm, hmm or hh.
func (p *dateParts) zoneOffset(tok string, west bool) bool {
	digits := strings.ReplaceAll(tok, ":", "")
	if len(digits) > 4 {
		digits = digits[:4]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return false
	}
	h, m := n, 0
	if len(digits) > 2 {
		h, m = n/100, n%100
	}
	if h > 15 || m > 59 {
		return true // a nonsense offset does not spoil the date
	}
	p.offset, p.zoned = h*3600+m*60, true
	if west {
		p.offset = -p.offset
	}
	return true
}

// number reads a day, a year, or a date of numbers.
func (p *dateParts) number(tok string) bool {
	if parts := strings.FieldsFunc(tok, func(r rune) bool { return r == '-' || r == '/' || r == '.' }); len(parts) == 3 {
		return p.triple(parts, strings.IndexByte(tok, '/') > 0)
	}
	digits := strings.TrimRightFunc(tok, unicode.IsLetter) // 2nd, 3rd
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil:
		return false
	case len(digits) == 8 && p.year < 0:
		p.year, p.month, p.day = n/10000, n/100%100, n%100
	case len(digits) == 6 && p.year >= 0 && p.hour < 0:
		p.hour, p.min, p.sec = n/10000, n/100%100, n%100
	case len(digits) == 4 && p.year < 0:
		p.year = n
	case p.day < 0 && n >= 1 && n <= 31:
		p.day = n
	case p.year < 0 && len(digits) == 2:
		p.year = century(n)
	case p.hour < 0 && n < 24:
		p.hour = n
	}
	return true
}

// triple reads a date of three parts: year first when it has four digits, a
// month by name in the middle, else day before month. Slashes are read the
// American way when only that makes a date.
func (p *dateParts) triple(parts []string, slashes bool) bool {
	var v [3]int
	for i, s := range parts {
		n, err := strconv.Atoi(s)
		if err != nil {
			if n = monthByName(s); n == 0 {
				return false
			}
		}
		v[i] = n
	}
	switch {
	case len(parts[0]) == 4:
		p.year, p.month, p.day = v[0], v[1], v[2]
	default:
		p.day, p.month, p.year = v[0], v[1], v[2]
		if len(parts[2]) == 2 {
			p.year = century(v[2])
		}
		if slashes && v[1] > 12 {
			p.day, p.month = p.month, p.day
		}
	}
	return true
}

func century(n int) int {
	if n >= 70 {
		return 1900 + n
	}
	return 2000 + n
}

// word reads a month, a zone, AM or PM, and ignores weekdays and other words.
func (p *dateParts) word(tok string) bool {
	upper := strings.ToUpper(tok)
	switch strings.ReplaceAll(upper, ".", "") {
	case "PM":
		p.pm = true
		return true
	case "AM":
		p.am = true
		return true
	}
	if p.month < 0 {
		if m := monthByName(tok); m > 0 {
			p.month = m
			return true
		}
	}
	for _, prefix := range []string{"GMT", "UTC", "UT"} {
		if rest, ok := strings.CutPrefix(upper, prefix); ok && len(rest) > 1 && (rest[0] == '+' || rest[0] == '-') {
			return p.zoneOffset(rest[1:], rest[0] == '-')
		}
	}
	if hours, ok := zoneByName(upper); ok && !p.zoned {
		p.offset, p.zoned = int(hours*3600), true
	}
	return true
}

func (p *dateParts) time() (time.Time, bool) {
	if p.year < 1 || p.month < 1 || p.month > 12 || p.day < 1 || p.day > 31 || p.year > 9999 {
		return time.Time{}, false
	}
	hour := max(p.hour, 0)
	switch {
	case p.pm && hour < 12:
		hour += 12
	case p.am && hour == 12:
		hour = 0
	}
	if hour > 24 || p.min > 59 {
		return time.Time{}, false
	}
	t := time.Date(p.year, time.Month(p.month), p.day, hour, p.min, p.sec, p.ns, time.UTC)
	if t.Day() != p.day && hour < 24 {
		return time.Time{}, false // 31 February
	}
	return t.Add(-time.Duration(p.offset) * time.Second).Truncate(time.Microsecond), true
}
