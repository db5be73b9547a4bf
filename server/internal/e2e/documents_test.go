package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedMetrics holds the table in docs/operations.md equal to what
// /metrics exports.
func TestDocumentedMetrics(t *testing.T) {
	t.Parallel()
	b := newInstallation(t, "sqlite").start(t)
	b.samples(t)
	b.anonymous(t).do("GET", "/api/v1/sources", "").want(t, 401) // a refusal
	text := string(b.anonymous(t).do("GET", "/metrics", "").want(t, 200).body)
	document, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	exported := firstGroups(`(?m)^# TYPE (kgl_\w+) `, text)
	documented := firstGroups("(?m)^\\| `(kgl_\\w+)", string(document))
	if len(exported) < 10 || !slices.Equal(exported, documented) {
		t.Errorf("/metrics exports\n%s\ndocs/operations.md has\n%s", strings.Join(exported, "\n"), strings.Join(documented, "\n"))
	}
}

// firstGroups returns what the first group of a pattern matched, sorted.
func firstGroups(pattern, text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return found
}
