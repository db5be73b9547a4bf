package discover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// urls writes candidates down, one a line.
func urls(list []Candidate) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(string(c.Method) + " " + c.URL)
		if c.Title != "" {
			b.WriteString(" (" + c.Title + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestReadPage(t *testing.T) {
	for _, test := range []struct{ name, at, page, title, declared, anchors string }{
		{"comments after posts", "https://blog.example.org/post/1", `<!doctype html><html><head><title>One
			&amp; all</title>
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Comments Feed" href="/comments/feed/">
			<link rel="alternate" type="application/rss+xml" title="Blog &raquo; Feed" href="/feed/">
			<link rel="alternate" type="application/rss+xml" title="Replies" href="/post/1/feed/?x=1#y">
			<link rel="alternate" type="application/json+oembed" href="/wp-json/oembed">
			<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">
			<link rel="stylesheet" type="text/css" href="/feed.css"><link rel="alternate" hreflang="de" href="/de/">`,
			"One & all", `link https://blog.example.org/feed/ (Blog » Feed)
link https://blog.example.org/comments/feed/ (Blog » Comments Feed)
link https://blog.example.org/post/1/feed/?x=1 (Replies)
`, ""},
		{"base, case, several relations, wrong types", "http://example.org/a/b", `<BASE HREF="https://cdn.example.org/x/"><base href="/second">
			<LINK REL='ALTERNATE home' TYPE='Application/ATOM+XML; charset=utf-8' HREF='atom.xml'>
			<link rel=feed href=../any><link rel="alternate" type="application/x-rss+xml" href="feed:https://f.example.org/r">
			<link rel="alternate" type="text/xml" href="/data.xml"><link rel="alternate" type="text/xml" title="RSS 2.0" href="/rss2">
			<link rel="alternate" type="text/html" href="/sitemap.xml"><link rel="alternate" href="/index.rdf">
			<link rel="alternate" type="application/feed+json" href="//j.example.org/f.json"><link rel="alternate" type="text/html" href="/mobile">
			<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)"><link rel="alternate" type="application/rss+xml">
			<link rel="alternate" type="application/rss+xml" href="http://me:word@p.example.org/f">`,
			"", `link https://cdn.example.org/x/atom.xml
link https://cdn.example.org/any
link https://f.example.org/r
link https://cdn.example.org/rss2 (RSS 2.0)
link https://cdn.example.org/index.rdf
link https://j.example.org/f.json
link http://p.example.org/f
`, ""},
		{"anchors", "https://example.org/", `<body><svg><title>no</title></svg>
			<a href="/feeds">About our feeds</a> <a href="/about/feed.html">feed</a> <a href="/news/rss.xml"><img alt="RSS"></a>
			<a href="/subscribe">RSS feed</a> <a href="https://feedly.com/i/subscription/feed/https://example.org/rss">Feedly</a>
			<a href="/rss/comments">Comments</a><a href="/feedback">Give feedback</a><a href="https://other.example/">RSS</a>
			<a href="?format=rss">this page</a>`,
			"", "", `anchor https://example.org/news/rss.xml (RSS)
anchor https://example.org/feeds (About our feeds)
anchor https://example.org/?format=rss (this page)
anchor https://example.org/about/feed.html (feed)
anchor https://example.org/subscribe (RSS feed)
anchor https://example.org/rss/comments (Comments)
`},
		{"charset", "https://example.org/", "<meta charset=windows-1252><title>Caf\xe9</title><link rel=alternate type=application/rss+xml href=/f title='Caf\xe9'>",
			"Café", "link https://example.org/f (Café)\n", ""},
		{"not HTML", "https://example.org/", "%PDF-1.4 <link", "", "", ""},
		{"handle of YouTube", "https://www.youtube.com/@name", `<script>{"channelId":"UCother-other-other-other"}</script>
			<meta itemprop="identifier" content="UCct7QF2jcWRY6dhXWMSq9LQ">`, "",
			`platform https://www.youtube.com/feeds/videos.xml?channel_id=UCct7QF2jcWRY6dhXWMSq9LQ
platform https://www.youtube.com/feeds/videos.xml?playlist_id=UULFct7QF2jcWRY6dhXWMSq9LQ
`, ""},
		{"podcast directory", "https://podcasts.apple.com/us/podcast/x/id1", `<script>{"feedUrl":"https:\/\/pod.example.org\/feed.xml"}</script>`, "",
			"platform https://pod.example.org/feed.xml\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := ReadPage([]byte(test.page), "text/html", test.at)
			if p.Title != test.title {
				t.Errorf("title = %q, want %q", p.Title, test.title)
			}
			if got := urls(p.Declared); got != test.declared {
				t.Errorf("declared:\n%s\nwant:\n%s", got, test.declared)
			}
			if got := urls(p.Anchors); got != test.anchors {
				t.Errorf("anchors:\n%s\nwant:\n%s", got, test.anchors)
			}
		})
	}
}

func TestForURL(t *testing.T) {
	for page, want := range map[string]string{
		"https://www.youtube.com/channel/UCct7QF2jcWRY6dhXWMSq9LQ/videos": `https://www.youtube.com/feeds/videos.xml?channel_id=UCct7QF2jcWRY6dhXWMSq9LQ
https://www.youtube.com/feeds/videos.xml?playlist_id=UULFct7QF2jcWRY6dhXWMSq9LQ`,
		"https://m.youtube.com/playlist?list=PLabcdefghijklmnop":    "https://www.youtube.com/feeds/videos.xml?playlist_id=PLabcdefghijklmnop",
		"https://youtube.com/watch?v=x&list=PLabcdefghijklmnop&t=1": "https://www.youtube.com/feeds/videos.xml?playlist_id=PLabcdefghijklmnop",
		"https://www.youtube.com/user/GoogleDevelopers":             "https://www.youtube.com/feeds/videos.xml?user=GoogleDevelopers",
		"https://www.youtube.com/@name":                             "",
		"https://old.reddit.com/r/golang/top/":                      "https://www.reddit.com/r/golang/.rss",
		"https://github.com/golang/go/issues?q=x":                   "https://github.com/golang/go/releases.atom\nhttps://github.com/golang/go/commits.atom\nhttps://github.com/golang/go/tags.atom",
		"https://github.com/golang":                                 "https://github.com/golang.atom",
		"https://github.com/topics/rss":                             "",
		"https://gitlab.com/group/sub/project/-/tree/main":          "https://gitlab.com/group/sub/project/-/releases.atom\nhttps://gitlab.com/group/sub/project/-/tags?format=atom",
		"https://social.example/@ada/":                              "https://social.example/@ada.rss",
		"https://bsky.app/profile/ada.example.org":                  "https://bsky.app/profile/ada.example.org/rss",
		"https://medium.com/@ada/a-post-1":                          "https://medium.com/feed/@ada",
		"https://ada.medium.com/a-post":                             "https://ada.medium.com/feed",
		"https://ada.substack.com/p/post":                           "https://ada.substack.com/feed",
		"http://ada.blogspot.co.uk/2020/01/x.html":                  "https://ada.blogspot.co.uk/feeds/posts/default",
		"https://ada.wordpress.com":                                 "https://ada.wordpress.com/feed/",
		"https://ada.tumblr.com/archive":                            "https://ada.tumblr.com/rss",
		"https://dev.to/ada/post":                                   "https://dev.to/feed/ada",
		"https://stackoverflow.com/questions/tagged/go":             "https://stackoverflow.com/feeds/tag/go",
		"https://arxiv.org/list/cs.AI/recent":                       "https://rss.arxiv.org/rss/cs.AI",
		"https://news.ycombinator.com/":                             "https://news.ycombinator.com/rss",
		"https://www.tiktok.com/@ada":                               "",
		"https://evilyoutube.com/channel/UCct7QF2jcWRY6dhXWMSq9LQ":  "",
		"https://example.org/?u=https://github.com/a/b":             "",
		"::": "",
	} {
		var got []string
		for _, c := range ForURL(page) {
			if c.Method != MethodPlatform || c.Rule == "" {
				t.Errorf("%s: %+v", page, c)
			}
			got = append(got, c.URL)
		}
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("%s:\n%s\nwant:\n%s", page, text, want)
		}
	}
}

