package builtin

import (
	"fmt"
	"math"
	"strings"
)

// tally counts what a rule found on labelled text.
type tally struct{ right, all int }

// confidence returns the measured precision of a rule by Laplace's rule of
// succession: a rule that was seldom seen is near one half.
func (l *lexicon) confidence(rule string) float64 {
	t := l.precision[rule]
	return math.Round(100*float64(t.right+1)/float64(t.all+2)) / 100
}

// parsePrecision reads lines "rule: right/all right/all", a pair for each
// labelled set, and adds them up.
func parsePrecision(list []string) map[string]tally {
	precision := map[string]tally{}
	for _, line := range list {
		rule, counts, _ := strings.Cut(line, ":")
		var sum tally
		for pair := range strings.FieldsSeq(counts) {
			var t tally
			if n, _ := fmt.Sscanf(pair, "%d/%d", &t.right, &t.all); n == 2 {
				sum.right += t.right
				sum.all += t.all
			}
		}
		precision[strings.TrimSpace(rule)] = sum
	}
	return precision
}
