package feed

import (
	"strings"
	"unicode"
)

// dateMarks are the characters that mean nothing, or what others mean.
var dateMarks = strings.NewReplacer("–", "-", "—", "-", "−", "-", "’", "'", "年", "-", "月", "-", "日", " ", "년", "-", "월", "-", "일", " ",
	"時", ":", "时", ":", "시", ":", "分", ":", "분", ":", "秒", " ", "초", " ")

// dateTokens cuts a text at spaces and commas, and a date from its time.
func dateTokens(text string) []string {
	if open := strings.IndexAny(text, "([<"); open > 6 {
		text = text[:open]
	}
	if !isASCII([]byte(text)) {
		text = dateMarks.Replace(text)
	}
	fields := strings.FieldsFunc(joinNumbers(text), func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' || r == '|' })
	out := make([]string, 0, len(fields)+2)
	for _, f := range fields {
		f = strings.Trim(f, ".'")
		if i := endOfDate(f); i > 0 {
			out = append(out, f[:i])
			f = f[i+1:]
		}
		// "22- 11-": numbers that stood before the words for month and day
		if n := len(out); n > 0 && strings.HasSuffix(out[n-1], "-") && len(out[n-1]) > 1 && f != "" && isDigit(f[0]) {
			out[n-1] += f
			continue
		}
		if f != "" {
			out = append(out, f)
		}
	}
	return out
}

// joinNumbers removes the blanks in "22. 11. 2026" and "22 / 11 / 2026", but not
// those before a time of day.
func joinNumbers(text string) string {
	if !strings.ContainsAny(text, "./") {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		next := i
		for next < len(text) && text[next] == ' ' {
			next++
		}
		if next == i || next == len(text) || len(out) == 0 {
			out = append(out, text[i])
			continue
		}
		last, digits := out[len(out)-1], next
		for digits < len(text) && isDigit(text[digits]) {
			digits++
		}
		isTime := digits < len(text) && text[digits] == ':'
		switch {
		case isDigit(last) && text[next] == '/':
		case (last == '.' && len(out) > 1 && isDigit(out[len(out)-2]) || last == '/') && digits > next && !isTime:
		default:
			out = append(out, ' ')
		}
		i = next - 1
	}
	return string(out)
}

// endOfDate returns where the date of a token ends that holds a time as well:
// at the T of ISO 8601, or at the colon of "22/Nov/2026:20:05:00"; 0 when it is
// not of this kind.
func endOfDate(tok string) int {
	if tok == "" || !isDigit(tok[0]) {
		return 0
	}
	separators := 0
	for i := 1; i+1 < len(tok); i++ {
		switch c := tok[i]; {
		case (c == 'T' || c == 't' || c == '_') && i >= 6 && isDigit(tok[i-1]) && isDigit(tok[i+1]):
			return i
		case c == '/' || c == '-' || c == '.':
			separators++
		case c == ':':
			if separators == 2 && isDigit(tok[i+1]) {
				return i
			}
			return 0
		}
	}
	return 0
}
