package ingest

import (
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxURLBytes bounds the URLs that go into an index: Postgres refuses index rows
// of more than about 2,700 bytes.
const maxURLBytes = 2000

// content makes the first revision of an item.
func (w *Worker) content(sourceID string, in *incoming) kgl.Content {
	now := w.clock.Now()
	return kgl.Content{
		ID: w.ids.NewID(), SourceID: sourceID, GUID: in.item.GUID,
		IdentityKind: in.identity.Kind, IdentityKey: in.identity.Key, AltKey: in.altKey, RawHash: in.item.RawHash,
		ContentBody: bodyOf(in.item),
		Status:      kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now, ChangedAt: now,
	}
}

// canonicalURL returns that of an item as it is stored: no page needs one so
// long that it cannot be indexed, and such a one is not compared.
func canonicalURL(item *feed.Item) string {
	if len(item.CanonicalURL) > maxURLBytes {
		return ""
	}
	return item.CanonicalURL
}

func bodyOf(item *feed.Item) kgl.ContentBody {
	b := kgl.ContentBody{
		URL: item.URL, CanonicalURL: canonicalURL(item), Title: item.Title, Summary: item.Summary,
		HTML: item.ContentHTML, Text: item.ContentText, Categories: item.Categories,
		Language: item.Language, WordCount: int64(item.WordCount),
		PublishedAt: item.PublishedAt, PublishedInferred: item.PublishedInferred,
		ContentHash: item.ContentHash, TextHash: item.TextHash, Details: detailsOf(item),
		Authors:    make([]kgl.Author, len(item.Authors)),
		Enclosures: make([]kgl.Enclosure, len(item.Enclosures)),
	}
	if b.Categories == nil {
		b.Categories = []string{}
	}
	for i, a := range item.Authors {
		b.Authors[i] = kgl.Author{Name: a.Name, URL: a.URL}
	}
	for i, e := range item.Enclosures {
		b.Enclosures[i] = kgl.Enclosure{URL: e.URL, Type: e.Type, Length: e.Length}
	}
	return b
}

func detailsOf(item *feed.Item) kgl.ContentDetails {
	d := kgl.ContentDetails{CommentsURL: item.CommentsURL, ImageURL: item.ImageURL, Media: mediaOf(item.Media), Repairs: repairsOf(item)}
	if !item.PublishedInferred && item.PublishedAtSource != feed.PublishedPublished {
		d.PublishedSource = string(item.PublishedAtSource)
	}
	if !item.ModifiedAt.IsZero() {
		at := item.ModifiedAt.UTC().Truncate(time.Microsecond)
		d.ModifiedAt = &at
	}
	return d
}

// repairsOf returns what was mended or worked around. What the publisher left out
// is no damage.
func repairsOf(item *feed.Item) []kgl.Warning {
	var list []kgl.Warning
	for _, w := range item.Warnings {
		if w.Code != feed.WarnDateMissing && w.Code != feed.WarnLinkMissing {
			list = append(list, kgl.Warning{Code: string(w.Code), Message: w.Message})
		}
	}
	return list
}

func mediaOf(m *feed.Media) *kgl.Media {
	if m == nil {
		return nil
	}
	out := &kgl.Media{
		Duration: m.Duration, Season: m.Season, Episode: m.Episode, EpisodeType: m.EpisodeType, Explicit: m.Explicit,
		ChaptersURL: m.ChaptersURL, Keywords: m.Keywords,
	}
	for _, t := range m.Transcripts {
		out.Transcripts = append(out.Transcripts, kgl.Transcript(t))
	}
	for _, p := range m.Persons {
		out.Persons = append(out.Persons, kgl.Person(p))
	}
	return out
}

func firstRunes(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
