package kgl

import "time"

// ValidPartialDate reports whether a text is a year, a month or a day that there
// is, as ISO 8601 writes them: 2026, 2026-11 or 2026-11-05.
func ValidPartialDate(text string) bool {
	for _, layout := range []string{"2006", "2006-01", time.DateOnly} {
		if _, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return true
		}
	}
	return false
}

// PartialDateBefore reports whether a valid partial date ends before another one
// begins. A month is not before a day in it, nor after one.
func PartialDateBefore(a, b string) bool {
	n := min(len(a), len(b))
	return a[:n] < b[:n]
}
