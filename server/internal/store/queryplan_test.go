package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/pgadapter"
	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// TestQueryPlans reads the plan of generated queries that meet large tables:
// none reads a whole one.
func TestQueryPlans(t *testing.T) {
	type q = pgadapter.Querier
	moment, before := int64(5), int64(9)
	queries := map[string]func(ctx context.Context, q q) error{
		"entities of an item": func(ctx context.Context, q q) error {
			_, err := q.ContentEntities(ctx, sqlitedb.ContentEntitiesParams{ContentID: "a", RowLimit: 9})
			return err
		},
		"mentions": func(ctx context.Context, q q) error {
			_, err := q.MentionsOfEntities(ctx, sqlitedb.MentionsOfEntitiesParams{ContentID: "a", EntityIds: `["a"]`})
			return err
		},
		"mentions of an entity": func(ctx context.Context, q q) error {
			_, err := q.MentionsOfEntity(ctx, sqlitedb.MentionsOfEntityParams{EntityID: "a", AfterAt: moment, RowLimit: 9})
			return err
		},
		"items of an entity": func(ctx context.Context, q q) error {
			_, err := q.ContentsOfEntity(ctx, sqlitedb.ContentsOfEntityParams{EntityID: "a", AfterAt: moment, RowLimit: 9})
			return err
		},
		"mentions of a run": func(ctx context.Context, q q) error { run := "a"; _, err := q.DeleteRunMentions(ctx, &run); return err },
		"seen times":        func(ctx context.Context, q q) error { return q.RefreshSeenTimes(ctx, `["a"]`) },
		"aligned mentions":  func(ctx context.Context, q q) error { _, err := q.AlignMentions(ctx, `["a"]`); return err },
		"external ids":      func(ctx context.Context, q q) error { _, err := q.ExternalIDs(ctx, `["a"]`); return err },
		"by external id":    func(ctx context.Context, q q) error { _, err := q.EntitiesByExternalIDs(ctx, `[{}]`); return err },
		"winners":           func(ctx context.Context, q q) error { _, err := q.MergeWinners(ctx, `["a"]`); return err },
		"merged into":       func(ctx context.Context, q q) error { _, err := q.MergedInto(ctx, "a"); return err },
		"names of entities": func(ctx context.Context, q q) error { _, err := q.NameKeys(ctx, `["a"]`); return err },
		"exact names":       func(ctx context.Context, q q) error { _, err := q.ActiveEntitiesByNames(ctx, `["a"]`); return err },
		"exact aliases":     func(ctx context.Context, q q) error { _, err := q.ActiveEntitiesByAliases(ctx, `["a"]`); return err },
		"found aliases":     func(ctx context.Context, q q) error { _, err := q.AddFoundAliases(ctx, `[{}]`); return err },
		"common trigrams": func(ctx context.Context, q q) error {
			_, err := q.NameGramCounts(ctx, sqlitedb.NameGramCountsParams{Grams: `[{"gram":"a","low":1,"high":2}]`, Most: 9})
			return err
		},
		"gone trigrams": func(ctx context.Context, q q) error {
			return q.DeleteNameGrams(ctx, sqlitedb.DeleteNameGramsParams{EntityID: "a", Size: 3, Grams: `["a"]`})
		},
		"ends of active relationships": func(ctx context.Context, q q) error { _, err := q.ActiveNeighbors(ctx, `["a"]`); return err },
		"aliases":                      func(ctx context.Context, q q) error { _, err := q.EntityAliases(ctx, `["a"]`); return err },
		"by id":                        func(ctx context.Context, q q) error { _, err := q.EntitiesByIDs(ctx, `["a"]`); return err },
		"by name":                      func(ctx context.Context, q q) error { _, err := q.EntitiesByNameKeys(ctx, `[{}]`); return err },
		"by alias":                     func(ctx context.Context, q q) error { _, err := q.EntitiesByAliasKeys(ctx, `[{}]`); return err },
		"by ends":                      func(ctx context.Context, q q) error { _, err := q.RelationshipsByKeys(ctx, `[{}]`); return err },
		"evidence": func(ctx context.Context, q q) error {
			_, err := q.RelationshipEvidence(ctx, sqlitedb.RelationshipEvidenceParams{RelationshipID: "a", RowLimit: 9})
			return err
		},
		"count mentions": func(ctx context.Context, q q) error {
			return q.AddMentionCount(ctx, sqlitedb.AddMentionCountParams{Delta: 1, Ids: `["a"]`})
		},
		"replaced mentions": func(ctx context.Context, q q) error {
			_, err := q.DeleteMentions(ctx, sqlitedb.DeleteMentionsParams{ContentID: "a", Extractor: "b"})
			return err
		},
		"replaced evidence": func(ctx context.Context, q q) error {
			_, err := q.DeleteEvidence(ctx, sqlitedb.DeleteEvidenceParams{ContentID: "a", Extractor: "b"})
			return err
		},
		"mentions of a source": func(ctx context.Context, q q) error { _, err := q.DeleteSourceMentions(ctx, "a"); return err },
		"evidence of a source": func(ctx context.Context, q q) error { _, err := q.DeleteSourceEvidence(ctx, "a"); return err },
		"throttles":            func(ctx context.Context, q q) error { _, err := q.LoginThrottles(ctx, `["a"]`); return err },
		"stale throttles": func(ctx context.Context, q q) error {
			_, err := q.DeleteStaleThrottles(ctx, sqlitedb.DeleteStaleThrottlesParams{Before: before, RowLimit: 9})
			return err
		},
		"expired sessions": func(ctx context.Context, q q) error {
			_, err := q.DeleteExpiredSessions(ctx, sqlitedb.DeleteExpiredSessionsParams{Before: before, RowLimit: 9})
			return err
		},
		"sessions of a user": func(ctx context.Context, q q) error {
			_, err := q.RevokeUserSessions(ctx, sqlitedb.RevokeUserSessionsParams{UserID: "a", RevokedAt: &moment, Now: moment})
			return err
		},
		"expired answers": func(ctx context.Context, q q) error {
			_, err := q.DeleteExpiredIdempotencyKeys(ctx, sqlitedb.DeleteExpiredIdempotencyKeysParams{Before: before, RowLimit: 9})
			return err
		},
		"audit rows": func(ctx context.Context, q q) error {
			_, err := q.AuditEventsFrom(ctx, sqlitedb.AuditEventsFromParams{Seq: 1, RowLimit: 9})
			return err
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
