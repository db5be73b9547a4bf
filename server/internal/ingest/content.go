package ingest

import (
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxURLBytes bounds the URLs that go into an index: Postgres refuses index rows
// of more than about 2,700 bytes.
const maxURLBytes = 2000

// content makes the first revision of an item.
func (w *Worker) content(sourceID string, id kgl.ContentIdentity, item feed.Item) kgl.Content {
	now := w.clock.Now()
	return kgl.Content{
		ID: w.ids.NewID(), SourceID: sourceID, GUID: item.GUID,
		IdentityKind: id.Kind, IdentityKey: id.Key,
		ContentBody: bodyOf(item),
		Status:      kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now, ChangedAt: now,
	}
}

func bodyOf(item feed.Item) kgl.ContentBody {
	b := kgl.ContentBody{
		URL: item.URL, CanonicalURL: item.CanonicalURL, Title: item.Title, Summary: item.Summary,
		HTML: item.ContentHTML, Text: item.ContentText, Categories: item.Categories,
		Language: item.Language, WordCount: int64(item.WordCount),
		PublishedAt: item.PublishedAt, PublishedInferred: item.PublishedInferred,
		ContentHash: item.ContentHash, TextHash: item.TextHash,
		Authors:    make([]kgl.Author, len(item.Authors)),
		Enclosures: make([]kgl.Enclosure, len(item.Enclosures)),
	}
	if b.Categories == nil {
		b.Categories = []string{}
	}
	if len(b.CanonicalURL) > maxURLBytes {
		b.CanonicalURL = "" // no page needs so long a URL: it is not compared
	}
	for i, a := range item.Authors {
		b.Authors[i] = kgl.Author{Name: a.Name, URL: a.URL}
	}
	for i, e := range item.Enclosures {
		b.Enclosures[i] = kgl.Enclosure{URL: e.URL, Type: e.Type, Length: e.Length}
	}
	return b
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
