package feed

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"time"
)

type opmlDocument struct {
	XMLName xml.Name      `xml:"opml"`
	Version string        `xml:"version,attr"`
	Title   string        `xml:"head>title"`
	Created string        `xml:"head>dateCreated"`
	Body    []opmlOutline `xml:"body>outline"`
}

type opmlOutline struct {
	Text     string        `xml:"text,attr"`
	Title    string        `xml:"title,attr,omitempty"`
	Type     string        `xml:"type,attr,omitempty"`
	XMLURL   string        `xml:"xmlUrl,attr,omitempty"`
	HTMLURL  string        `xml:"htmlUrl,attr,omitempty"`
	Category string        `xml:"category,attr,omitempty"`
	Children []opmlOutline `xml:"outline"`
}

// WriteOPML writes a list as OPML 2.0. Feeds stand in an outline of their first
// category, those without one at the top; further categories go into the
// category attribute. The order of feeds and of first categories is kept.
func WriteOPML(w io.Writer, title string, created time.Time, list []Subscription) error {
	doc := opmlDocument{Version: "2.0", Title: title, Created: created.UTC().Format(time.RFC1123Z)}
	folders := map[string]int{}
	for _, s := range list {
		name := firstText(s.Title, s.FeedURL)
		o := opmlOutline{Text: name, Title: name, Type: "rss", XMLURL: s.FeedURL, HTMLURL: s.SiteURL}
		if len(s.Categories) == 0 {
			doc.Body = append(doc.Body, o)
			continue
		}
		o.Category = strings.Join(s.Categories[1:], ",")
		folder := s.Categories[0]
		i, ok := folders[folder]
		if !ok {
			i = len(doc.Body)
			folders[folder] = i
			doc.Body = append(doc.Body, opmlOutline{Text: folder, Title: folder})
		}
		doc.Body[i].Children = append(doc.Body[i].Children, o)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}
