package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// seedHub stores entities e1 to e3000; e1 has a relationship with each other
// one, of which every hundredth owns it, and the others know their successors.
func seedHub(t *testing.T, db *store.DB) {
	t.Helper()
	numbers := " FROM (WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < 2999) SELECT i FROM c) AS n"
	relationship := "INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version, created_at, updated_at, weight) "
	for _, statement := range []string{
		"INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version, created_at, updated_at, degree) " +
			"SELECT 'e' || i, 'E', 'e' || i, 'person', '', '{}', 1, 'manual', 0, 1, 0, 0, CASE i WHEN 1 THEN 2999 ELSE 3 END FROM " +
			"(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) SELECT i FROM c) AS n",
		relationship + "SELECT 'h' || i, CASE i % 2 WHEN 0 THEN 'e1' ELSE 'e' || i END, CASE i % 2 WHEN 0 THEN 'e' || i ELSE 'e1' END, " +
			"CASE i % 100 WHEN 0 THEN 'owns' ELSE 'knows' END, 0.5, 'manual', 0, 1, 0, 0, 1.0 / i" + numbers,
		relationship + "SELECT 'n' || i, 'e' || i, 'e' || (i + 1), 'knows', 0.5, 'manual', 0, 1, 0, 0, 0.5" + numbers,
		"ANALYZE",
	} {
		execute(t, db, statement)
	}
}

var (
	wholeHub = kgl.NeighborQuery{IDs: []string{"e1", "e7"}, PerEntity: 25}
	ofAType  = kgl.NeighborQuery{IDs: []string{"e1", "e7"}, PerEntity: 25, Scan: 500, Filter: kgl.EdgeFilter{Types: []string{"owns", "funds"}, MinConfidence: 0.25}}
)

// TestNeighborPlans reads the plans of a step through the graph: both indexes are
// enough for it, and nothing is sorted but what a limit has let through.
func TestNeighborPlans(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedHub(t, db)
			if db.Engine() == store.Postgres {
				checkRowsRead(t, db, wholeHub, 26)
				checkRowsRead(t, db, ofAType, 500)
				return
			}
			for _, tc := range []struct {
				query kgl.NeighborQuery
				hub   bool
			}{{wholeHub, false}, {ofAType, false}, {ofAType, true}} {
				text, args, err := store.NeighborsText(db.Engine(), tc.query, tc.hub)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := db.PlanOf(t.Context(), text, args)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"MERGE (UNION ALL)", "USING COVERING INDEX relationships_out", "USING COVERING INDEX relationships_in"} {
					if !strings.Contains(plan, want) {
						t.Errorf("no %s:\n%s", want, plan)
					}
				}
				// A hub's edges are sorted after a limit has cut them.
				if !tc.hub && strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("edges are sorted:\n%s", plan)
				}
			}
		})
	}
}

var actualRows = regexp.MustCompile(`(?:Index Only Scan|Index Scan|Bitmap Index Scan|Seq Scan).*\(actual rows=(\d+) loops=(\d+)\)`)

// checkRowsRead runs a step on Postgres, and holds that it reads at most a number
// of rows of each direction of an entity.
func checkRowsRead(t *testing.T, db *store.DB, q kgl.NeighborQuery, most int) {
	t.Helper()
	text, args, err := store.NeighborsText(db.Engine(), q, false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := db.PlanOf(t.Context(), text, args)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{"relationships_out", "relationships_in"} {
		if !strings.Contains(plan, "Index Only Scan using "+index) {
			t.Errorf("no scan of %s alone:\n%s", index, plan)
		}
	}
	lines := store.Analyzed(t, db, text, args)
	reads := actualRows.FindAllStringSubmatch(lines, -1)
	if len(reads) < 2 {
		t.Fatalf("no rows in the plan:\n%s", lines)
	}
	for _, r := range reads {
		if n, _ := strconv.Atoi(r[1]); n > most {
			t.Errorf("%d rows of an entity are read, want at most %d:\n%s", n, most, lines)
		}
	}
}

// TestNeighborsAreActive holds that a step meets active relationships only, and
// gives their numbers as they are stored.
func TestNeighborsAreActive(t *testing.T) {
	weights := []float64{0.1 + 0.2, 2.1000000000000001, 1e-9, 123456.78901234567, 1}
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for i := range 7 {
				execute(t, db, fmt.Sprintf(`INSERT INTO entities (id, name, name_key, type, description, attributes, confidence, extractor, mention_count, version,
  created_at, updated_at, degree) VALUES ('e%d', 'E', 'e%d', 'person', '', '{}', 1, 'manual', 0, 1, 0, 0, 9)`, i, i))
			}
			add := func(i int, typ, status string, weight float64) {
				execute(t, db, fmt.Sprintf(`INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version,
  created_at, updated_at, weight, status) VALUES ('r%d%s', 'e%d', 'e0', '%s', %s, 'manual', 0, 1, 0, 0, %s, '%s')`, i, typ, i, typ,
					strconv.FormatFloat(min(weight, 1), 'g', -1, 64), strconv.FormatFloat(weight, 'g', -1, 64), status))
			}
			for i, w := range weights {
				add(i+1, "knows", "active", w)
			}
			for i, status := range []string{"rejected", "suppressed", "merged"} {
				add(i+1, "owns", status, 1000)
			}
			for _, scan := range []int{1, 100} { // of a hub, and of an entity that is none
				found, err := db.Neighbors(t.Context(), kgl.NeighborQuery{IDs: []string{"e0"}, PerEntity: 9, Scan: scan, Filter: kgl.EdgeFilter{MinConfidence: 1e-12}})
				if err != nil {
					t.Fatal(err)
				}
				checkWeights(t, found[0].Edges, weights, scan)
			}
			found, err := db.Neighbors(t.Context(), kgl.NeighborQuery{IDs: []string{"e0"}, PerEntity: 9})
			if err != nil {
				t.Fatal(err)
			}
			checkWeights(t, found[0].Edges, weights, 100)
			if edges, err := db.EdgesBetween(t.Context(), "e0", "e1", kgl.EdgeFilter{}, 9); err != nil || len(edges) != 1 || edges[0].Weight != weights[0] {
				t.Errorf("edges between two entities: %+v, %v", edges, err)
			}
		})
	}
}

func checkWeights(t *testing.T, edges []kgl.GraphEdge, weights []float64, most int) {
	t.Helper()
	want := slices.Clone(weights)
	slices.Sort(want)
	slices.Reverse(want)
	want = want[:min(len(want), most)]
	var have []float64
	for _, e := range edges {
		have = append(have, e.Weight)
		if e.Confidence != min(e.Weight, 1) {
			t.Errorf("the confidence of %+v is not what was stored", e)
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("weights %v, want %v", have, want)
	}
}
