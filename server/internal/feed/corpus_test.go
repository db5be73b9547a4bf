package feed

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mmcdole/gofeed"
)

var testNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func testOptions() Options {
	return Options{BaseURL: "https://feeds.example.org/a/feed.xml", Now: testNow}
}

// sharedDir returns a folder of the captured material that some tests read,
// and skips the test where there is none.
func sharedDir(t *testing.T, sub string) string {
	t.Helper()
	root := os.Getenv("KGL_SHARED")
	if root == "" {
		root = "../../../../shared"
	}
	dir := filepath.Join(root, sub)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no captured material at %s (set KGL_SHARED to its folder)", dir)
	}
	return dir
}

// gofeedDir returns the folder of the parser's own test data in the module
// cache.
func gofeedDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/mmcdole/gofeed").Output()
	if err != nil {
		t.Fatalf("where is gofeed: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "testdata")
}

func walkFiles(t *testing.T, dir string, visit func(path string, body []byte)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		visit(path, body)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatalf("no files in %s", dir)
	}
}

// checkDocument fails the test when a document breaks a promise of the package.
func checkDocument(t *testing.T, name string, doc *Document) {
	t.Helper()
	keys := map[string]bool{}
	for i := range doc.Items {
		it := &doc.Items[i]
		if it.IdentityKey == "" || keys[string(it.IdentityKind)+it.IdentityKey] {
			t.Errorf("%s: item %d: identity %q is empty or repeated", name, i, it.IdentityKey)
		}
		keys[string(it.IdentityKind)+it.IdentityKey] = true
		for _, s := range []string{it.GUID, it.URL, it.CanonicalURL, it.Title, it.Summary, it.ContentHTML, it.ContentText, it.Language} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%s: item %d: %.60q is no clean text", name, i, s)
			}
		}
		if again, _ := sanitiseAt(it.ContentHTML, "", 1<<20); again != it.ContentHTML {
			a, b := firstDifference(it.ContentHTML, again)
			t.Errorf("%s: item %d: sanitising again changes\n%q\nto\n%q", name, i, a, b)
		}
		if it.PublishedAt.After(testNow) || it.PublishedAt.IsZero() {
			t.Errorf("%s: item %d: published at %s", name, i, it.PublishedAt)
		}
		for _, u := range []string{it.URL, it.CanonicalURL} {
			if u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
				t.Errorf("%s: item %d: URL %q", name, i, u)
			}
		}
		if len(it.ContentHash) != 64 {
			t.Errorf("%s: item %d: content hash %q", name, i, it.ContentHash)
		}
	}
}

// firstDifference returns the surroundings of the first place in which two
// texts differ.
func firstDifference(a, b string) (string, string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-80)
	return a[from:min(len(a), i+120)], b[from:min(len(b), i+120)]
}

// compareWithGofeed checks that a document which gofeed reads is read here
// with at least as many items, except those that are empty or repeated.
func compareWithGofeed(t *testing.T, dir string) {
	ctx := context.Background()
	read, better, total := 0, 0, 0
	walkFiles(t, dir, func(path string, body []byte) {
		name := strings.TrimPrefix(path, dir+"/")
		doc, err := Parse(ctx, body, testOptions())
		theirs, gerr := gofeed.NewParser().Parse(bytes.NewReader(body))
		if err != nil {
			if gerr == nil && len(theirs.Items) > 0 {
				t.Errorf("%s: gofeed reads %d items, here: %v", name, len(theirs.Items), err)
			}
			return
		}
		checkDocument(t, name, doc)
		read++
		total += len(doc.Items)
		switch {
		case gerr == nil && len(doc.Items)+doc.Skipped < len(theirs.Items):
			t.Errorf("%s: %d items and %d skipped, gofeed reads %d", name, len(doc.Items), doc.Skipped, len(theirs.Items))
		case gerr != nil && len(doc.Items) > 0:
			better++
		}
	})
	t.Logf("%d documents read, %d items; %d that gofeed alone does not read", read, total, better)
}

func TestGofeedTestdata(t *testing.T) { compareWithGofeed(t, gofeedDir(t)) }

func TestCapturedFeeds(t *testing.T) { compareWithGofeed(t, sharedDir(t, "feeds")) }
