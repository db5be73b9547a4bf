package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	markdownLink    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	markdownHeading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	fencedCode      = regexp.MustCompile("(?ms)^```.*?^```")
)

// TestLinks follows the links between the files of the project that its
// documents hold. What is on the web is not asked for.
func TestLinks(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if n := entry.Name(); n == ".git" || n == "node_modules" || n == "testdata" || n == "bench-results" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		for _, target := range linksOf(t, name) {
			links++
			if fault := followLink(t, name, target); fault != "" {
				t.Errorf("%s: %s", name, fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 10 {
		t.Errorf("only %d links were found", links)
	}
}

func markdown(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fencedCode.ReplaceAllString(string(text), "")
}

// linksOf returns the targets in a document that are not on the web.
func linksOf(t *testing.T, name string) []string {
	t.Helper()
	var targets []string
	for _, m := range markdownLink.FindAllStringSubmatch(markdown(t, name), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			targets = append(targets, m[1])
		}
	}
	return targets
}

// followLink returns what is wrong with a link of a document.
func followLink(t *testing.T, from, target string) string {
	t.Helper()
	file, anchor, _ := strings.Cut(target, "#")
	path := from
	if file != "" {
		path = filepath.Join(filepath.Dir(from), filepath.FromSlash(file))
	}
	if _, err := os.Stat(path); err != nil {
		return "the link to " + target + " leads nowhere"
	}
	if anchor == "" || !strings.HasSuffix(path, ".md") {
		return ""
	}
	for _, m := range markdownHeading.FindAllStringSubmatch(markdown(t, path), -1) {
		if anchorOf(m[1]) == anchor {
			return ""
		}
	}
	return "there is no heading for the link to " + target
}

// anchorOf returns the anchor that a heading gets: in lower case, without
// punctuation, with hyphens for spaces.
func anchorOf(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
