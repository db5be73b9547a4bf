package discover

import (
	"net/url"
	"strings"
)

// commonPaths are where sites keep their feeds, by how often they do.
var commonPaths = []string{
	"/feed", "/rss", "/feed.xml", "/rss.xml", "/atom.xml", "/index.xml", "/feeds/posts/default", "/?feed=rss2", "/feed.json", "/blog/feed",
}

// belowPaths are tried below the path of a page, for sites that keep several
// blogs.
var belowPaths = []string{"/feed", "/rss.xml", "/feed.xml", "/index.xml"}

// CommonPaths returns where the site of a page may keep its feed when the page
// names none, at most 14: first below the page, then at the root of the site.
func CommonPaths(pageURL string) []Candidate {
	u, err := url.Parse(pageURL)
	if err != nil || u.Host == "" {
		return nil
	}
	var found set
	add := func(reference string) {
		if a := absolute(u, reference); a != nil {
			found.add(Candidate{URL: a.String(), Method: MethodPath, Score: score(scorePath, len(found.list), a, "")})
		}
	}
	if below := strings.TrimRight(u.EscapedPath(), "/"); below != "" && !strings.Contains(below[strings.LastIndexByte(below, '/'):], ".") && strings.Count(below, "/") <= 3 {
		for _, p := range belowPaths {
			add(below + p)
		}
	}
	for _, p := range commonPaths {
		add(p)
	}
	return found.list
}
