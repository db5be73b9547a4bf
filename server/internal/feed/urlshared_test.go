package feed

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSharedURLs runs what applies of the collected cases of other
// canonicalisers. Their canonical forms are not ours, so most cases say: these
// two are one.
//
// These groups do not apply: parsing.json tells the parts into which one other
// program takes a URL; surt.json and ssurt.json its sort keys; aggressive.json
// what an archive takes for one page (any www12, no scheme, no case);
// funky_ipv4.json spellings of addresses under which nothing is published, and
// which package outbound refuses.
func TestSharedURLs(t *testing.T) {
	dir := sharedDir(t, "urls/iipc-urlcanon-testdata")
	t.Run("idempotence", func(t *testing.T) {
		var list []string
		readJSON(t, filepath.Join(dir, "idempotence.json"), &list)
		compared := pairs{}
		for _, raw := range list {
			if once, err := CanonicalURL(raw); err == nil {
				compared.same(t, once, once)
				compared.same(t, raw, once)
			}
		}
		compared.atLeast(t, 25)
	})
	for name, least := range map[string]int{"semantic_precise": 75, "supplemental_whatwg": 30} {
		t.Run(name, func(t *testing.T) {
			var list map[string]string
			readJSON(t, filepath.Join(dir, name+".json"), &list)
			compared := pairs{}
			for raw, equal := range list {
				compared.same(t, raw, equal)
			}
			compared.atLeast(t, least)
		})
	}
	t.Run("path_dots", func(t *testing.T) {
		var dots map[string]map[string]string
		readJSON(t, filepath.Join(dir, "path_dots.json"), &dots)
		count := 0
		for raw, want := range dots["special"] {
			if strings.Contains(raw, `\`) {
				continue // as above
			}
			count++
			if got, err := (&urlRules{}).canonical("https://example.org" + raw); err != nil || got != "https://example.org"+want {
				t.Errorf("%q is %q, %v; want %q", raw, got, err, want)
			}
		}
		if count < 50 {
			t.Errorf("%d cases", count)
		}
	})
	t.Run("whatwg", func(t *testing.T) {
		for _, name := range []string{"urls/iipc-urlcanon-testdata", "vectors/whatwg-url"} {
			var list []json.RawMessage
			readJSON(t, filepath.Join(sharedDir(t, name), "urltestdata.json"), &list)
			compared := pairs{}
			for _, raw := range list {
				var c struct {
					Input, Base, Href string
					Failure           bool
				}
				if json.Unmarshal(raw, &c) != nil { // a note
					continue
				}
				if !c.Failure && c.Href != "" {
					compared.same(t, c.Input, c.Href)
				}
			}
			compared.atLeast(t, 75)
		}
	})
}

// notOurs tells why a pair does not apply, in a few words; empty when it does.
func notOurs(a, b string) string {
	a = strings.TrimSpace(a)
	_, authority, absolute := strings.Cut(a, "://")
	host, path, _ := strings.Cut(authority, "/") // path without its first slash
	partsB, _ := splitURL(b)
	_, dotted := netip.ParseAddr(partsB.host)
	switch lower := strings.ToLower(a); {
	case !strings.HasPrefix(lower, "http:") && !strings.HasPrefix(lower, "https:") || !strings.HasPrefix(b, "http"):
		return "another scheme"
	case !absolute || host == "" || strings.HasPrefix(host, "\\") || strings.Contains(a, "\\"):
		return "slashes that only browsers read so: links were resolved before"
	case dotted == nil && host != partsB.host && !strings.Contains(host, "["):
		return "numbers that stand for an address"
	case strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfeff }):
		return "control characters, which go"
	case strings.ContainsFunc(a, func(r rune) bool { return r >= 0x80 && r < 0x100 }):
		return "bytes that were taken for Latin-1"
	case strings.Contains(a, "%25") || strings.Contains(a, "%%"):
		return "escapes that are undone more than once"
	case strings.Contains(lower, "%3d") || strings.Contains(a, "&%26"):
		return "escapes in names, which mean something"
	case strings.HasPrefix(path, "/") && !strings.HasPrefix(partsB.path, "//"), strings.Contains(path, "//") && partsB.path == "/":
		return "slashes that are merged"
	case strings.HasSuffix(host, ":0") || strings.HasSuffix(host, ":00000000000000"):
		return "port 0"
	}
	return ""
}

// pairs counts what was compared and why others were not.
type pairs map[string]int

// same checks that two URLs are known as one. Both may be refused.
func (p pairs) same(t *testing.T, a, b string) {
	t.Helper()
	why := notOurs(a, b)
	p[why]++
	if why != "" {
		return
	}
	canonicalA, errA := CanonicalURL(a)
	canonicalB, errB := CanonicalURL(b)
	if (errA == nil) != (errB == nil) || canonicalA != canonicalB {
		t.Errorf("%q is %q (%v), but its equal %q is %q (%v)", a, canonicalA, errA, b, canonicalB, errB)
	}
}

// atLeast fails the test unless enough pairs were compared.
func (p pairs) atLeast(t *testing.T, least int) {
	t.Helper()
	for _, why := range slices.Sorted(maps.Keys(p)) {
		t.Logf("%4d %s", p[why], cmp.Or(why, "compared"))
	}
	if p[""] < least {
		t.Errorf("%d pairs were compared, want at least %d", p[""], least)
	}
}
