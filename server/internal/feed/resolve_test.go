package feed

import (
	"net/url"
	"testing"
)

// FuzzPlainURL checks that a URL which is handed on unparsed is what parsing it
// would have made of it.
func FuzzPlainURL(f *testing.F) {
	for _, s := range []string{
		"https://e.example.org", "http://e.example.org/a/b?c=d&e=f", "https://e.example.org:80/", "https://e.example.org/a@b:c", "https://e.example.org/?a?b", "https://e.example.org/a//b/../c",
		"https://E.example.org/", "https:///a", "https://e.example.org/%41", "https://e.example.org/a b", "https://-/;,+$~_", "https://e.example.org?a=b", "https://.../?", "http://1.2.3.4/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isPlainURL(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.String() != s || u.Host == "" || u.User != nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q is %+v, %v", s, u, err)
		}
	})
}
