package demo

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// rssDocument is an RSS 2.0 document. The prefixes of its extensions are part
// of the names here, because encoding/xml does not write prefixes by itself.
type rssDocument struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Content string     `xml:"xmlns:content,attr"`
	DC      string     `xml:"xmlns:dc,attr"`
	Atom    string     `xml:"xmlns:atom,attr"`
	ITunes  string     `xml:"xmlns:itunes,attr,omitempty"`
	Media   string     `xml:"xmlns:media,attr,omitempty"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Language    string    `xml:"language"`
	BuildDate   string    `xml:"lastBuildDate"`
	TTL         int       `xml:"ttl"`
	Self        atomLink  `xml:"atom:link"`
	Author      string    `xml:"itunes:author,omitempty"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string        `xml:"title"`
	Link        string        `xml:"link"`
	GUID        *rssGUID      `xml:"guid"`
	PubDate     string        `xml:"pubDate,omitempty"`
	Creator     string        `xml:"dc:creator,omitempty"`
	Categories  []string      `xml:"category"`
	Description string        `xml:"description"`
	Encoded     string        `xml:"content:encoded"`
	Enclosure   *rssEnclosure `xml:"enclosure"`
	Media       *rssMedia     `xml:"media:content"`
	Duration    string        `xml:"itunes:duration,omitempty"`
	Episode     int           `xml:"itunes:episode,omitempty"`
}

type rssGUID struct {
	IsPermaLink bool   `xml:"isPermaLink,attr"`
	Value       string `xml:",chardata"`
}

type rssEnclosure struct {
	URL    string `xml:"url,attr"`
	Length int    `xml:"length,attr"`
	Type   string `xml:"type,attr"`
}

type rssMedia struct {
	URL    string `xml:"url,attr"`
	Type   string `xml:"type,attr"`
	Medium string `xml:"medium,attr"`
}

func renderRSS(s *site, c *channel, items []item) ([]byte, error) {
	doc := s.rss(c, items)
	for _, it := range items {
		doc.Channel.Items = append(doc.Channel.Items, s.rssItem(it))
	}
	return marshalXML(doc)
}

// renderPodcast adds an enclosure to each item: a second of silence that the
// server really serves.
func renderPodcast(s *site, c *channel, items []item) ([]byte, error) {
	doc := s.rss(c, items)
	doc.ITunes = "http://www.itunes.com/dtds/podcast-1.0.dtd"
	doc.Media = "http://search.yahoo.com/mrss/"
	doc.Channel.Author = c.title
	for _, it := range items {
		audio := fmt.Sprintf("%s/media/%s-%d.wav", s.base, c.id, it.number)
		row := s.rssItem(it)
		row.Enclosure = &rssEnclosure{URL: audio, Length: len(silence()), Type: "audio/wav"}
		row.Media = &rssMedia{URL: audio, Type: "audio/wav", Medium: "audio"}
		row.Duration = fmt.Sprintf("00:%02d:00", 24+mod(it.number*7, 33))
		row.Episode = it.number
		doc.Channel.Items = append(doc.Channel.Items, row)
	}
	return marshalXML(doc)
}

func (s *site) rss(c *channel, items []item) rssDocument {
	return rssDocument{
		Version: "2.0",
		Content: "http://purl.org/rss/1.0/modules/content/",
		DC:      "http://purl.org/dc/elements/1.1/",
		Atom:    "http://www.w3.org/2005/Atom",
		Channel: rssChannel{
			Title: c.title, Link: s.base + "/", Description: c.description, Language: "en", TTL: 60,
			BuildDate: httpDate(items[0].published),
			Self:      atomLink{Rel: "self", Type: "application/rss+xml", Href: s.feedURL(c)},
		},
	}
}

func (s *site) rssItem(it item) rssItem {
	row := rssItem{
		Title: it.title, Link: it.url, Creator: it.author, Categories: it.tags,
		Description: it.lead, Encoded: it.html(s.base),
	}
	if it.guid != "" {
		row.GUID = &rssGUID{Value: it.guid}
	}
	if !it.undated {
		row.PubDate = httpDate(it.published)
	}
	return row
}

// httpDate is also a date of RFC 822, as RSS wants it.
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

func marshalXML(doc any) ([]byte, error) {
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return []byte(xml.Header + strings.TrimSpace(string(b)) + "\n"), nil
}
