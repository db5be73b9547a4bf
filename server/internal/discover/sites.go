package discover

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
)

// siteRule tells where a site keeps the feeds of its pages.
type siteRule struct {
	name string
	host *regexp.Regexp // of the host without www. and m.
	// path is matched against the path without a slash at its end, with the query
	// behind "?" when there is one. Feeds take their $1 from it.
	path  *regexp.Regexp
	feeds []string // the main one first; "$host" is the host as it was given
	// title of each of feeds; may be shorter.
	titles []string
}

// siteRules are the rules that follow from an address alone; the first that
// fits counts, and one without feeds says that there are none. They are about
// sites whose addresses have been the same for years.
var siteRules = []siteRule{
	{"youtube_channel", host(`youtube\.com`), inPath(`^/channel/(UC([\w-]{22}))`),
		[]string{"https://www.youtube.com/feeds/videos.xml?channel_id=$1", "https://www.youtube.com/feeds/videos.xml?playlist_id=UULF$2"},
		[]string{"Videos", "Videos without Shorts and streams"}},
	{"youtube_playlist", host(`youtube\.com`), inPath(`^/(?:playlist|watch)\?(?:.*&)?list=((?:PL|UU|OL|FL)[\w-]{10,50})(?:&|$)`),
		[]string{"https://www.youtube.com/feeds/videos.xml?playlist_id=$1"}, nil},
	{"youtube_user", host(`youtube\.com`), inPath(`^/user/([\w.-]{1,64})`),
		[]string{"https://www.youtube.com/feeds/videos.xml?user=$1"}, nil},
	{"youtube", host(`youtube\.com|youtu\.be`), nil, nil, nil}, // what else there is stands in the page: see pageRules
	{"reddit", host(`(?:(?:old|new)\.)?reddit\.com`), inPath(`^/(r|user|u)/([\w-]{1,50})`),
		[]string{"https://www.reddit.com/$1/$2/.rss"}, nil},
	{"github_itself", host(`github\.com`),
		inPath(`^/(?:about|apps|collections|contact|customer-stories|enterprise|events|explore|features|issues|login|marketplace|new|notifications|organizations|orgs|pricing|pulls|search|security|settings|signup|site|sponsors|team|topics|trending)(?:[/?]|$)`), nil, nil},
	{"github_repository", host(`github\.com`), inPath(`^/([\w-]{1,39})/([\w.-]{1,100}?)(?:\.git)?(?:/.*)?(?:\?.*)?$`),
		[]string{"https://github.com/$1/$2/releases.atom", "https://github.com/$1/$2/commits.atom", "https://github.com/$1/$2/tags.atom"},
		[]string{"Releases", "Commits", "Tags"}},
	{"github_user", host(`github\.com`), inPath(`^/([\w-]{1,39})$`),
		[]string{"https://github.com/$1.atom"}, []string{"Public activity"}},
	{"gitlab_project", host(`gitlab\.com`), inPath(`^/([\w.-]+(?:/[\w.-]+)+?)(?:/-/.*)?$`),
		[]string{"https://gitlab.com/$1/-/releases.atom", "https://gitlab.com/$1/-/tags?format=atom"}, []string{"Releases", "Tags"}},
	{"bluesky", host(`bsky\.app`), inPath(`^/profile/([\w.:-]{3,253})$`), []string{"https://bsky.app/profile/$1/rss"}, nil},
	{"medium", host(`medium\.com`), inPath(`^/(@?[\w.-]{1,64})(?:/.*)?$`), []string{"https://medium.com/feed/$1"}, nil},
	{"medium_site", host(`[\w-]+\.medium\.com`), nil, []string{"https://$host/feed"}, nil},
	{"substack", host(`[\w-]+\.substack\.com`), nil, []string{"https://$host/feed"}, nil},
	{"blogger", host(`[\w-]+\.blogspot\.(?:com?\.)?[a-z]{2,3}`), nil, []string{"https://$host/feeds/posts/default"}, nil},
	{"wordpress_com", host(`[\w-]+\.wordpress\.com`), nil, []string{"https://$host/feed/"}, nil},
	{"tumblr", host(`[\w-]+\.tumblr\.com`), nil, []string{"https://$host/rss"}, nil},
	{"dev_community", host(`dev\.to`), inPath(`^/([\w-]{1,64})`), []string{"https://dev.to/feed/$1"}, nil},
	{"stack_exchange_tag", host(`(?:stackoverflow|serverfault|superuser|[\w-]+\.stackexchange)\.com`), inPath(`^/questions/tagged/([\w.+-]+)`),
		[]string{"https://$host/feeds/tag/$1"}, nil},
	{"arxiv", host(`arxiv\.org`), inPath(`^/list/([\w.-]+)/`), []string{"https://rss.arxiv.org/rss/$1"}, nil},
	{"without_feeds", host(`tiktok\.com|threads\.(?:com|net)|instagram\.com|flipboard\.com`), nil, nil, nil},
	{"mastodon", regexp.MustCompile(`.`), inPath(`^/@([\w.]{1,64})$`), []string{"https://$host/@$1.rss"}, nil},
	{"hacker_news", host(`news\.ycombinator\.com`), inPath(`^$`), []string{"https://news.ycombinator.com/rss"}, nil},
}