func TestCommonPaths(t *testing.T) {
	list := CommonPaths("https://example.org/team/blog/?page=2")
	if len(list) != 14 || list[0].URL != "https://example.org/team/blog/feed" || list[4].URL != "https://example.org/feed" ||
		list[11].URL != "https://example.org/?feed=rss2" {
		t.Errorf("paths:\n%s", urls(list))
	}
	for _, page := range []string{"https://example.org", "https://example.org/post.html", "https://example.org/a/b/c/d/e"} {
		if list := CommonPaths(page); len(list) != 10 || list[0].URL != "https://example.org/feed" {
			t.Errorf("paths of %s:\n%s", page, urls(list))
		}
	}
	if list := CommonPaths("/relative"); list != nil {
		t.Errorf("paths of no site:\n%s", urls(list))
	}
}

// TestSharedPages reads captured pages of well-known sites, each of which
// declares a feed.
func TestSharedPages(t *testing.T) {
	shared := os.Getenv("KGL_SHARED")
	if shared == "" {
		t.Skip("KGL_SHARED does not name a folder with captured pages")
	}
	files, err := filepath.Glob(filepath.Join(shared, "feeds", "*", "*.html"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := ReadPage(body, "text/html", "https://example.org/")
		t.Logf("%s: %s\n%s", filepath.Base(file), p.Title, urls(p.Declared))
		if strings.Contains(string(body), `rel="alternate" type="application/`) && len(p.Declared) == 0 {
			t.Errorf("%s: no feed was found", file)
		}
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`<base href=//x><link rel=feed href=y><a href=/rss>RSS</a><title>t`), "text/html", "https://www.youtube.com/@a")
	f.Add([]byte(`"externalId":"UCct7QF2jcWRY6dhXWMSq9LQ"`), "text/html; charset=utf-16", "http://youtube.com/c/x")
	f.Fuzz(func(t *testing.T, body []byte, contentType, at string) {
		p := ReadPage(body, contentType, at)
		for _, c := range append(p.Declared, p.Anchors...) {
			if !strings.HasPrefix(c.URL, "http://") && !strings.HasPrefix(c.URL, "https://") || strings.Contains(c.URL, "#") {
				t.Errorf("candidate %q", c.URL)
			}
		}
		if len(p.Declared) > maxCandidates+8 || len(p.Anchors) > maxCandidates {
			t.Errorf("%d and %d candidates", len(p.Declared), len(p.Anchors))
		}
	})
}
