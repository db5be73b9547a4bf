package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/pgadapter"
	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestRelationshipPlans reads the plan of each list of relationships.
func TestRelationshipPlans(t *testing.T) {
	page := kgl.Page{Limit: 20, After: &kgl.Position{Int: 5, Number: 0.5, Text: "e", ID: "i"}}
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			list := func(f kgl.RelationshipFilter, sort kgl.RelationshipSort) store.ListQuery {
				return store.RelationshipsQuery(db.Engine(), f, sort, page)
			}
			edges := func(d kgl.Direction, sort kgl.RelationshipSort) store.ListQuery {
				return store.EdgesQuery(db.Engine(), "e", d, kgl.EntityRelationshipFilter{MinConfidence: 0.5}, sort, page)
			}
			const newest, heaviest = kgl.RelationshipNewestFirst, kgl.RelationshipHeaviestFirst
			rejected := kgl.RelationshipFilter{Status: kgl.RelationshipRejected}
			for _, tc := range []listPlan{
				{"newest", list(kgl.RelationshipFilter{}, newest), "relationships_created", false},
				{"heaviest", list(kgl.RelationshipFilter{}, heaviest), "relationships_weight", false},
				{"newest of a type", list(kgl.RelationshipFilter{Type: "a"}, newest), "relationships_type", false},
				{"heaviest of a type", list(kgl.RelationshipFilter{Type: "a"}, heaviest), "relationships_type_weight", false},
				{"newest rejected", list(rejected, newest), "relationships_hidden", false},
				{"heaviest rejected", list(rejected, heaviest), "relationships_hidden_weight", false},
				{"newest from", edges(kgl.DirectionOut, newest), "relationships_from", false},
				{"newest to", edges(kgl.DirectionIn, newest), "relationships_to", false},
				{"heaviest from", edges(kgl.DirectionOut, heaviest), "relationships_out", false},
				{"heaviest to", edges(kgl.DirectionIn, heaviest), "relationships_in", false},
			} {
				t.Run(tc.name, func(t *testing.T) { checkPlan(t, db, tc) })
			}
		})
	}
}

// TestMergePlans reads the plans of what merges and rejections ask: none reads a
// whole table.
func TestMergePlans(t *testing.T) {
	type q = pgadapter.Querier
	to := "b"
	queries := map[string]func(ctx context.Context, q q) error{
		"edges":         func(ctx context.Context, q q) error { _, err := q.EdgesOfEntities(ctx, `["a"]`); return err },
		"edges by key":  func(ctx context.Context, q q) error { _, err := q.EdgesByKeys(ctx, `[{}]`); return err },
		"merged edges":  func(ctx context.Context, q q) error { _, err := q.EdgesMergedInto(ctx, `["a"]`); return err },
		"active ends":   func(ctx context.Context, q q) error { _, err := q.ActiveEnds(ctx, `["a"]`); return err },
		"states":        func(ctx context.Context, q q) error { _, err := q.EntityStates(ctx, `["a"]`); return err },
		"evidence home": func(ctx context.Context, q q) error { return q.HomeEvidence(ctx, `["a"]`) },
		"evidence":      func(ctx context.Context, q q) error { return q.RecountEvidence(ctx, `["a"]`) },
		"mentions home": func(ctx context.Context, q q) error { return q.HomeMentions(ctx, `["a"]`) },
		"mentions":      func(ctx context.Context, q q) error { return q.RecountMentions(ctx, `["a"]`) },
		"moved mentions": func(ctx context.Context, q q) error {
			_, err := q.MoveMentions(ctx, sqlitedb.MoveMentionsParams{FromID: "a", ToID: to})
			return err
		},
		"displaced mentions": func(ctx context.Context, q q) error {
			return q.DisplaceMentions(ctx, sqlitedb.DisplaceMentionsParams{FromID: &to, ToID: to})
		},
		"aliases home":  func(ctx context.Context, q q) error { return q.HomeAliases(ctx, `["a"]`) },
		"external home": func(ctx context.Context, q q) error { return q.HomeExternalIDs(ctx, `["a"]`) },
		"suppressed": func(ctx context.Context, q q) error {
			return q.SuppressTo(ctx, sqlitedb.SuppressToParams{EntityID: "a"})
		},
		"revived": func(ctx context.Context, q q) error {
			return q.ReviveFrom(ctx, sqlitedb.ReviveFromParams{EntityID: "a"})
		},
		"merges": func(ctx context.Context, q q) error {
			_, err := q.EntityMerges(ctx, sqlitedb.EntityMergesParams{EntityID: "a", AfterAt: 5, AfterID: "b", RowLimit: 9})
			return err
		},
		"losers": func(ctx context.Context, q q) error { _, err := q.MergeLosers(ctx, `["a"]`); return err },
		"hollow": func(ctx context.Context, q q) error {
			_, err := q.DeleteHollowRelationships(ctx, sqlitedb.DeleteHollowRelationshipsParams{Manual: "m", Ids: `["a"]`})
			return err
		},
	}
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for name, call := range queries {
				plan, err := db.ExplainQuery(t.Context(), call)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for line := range strings.Lines(plan) {
					if step := wholeTable(line); step != "" && !jsonScan.MatchString(step) {
						t.Errorf("%s reads a whole table (%s):\n%s", name, step, plan)
					}
				}
			}
		})
	}
}
