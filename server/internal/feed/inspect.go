package feed

import "time"

// Inspection is a Document as `kgl feed inspect --json` prints it. It holds
// what the document says: a date that was inferred is null.
type Inspection struct {
	Feed     InspectedFeed    `json:"feed"`
	Items    []InspectedItem  `json:"items"`
	Repaired bool             `json:"repaired"`
	Skipped  int              `json:"skipped"`
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
	UpdatedAt   *time.Time        `json:"updated_at"`
	Authors     []InspectedAuthor `json:"authors"`
}

// InspectedItem is an Item in JSON.
type InspectedItem struct {
	GUID         string               `json:"guid"`
	URL          string               `json:"url"`
	CanonicalURL string               `json:"canonical_url"`
	Title        string               `json:"title"`
	PublishedAt  *time.Time           `json:"published_at"`
	UpdatedAt    *time.Time           `json:"updated_at"`
	Authors      []InspectedAuthor    `json:"authors"`
	Categories   []string             `json:"categories"`
	Language     string               `json:"language"`
	Summary      string               `json:"summary"`
	ContentHTML  string               `json:"content_html"`
	ContentText  string               `json:"content_text"`
	WordCount    int                  `json:"word_count"`
	Enclosures   []InspectedEnclosure `json:"enclosures"`
	IdentityKind IdentityKind         `json:"identity_kind"`
	IdentityKey  string               `json:"identity_key"`
	ContentHash  string               `json:"content_hash"`
	TextHash     string               `json:"text_hash"`
	Warnings     []InspectWarning     `json:"warnings"`
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

// Inspect returns doc in the form of `kgl feed inspect --json`. Lists are never
// null.
func Inspect(doc *Document) Inspection {
	m := doc.Feed
	out := Inspection{
		Feed: InspectedFeed{
			Title: m.Title, Link: m.Link, Format: m.Format, Version: m.Version, Description: m.Description,
			Language: m.Language, SelfURL: m.SelfURL, ImageURL: m.ImageURL, TTLSeconds: int(m.TTL.Seconds()),
			UpdatedAt: timeOrNil(m.Updated), Authors: inspectAuthors(m.Authors),
		},
		Items:    make([]InspectedItem, 0, len(doc.Items)),
		Repaired: doc.Repaired,
		Skipped:  doc.Skipped,
		Warnings: inspectWarnings(doc.Warnings),
	}
	for _, it := range doc.Items {
		out.Items = append(out.Items, inspectItem(it))
	}
	return out
}

func inspectItem(it Item) InspectedItem {
	x := InspectedItem{
		GUID: it.GUID, URL: it.URL, CanonicalURL: it.CanonicalURL, Title: it.Title,
		PublishedAt: timeOrNil(it.PublishedAt), UpdatedAt: timeOrNil(it.ModifiedAt), Authors: inspectAuthors(it.Authors),
		Categories: append([]string{}, it.Categories...), Language: it.Language, Summary: it.Summary,
		ContentHTML: it.ContentHTML, ContentText: it.ContentText, WordCount: it.WordCount,
		Enclosures:   make([]InspectedEnclosure, 0, len(it.Enclosures)),
		IdentityKind: it.IdentityKind, IdentityKey: it.IdentityKey,
		ContentHash: it.ContentHash, TextHash: it.TextHash, Warnings: inspectWarnings(it.Warnings),
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
