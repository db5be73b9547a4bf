package benchdata

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// eachEngine runs a test on an empty, migrated database of both engines.
func eachEngine(t *testing.T, run func(t *testing.T, databaseURL string)) {
	engines := map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "fill.db") },
		"postgres": func(t *testing.T) string { return pgtest.NewDatabase(t) },
	}
	for name, make := range engines {
		t.Run(name, func(t *testing.T) {
			databaseURL := make(t)
			m, err := store.NewMigrator(databaseURL)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			run(t, databaseURL)
		})
	}
}

func testConfig() Config {
	return Config{Items: 700, Seed: 7, Until: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), BatchItems: 300}
}

func openStore(t *testing.T, databaseURL string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: databaseURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// everything reads all items, the folded ones too.
func everything(ctx context.Context, t *testing.T, db *store.DB) []kgl.Content {
	t.Helper()
	var all []kgl.Content
	page := kgl.Page{Limit: 100}
	for {
		list, err := db.Contents(ctx, kgl.ContentFilter{Duplicates: kgl.DuplicatesAll}, kgl.ContentNewestFirst, true, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list.Rows...)
		if list.Next == nil {
			return all
		}
		page.After = list.Next
	}
}

func TestFillStoresWhatTheServiceCanRead(t *testing.T) {
	eachEngine(t, func(t *testing.T, databaseURL string) {
		stats, err := Fill(t.Context(), databaseURL, testConfig())
		if err != nil {
			t.Fatal(err)
		}
		db := openStore(t, databaseURL)
		items := everything(t.Context(), t, db)
		if len(items) != 700 || stats.Items != 700 {
			t.Fatalf("%d items are stored and %d were counted, want 700", len(items), stats.Items)
		}
		checkGraph(t, db)
		folded, edited, bytes := 0, 0, 0
		for _, c := range items {
			bytes += len(c.HTML)
			if c.Revision > 1 {
				edited++
			}
			if c.DuplicateOf != "" {
				folded++
				links, err := db.Duplicates(t.Context(), c.ID, kgl.Page{Limit: 100})
				if err != nil || len(links.Rows) == 0 {
					t.Fatalf("folded item without a link: %v", err)
				}
			}
			checkMentions(t, db, c)
		}
		if folded != stats.Duplicates || folded == 0 || edited != stats.Revisions || edited == 0 {
			t.Errorf("%d folded and %d edited items, counted were %d and %d", folded, edited, stats.Duplicates, stats.Revisions)
		}
		if mean := bytes / len(items); mean < 1000 || mean > 6000 {
			t.Errorf("a body has %d bytes in the mean, want 1,000 to 6,000", mean)
		}
	})
}

// checkGraph counts the relationships of entities and the evidence of
// relationships.
func checkGraph(t *testing.T, db *store.DB) {
	t.Helper()
	entities, err := db.Entities(t.Context(), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entities.Rows {
		found, err := db.Neighbors(t.Context(), kgl.NeighborQuery{IDs: []string{e.ID}, PerEntity: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if int(e.Degree) != len(found[0].Edges) || e.MentionCount > 0 && (e.FirstSeenAt == nil || e.LastSeenAt == nil || e.LastSeenAt.Before(*e.FirstSeenAt)) {
			t.Errorf("%d relationships of %+v", len(found[0].Edges), e)
		}
		seen += len(found[0].Edges)
	}
	relationships, err := db.Relationships(t.Context(), kgl.RelationshipFilter{}, kgl.RelationshipHeaviestFirst, kgl.Page{Limit: 100})
	if err != nil || seen == 0 {
		t.Fatalf("%d ends of relationships, %v", seen, err)
	}
	for _, r := range relationships.Rows {
		if r.Weight != kgl.RelationshipWeight(r.Confidence, r.EvidenceCount) {
			t.Errorf("the weight of %+v is not that of its evidence", r)
		}
	}
}

// checkMentions compares the quotes of an item's mentions with its text.
func checkMentions(t *testing.T, db *store.DB, c kgl.Content) {
	t.Helper()
	list, err := db.ContentEntities(t.Context(), c.ID, kgl.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	text := []rune(c.Text)
	for _, e := range list.Rows {
		if e.Entity.MentionCount < int64(len(e.Mentions)) {
			t.Errorf("an entity counts %d mentions and has %d in one item", e.Entity.MentionCount, len(e.Mentions))
		}
		for _, m := range e.Mentions {
			if m.End > int64(len(text)) || string(text[m.Start:m.End]) != m.Quote {
				t.Fatalf("mention %d to %d does not read %q", m.Start, m.End, m.Quote)
			}
		}
	}
}

func TestFillGivesTheSameRowsOnBothEngines(t *testing.T) {
	var first []kgl.Content
	eachEngine(t, func(t *testing.T, databaseURL string) {
		if _, err := Fill(t.Context(), databaseURL, testConfig()); err != nil {
			t.Fatal(err)
		}
		items := everything(t.Context(), t, openStore(t, databaseURL))
		if first == nil {
			first = items
			return
		}
		for i, c := range items {
			if c.ID != first[i].ID || c.ContentHash != first[i].ContentHash || c.DuplicateOf != first[i].DuplicateOf {
				t.Fatalf("item %d differs between the engines", i)
			}
		}
	})
}

func TestFillRefusesADatabaseInUse(t *testing.T) {
	eachEngine(t, func(t *testing.T, databaseURL string) {
		cfg := testConfig()
		cfg.Items = 3
		if _, err := Fill(t.Context(), databaseURL, cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := Fill(t.Context(), databaseURL, cfg); err == nil {
			t.Fatal("a second fill was not refused")
		}
	})
}

func TestNamesOfEntitiesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for n := range 20000 {
		key := kgl.NormalizeName(entityName(n))
		if seen[key] {
			t.Fatalf("entity %d is called %s, as one before it", n, key)
		}
		seen[key] = true
	}
}
