package feed

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parseDate reads a date as feeds write them: RFC 822 and its many variants,
// RFC 3339 and ISO 8601, the output of common date functions, month names in
// many languages, Unix times. It reads by what the parts are, not by layouts,
// so that order, punctuation and missing parts matter little.
//
// Of a date of three numbers the year comes first when it has four digits;
// else the day comes before the month, unless only the other order makes a
// date, or the date has slashes and AM, PM or a zone of North America beside
// it. Years of two digits are 1970 to 2069.
func parseDate(text string) (time.Time, bool) { return parseDateIn(text, orderOpen) }

// dateOrder is the order of month and day in dates with slashes where nothing
// in the date tells.
type dateOrder uint8

const (
	orderOpen dateOrder = iota
	dayFirst
	monthFirst
)

// parseDateIn is parseDate in a document that has an order.
func parseDateIn(text string, order dateOrder) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 4 || len(text) > 100 {
		return time.Time{}, false
	}
	if t, ok := usualDate(text); ok {
		return t, true
	}
	if t, ok := digitDate(text); ok {
		return t, true
	}
	p := dateParts{year: -1, month: -1, day: -1, hour: -1, order: order}
	for _, tok := range dateTokens(text) {
		if !p.take(tok) {
			return time.Time{}, false
		}
	}
	return p.time()
}

// usualDate reads the two forms that most dates have.
func usualDate(text string) (time.Time, bool) {
	var t time.Time
	var err error
	switch {
	case len(text) >= len("2006-01-02T15:04:05Z") && text[4] == '-' && text[10] == 'T':
		t, err = time.Parse(time.RFC3339, text)
	case len(text) == len(time.RFC1123Z) && text[3] == ',':
		t, err = time.Parse(time.RFC1123Z, text)
	default:
		return t, false
	}
	return t.UTC().Truncate(time.Microsecond), err == nil
}

