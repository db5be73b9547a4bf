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
		"aliases":  func(ctx context.Context, q q) error { _, err := q.EntityAliases(ctx, `["a"]`); return err },
		"by id":    func(ctx context.Context, q q) error { _, err := q.EntitiesByIDs(ctx, `["a"]`); return err },
		"by name":  func(ctx context.Context, q q) error { _, err := q.EntitiesByNameKeys(ctx, `[{}]`); return err },
		"by alias": func(ctx context.Context, q q) error { _, err := q.EntitiesByAliasKeys(ctx, `[{}]`); return err },
		"by ends":  func(ctx context.Context, q q) error { _, err := q.RelationshipsByKeys(ctx, `[{}]`); return err },
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
