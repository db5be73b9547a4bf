package feed

import (
	"strconv"
	"strings"
	"time"
)

// dating is what the texts of an item say about its times.
type dating struct {
	published time.Time
	source    PublishedSource
	modified  time.Time // zero when not stated
	warnings  []Warning
}

// clockSkew is how far the clocks of publishers may be ahead.
const clockSkew = 10 * time.Minute

// firstDay is the first day that can be a date of publication: what lies
// before it is a zero that someone formatted.
var firstDay = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

// dates derives the times of an item. The rules:
//
//   - Of the texts that may hold the date of publication, in the order of
//     preference (pubDate, dc:date, dcterms:issued ..; for Atom published),
//     the first that can be read and is not in the future counts.
//   - A date without a zone is in UTC; a date without a time is at midnight.
//   - A date before 1970-01-02 is none.
//   - A date up to ten minutes after now is now: clocks differ. One that is
//     later is not believed, be it a wrong zone, a scheduled post or the date
//     of an event, so that no item is pinned to the top.
//   - Without a usable date of publication the date of the last edit counts,
//     read by the same rules; without one the day that the path of the item's
//     URL names; without one now, and the date is inferred.
//   - The date of the last edit is never inferred.
func dates(published, updated []string, itemURL string, order dateOrder, now time.Time) dating {
	var d dating
	pub, state, future := firstUsable(published, order, now)
	switch {
	case future:
		d.warn(WarnDateFuture, "the date of publication lies in the future")
	case state == dateBad:
		d.warn(WarnDateInvalid, "the date of publication "+strconv.Quote(clip(published[0], 60))+" cannot be read")
	}
	mod, modState, _ := firstUsable(updated, order, now)
	if modState == dateOK {
		d.modified = mod
	}
	if state == dateNone && modState != dateOK {
		d.warn(WarnDateMissing, "no date was published")
	}
	switch day, ok := dateInURL(itemURL, now); {
	case state == dateOK:
		d.published, d.source = pub, PublishedPublished
	case modState == dateOK:
		d.published, d.source = mod, PublishedUpdated
	case ok:
		d.published, d.source = day, PublishedURL
	default:
		d.published, d.source = now, PublishedFetched
	}
	return d
}

func (d *dating) warn(code WarningCode, message string) {
	d.warnings = append(d.warnings, Warning{code, message})
}

type dateState uint8

const (
	dateNone dateState = iota // no text
	dateBad                   // none that can be read, or only dates in the future
	dateOK
)

// firstUsable returns the first of the texts that is a date and not in the
// future, and whether one before it is. A zero now believes every date.
func firstUsable(texts []string, order dateOrder, now time.Time) (t time.Time, state dateState, future bool) {
	for _, text := range texts {
		t, ok := parseDateIn(text, order)
		switch {
		case !ok || t.Before(firstDay):
		case now.IsZero() || !t.After(now):
			return t, dateOK, future
		case !t.After(now.Add(clockSkew)):
			return now, dateOK, future
		default:
			future = true
		}
		state = dateBad
	}
	return time.Time{}, state, future
}

// orderOf returns the order of the dates with slashes in a document, which one
// of them tells that makes a date in one order only; the day comes first when
// there are such of both kinds.
func orderOf(items []rawItem) dateOrder {
	order := orderOpen
	for i := range items {
		for _, list := range [][]string{items[i].published, items[i].updated} {
			for _, text := range list {
				first, second, ok := slashNumbers(text)
				switch {
				case ok && first > 12:
					return dayFirst
				case ok && second > 12:
					order = monthFirst
				}
			}
		}
	}
	return order
}

// slashNumbers returns the first two numbers of a date as 11/22/2026.
func slashNumbers(text string) (first, second int, ok bool) {
	slash := strings.IndexByte(text, '/')
	if slash < 1 {
		return 0, 0, false
	}
	from := slash
	for from > 0 && isDigit(text[from-1]) {
		from--
	}
	next, _, found := strings.Cut(text[slash+1:], "/")
	first, ok1 := numberOf(text[from:slash], 2)
	second, ok2 := numberOf(next, 2)
	return first, second, ok1 && ok2 && found
}

// dateInURL returns the day that the path of a URL names, as /2026/11/22/ or
// /2026-11-22-title or /20261122; and for /2026/11/, when that month is over,
// its first day. It is never in the future.
func dateInURL(link string, now time.Time) (time.Time, bool) {
	_, rest, _ := strings.Cut(link, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if day, ok := dayOf(s); ok {
			return day, !day.After(now)
		}
		year, ok := numberOf(s, 4)
		if !ok || year < 1990 || year > now.Year() || i+2 >= len(segments) {
			continue
		}
		month, ok := numberOf(segments[i+1], 2)
		if !ok || month < 1 || month > 12 {
			continue
		}
		if day, ok := numberOf(segments[i+2], 2); ok {
			t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
			return t, t.Day() == day && !t.After(now)
		}
		t := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
		return t, !t.AddDate(0, 1, 0).After(now)
	}
	return time.Time{}, false
}

// dayOf reads the day that a segment of a path begins with: 2026-11-22 or
// 20261122, followed by nothing, '-', '_' or '.'.
func dayOf(segment string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", "20060102"} {
		if len(segment) < len(layout) {
			continue
		}
		if tail := segment[len(layout):]; tail != "" && !strings.ContainsRune("-_.", rune(tail[0])) {
			continue
		}
		if t, err := time.Parse(layout, segment[:len(layout)]); err == nil && t.Year() >= 1990 {
			return t, true
		}
	}
	return time.Time{}, false
}

// numberOf reads a number of exactly so many digits; a month or a day may have
// one less.
func numberOf(s string, digits int) (int, bool) {
	if len(s) != digits && !(digits == 2 && len(s) == 1) {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
