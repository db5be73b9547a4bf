package demo

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"time"
)

type atomDocument struct {
	XMLName  xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Language string      `xml:"xml:lang,attr"`
	Title    string      `xml:"title"`
	Subtitle string      `xml:"subtitle"`
	ID       string      `xml:"id"`
	Updated  string      `xml:"updated"`
	Links    []atomLink  `xml:"link"`
	Entries  []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title      string         `xml:"title"`
	ID         string         `xml:"id"`
	Link       atomLink       `xml:"link"`
	Published  string         `xml:"published"`
	Updated    string         `xml:"updated"`
	Author     string         `xml:"author>name"`
	Categories []atomCategory `xml:"category"`
	Summary    string         `xml:"summary"`
	Content    atomContent    `xml:"content"`
}

type atomCategory struct {
	Term string `xml:"term,attr"`
}

type atomContent struct {
	Type string `xml:"type,attr"`
	Body string `xml:",chardata"`
}

func renderAtom(s *site, c *channel, items []item) ([]byte, error) {
	doc := atomDocument{
		Language: "en", Title: c.title, Subtitle: c.description,
		ID: "tag:demo.kgl.example,2024:" + c.id, Updated: items[0].published.Format(time.RFC3339),
		Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: s.feedURL(c)}, {Rel: "alternate", Type: "text/html", Href: s.base + "/"}},
	}
	for _, it := range items {
		entry := atomEntry{
			Title: it.title, ID: it.guid, Link: atomLink{Rel: "alternate", Type: "text/html", Href: it.url},
			Published: it.published.Format(time.RFC3339), Updated: it.published.Format(time.RFC3339),
			Author: it.author, Summary: it.lead,
			Content: atomContent{Type: "html", Body: it.html(s.base)},
		}
		for _, tag := range it.tags {
			entry.Categories = append(entry.Categories, atomCategory{Term: tag})
		}
		doc.Entries = append(doc.Entries, entry)
	}
	return marshalXML(doc)
}

type jsonDocument struct {
	Version     string     `json:"version"`
	Title       string     `json:"title"`
	HomePage    string     `json:"home_page_url"`
	FeedURL     string     `json:"feed_url"`
	Description string     `json:"description"`
	Language    string     `json:"language"`
	Items       []jsonItem `json:"items"`
}

type jsonItem struct {
	ID        string       `json:"id"`
	URL       string       `json:"url"`
	Title     string       `json:"title"`
	HTML      string       `json:"content_html,omitempty"`
	Text      string       `json:"content_text,omitempty"`
	Summary   string       `json:"summary"`
	Published string       `json:"date_published"`
	Authors   []jsonAuthor `json:"authors"`
	Tags      []string     `json:"tags"`
}

type jsonAuthor struct {
	Name string `json:"name"`
}

// renderJSON writes a JSON Feed 1.1. Every ninth item is plain text.
func renderJSON(s *site, c *channel, items []item) ([]byte, error) {
	doc := jsonDocument{
		Version: "https://jsonfeed.org/version/1.1", Title: c.title, HomePage: s.base + "/",
		FeedURL: s.feedURL(c), Description: c.description, Language: "en",
	}
	for _, it := range items {
		row := jsonItem{
			ID: it.guid, URL: it.url, Title: it.title, Summary: it.lead,
			Published: it.published.Format(time.RFC3339), Authors: []jsonAuthor{{Name: it.author}}, Tags: it.tags,
		}
		if it.channel == c && mod(it.number, 9) == 4 {
			row.Text = it.text()
		} else {
			row.HTML = it.html(s.base)
		}
		doc.Items = append(doc.Items, row)
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return append(b, '\n'), nil
}

// rdfDocument is an RSS 1.0 document.
type rdfDocument struct {
	XMLName xml.Name   `xml:"rdf:RDF"`
	RDF     string     `xml:"xmlns:rdf,attr"`
	RSS     string     `xml:"xmlns,attr"`
	DC      string     `xml:"xmlns:dc,attr"`
	Content string     `xml:"xmlns:content,attr"`
	Channel rdfChannel `xml:"channel"`
	Items   []rdfItem  `xml:"item"`
}

type rdfChannel struct {
	About       string        `xml:"rdf:about,attr"`
	Title       string        `xml:"title"`
	Link        string        `xml:"link"`
	Description string        `xml:"description"`
	Language    string        `xml:"dc:language"`
	Date        string        `xml:"dc:date"`
	Items       []rdfResource `xml:"items>rdf:Seq>rdf:li"`
}

type rdfResource struct {
	Resource string `xml:"rdf:resource,attr"`
}

type rdfItem struct {
	About       string   `xml:"rdf:about,attr"`
	Title       string   `xml:"title"`
	Link        string   `xml:"link"`
	Description string   `xml:"description"`
	Encoded     string   `xml:"content:encoded,omitempty"`
	Creator     string   `xml:"dc:creator"`
	Date        string   `xml:"dc:date"`
	Subjects    []string `xml:"dc:subject"`
}

func renderRDF(s *site, c *channel, items []item) ([]byte, error) {
	doc := rdfDocument{
		RDF: "http://www.w3.org/1999/02/22-rdf-syntax-ns#", RSS: "http://purl.org/rss/1.0/",
		DC: "http://purl.org/dc/elements/1.1/", Content: "http://purl.org/rss/1.0/modules/content/",
		Channel: rdfChannel{
			About: s.feedURL(c), Title: c.title, Link: s.base + "/", Description: c.description,
			Language: "en", Date: items[0].published.Format(time.RFC3339),
		},
	}
	for _, it := range items {
		doc.Channel.Items = append(doc.Channel.Items, rdfResource{Resource: it.url})
		row := rdfItem{
			About: it.url, Title: it.title, Link: it.url, Description: it.lead,
			Creator: it.author, Date: it.published.Format(time.RFC3339), Subjects: it.tags,
		}
		if !it.teaser {
			row.Encoded = it.html(s.base)
		}
		doc.Items = append(doc.Items, row)
	}
	return marshalXML(doc)
}
