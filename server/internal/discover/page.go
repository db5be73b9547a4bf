package discover

import (
	"bytes"
	"io"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// Page is what a web page says about feeds.
type Page struct {
	Title    string
	Declared []Candidate // by link elements and by rules about the site, the likeliest first
	Anchors  []Candidate // among the links that readers see, the likeliest first
}

// Bounds of what is taken from one page.
const (
	maxCandidates = 50
	maxTitle      = 300 // runes
)

// ReadPage reads a page, or the beginning of one, that was found at a URL. It
// takes anything: what is no HTML names no feeds.
func ReadPage(body []byte, contentType, pageURL string) Page {
	base, err := url.Parse(pageURL)
	if err != nil {
		return Page{}
	}
	r := pageReader{page: base, base: base}
	r.read(body, contentType)
	for _, c := range bySite(base, body) {
		r.declared.add(c)
	}
	return Page{Title: tidy(r.title.String()), Declared: r.declared.sorted(), Anchors: r.anchors.sorted()}
}

// pageReader goes through the tags of a page.
type pageReader struct {
	page, base *url.URL
	hasBase    bool
	title      strings.Builder
	inTitle    bool
	inBody     bool // vector images have titles, too
	declared   set
	anchors    set
	anchor     *html.Token // that is open
	anchorText strings.Builder
}

func (r *pageReader) read(body []byte, contentType string) {
	var in io.Reader = bytes.NewReader(body)
	if decoded, err := charset.NewReader(in, contentType); err == nil {
		in = decoded
	}
	z := html.NewTokenizer(in)
	z.SetMaxBuf(1 << 20)
	for {
		switch z.Next() {
		case html.ErrorToken:
			r.closeAnchor()
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			r.start(z.Token())
		case html.EndTagToken:
			r.end(z.Token().DataAtom)
		case html.TextToken:
			r.text(z)
		}
	}
}

func (r *pageReader) start(t html.Token) {
	switch t.DataAtom {
	case atom.Base:
		if u := absolute(r.page, attribute(t, "href")); u != nil && !r.hasBase {
			r.base, r.hasBase = u, true
		}
	case atom.Link:
		r.link(t)
	case atom.Title:
		r.inTitle = !r.inBody && r.title.Len() == 0
	case atom.Body:
		r.inBody = true
	case atom.A:
		r.closeAnchor()
		r.anchor = &t
		r.anchorText.WriteString(attribute(t, "title") + " " + attribute(t, "aria-label") + " ")
	case atom.Img:
		if r.anchor != nil {
			r.anchorText.WriteString(attribute(t, "alt") + " ")
		}
	}
}

func (r *pageReader) end(tag atom.Atom) {
	switch tag {
	case atom.Title:
		r.inTitle = false
	case atom.A:
		r.closeAnchor()
	}
}

func (r *pageReader) text(z *html.Tokenizer) {
	switch {
	case r.inTitle && r.title.Len() < 8*maxTitle:
		r.title.Write(z.Text())
	case r.anchor != nil && r.anchorText.Len() < 8*maxTitle:
		r.anchorText.Write(z.Text())
	}
}

// link takes a link element that declares a feed: one with a feed's type, also
// a wrong one, or the relation "feed".
func (r *pageReader) link(t html.Token) {
	relations := strings.Fields(strings.ToLower(attribute(t, "rel")))
	u := absolute(r.base, attribute(t, "href"))
	title := tidy(attribute(t, "title"))
	if u == nil || len(r.declared.list) >= maxCandidates || !declaresFeed(relations, attribute(t, "type"), u, title) {
		return
	}
	place := len(r.declared.list)
	r.declared.add(Candidate{URL: u.String(), Title: title, Method: MethodLink, Score: score(scoreLink, place, u, title)})
}

func declaresFeed(relations []string, mediaType string, u *url.URL, title string) bool {
	alternate := false
	for _, relation := range relations {
		switch relation {
		case "feed":
			return true
		case "alternate", "alternative", "service.feed":
			alternate = true
		case "stylesheet", "canonical":
			return false
		}
	}
	if !alternate {
		return false
	}
	if parsed, _, err := mime.ParseMediaType(mediaType); err == nil {
		mediaType = parsed
	}
	switch mediaType = strings.ToLower(strings.TrimSpace(mediaType)); {
	case feedType.MatchString(mediaType):
		return true
	case mediaType == "application/json":
		// Some interfaces of sites are declared like this, too.
		return looksLikeFeed(u) && strings.HasSuffix(u.Path, ".json")
	case mediaType == "", mediaType == "text/xml", mediaType == "application/xml", mediaType == "text/html", mediaType == "text/plain":
		return looksLikeFeed(u) || mediaType != "" && feedWord.MatchString(title)
	}
	return false
}

// closeAnchor judges the link whose text was read.
func (r *pageReader) closeAnchor() {
	t, text := r.anchor, tidy(r.anchorText.String())
	r.anchor = nil
	r.anchorText.Reset()
	if t == nil || len(r.anchors.list) >= maxCandidates {
		return
	}
	u := absolute(r.base, attribute(*t, "href"))
	if u == nil || readerHost.MatchString(u.Host) {
		return
	}
	base := scoreAnchor
	switch byText, byURL := feedText.MatchString(text), looksLikeFeed(u); {
	case byText && byURL:
		base += 10
	case byURL:
	case byText && u.Host == r.page.Host && u.Path != r.page.Path:
		base -= 10 // often a page about feeds
	default:
		return
	}
	r.anchors.add(Candidate{URL: u.String(), Title: text, Method: MethodAnchor, Score: score(base, len(r.anchors.list), u, text)})
}

var (
	// feedType matches the media types of feeds, with the mistakes that are made.
	feedType = regexp.MustCompile(`^(application|text)/(x[-.])?((rss|atom|rdf)(\+xml)?|feed\+json|json\+feed)$`)
	feedWord = regexp.MustCompile(`(?i)\b(rss|atom|feeds?)\b`)
	// feedText matches the whole text of a link that says nothing else.
	feedText = regexp.MustCompile(`(?i)^\W*((subscribe|follow)( (via|by|with|to|our|us|the|on))* )?((rss|atom|xml|json) ?(2\.0|1\.0)?(/(rss|atom))?( ?feeds?)?|feeds?|web feeds?|news feeds?)\W*$`)
	// feedPath matches a word for feeds as a whole part of a path.
	feedPath = regexp.MustCompile(`(?i)(^|[/._-])(rss2?|atom|feeds?|rdf|rssfeed)([/._-]|$)`)
	// noFeed matches what has such a word and is something else.
	noFeed = regexp.MustCompile(`(?i)(sitemap|opensearch|oembed|wp-json|xmlrpc|wlwmanifest)|\.(html?|png|jpe?g|gif|svg|webp|ico|css|js|pdf|zip|mp3|mp4)$`)
	// readerHost matches services that subscribe to a feed for their users.
	readerHost = regexp.MustCompile(`(?i)(^|\.)(feedly\.com|netvibes\.com|newsblur\.com|inoreader\.com|bloglines\.com|newsgator\.com|theoldreader\.com|google\.[a-z.]+|yahoo\.com|facebook\.com|twitter\.com|x\.com|wikipedia\.org|w3\.org)$`)
	feedQuery  = regexp.MustCompile(`(?i)(^|&)(feed=(rss2?|atom|rdf)|format=(feed|rss|atom)|type=(rss|atom|100)|output=(rss|atom)|alt=rss)(&|$)`)
	feedHost   = regexp.MustCompile(`(?i)^(feeds?|rss)[0-9]*\.`)
)

// looksLikeFeed reports whether a URL reads like that of a feed.
func looksLikeFeed(u *url.URL) bool {
	if noFeed.MatchString(u.Path) {
		return false
	}
	return feedPath.MatchString(u.Path) || feedQuery.MatchString(u.RawQuery) || feedHost.MatchString(u.Host) && u.Path != "" && u.Path != "/"
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// tidy folds white space and control characters to single spaces, and cuts.
func tidy(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
	if runes := []rune(text); len(runes) > maxTitle {
		text = string(runes[:maxTitle-1]) + "…"
	}
	return text
}