// digitDate reads what is one number: Unix seconds, milliseconds or
// microseconds, also with a fraction and as .NET writes them, and dates without
// separators.
func digitDate(text string) (time.Time, bool) {
	if inner, ok := strings.CutPrefix(text, "/Date("); ok {
		text = strings.TrimSuffix(inner, ")/")
		if i := strings.IndexAny(text, "+-"); i > 0 {
			text = text[:i] // of the zone in which it was meant to be shown
		}
	}
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || whole[0] == '+' {
		return time.Time{}, false
	}
	for _, layout := range []string{"20060102150405", "200601021504"} {
		if t, err := time.Parse(layout, whole); err == nil && len(whole) == len(layout) {
			return t, true
		}
	}
	switch len(whole) {
	case 10:
		return time.Unix(n, 0).UTC(), true
	case 13:
		return time.UnixMilli(n).UTC(), true
	case 16:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Time{}, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

type dateParts struct {
	year, month, day   int
	hour, min, sec, ns int
	offset             int // seconds east of UTC
	zoned              bool
	pm, am             bool
	american           bool // AM, PM or a zone of North America was seen
	order              dateOrder
	slashes            bool // the order of month and day is open
	weekday            bool // the month may be a day of the week: "mar" in Spanish, "paz" in Turkish
}

// take reads one part; false when it fits nothing.
func (p *dateParts) take(tok string) bool {
	switch {
	case isDigit(tok[0]) && strings.IndexByte(tok, ':') > 0:
		if parts := strings.Split(tok, ":"); len(parts) == 3 && len(parts[0]) == 4 && p.year < 0 {
			return p.triple(parts, false)
		}
		return p.clock(tok)
	case (tok[0] == '+' || tok[0] == '-') && len(tok) > 1 && (p.hour >= 0 || p.day >= 0 && len(tok) >= 5):
		return p.zoneOffset(strings.TrimLeft(tok, "-+:"), tok[0] == '-')
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
		if err != nil && whole != "" {
			return false
		}
		values[i] = n
		if i == 2 && frac != "" {
			frac = (frac + "000000000")[:9]
			p.ns, _ = strconv.Atoi(frac)
		}
	}
	p.hour, p.min, p.sec = values[0], values[1], min(values[2], 59)
	return p.zone(zone)
}

// zone reads what clings to a time of day or to a date.
func (p *dateParts) zone(tok string) bool {
	switch {
	case tok == "":
		return true
	case tok[0] == '+' || tok[0] == '-':
		return p.zoneOffset(strings.TrimLeft(tok, "-+:"), tok[0] == '-')
	}
	return p.word(tok)
}

// zoneOffset reads hhmm, hh:mm, hmm or hh.
func (p *dateParts) zoneOffset(tok string, west bool) bool {
	digits := strings.ReplaceAll(tok, ":", "")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	digits = digits[:min(len(digits), 4)]
	n, err := strconv.Atoi(digits)
	if err != nil {
		return true // such as the dash between date and time
	}
	h, m := n, 0
	if len(digits) > 2 {
		h, m = n/100, n%100
	}
	if h > 15 || m > 59 || p.zoned && n == 0 {
		return true // a nonsense offset does not spoil the date
	}
	p.offset, p.zoned = h*3600+m*60, true
	if west {
		p.offset = -p.offset
	}
	return true
}

// number reads a day, a year, an hour, or a date of numbers.
func (p *dateParts) number(tok string) bool {
	parts := strings.FieldsFunc(tok, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	switch {
	case len(parts) == 3 && p.year >= 0 && p.day >= 0 && p.hour < 0:
		return p.clock(strings.Join(parts, ":"))
	case len(parts) == 3:
		last := parts[2]
		end := strings.IndexFunc(last, func(r rune) bool { return r < '0' || r > '9' })
		if end > 0 {
			parts[2] = last[:end] // of 2026-11-22Z
			p.zone(last[end:])
		}
		return p.triple(parts, strings.IndexByte(tok, '/') > 0)
	case len(parts) == 2 && p.year < 0 && len(parts[0]) == 4:
		return p.pair(parts)
	case len(parts) == 2 && p.day >= 0 && p.hour < 0: // 20.05
		return p.clock(parts[0] + ":" + parts[1])
	}
	end := strings.IndexFunc(tok, func(r rune) bool { return r < '0' || r > '9' })
	digits, suffix := tok, ""
	if end > 0 {
		digits, suffix = tok[:end], strings.ToLower(tok[end:])
	}
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil:
		return false
	case suffix != "" && (suffix[0] == 'h' || suffix == "am" || suffix == "pm" || suffix == "a.m" || suffix == "p.m" || suffix == "uhr"):
		minutes := strings.TrimFunc(suffix, func(r rune) bool { return r < '0' || r > '9' })
		p.pm, p.am, p.american = p.pm || suffix[0] == 'p', p.am || suffix[0] == 'a', p.american || suffix[0] == 'p' || suffix[0] == 'a'
		return p.clock(digits + ":" + minutes)
	case len(digits) == 8 && p.year < 0:
		p.year, p.month, p.day = n/10000, n/100%100, n%100
	case len(digits) == 6 && p.year >= 0 && p.hour < 0:
		p.hour, p.min, p.sec = n/10000, n/100%100, n%100
		return p.zone(suffix)
	case len(digits) == 4 && p.year < 0:
		p.year = n
	case len(digits) == 4 && p.day >= 0 && p.hour < 0:
		p.hour, p.min = n/100, n%100
		return p.zone(suffix)
	case p.day < 0 && n >= 1 && n <= 31:
		p.day = n
	case p.year < 0 && len(digits) == 2:
		p.year = century(n)
	case p.hour < 0 && n < 24:
		p.hour = n
	}
	return true
}

// pair reads 2026-11, the first day of the month, and 2026-326, the day of the
// year.
func (p *dateParts) pair(parts []string) bool {
	year, err := strconv.Atoi(parts[0])
	n, err2 := strconv.Atoi(parts[1])
	switch {
	case err != nil || err2 != nil:
		return false
	case len(parts[1]) == 3 && n >= 1 && n <= 366:
		t := time.Date(year, 1, n, 0, 0, 0, 0, time.UTC)
		p.year, p.month, p.day = t.Year(), int(t.Month()), t.Day()
	case len(parts[1]) <= 2:
		p.year, p.month, p.day = year, n, 1
	default:
		return false
	}
	return true
}

// triple reads a date of three parts; see parseDate for their order.
func (p *dateParts) triple(parts []string, slashes bool) bool {
	var v [3]int
	named := -1
	for i, s := range parts {
		n, err := strconv.Atoi(s)
		if err != nil {
			if n = monthByName(s); n == 0 {
				return false
			}
			named = i
		}
		v[i] = n
	}
	switch {
	case len(parts[0]) == 4 && isDigit(parts[0][0]):
		p.year, p.month, p.day = v[0], v[1], v[2]
		return true
	case named == 0:
		v[0], v[1] = v[1], v[0]
	case named < 0 && v[0] > 31:
		v[0], v[2] = v[2], century(v[0]%100)
		p.day, p.month, p.year = v[0], v[1], v[2]
		return true
	case named < 0 && v[1] > 12:
		v[0], v[1] = v[1], v[0]
	case named < 0:
		p.slashes = slashes
	}
	p.day, p.month, p.year = v[0], v[1], v[2]
	if len(parts[2]) == 2 {
		p.year = century(v[2])
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
	if n := noon(strings.ReplaceAll(upper, ".", "")); n != 0 && (len(upper) > 1 || p.hour >= 0) {
		p.pm, p.am, p.american = n == 'p', n == 'a', true
		return true
	}
	if p.month < 0 || p.weekday {
		if m := monthByName(tok); m > 0 {
			p.weekday = p.month < 0 && p.day < 0
			p.month = m
			return true
		}
		if rest := strings.TrimLeftFunc(tok, unicode.IsLetter); rest != "" && rest != tok { // Nov-22-2026, Nov/22/2026
			if parts := strings.FieldsFunc(tok, func(r rune) bool { return r == '-' || r == '/' || r == '.' }); len(parts) == 3 && monthByName(parts[0]) > 0 {
				return p.triple(parts, false)
			}
		}
	}
	for _, prefix := range []string{"GMT", "UTC", "UT"} {
		if rest, ok := strings.CutPrefix(upper, prefix); ok && len(rest) > 1 && (rest[0] == '+' || rest[0] == '-') {
			return p.zoneOffset(rest[1:], rest[0] == '-')
		}
	}
	if i := strings.IndexAny(upper, "+-"); i > 1 { // of "EST-0500" the number counts
		return p.zoneOffset(upper[i+1:], upper[i] == '-')
	}
	if hours, ok := zoneByName(upper); ok && !p.zoned {
		p.offset, p.zoned = int(hours*3600), true
		p.american = p.american || hours >= -8 && hours <= -4
	}
	return true
}

func (p *dateParts) time() (time.Time, bool) {
	if p.slashes && p.day <= 12 && (p.order == monthFirst || p.order == orderOpen && p.american) {
		p.day, p.month = p.month, p.day
	}
	if p.year >= 0 && p.month < 0 && p.day < 0 && p.hour < 0 {
		p.month, p.day = 1, 1 // a year alone
	}
	if p.year >= 0 && p.month > 0 && p.day < 0 && p.hour < 0 {
		p.day = 1 // a month alone
	}
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
