package benchdata

import (
	"context"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func testGraph() GraphConfig {
	return GraphConfig{Entities: 60, Relationships: 400, Seed: 3, Until: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
}

// everyEdge reads the edges of all entities, by the entity.
func everyEdge(ctx context.Context, t *testing.T, db *store.DB) map[string][]kgl.GraphEdge {
	t.Helper()
	list, err := db.Entities(ctx, kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]kgl.GraphEdge{}
	for _, e := range list.Rows {
		found, err := db.Neighbors(ctx, kgl.NeighborQuery{IDs: []string{e.ID}, PerEntity: 1000})
		if err != nil {
			t.Fatal(err)
		}
		out[e.ID] = found[0].Edges
		if int(e.Degree) != len(found[0].Edges) {
			t.Errorf("%s has the degree %d and %d relationships", e.ID, e.Degree, len(found[0].Edges))
		}
	}
	return out
}

func TestFillGraph(t *testing.T) {
	var first map[string][]kgl.GraphEdge
	eachEngine(t, func(t *testing.T, databaseURL string) {
		stats, err := FillGraph(t.Context(), databaseURL, testGraph(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		edges := everyEdge(t.Context(), t, openStore(t, databaseURL))
		ends, largest := 0, 0
		for entity, es := range edges {
			ends, largest = ends+len(es), max(largest, len(es))
			for i, e := range es {
				if e.Weight != kgl.RelationshipWeight(e.Confidence, 0) {
					t.Errorf("the weight of %+v is not that of its confidence", e)
				}
				if first != nil && e != first[entity][i] {
					t.Errorf("edge %d of %s differs between the engines", i, entity)
				}
			}
		}
		if len(edges) != 60 || ends != 800 || largest != stats.LargestDegree || largest < 4*ends/len(edges) {
			t.Errorf("%d entities, %d ends, the largest of %d: %+v", len(edges), ends, largest, stats)
		}
		first = edges
		if _, err := FillGraph(t.Context(), databaseURL, testGraph(), time.Now); err == nil {
			t.Error("a second fill was not refused")
		}
	})
}

// The indexes that are dropped for the fill are there again.
func TestFillGraphKeepsTheIndexes(t *testing.T) {
	eachEngine(t, func(t *testing.T, databaseURL string) {
		db, err := open(t.Context(), databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := db.close(); err != nil {
				t.Error(err)
			}
		}()
		table := "pg_indexes"
		if _, ok := db.(*sqliteDB); ok {
			table = "sqlite_master WHERE type = 'index'"
		}
		before, err := db.count(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FillGraph(t.Context(), databaseURL, testGraph(), time.Now); err != nil {
			t.Fatal(err)
		}
		after, err := db.count(t.Context(), table)
		if err != nil || before != after || before < 10 {
			t.Errorf("%d indexes before the fill, %d after it: %v", before, after, err)
		}
	})
}
