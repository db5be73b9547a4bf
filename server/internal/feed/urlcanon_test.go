package feed

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestCanonicalURL(t *testing.T) {
	for raw, want := range map[string]string{
		"http://Example.ORG":                                           "https://example.org/",
		" https://www.example.org:443/a\n":                             "https://example.org/a",
		"http://example.org:80/a":                                      "https://example.org/a",
		"http://example.org:8080/a":                                    "http://example.org:8080/a",
		"https://user:secret@example.org/a":                            "https://example.org/a",
		"https://example.org/a#part":                                   "https://example.org/a",
		"https://example.org/#!/route":                                 "https://example.org/#!/route",
		"https://example.org/a?utm_source=x&b=2&UTM_Campaign=y&a=1":    "https://example.org/a?a=1&b=2",
		"https://example.org/a?fbclid=1&gclid=2&mc_cid=3&msclkid=4":    "https://example.org/a",
		"https://example.org/a?id=2&id=1":                              "https://example.org/a?id=2&id=1",
		"https://example.org/a?":                                       "https://example.org/a",
		"https://example.org/a?x=1&&":                                  "https://example.org/a?x=1",
		"https://example.org/story/amp":                                "https://example.org/story",
		"https://example.org/story/amp/":                               "https://example.org/story/",
		"https://example.org/amp":                                      "https://example.org/amp",
		"https://example.org/story.amp.html":                           "https://example.org/story.html",
		"https://example.org/story?amp=1":                              "https://example.org/story",
		"https://example.org/story?outputType=amp":                     "https://example.org/story",
		"https://amp.example.org/story":                                "https://example.org/story",
		"https://m.example.org/story":                                  "https://example.org/story",
		"https://mobile.example.co.uk/story":                           "https://example.co.uk/story",
		"https://en.m.wikipedia.org/wiki/Feed":                         "https://en.wikipedia.org/wiki/Feed",
		"https://www.m.example.org/":                                   "https://example.org/",
		"https://m.uk/":                                                "https://m.uk/",
		"https://www.co.uk/":                                           "https://www.co.uk/",
		"https://www.google.com/amp/s/www.example.org/a/amp":           "https://example.org/a",
		"https://example-org.cdn.ampproject.org/c/s/example.org/a?x=1": "https://example.org/a?x=1",
		"https://example.org/a/../b/./c":                               "https://example.org/b/c",
		"https://example.org/%7efoo/%c3%a9?q=%2f":                      "https://example.org/~foo/%C3%A9?q=%2F",
		"https://example.org/é ü":                                      "https://example.org/%C3%A9%20%C3%BC",
		"https://example.org/100%":                                     "https://example.org/100%25",
		"https://Bücher.example.org/":                                  "https://xn--bcher-kva.example.org/",
		"https://example.org./a":                                       "https://example.org/a",
		"http://127.0.0.1/a":                                           "http://127.0.0.1/a",
		"http://localhost/a":                                           "http://localhost/a",
		"http://[2001:DB8::1]:80/":                                     "http://[2001:db8::1]/",
		"https://example.org/a;jsessionid=AB12?x=1":                    "https://example.org/a?x=1",
		"https://example.org/A/b/":                                     "https://example.org/A/b/",
		"https://example.org/index.html":                               "https://example.org/index.html",
		"https://example.org/a?source=rss":                             "https://example.org/a",
		"https://example.org/a?source=wire":                            "https://example.org/a?source=wire",
	} {
		got, err := CanonicalURL(raw)
		if err != nil || got != want {
			t.Errorf("CanonicalURL(%q) = %q, %v; want %q", raw, got, err, want)
		}
		if again, err := CanonicalURL(got); err != nil || again != got {
			t.Errorf("CanonicalURL(%q) = %q, %v: not idempotent", got, again, err)
		}
	}
}

func TestCanonicalURLRefuses(t *testing.T) {
	for _, raw := range []string{"", " ", "example.org/a", "/a", "ftp://example.org/", "javascript:alert(1)", "mailto:a@example.org", "http://", "https:///a", "http://a b/", "tag:x,2020:y", "https://example.org/" + strings.Repeat("a", 5000)} {
		if got, err := CanonicalURL(raw); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("CanonicalURL(%q) = %q, %v", raw, got, err)
		}
	}
}

// FuzzCanonicalURL checks that the canonical form is its own, and that it names
// the host that the URL named, whatever reads it.
func FuzzCanonicalURL(f *testing.F) {
	for _, b := range strings.Split(urlRulesText, "\n") {
		if isExample(b) {
			from, _, _ := strings.Cut(b, " -> ")
			f.Add(from)
		}
	}
	for _, s := range []string{"http://www.example.org/a/../b?utm_source=x&y=%7e#f", "http://[::1]:80/%", "http://é.example.org/ ", "https://a@b:c@d.org:0443/;x/(s(", "http://%61.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := CanonicalURL(raw)
		if err != nil {
			return
		}
		if twice, err := CanonicalURL(once); err != nil || twice != once {
			t.Fatalf("%q becomes %q, then %q, %v", raw, once, twice, err)
		}
		u, err := url.Parse(once)
		if err != nil || u.User != nil || u.Host == "" || u.String() != once && u.Fragment == "" {
			t.Fatalf("%q becomes %q, which others read as %v, %v", raw, once, u, err)
		}
		parts, err := splitURL(once)
		if err != nil || parts.host != u.Hostname() || parts.port != u.Port() || parts.query != u.RawQuery || parts.path != u.EscapedPath() {
			t.Fatalf("%q is read as %+v, and by others as %v", once, parts, u)
		}
	})
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
