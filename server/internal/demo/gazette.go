package demo

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"
)

// The gazette is a site that nobody subscribed: its page is there to be
// discovered, and its feed shows what real ones do to their readers. It is not
// well formed, some items lack a date or an id, and three of its stories are
// those of The Creator Ledger, with a line before and one behind.
const (
	gazetteTitle   = "The Patchwork Gazette"
	gazettePath    = "/gazette/"
	gazetteStories = 3
)

func (s *Server) gazette(w http.ResponseWriter, r *http.Request) {
	body := "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" + gazetteTitle + "</title>\n" +
		"<link rel=\"alternate\" type=\"application/rss+xml\" title=\"" + gazetteTitle + "\" href=\"news.rss\">\n</head>\n" +
		"<body>\n<h1>" + gazetteTitle + "</h1>\n<p>Old stories, mended. It is invented.</p>\n</body>\n</html>\n"
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
}

// gazetteFeed serves the damaged document: a warning before the prolog, bare
// ampersands, a byte of another charset, an entity that XML does not know, an
// item that does not end.
func (s *Server) gazetteFeed(w http.ResponseWriter, r *http.Request) {
	now := s.now()
	var b bytes.Buffer
	b.WriteString("<br />\n<b>Notice</b>: Undefined variable $edition in <b>/srv/gazette/rss.php</b> on line <b>12</b><br />\n")
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\">\n<channel>\n")
	fmt.Fprintf(&b, "<title>%s</title>\n<link>%s%s</link>\n<description>Old stories & new</description>\n<ttl>120</ttl>\n", gazetteTitle, s.site.base, gazettePath)
	for i, it := range s.reprints(now) {
		fmt.Fprintf(&b, "<item>\n<title>%s</title>\n<link>stories/%d</link>\n<guid isPermaLink=\"false\">patchwork-%d</guid>\n<pubDate>%s</pubDate>\n<description>%s</description>\n</item>\n",
			html.EscapeString(it.title), it.number, it.number, it.published.Add(time.Duration(i+1)*time.Hour).Format(time.RFC1123Z), html.EscapeString(reprint(it, s.site.base)))
	}
	b.WriteString("<item>\n<title>Grants & prizes of the week &mdash; caf\xe9 edition</title>\n<link>week</link>\n<description>Five calls that are < 30 days from their deadline.</description>\n</item>\n")
	b.WriteString("<item>\n<title>A letter without a date</title>\n<link>letter</link>\n<description>Dear editors, when was this written?</description>\n")
	b.WriteString("<item>\n<title>An item that ends with the document</title>\n<link>last</link>\n<description>The rest was lost on the way")
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	http.ServeContent(w, r, "", now, bytes.NewReader(b.Bytes()))
}

// reprints returns the last stories that The Creator Ledger shows whole, newest
// first.
func (s *Server) reprints(now time.Time) []item {
	var list []item
	for _, it := range s.site.items(s.site.channels[0], now) {
		if !it.teaser && len(list) < gazetteStories {
			list = append(list, it)
		}
	}
	return list
}

// reprint returns the body of a story as the gazette prints it.
func reprint(it item, base string) string {
	return "<p><strong>From our partners.</strong> " + strings.TrimPrefix(it.html(base), "<p>") +
		"<p>The post " + html.EscapeString(it.title) + " appeared first on The Creator Ledger.</p>"
}

// gazettePage shows a page of the gazette.
func (s *Server) gazettePage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, gazetteTitle, "", "<h1>"+gazetteTitle+"</h1>\n<p>This page was not archived.</p>\n")
}
