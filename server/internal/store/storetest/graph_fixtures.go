package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// minute returns the time n minutes after the epoch.
func minute(n int) time.Time { return after(time.Duration(n) * time.Minute) }

// newEntity returns an entity with the id n.
func newEntity(n int, typ, name string) kgl.Entity {
	return kgl.Entity{
		ID: id(n), Name: name, NameKey: kgl.NormalizeName(name), Type: typ, Aliases: []string{},
		Attributes: json.RawMessage("{}"), Confidence: 0.5, Extractor: kgl.ExtractorMock, Status: kgl.EntityActive,
		ExternalIDs: []kgl.ExternalID{}, Version: 1, CreatedAt: minute(n), UpdatedAt: minute(n),
	}
}

// addEntity stores an entity with the id n.
func addEntity(t *testing.T, db *store.DB, n int, typ, name string, aliases ...string) kgl.Entity {
	t.Helper()
	e := newEntity(n, typ, name)
	e.Aliases = append(e.Aliases, aliases...)
	must(t, db.CreateEntity(ctx(t), e))
	return e
}

func entityID(e kgl.Entity) string { return e.ID }

// graphSource stores a source that items for mentions and evidence belong to.
func graphSource(t *testing.T, db *store.DB, n int) kgl.Source {
	t.Helper()
	url := fmt.Sprintf("https://source%d.example.org/feed", n)
	s := kgl.Source{
		Health: kgl.HealthPending,
		ID:     id(5000 + n), URL: url, URLKey: url, Host: fmt.Sprintf("source%d.example.org", n), Title: fmt.Sprint("Source ", n),
		Status: kgl.SourceActive, Version: 1, CreatedAt: minute(n), UpdatedAt: minute(n),
	}
	must(t, db.CreateSource(ctx(t), s))
	return s
}

// newGraphContent returns the n-th item of a source.
func newGraphContent(s kgl.Source, n int) kgl.Content {
	key := fmt.Sprint("item-", n)
	return kgl.Content{
		ID: id(6000 + n), SourceID: s.ID, GUID: key, IdentityKind: kgl.IdentityGUID, IdentityKey: key,
		ContentBody: kgl.ContentBody{
			URL: "https://example.org/" + key, Title: "Item", Text: "Text", PublishedAt: minute(n), ContentHash: key,
		},
		Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: minute(n), UpdatedAt: minute(n),
	}
}

// graphContents stores n items of one source and returns their ids.
func graphContents(t *testing.T, db *store.DB, n int) []string {
	t.Helper()
	s := graphSource(t, db, 1)
	cs := make([]kgl.Content, n)
	for i := range cs {
		cs[i] = newGraphContent(s, i)
	}
	return got(db.CreateContents(ctx(t), cs))(t)
}

// newMention returns a mention with the id n of an entity in an item.
func newMention(n int, contentID, entityID string) kgl.Mention {
	return kgl.Mention{
		ID: id(n), ContentID: contentID, Revision: 1, EntityID: entityID, Start: int64(n), End: int64(n + 4),
		Quote: "Text", Confidence: 0.75, Extractor: kgl.ExtractorMock, CreatedAt: minute(n),
	}
}

// newRelationship returns a relationship with the id n.
func newRelationship(n int, from, to kgl.Entity, typ string) kgl.Relationship {
	return kgl.Relationship{
		ID: id(n), From: refTo(from), To: refTo(to), Type: typ, Confidence: 0.5, Extractor: kgl.ExtractorMock,
		Weight: 0.5, Status: kgl.RelationshipActive, Version: 1, CreatedAt: minute(n), UpdatedAt: minute(n),
	}
}

func refTo(e kgl.Entity) kgl.EntityRef { return kgl.EntityRef{ID: e.ID, Name: e.Name, Type: e.Type} }

func relationshipID(r kgl.Relationship) string { return r.ID }

// addRelationships stores relationships and returns them as stored.
func addRelationships(t *testing.T, db *store.DB, rs ...kgl.Relationship) []kgl.Relationship {
	t.Helper()
	stored, created, err := db.UpsertRelationships(ctx(t), rs)
	must(t, err)
	for i, c := range created {
		if !c {
			t.Fatalf("relationship %s existed", rs[i].ID)
		}
	}
	return stored
}

// newEvidence returns a piece of evidence with the id n.
func newEvidence(n int, relationshipID, contentID string) kgl.Evidence {
	return kgl.Evidence{
		ID: id(n), RelationshipID: relationshipID, ContentID: contentID, Revision: 1, Start: int64(n), End: int64(n + 4),
		Quote: "Text", Confidence: 0.75, Extractor: kgl.ExtractorMock, CreatedAt: minute(n),
	}
}
