package feed

import (
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	ext "github.com/mmcdole/gofeed/extensions"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What the domain has of a podcast or a video.
type (
	Media      = kgl.Media
	Transcript = kgl.Transcript
	Person     = kgl.Person
)

// rawMedia is what the vocabularies of podcasts and videos say about an item,
// before normalisation.
type rawMedia struct {
	duration, season, episode, episodeType, explicit string

	chapters    string
	transcripts []Transcript
	keywords    []string
	persons     []Person
}

// fromITunes takes the vocabulary of Apple's podcast directory.
func fromITunes(raw *rawItem, it map[string][]ext.Extension) {
	if len(it) == 0 {
		return
	}
	text := func(name string) string { return firstText(values(it[name])...) }
	if len(raw.authors) == 0 {
		raw.authors = addPerson(raw.authors, text("author"))
	}
	raw.title.value = firstText(raw.title.value, text("title"))
	raw.summary = addMarkup(raw.summary, text("summary"), "")
	raw.summary = addMarkup(raw.summary, text("subtitle"), "")
	words := addText(nil, strings.Split(text("keywords"), ",")...)
	raw.categories = append(raw.categories, words...)
	m := &raw.media
	m.keywords = append(m.keywords, words...)
	m.duration = firstText(m.duration, text("duration"))
	m.season, m.episode = firstText(m.season, text("season")), firstText(m.episode, text("episode"), text("order"))
	m.episodeType, m.explicit = text("episodeType"), text("explicit")
	for _, i := range it["image"] {
		raw.images = addText(raw.images, i.Attrs["href"], i.Attrs["url"], i.Value)
	}
}

// fromPodcast takes the podcast namespace (podcastindex.org/namespace/1.0).
func fromPodcast(raw *rawItem, pod map[string][]ext.Extension) {
	if len(pod) == 0 {
		return
	}
	m := &raw.media
	m.season = firstText(append([]string{m.season}, values(pod["season"])...)...)
	m.episode = firstText(append([]string{m.episode}, values(pod["episode"])...)...)
	for _, c := range pod["chapters"] {
		m.chapters = firstText(m.chapters, c.Attrs["url"])
	}
	for _, t := range pod["transcript"] {
		m.transcripts = append(m.transcripts, Transcript{URL: t.Attrs["url"], Type: t.Attrs["type"], Language: t.Attrs["language"]})
	}
	for _, p := range pod["person"] {
		m.persons = append(m.persons, Person{Name: html.UnescapeString(p.Value), Role: p.Attrs["role"], URL: p.Attrs["href"]})
	}
	for _, i := range pod["image"] {
		raw.images = addText(raw.images, i.Attrs["href"])
	}
	for _, i := range pod["images"] { // "URL 1500w, URL 600w", largest first
		first, _, _ := strings.Cut(strings.TrimSpace(i.Attrs["srcset"]), " ")
		raw.images = addText(raw.images, strings.TrimSuffix(first, ","))
	}
}

// fromPodcastFeed takes what a podcast says about itself as a whole.
func fromPodcastFeed(raw *rawFeed, e ext.Extensions) {
	raw.movedTo = firstText(extTexts(e, "itunes", "new-feed-url")...)
	raw.guid = firstText(extTexts(e, "podcast", "guid")...)
	raw.medium = firstText(extTexts(e, "podcast", "medium")...)
}

// fromMedia takes Media RSS, of an item or of a group in it.
func fromMedia(raw *rawItem, media map[string][]ext.Extension) {
	m := &raw.media
	for _, t := range media["thumbnail"] {
		raw.images = addText(raw.images, t.Attrs["url"], t.Value)
	}
	for _, c := range media["content"] {
		typ := c.Attrs["type"]
		if typ == "" && c.Attrs["medium"] != "" {
			typ = c.Attrs["medium"] + "/*"
		}
		raw.enclosures = append(raw.enclosures, Enclosure{c.Attrs["url"], typ, parseLength(c.Attrs["fileSize"])})
		m.duration = firstText(m.duration, c.Attrs["duration"])
		for _, d := range c.Children["description"] {
			raw.summary = addMarkup(raw.summary, d.Value, d.Attrs["type"])
		}
		for _, t := range c.Children["thumbnail"] {
			raw.images = addText(raw.images, t.Attrs["url"])
		}
		fromMediaWords(raw, c.Children)
	}
	for _, d := range media["description"] {
		raw.summary = addMarkup(raw.summary, d.Value, d.Attrs["type"])
	}
	if strings.TrimSpace(raw.title.value) == "" {
		raw.title.value = firstText(values(media["title"])...)
	}
	fromMediaWords(raw, media)
}

// fromMediaWords takes the keywords and the people of Media RSS.
func fromMediaWords(raw *rawItem, media map[string][]ext.Extension) {
	m := &raw.media
	for _, k := range values(media["keywords"]) {
		words := addText(nil, strings.Split(html.UnescapeString(k), ",")...)
		raw.categories = append(raw.categories, words...)
		m.keywords = append(m.keywords, words...)
	}
	for _, c := range media["credit"] {
		m.persons = append(m.persons, Person{Name: html.UnescapeString(c.Value), Role: c.Attrs["role"]})
	}
}

// imageElement returns the address in an image element of an RSS item, of
// which the parser hands on the source: text, or a url element.
func imageElement(src string) string {
	if url := childText(src, "url"); url != "" {
		return url
	}
	if strings.ContainsRune(src, '<') {
		return ""
	}
	return src
}

// addPageLink appends the link to a page; a number is the count of what stands
// there.
func addPageLink(list []string, link string) []string {
	if _, err := strconv.Atoi(strings.TrimSpace(link)); err == nil {
		return list
	}
	return addText(list, link)
}

func values(list []ext.Extension) []string {
	var out []string
	for _, x := range list {
		out = addText(out, x.Value)
	}
	return out
}

// clean returns the facts with absolute URLs and checked values; nil when there
// is none.
func (m *rawMedia) clean(r resolver, limit int) *Media {
	out := Media{
		Duration:    seconds(m.duration),
		Season:      wholeNumber(m.season),
		Episode:     wholeNumber(m.episode),
		ChaptersURL: r.link(m.chapters, false),
	}
	switch t := strings.ToLower(m.episodeType); t {
	case "full", "trailer", "bonus":
		out.EpisodeType = t
	}
	switch strings.ToLower(m.explicit) {
	case "yes", "true", "explicit":
		out.Explicit = new(true)
	case "no", "false", "clean":
		out.Explicit = new(false)
	}
	for _, t := range m.transcripts {
		if t.URL = r.link(t.URL, false); t.URL != "" && len(out.Transcripts) < limit {
			out.Transcripts = append(out.Transcripts, Transcript{URL: t.URL, Type: mediaType(t.Type), Language: languageTag(t.Language)})
		}
	}
	out.Keywords = categoriesOf(m.keywords, limit)
	for _, p := range m.persons {
		p = Person{Name: plainLine(p.Name, 300), Role: plainLine(strings.ToLower(p.Role), 100), URL: r.link(p.URL, false)}
		if p.Name != "" && len(out.Persons) < limit && !slices.Contains(out.Persons, p) {
			out.Persons = append(out.Persons, p)
		}
	}
	if out.Duration == 0 && out.Season == 0 && out.Episode == 0 && out.ChaptersURL == "" && out.EpisodeType == "" &&
		out.Explicit == nil && out.Transcripts == nil && out.Keywords == nil && out.Persons == nil {
		return nil
	}
	return &out
}

// wholeNumber reads a positive number, of which a fraction is cut off; 0 when
// it is none.
func wholeNumber(s string) int64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n >= 1 && n <= math.MaxInt32) {
		return 0
	}
	return int64(n)
}

