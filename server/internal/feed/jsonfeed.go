package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// JSON Feed (https://jsonfeed.org/version/1.1) is read here and not by gofeed,
// which fails as a whole when one field has another type than the format says:
// in the wild "tags" is a string, "authors" an object, and ids are numbers.
// Every item is decoded alone, so that a broken one, or a document that ends
// early, costs no other.

// trimJSONPrefix removes the prefix that some servers put against script
// inclusion, and white space.
func trimJSONPrefix(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return bytes.TrimSpace(bytes.TrimPrefix(text, []byte(")]}'")))
}

type jsonFeed struct {
	version, title, homePageURL, feedURL, description, icon, favicon, language jsonText

	author, authors jsonAuthors
	items           [][]byte
	skipped         int // items beyond the limit
	found           bool
}

type jsonItem struct {
	id, url, externalURL, title, contentHTML, contentText, summary jsonText
	image, bannerImage, datePublished, dateModified, language      jsonText

	author, authors jsonAuthors
	tags            jsonTexts
	attachments     jsonAttachments
}

type jsonAttachment struct {
	URL      jsonText `json:"url"`
	MimeType jsonText `json:"mime_type"`
	Size     jsonText `json:"size_in_bytes"`
	Duration jsonText `json:"duration_in_seconds"`
}

// jsonText is a text that may be published as a number or a boolean; other
// types leave it empty.
type jsonText string

// UnmarshalJSON implements json.Unmarshaler; it never fails.
func (t *jsonText) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > 0 && b[0] == '"':
		*t = jsonText(jsonUnquote(b))
	case len(b) > 0 && b[0] != '{' && b[0] != '[' && string(b) != "null":
		*t = jsonText(b)
	}
	return nil
}

// jsonTexts is a list of texts, or one text with commas.
type jsonTexts []string

// UnmarshalJSON implements json.Unmarshaler; it never fails.
func (l *jsonTexts) UnmarshalJSON(b []byte) error {
	var list []jsonText
	if len(b) > 0 && b[0] == '[' && json.Unmarshal(b, &list) == nil {
		for _, t := range list {
			*l = addText(*l, string(t))
		}
		return nil
	}
	var one jsonText
	if json.Unmarshal(b, &one) == nil {
		*l = addText(*l, strings.Split(string(one), ",")...)
	}
	return nil
}

// jsonAuthors is a list of author objects, one object, or names alone.
type jsonAuthors []Author

// UnmarshalJSON implements json.Unmarshaler; it never fails.
func (l *jsonAuthors) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		list = []json.RawMessage{b}
	}
	for _, raw := range list {
		var a struct{ Name, URL, Email jsonText }
		if json.Unmarshal(raw, &a) == nil {
			*l = append(*l, Author{string(a.Name), string(a.Email), string(a.URL)})
			continue
		}
		var name jsonText
		if json.Unmarshal(raw, &name) == nil {
			*l = addPerson(*l, string(name))
		}
	}
	return nil
}

type jsonAttachments []jsonAttachment

// UnmarshalJSON implements json.Unmarshaler; it never fails.
func (l *jsonAttachments) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		list = []json.RawMessage{b}
	}
	for _, raw := range list {
		var a jsonAttachment
		if json.Unmarshal(raw, &a) == nil && a.URL != "" {
			*l = append(*l, a)
		}
	}
	return nil
}

// parseJSON reads a JSON Feed document, which is valid JSON.
func parseJSON(ctx context.Context, text []byte, limits Limits, n *notes) (*rawFeed, error) {
	f, err := readJSONFeed(trimJSONPrefix(text), limits, n)
	if err != nil {
		return nil, err
	}
	raw := &rawFeed{
		skipped:     f.skipped,
		format:      FormatJSON,
		title:       markup{value: string(f.title), typ: "text"},
		description: markup{value: string(f.description), typ: "text"},
		links:       addText(nil, string(f.homePageURL)),
		selfURL:     string(f.feedURL),
		imageURL:    firstText(string(f.icon), string(f.favicon)),
		language:    string(f.language),
		authors:     append(append([]Author(nil), f.authors...), f.author...),
	}
	if i := strings.LastIndex(string(f.version), "/version/"); i >= 0 {
		raw.version = string(f.version)[i+len("/version/"):]
	} else {
		n.add(WarnUnknownFormat, "the document does not say that it is a JSON Feed")
	}
	for i, b := range f.items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var it jsonItem
		if err := jsonMembers(b, it.set); err != nil {
			n.mend(WarnItemSkipped, "item %d is not an object", i+1)
			raw.skipped++
			continue
		}
		raw.items = append(raw.items, fromJSONItem(it))
	}
	return raw, nil
}

