package kgl

import (
	"regexp"
	"strings"
	"unicode"
)

// NormalizeName returns the form of a name by which entities are compared:
// lower case, with runs of white space and punctuation folded to one space.
func NormalizeName(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || unicode.IsSymbol(r) {
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	return b.String()
}

// NormalizeEmail returns the form of an email address by which accounts are
// compared: trimmed and in lower case.
func NormalizeEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

var typePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// ValidType reports whether t can be the type of an entity or a relationship:
// a lower-case word of at most 40 characters, with digits and underscores.
func ValidType(t string) bool { return typePattern.MatchString(t) }
