package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// newSource returns a source with the id n, created n seconds after the epoch,
// on the given host, which is due at the given time.
func newSource(n int, host string, due *time.Time) kgl.Source {
	url := fmt.Sprintf("https://%s/feed-%d", host, n)
	return kgl.Source{
		Health: kgl.HealthPending,
		ID:     id(n), URL: url, URLKey: url, Host: host, Title: fmt.Sprintf("Feed %d", n), Tags: []string{}, Status: kgl.SourceActive,
		NextFetchAt: due, Version: 1, CreatedAt: second(n), UpdatedAt: second(n),
	}
}

func second(n int) time.Time { return after(time.Duration(n) * time.Second) }

// addSource stores newSource.
func addSource(t *testing.T, db *store.DB, n int, host string, due *time.Time) kgl.Source {
	t.Helper()
	s := newSource(n, host, due)
	must(t, db.CreateSource(ctx(t), s))
	return s
}

// newContent returns the n-th item of a source, published and seen n seconds
// after the epoch.
func newContent(n int, s kgl.Source) kgl.Content {
	key := fmt.Sprintf("guid-%d", n)
	return kgl.Content{
		ID: id(10_000 + n), SourceID: s.ID, GUID: key, IdentityKind: kgl.IdentityGUID, IdentityKey: key,
		ContentBody: kgl.ContentBody{
			URL: fmt.Sprintf("https://%s/%d?utm_source=x", s.Host, n), CanonicalURL: fmt.Sprintf("https://%s/%d", s.Host, n),
			Title: fmt.Sprintf("Item %d", n), Summary: "A \"short\" text with <, & and \u2028.", HTML: "<p>Grüße, 世界 🎉</p>", Text: "Grüße, 世界 🎉",
			Authors: []kgl.Author{{Name: "Ada", URL: "https://example.org/ada"}}, Categories: []string{"grants", "video"},
			Enclosures: []kgl.Enclosure{{URL: "https://example.org/a.mp3", Type: "audio/mpeg", Length: 1 << 33}},
			Language:   "en", WordCount: 3, PublishedAt: second(n), PublishedInferred: n%2 == 1,
			ContentHash: fmt.Sprintf("content-%d", n), TextHash: fmt.Sprintf("text-%d", n),
		},
		Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: second(n), UpdatedAt: second(n),
	}
}

// addContents stores items and fails the test unless all of them are new.
func addContents(t *testing.T, db *store.DB, cs ...kgl.Content) []kgl.Content {
	t.Helper()
	if ids := got(db.CreateContents(ctx(t), cs))(t); len(ids) != len(cs) {
		t.Fatalf("%d of %d items were stored", len(ids), len(cs))
	}
	return cs
}

func content(t *testing.T, db *store.DB, id string) kgl.Content {
	t.Helper()
	return got(db.Content(ctx(t), id))(t)
}

// claim leases all hosts that are due at a time.
func claim(t *testing.T, db *store.DB, now time.Time) []kgl.HostLease {
	t.Helper()
	return got(db.ClaimHosts(ctx(t), "worker", now, now.Add(time.Minute), 100))(t)
}

// wantNextDue checks NextDueAt; nil: no host is due.
func wantNextDue(t *testing.T, db *store.DB, want *time.Time) {
	t.Helper()
	next := got(db.NextDueAt(ctx(t)))(t)
	if (next == nil) != (want == nil) || next != nil && !next.Equal(*want) {
		t.Fatalf("the next host is due at %v, want %v", next, want)
	}
}

func sourceID(s kgl.Source) string   { return s.ID }
func contentID(c kgl.Content) string { return c.ID }
