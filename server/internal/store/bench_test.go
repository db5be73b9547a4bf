package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// benchRows is how many items, entities and relationships the benchmarks read.
const benchRows = 10_000

var benchEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func benchID(kind, n int) string { return fmt.Sprintf("019cb000-0000-7000-800%d-%012d", kind, n) }

func benchTime(n int) time.Time { return benchEpoch.Add(time.Duration(n) * time.Second) }

// fill stores one source and benchRows items, entities and relationships.
func fill(b *testing.B, db *store.DB) {
	b.Helper()
	const batch = 1000
	s := kgl.Source{
		ID: benchID(1, 1), URL: "https://example.org", URLKey: "https://example.org", Host: "example.org", Status: kgl.SourceActive,
		Version: 1, CreatedAt: benchEpoch, UpdatedAt: benchEpoch,
	}
	check(b, db.CreateSource(b.Context(), s))
	for from := 0; from < benchRows; from += batch {
		check(b, db.InTx(b.Context(), func(ctx context.Context, tx kgl.Store) error {
			return fillBatch(ctx, tx, s, from, from+batch)
		}))
	}
}

func fillBatch(ctx context.Context, tx kgl.Store, s kgl.Source, from, to int) error {
	statuses := []kgl.ContentStatus{kgl.ContentNew, kgl.ContentProcessed, kgl.ContentProcessed, kgl.ContentFailed}
	var cs []kgl.Content
	var es []kgl.Entity
	var rs []kgl.Relationship
	for n := from; n < to; n++ {
		key := fmt.Sprint(n)
		cs = append(cs, kgl.Content{
			ID: benchID(2, n), SourceID: s.ID, IdentityKind: kgl.IdentityGUID, IdentityKey: key, Status: statuses[n%len(statuses)],
			Revision: 1, Version: 1, FetchedAt: benchTime(60 * n), UpdatedAt: benchTime(n),
			ContentBody: kgl.ContentBody{Title: key, Text: fmt.Sprintf("%2000d", n), PublishedAt: benchTime(60 * n), ContentHash: key},
		})
		es = append(es, kgl.Entity{
			ID: benchID(3, n), Name: "Entity " + key, NameKey: "entity " + key, Type: fmt.Sprint("type", n%12), Aliases: []string{"Alias " + key},
			Confidence: float64(n%100) / 100, Extractor: kgl.ExtractorMock, Version: 1, CreatedAt: benchTime(n), UpdatedAt: benchTime(n),
		})
		rs = append(rs, kgl.Relationship{
			ID: benchID(4, n), From: kgl.EntityRef{ID: benchID(3, n)}, To: kgl.EntityRef{ID: benchID(3, n/2-n%2)}, Type: fmt.Sprint("type", n%7),
			Confidence: 0.5, Extractor: kgl.ExtractorMock, Version: 1, CreatedAt: benchTime(n), UpdatedAt: benchTime(n),
		})
	}
	if from == 0 {
		rs = rs[4:] // the first would lead to themselves
	}
	if _, err := tx.CreateContents(ctx, cs); err != nil {
		return err
	}
	if _, _, err := tx.UpsertEntities(ctx, es); err != nil {
		return err
	}
	_, _, err := tx.UpsertRelationships(ctx, rs)
	return err
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGraph measures reads of the dashboard and the graph over benchRows
// rows of each kind.
func BenchmarkGraph(b *testing.B) {
	lite := "sqlite:///" + filepath.Join(b.TempDir(), "kgl.db")
	check(b, migrateUp(b.Context(), lite))
	for name, db := range map[string]*store.DB{
		"sqlite": benchDB(b, lite), "postgres": benchDB(b, postgresTemplate.NewDatabase(b)),
	} {
		check(b, db.ExecRaw(b.Context(), "ANALYZE"))
		for read, f := range graphReads(db) {
			b.Run(name+"/"+read, func(b *testing.B) {
				for b.Loop() {
					check(b, f(b.Context()))
				}
			})
		}
	}
}

func graphReads(db *store.DB) map[string]func(ctx context.Context) error {
	page := kgl.Page{Limit: 20}
	return map[string]func(ctx context.Context) error{
		"dashboard": func(ctx context.Context) error {
			_, err := db.Dashboard(ctx, benchTime(60*benchRows))
			return err
		},
		"entities by name": func(ctx context.Context) error {
			_, err := db.Entities(ctx, kgl.EntityFilter{}, kgl.EntityByName, page)
			return err
		},
		"entities by common prefix": func(ctx context.Context) error {
			_, err := db.Entities(ctx, kgl.EntityFilter{NamePrefix: "entity"}, kgl.EntityByName, page)
			return err
		},
		"entities by rare prefix": func(ctx context.Context) error {
			_, err := db.Entities(ctx, kgl.EntityFilter{NamePrefix: "alias 77"}, kgl.EntityByName, page)
			return err
		},
		"relationships": func(ctx context.Context) error {
			_, err := db.Relationships(ctx, kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, page)
			return err
		},
		"relationships of an entity": func(ctx context.Context) error {
			_, err := db.EntityRelationships(ctx, benchID(3, 500), kgl.EntityRelationshipFilter{}, kgl.RelationshipNewestFirst, page)
			return err
		},
	}
}

func benchDB(b *testing.B, url string) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{URL: url})
	check(b, err)
	b.Cleanup(func() { _ = db.Close() })
	fill(b, db)
	return db
}
