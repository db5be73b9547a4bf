package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	caseRow      = regexp.MustCompile(`(?m)^\| (\d+) \|.*\|$`)
	namedTest    = regexp.MustCompile("`((?:Test|test|Fuzz)\\w+)`")
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|test|Fuzz)\w+)\(`)
)

// TestSafetyCases holds the table of docs/ingestion.md to what is there: each
// case of safe requests has a row, and each test that it names exists.
func TestSafetyCases(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, pattern := range []string{"server/internal/*/*_test.go", "server/internal/*/*/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range declaredTest.FindAllStringSubmatch(string(source), -1) {
				declared[match[1]] = true
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "ingestion.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Safety of requests\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[int]bool{}
	for _, row := range caseRow.FindAllStringSubmatch(section, -1) {
		number, _ := strconv.Atoi(row[1])
		tests := namedTest.FindAllStringSubmatch(row[0], -1)
		rows[number] = len(tests) > 0
		for _, name := range tests {
			if !declared[name[1]] {
				t.Errorf("case %d: there is no test %s", number, name[1])
			}
		}
	}
	for number := 1; number <= 22; number++ {
		if !rows[number] {
			t.Errorf("case %d has no test in the table", number)
		}
	}
}
