package feed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func addFixtures(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body[:min(len(body), 3000)], "text/xml; charset=utf-8")
	}
}

// FuzzParse checks the promises about documents for any bytes, and that what
// the repairer writes is sound.
func FuzzParse(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		opts := testOptions()
		opts.ContentType = contentType
		doc, err := Parse(context.Background(), body, opts)
		if err != nil {
			if code := kgl.ErrorCode(err); code != kgl.CodeFeedInvalid && code != kgl.CodeTooLarge || errors.Is(err, errPanic) {
				t.Fatalf("error %v", err)
			}
		} else {
			checkDocument(t, "fuzz", doc)
		}
		text, err := decode(body, contentType, 1<<20, &notes{})
		if err != nil {
			return
		}
		if !utf8.Valid(text) {
			t.Fatalf("decoded %q", text)
		}
		mended, err := repair(text, &notes{})
		if err != nil {
			return
		}
		if o, err := scan(mended, Limits{}.withDefaults(), &notes{}); err == nil && !o.sound {
			t.Fatalf("repaired\n%q\nto\n%q", text, mended)
		}
	})
}

func FuzzSanitise(f *testing.F) {
	for _, s := range []string{`<p>a<a href="/x" title=t>b</a><img src=x>`, `<svg><style><img src=x onerror=x()>`, `<ul><li>a<li>b<table><td>`, `&lt;&#0;&amp;`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		out, text := sanitiseAt(src, "https://e.example.org/", 4096)
		if len(out) > 4096 || src == "" && out != "" {
			t.Fatalf("%d bytes", len(out))
		}
		checkSafe(t, src, out)
		if again, _ := sanitiseAt(out, "https://e.example.org/", 4096); again != out {
			t.Fatalf("%q\nbecomes %q\nthen %q", src, out, again)
		}
		if utf8.ValidString(src) && !utf8.ValidString(out+text) {
			t.Fatalf("%q becomes %q", src, out)
		}
	})
}

func FuzzOPML(f *testing.F) {
	f.Add([]byte(`<opml version="2.0"><body><outline text="a"><outline xmlUrl="https://a.example.org/" category="b,c"/></outline></body></opml>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := ParseOPML(context.Background(), body)
		if err != nil && !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Fatalf("error %v", err)
		}
		seen := map[string]bool{}
		for _, s := range list {
			if s.FeedURL == "" || seen[s.FeedURL] || !utf8.ValidString(s.Title) {
				t.Fatalf("list %+v", list)
			}
			seen[s.FeedURL] = true
		}
	})
}
