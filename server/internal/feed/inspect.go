package feed

import "time"

// Inspection is a Document as `kgl feed inspect --json` prints it. It holds
// what the document says: a date that was inferred is null. Lists are never
// null; texts that were not stated are empty.
type Inspection struct {
	Feed     InspectedFeed    `json:"feed"`
	Items    []InspectedItem  `json:"items"`
	Repaired bool             `json:"repaired"` // the document broke the rules of its format and was mended
	Skipped  int              `json:"skipped"`  // items that are in the document and not in items
	Stages   []InspectedStage `json:"stages"`   // what the document passed, in order
	Warnings []InspectWarning `json:"warnings"` // about the document; those about one item are in it
	Advice   []string         `json:"advice"`   // for the publisher; see Advice
}

// InspectedStage is a Stage in JSON.
type InspectedStage struct {
	Name     StageName        `json:"name"`
	Mended   bool             `json:"mended"`
	Warnings []InspectWarning `json:"warnings"`
}

// InspectedFeed is the Meta of a Document in JSON.
type InspectedFeed struct {
	Title       string            `json:"title"`
	Link        string            `json:"link"`
	Format      Format            `json:"format"`
	Version     string            `json:"version"`
	Description string            `json:"description"`
	Language    string            `json:"language"`
	SelfURL     string            `json:"self_url"`
	ImageURL    string            `json:"image_url"`
	TTLSeconds  int               `json:"ttl_seconds"`
	SkipHours   []int             `json:"skip_hours"` // UTC
	SkipDays    []string          `json:"skip_days"`  // such as "Sunday"
	UpdatedAt   *time.Time        `json:"updated_at"`
	Authors     []InspectedAuthor `json:"authors"`
	MovedTo     string            `json:"moved_to,omitempty"`
	PodcastGUID string            `json:"podcast_guid,omitempty"`
	Medium      string            `json:"medium,omitempty"`
}

// InspectedItem is an Item in JSON.
type InspectedItem struct {
	GUID              string               `json:"guid"`
	URL               string               `json:"url"`
	CanonicalURL      string               `json:"canonical_url"`
	Title             string               `json:"title"`
	PublishedAt       *time.Time           `json:"published_at"`
	PublishedAtSource PublishedSource      `json:"published_at_source"`
	UpdatedAt         *time.Time           `json:"updated_at"`  // the same as modified_at
	ModifiedAt        *time.Time           `json:"modified_at"` // the last edit, by the feed's account
	Authors           []InspectedAuthor    `json:"authors"`
	Categories        []string             `json:"categories"`
	Language          string               `json:"language"`
	Summary           string               `json:"summary"`
	ContentHTML       string               `json:"content_html"`
	ContentText       string               `json:"content_text"`
	WordCount         int                  `json:"word_count"`
	Enclosures        []InspectedEnclosure `json:"enclosures"`
	CommentsURL       string               `json:"comments_url"`
	ImageURL          string               `json:"image_url"`
	Media             *Media               `json:"media"` // null when the item says nothing of the kind
	IdentityKind      IdentityKind         `json:"identity_kind"`
	IdentityKey       string               `json:"identity_key"`
	ContentHash       string               `json:"content_hash"`
	TextHash          string               `json:"text_hash"`
	RawHash           string               `json:"raw_hash"`
	Repaired          bool                 `json:"repaired"` // damage inside of the item was mended
	Warnings          []InspectWarning     `json:"warnings"`
}

// InspectedAuthor is an Author in JSON.
type InspectedAuthor struct {
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
	URL   string `json:"url,omitempty"`
}

// InspectedEnclosure is an Enclosure in JSON.
type InspectedEnclosure struct {
	URL    string `json:"url"`
	Type   string `json:"type"`
	Length int64  `json:"length"`
}

// InspectWarning is a Warning in JSON.
type InspectWarning struct {
	Code    WarningCode `json:"code"`
	Message string      `json:"message"`
}

// Inspect returns doc in the form of `kgl feed inspect --json`.
func Inspect(doc *Document) Inspection {
	m := doc.Feed
	out := Inspection{
		Feed: InspectedFeed{
			Title: m.Title, Link: m.Link, Format: m.Format, Version: m.Version, Description: m.Description,
			Language: m.Language, SelfURL: m.SelfURL, ImageURL: m.ImageURL, TTLSeconds: int(m.TTL.Seconds()),
			SkipHours: append([]int{}, m.SkipHours...), SkipDays: make([]string, 0, len(m.SkipDays)),
			UpdatedAt: timeOrNil(m.Updated), Authors: inspectAuthors(m.Authors),
			MovedTo: m.MovedTo, PodcastGUID: m.PodcastGUID, Medium: m.Medium,
		},
		Items:    make([]InspectedItem, 0, len(doc.Items)),
		Repaired: doc.Repaired,
		Skipped:  doc.Skipped,
		Stages:   make([]InspectedStage, 0, len(doc.Stages)),
		Warnings: inspectWarnings(doc.Warnings),
		Advice:   append([]string{}, Advice(doc)...),
	}
	for _, d := range m.SkipDays {
		out.Feed.SkipDays = append(out.Feed.SkipDays, d.String())
	}
	for _, s := range doc.Stages {
		out.Stages = append(out.Stages, InspectedStage{Name: s.Name, Mended: s.Mended, Warnings: inspectWarnings(s.Warnings)})
	}
	for _, it := range doc.Items {
		out.Items = append(out.Items, inspectItem(it))
	}
	return out
}

func inspectItem(it Item) InspectedItem {
	x := InspectedItem{
		GUID: it.GUID, URL: it.URL, CanonicalURL: it.CanonicalURL, Title: it.Title,
		PublishedAt: timeOrNil(it.PublishedAt), PublishedAtSource: it.PublishedAtSource,
		UpdatedAt: timeOrNil(it.ModifiedAt), ModifiedAt: timeOrNil(it.ModifiedAt), Authors: inspectAuthors(it.Authors),
		Categories: append([]string{}, it.Categories...), Language: it.Language, Summary: it.Summary,
		ContentHTML: it.ContentHTML, ContentText: it.ContentText, WordCount: it.WordCount,
		Enclosures:  make([]InspectedEnclosure, 0, len(it.Enclosures)),
		CommentsURL: it.CommentsURL, ImageURL: it.ImageURL, Media: it.Media,
		IdentityKind: it.IdentityKind, IdentityKey: it.IdentityKey,
		ContentHash: it.ContentHash, TextHash: it.TextHash, RawHash: it.RawHash,
		Repaired: it.Repaired, Warnings: inspectWarnings(it.Warnings),
	}
	if it.PublishedInferred {
		x.PublishedAt = nil
	}
	for _, e := range it.Enclosures {
		x.Enclosures = append(x.Enclosures, InspectedEnclosure(e))
	}
	return x
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func inspectAuthors(list []Author) []InspectedAuthor {
	out := make([]InspectedAuthor, 0, len(list))
	for _, a := range list {
		out = append(out, InspectedAuthor(a))
	}
	return out
}

func inspectWarnings(list []Warning) []InspectWarning {
	out := make([]InspectWarning, 0, len(list))
	for _, w := range list {
		out = append(out, InspectWarning(w))
	}
	return out
}