// readJSONFeed walks over the members of the document.
func readJSONFeed(text []byte, limits Limits, n *notes) (*jsonFeed, error) {
	f := &jsonFeed{}
	err := jsonMembers(text, func(key string, value []byte) error {
		if key != "items" {
			return f.set(key, value)
		}
		f.found = true
		return jsonElements(value, func(value []byte) error {
			if len(f.items) == limits.MaxItems {
				f.skipped++
			} else {
				f.items = append(f.items, value)
			}
			return nil
		})
	})
	switch {
	case !f.found:
		return nil, invalid("the JSON document is not a feed: it has no items")
	case err != nil && len(f.items) == 0:
		return nil, invalid("the JSON document is damaged and no item of it can be read")
	case err != nil:
		n.mend(WarnMalformed, "the JSON document is damaged; what stands before the damage was read")
	}
	if f.skipped > 0 {
		n.add(WarnTooManyItems, "the document has %d items; the first %d were read", len(f.items)+f.skipped, len(f.items))
	}
	return f, nil
}

// set takes a member of the document. Names are compared without regard to
// case; of several members of one name the last counts.
func (f *jsonFeed) set(key string, value []byte) error {
	texts := map[string]*jsonText{
		"version": &f.version, "title": &f.title, "home_page_url": &f.homePageURL, "feed_url": &f.feedURL,
		"description": &f.description, "icon": &f.icon, "favicon": &f.favicon, "language": &f.language,
	}
	switch key = strings.ToLower(key); key {
	case "author":
		f.author = nil
		return f.author.UnmarshalJSON(value)
	case "authors":
		f.authors = nil
		return f.authors.UnmarshalJSON(value)
	}
	if t := texts[key]; t != nil {
		return t.UnmarshalJSON(value)
	}
	return nil
}

// set takes a member of an item, as that of a document.
func (it *jsonItem) set(key string, value []byte) error {
	var t *jsonText
	switch strings.ToLower(key) {
	case "id":
		t = &it.id
	case "url":
		t = &it.url
	case "external_url":
		t = &it.externalURL
	case "title":
		t = &it.title
	case "content_html":
		t = &it.contentHTML
	case "content_text":
		t = &it.contentText
	case "summary":
		t = &it.summary
	case "image":
		t = &it.image
	case "banner_image":
		t = &it.bannerImage
	case "date_published":
		t = &it.datePublished
	case "date_modified":
		t = &it.dateModified
	case "language":
		t = &it.language
	case "author":
		it.author = nil
		return it.author.UnmarshalJSON(value)
	case "authors":
		it.authors = nil
		return it.authors.UnmarshalJSON(value)
	case "tags":
		it.tags = nil
		return it.tags.UnmarshalJSON(value)
	case "attachments":
		it.attachments = nil
		return it.attachments.UnmarshalJSON(value)
	default:
		return nil
	}
	return t.UnmarshalJSON(value)
}

func fromJSONItem(it jsonItem) rawItem {
	raw := rawItem{
		id:         strings.TrimSpace(string(it.id)),
		title:      markup{value: string(it.title), typ: "text"},
		content:    addMarkup(nil, string(it.contentHTML), "html"),
		summary:    addMarkup(nil, string(it.summary), "text"),
		published:  addText(nil, string(it.datePublished)),
		updated:    addText(nil, string(it.dateModified)),
		authors:    append(append([]Author(nil), it.authors...), it.author...),
		categories: it.tags,
		language:   string(it.language),
	}
	raw.content = addMarkup(raw.content, string(it.contentText), "text")
	raw.links = addWebAddress(addText(nil, string(it.url), string(it.externalURL)), raw.id)
	for _, a := range it.attachments {
		size := string(a.Size)
		if f, err := strconv.ParseFloat(size, 64); err == nil && f > 0 && f < 1<<53 {
			size = strconv.FormatInt(int64(f), 10)
		}
		raw.enclosures = append(raw.enclosures, Enclosure{string(a.URL), string(a.MimeType), parseLength(size)})
		raw.media.duration = firstText(raw.media.duration, string(a.Duration))
	}
	raw.images = addText(nil, string(it.image), string(it.bannerImage))
	if it.image != "" {
		raw.enclosures = append(raw.enclosures, Enclosure{URL: string(it.image), Type: "image/*"})
	}
	return raw
}
