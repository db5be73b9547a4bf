package feed

import (
	"strings"
	"testing"
)

// benchURLs are links as feeds have them: most are clean or carry tracking
// parameters, few need more.
var benchURLs = []string{
	"https://www.example.org/2026/11/a-story-about-grants-for-creators/",
	"https://blog.example.com/posts/new-funding-round?utm_source=rss&utm_medium=rss&utm_campaign=new-funding-round",
	"https://example.net/?p=12345",
	"http://feeds.example.co.uk/~r/site/~3/AbCdEf/story.html",
	"https://www.youtube.com/watch?v=abcdefghijk",
	"https://example.org/news/2026/11/22/platform-changes-payouts#comments",
	"https://medium.com/@writer/how-to-live-from-writing-1a2b3c4d5e6f?source=rss-1a2b3c------2",
	"https://en.example.org/wiki/Caf%C3%A9_culture",
}

func BenchmarkCanonicalURL(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := CanonicalURL(benchURLs[i%len(benchURLs)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCanonicalURLHostile is what the worst URLs cost that a feed can
// hold. A feed has thousands, so each must stay below a few milliseconds.
func BenchmarkCanonicalURLHostile(b *testing.B) {
	for name, raw := range map[string]string{
		"labels":     "http://" + strings.Repeat("www.", 1000) + "org/",
		"IDNA":       "http://" + strings.Repeat("ü", 2000) + ".org/",
		"sessions":   "http://a.org/" + strings.Repeat(";jsessionid=", 330),
		"segments":   "http://a.org/" + strings.Repeat("(S(4hqa0555fwsecu455xqckv45))/", 130),
		"endings":    "http://a.org/a" + strings.Repeat("/amp", 1000),
		"dots":       "http://a.org/" + strings.Repeat("a/../", 800),
		"parameters": "http://a.org/?" + strings.Repeat("b&a&", 1000),
		"redirects":  "https://google.com/url?q=" + strings.Repeat("https://google.com/url?q=", 160),
		"caches":     "https://google.com/" + strings.Repeat("amp/s/google.com/", 230) + "a.org/",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = CanonicalURL(raw)
			}
		})
	}
}
