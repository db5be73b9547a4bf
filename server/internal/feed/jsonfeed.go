package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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
	Version     jsonText      `json:"version"`
	Title       jsonText      `json:"title"`
	HomePageURL jsonText      `json:"home_page_url"`
	FeedURL     jsonText      `json:"feed_url"`
	Description jsonText      `json:"description"`
	Icon        jsonText      `json:"icon"`
	Favicon     jsonText      `json:"favicon"`
	Language    jsonText      `json:"language"`
	Author      jsonAuthors   `json:"author"`
	Authors     jsonAuthors   `json:"authors"`
	Items       jsonListOfRaw `json:"items"`

	skipped int // items beyond the limit
}

type jsonItem struct {
	ID            jsonText        `json:"id"`
	URL           jsonText        `json:"url"`
	ExternalURL   jsonText        `json:"external_url"`
	Title         jsonText        `json:"title"`
	ContentHTML   jsonText        `json:"content_html"`
	ContentText   jsonText        `json:"content_text"`
	Summary       jsonText        `json:"summary"`
	Image         jsonText        `json:"image"`
	BannerImage   jsonText        `json:"banner_image"`
	DatePublished jsonText        `json:"date_published"`
	DateModified  jsonText        `json:"date_modified"`
	Language      jsonText        `json:"language"`
	Author        jsonAuthors     `json:"author"`
	Authors       jsonAuthors     `json:"authors"`
	Tags          jsonTexts       `json:"tags"`
	Attachments   jsonAttachments `json:"attachments"`
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
	var s string
	switch {
	case len(b) > 0 && b[0] == '"':
		if json.Unmarshal(b, &s) == nil {
			*t = jsonText(s)
		}
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

type jsonListOfRaw []json.RawMessage

// parseJSON reads a JSON Feed document.
func parseJSON(ctx context.Context, text []byte, limits Limits, n *notes) (*rawFeed, error) {
	text = trimJSONPrefix(text)
	f, err := readJSONFeed(ctx, text, limits, n)
	if err != nil {
		return nil, err
	}
	raw := &rawFeed{
		skipped:     f.skipped,
		format:      FormatJSON,
		title:       markup{value: string(f.Title), typ: "text"},
		description: markup{value: string(f.Description), typ: "text"},
		links:       addText(nil, string(f.HomePageURL)),
		selfURL:     string(f.FeedURL),
		imageURL:    firstText(string(f.Icon), string(f.Favicon)),
		language:    string(f.Language),
		authors:     append(append([]Author(nil), f.Authors...), f.Author...),
	}
	if i := strings.LastIndex(string(f.Version), "/version/"); i >= 0 {
		raw.version = string(f.Version)[i+len("/version/"):]
	} else {
		n.add(WarnUnknownFormat, "the document does not say that it is a JSON Feed")
	}
	for i, b := range f.Items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var it jsonItem
		if err := json.Unmarshal(b, &it); err != nil {
			n.mend(WarnItemSkipped, "item %d is not an object", i+1)
			raw.skipped++
			continue
		}
		raw.items = append(raw.items, fromJSONItem(it))
	}
	return raw, nil
}

// readJSONFeed walks over the members of the document one by one, so that what
// precedes a break is kept.
func readJSONFeed(ctx context.Context, text []byte, limits Limits, n *notes) (*jsonFeed, error) {
	f := &jsonFeed{}
	d := json.NewDecoder(contextReader{ctx, bytes.NewReader(text)})
	if _, err := d.Token(); err != nil {
		return nil, invalid("the document is not JSON")
	}
	top := map[string]json.RawMessage{}
	found, err := false, error(nil)
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		if key == "items" {
			found = true
			err = readJSONItems(d, f, limits, n)
			continue
		}
		var value json.RawMessage
		if err = d.Decode(&value); err == nil {
			top[key.(string)] = value
		}
	}
	if err == nil {
		_, err = d.Token()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !found {
		return nil, invalid("the JSON document is not a feed: it has no items")
	}
	if err != nil {
		if len(f.Items) == 0 {
			return nil, invalid("the JSON document is damaged and no item of it can be read")
		}
		code := WarnMalformed
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			code = WarnTruncated
		}
		n.mend(code, "the JSON document is damaged; what stands before the damage was read")
	}
	items := f.Items
	if b, err := json.Marshal(top); err == nil {
		if err := json.Unmarshal(b, f); err != nil {
			n.add(WarnFieldType, "the feed's own fields could not be read")
		}
	}
	f.Items = items
	return f, nil
}

func readJSONItems(d *json.Decoder, f *jsonFeed, limits Limits, n *notes) error {
	open, err := d.Token()
	if err != nil || open != json.Delim('[') {
		return errors.Join(err, errors.New("items is not a list"))
	}
	for d.More() {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if len(f.Items) == limits.MaxItems {
			f.skipped++
			continue
		}
		f.Items = append(f.Items, value)
	}
	if f.skipped > 0 {
		n.add(WarnTooManyItems, "the document has %d items; the first %d were read", len(f.Items)+f.skipped, len(f.Items))
	}
	_, err = d.Token()
	return err
}

func fromJSONItem(it jsonItem) rawItem {
	raw := rawItem{
		id:         strings.TrimSpace(string(it.ID)),
		title:      markup{value: string(it.Title), typ: "text"},
		content:    addMarkup(nil, string(it.ContentHTML), "html"),
		summary:    addMarkup(nil, string(it.Summary), "text"),
		published:  addText(nil, string(it.DatePublished)),
		updated:    addText(nil, string(it.DateModified)),
		authors:    append(append([]Author(nil), it.Authors...), it.Author...),
		categories: it.Tags,
		language:   string(it.Language),
	}
	raw.content = addMarkup(raw.content, string(it.ContentText), "text")
	raw.links = addWebAddress(addText(nil, string(it.URL), string(it.ExternalURL)), raw.id)
	for _, a := range it.Attachments {
		size := string(a.Size)
		if f, err := strconv.ParseFloat(size, 64); err == nil && f > 0 && f < 1<<53 {
			size = strconv.FormatInt(int64(f), 10)
		}
		raw.enclosures = append(raw.enclosures, Enclosure{string(a.URL), string(a.MimeType), parseLength(size)})
		raw.media.duration = firstText(raw.media.duration, string(a.Duration))
	}
	raw.images = addText(nil, string(it.Image), string(it.BannerImage))
	if it.Image != "" {
		raw.enclosures = append(raw.enclosures, Enclosure{URL: string(it.Image), Type: "image/*"})
	}
	return raw
}