// pageRule finds in a page what its address does not say.
type pageRule struct {
	name  string
	host  *regexp.Regexp
	in    []*regexp.Regexp // the first that matches counts
	feeds []string
}

var youtubeFeeds = []string{"https://www.youtube.com/feeds/videos.xml?channel_id=$1", "https://www.youtube.com/feeds/videos.xml?playlist_id=UULF$2"}

// pageRules are tried on pages of a site whose address did not say enough:
// names and handles of YouTube, directories of podcasts.
var pageRules = []pageRule{
	{"youtube_page", host(`youtube\.com|youtu\.be`), []*regexp.Regexp{
		regexp.MustCompile(`<link[^>]+rel="canonical"[^>]+href="https://www\.youtube\.com/channel/(UC([\w-]{22}))"`),
		regexp.MustCompile(`<meta itemprop="(?:channelId|identifier)" content="(UC([\w-]{22}))"`),
		regexp.MustCompile(`"externalId":"(UC([\w-]{22}))"`),
		regexp.MustCompile(`"channelId":"(UC([\w-]{22}))"`),
	}, youtubeFeeds},
	{"apple_podcasts", host(`podcasts\.apple\.com`), []*regexp.Regexp{
		regexp.MustCompile(`"feedUrl":\s?"(https?:[^"\s<>]{5,1000})"`),
	}, []string{"$1"}},
}

func host(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

func inPath(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

// ForURL returns the feeds that the address of a page lets expect, by what is
// known about its site.
func ForURL(pageURL string) []Candidate {
	u, err := url.Parse(pageURL)
	if err != nil {
		return nil
	}
	for _, rule := range siteRules {
		if rule.host.MatchString(siteOf(u)) && (rule.path == nil || rule.path.MatchString(pathAndQuery(u))) {
			return rule.candidates(u)
		}
	}
	return nil
}

// candidates returns the feeds of a page that the rule fits.
func (rule siteRule) candidates(u *url.URL) []Candidate {
	var found set
	for i, template := range rule.feeds {
		title := ""
		if i < len(rule.titles) {
			title = rule.titles[i]
		}
		feed := strings.ReplaceAll(template, "$host", u.Host)
		if rule.path != nil {
			subject := pathAndQuery(u)
			feed = string(rule.path.ExpandString(nil, feed, subject, rule.path.FindStringSubmatchIndex(subject)))
		}
		found.add(platform(rule.name, feed, title, i))
	}
	return found.list
}

// bySite returns the feeds that the rules know for a page.
func bySite(page *url.URL, body []byte) []Candidate {
	found := set{}
	for _, c := range ForURL(page.String()) {
		found.add(c)
	}
	for _, rule := range pageRules {
		if !rule.host.MatchString(siteOf(page)) {
			continue
		}
		for _, pattern := range rule.in {
			match := pattern.FindSubmatchIndex(body)
			if match == nil {
				continue
			}
			for i, template := range rule.feeds {
				feed := string(bytes.ReplaceAll(pattern.Expand(nil, []byte(template), body, match), []byte(`\/`), []byte("/")))
				found.add(platform(rule.name, feed, "", i))
			}
			break
		}
	}
	return found.list
}

func platform(rule, feed, title string, place int) Candidate {
	u := absolute(nil, feed)
	if u == nil {
		return Candidate{}
	}
	return Candidate{URL: u.String(), Title: title, Method: MethodPlatform, Rule: rule, Score: score(scorePlatform, place, u, title)}
}

// siteOf returns the host that rules are matched with.
func siteOf(u *url.URL) string {
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	name = strings.TrimPrefix(name, "www.")
	return strings.TrimPrefix(name, "m.")
}

func pathAndQuery(u *url.URL) string {
	text := strings.TrimRight(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		text += "?" + u.RawQuery
	}
	return text
}
