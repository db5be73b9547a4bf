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

// TestRunPlans reads the plans of the lists of extraction runs.
func TestRunPlans(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for _, tc := range runPlans(db.Engine()) {
				t.Run(tc.name, func(t *testing.T) { checkPlan(t, db, tc) })
			}
		})
	}
}

func runPlans(e store.Engine) []listPlan {
	moment := kgl.Page{Limit: 20, After: &kgl.Position{Int: 1_000_000_000, ID: "i"}}
	runs := func(f kgl.ExtractionRunFilter) store.ListQuery { return store.RunsQuery(e, f, moment) }
	return []listPlan{
		{"runs", runs(kgl.ExtractionRunFilter{}), "extraction_runs_finished", false},
		{"runs on an item", runs(kgl.ExtractionRunFilter{ContentID: "c1"}), "extraction_runs_content", false},
		{"runs of a name", runs(kgl.ExtractionRunFilter{Name: "builtin"}), "extraction_runs_name", false},
		{"runs of a state", runs(kgl.ExtractionRunFilter{Status: kgl.RunRetracted}), "extraction_runs_status", false},
		{"runs of a name on an item", runs(kgl.ExtractionRunFilter{ContentID: "c1", Name: "builtin"}), "extraction_runs_", false},
	}
}

// TestPublishablePlans reads the plans that the engines choose by cost for the
// list of content by what may be published.
func TestPublishablePlans(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedPlans(t, db)
			execute(t, db, "INSERT INTO source_consents (source_id, purpose, allowed, decided_at, decided_by) "+
				"SELECT id, 'publication', FALSE, 0, '' FROM sources WHERE id LIKE 's%0'")
			for _, statistics := range []bool{false, true} {
				if statistics {
					execute(t, db, "ANALYZE")
				}
				for _, tc := range publishablePlans(db.Engine()) {
					if !statistics && db.Engine() == store.Postgres {
						continue // it gathers them by itself, but after the first fetches
					}
					t.Run(tc.name, func(t *testing.T) {
						query, args := store.ListText(tc.query)
						checkCostedPlan(t, db, query, args, tc.index, tc.sorts)
					})
				}
			}
		})
	}
}

func publishablePlans(e store.Engine) []listPlan {
	moment := kgl.Page{Limit: 20, After: &kgl.Position{Int: 1_000_000_000, ID: "i"}}
	yes, no := true, false
	list := func(f kgl.ContentFilter) store.ListQuery {
		return store.ContentsQuery(e, f, kgl.ContentNewestFirst, false, moment)
	}
	return []listPlan{
		{"content that may be published", list(kgl.ContentFilter{Publishable: &yes}), "contents_first_seen", false},
		{"content of a source that may be published", list(kgl.ContentFilter{Publishable: &yes, SourceID: "s1"}), "contents_source", true}, // few rows
		{"content that may not be published", list(kgl.ContentFilter{Publishable: &no}), "contents_", true},
	}
}

// TestDemandPlans reads the plans of the generated queries of runs, of extraction
// on demand and of purges: none reads a whole table.
func TestDemandPlans(t *testing.T) {
	type q = pgadapter.Querier
	moment, one := int64(5), "a"
	queries := map[string]func(ctx context.Context, q q) error{
		"requests to claim": func(ctx context.Context, q q) error {
			_, err := q.ClaimExtractionRequests(ctx, sqlitedb.ClaimExtractionRequestsParams{LeaseUntil: &moment, Now: &moment, RowLimit: 9})
			return err
		},
		"requests for an item": func(ctx context.Context, q q) error {
			_, err := q.FinishContentRequests(ctx, sqlitedb.FinishContentRequestsParams{ContentID: &one})
			return err
		},
		"stranded requests": func(ctx context.Context, q q) error {
			_, err := q.FailStrandedRequests(ctx, sqlitedb.FailStrandedRequestsParams{Lane: "ai"})
			return err
		},
		"expired requests": func(ctx context.Context, q q) error {
			_, err := q.DeleteExpiredExtractionRequests(ctx, sqlitedb.DeleteExpiredExtractionRequestsParams{Before: 9, RowLimit: 9})
			return err
		},
		"a demanded task": func(ctx context.Context, q q) error {
			_, err := q.DemandTask(ctx, sqlitedb.DemandTaskParams{ContentID: "a", Revision: 1, Lane: "ai"})
			return err
		},
		"current runs": func(ctx context.Context, q q) error { _, err := q.CurrentRuns(ctx, "a"); return err },
		"a superseded run": func(ctx context.Context, q q) error {
			_, err := q.SupersedeRun(ctx, sqlitedb.SupersedeRunParams{EndedAt: &moment, ContentID: "a", Name: "b"})
			return err
		},
		"consents": func(ctx context.Context, q q) error { _, err := q.Consents(ctx, `["a"]`); return err },
		"items to purge": func(ctx context.Context, q q) error {
			_, err := q.DerivedPage(ctx, sqlitedb.DerivedPageParams{SourceID: "a", RowLimit: 9})
			return err
		},
		"purged mentions": func(ctx context.Context, q q) error {
			_, err := q.PurgeMentions(ctx, sqlitedb.PurgeMentionsParams{ContentIds: `["a"]`, Manual: "m"})
			return err
		},
		"purged evidence": func(ctx context.Context, q q) error {
			_, err := q.PurgeEvidence(ctx, sqlitedb.PurgeEvidenceParams{ContentIds: `["a"]`, Manual: "m"})
			return err
		},
		"purged runs": func(ctx context.Context, q q) error { _, err := q.PurgeRuns(ctx, `["a"]`); return err },
		"supported entities": func(ctx context.Context, q q) error {
			_, err := q.SupportedEntities(ctx, sqlitedb.SupportedEntitiesParams{Ids: `["a"]`, Manual: "m"})
			return err
		},
		"merged entities": func(ctx context.Context, q q) error { _, err := q.EntitiesMergedInto(ctx, `["a"]`); return err },
		"reopened items": func(ctx context.Context, q q) error {
			return q.ReopenPurged(ctx, sqlitedb.ReopenPurgedParams{ContentIds: `["a"]`})
		},
		"withheld tasks": func(ctx context.Context, q q) error {
			return q.WithholdPurged(ctx, sqlitedb.WithholdPurgedParams{ContentIds: `["a"]`})
		},
	}
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			for name, call := range queries {
				t.Run(name, func(t *testing.T) {
					plan, err := db.ExplainQuery(t.Context(), call)
					if err != nil {
						t.Fatal(err)
					}
					if step := wholeTable(plan); step != "" && !strings.Contains(step, "VIRTUAL TABLE") {
						t.Errorf("a whole table is read (%s):\n%s", step, plan)
					}
				})
			}
		})
	}
}