// seconds reads a duration: "3723", "62:03", "1:02:03", "PT1H2M3S", "1h 2m 3s";
// 0 when it is none, or longer than a year.
func seconds(s string) int64 {
	s = strings.ToLower(strings.TrimSpace(s))
	total := 0.0
	if strings.ContainsRune(s, ':') {
		for _, part := range strings.Split(s, ":") {
			n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil || !(n >= 0) {
				return 0
			}
			total = 60*total + n
		}
	} else if n, err := strconv.ParseFloat(s, 64); err == nil {
		total = n
	} else if d, err := time.ParseDuration(strings.ReplaceAll(strings.TrimPrefix(s, "pt"), " ", "")); err == nil {
		total = d.Seconds()
	}
	if !(total >= 1 && total < 366*24*3600) {
		return 0
	}
	return int64(total)
}

// image returns the picture that stands for an item: the first usable one of
// what the item names as such (itunes, podcast, Media RSS thumbnails, the image
// of JSON Feed), of its enclosures that are pictures, and of the pictures in its
// content that are not declared to be small.
func (s *scope) image(raw *rawItem, it *Item, links resolver) string {
	if u := links.first(raw.images); u != "" {
		return u
	}
	for _, e := range it.Enclosures {
		if strings.HasPrefix(e.Type, "image/") {
			return e.URL
		}
	}
	return it.contentImage
}
