package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestDeleteCountsWhatIsBeingStored deletes an item, and a source, while a
// transaction that is not over stores a mention and evidence found in it.
func TestDeleteCountsWhatIsBeingStored(t *testing.T) {
	for name, remove := range map[string]func(ctx context.Context, db *store.DB) error{
		"content": func(ctx context.Context, db *store.DB) error {
			return db.DeleteContent(ctx, "c1", kgl.RemovedByPerson, time.UnixMicro(1))
		},
		"source": func(ctx context.Context, db *store.DB) error { return db.DeleteSource(ctx, "s1") },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, postgresTemplate.NewDatabase(t))
			e, r := seedEvidence(t, db)
			deleted := make(chan error, 1)
			noError(t, db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
				noError(t, tx.SetContentStatus(ctx, "c1", kgl.ContentProcessed, now))
				noError(t, tx.ReplaceMentions(ctx, "c1", "mock", []kgl.Mention{{ID: "m1", EntityID: e.ID, Revision: 1, End: 1, CreatedAt: now}}))
				_, err := tx.ReplaceEvidence(ctx, "c1", "mock", []kgl.Evidence{{ID: "v1", RelationshipID: r.ID, Revision: 1, End: 1, CreatedAt: now}})
				noError(t, err)
				go func() { deleted <- remove(t.Context(), db) }()
				waitForLock(t, db)
				return nil
			}))
			noError(t, <-deleted)
			e, err := db.Entity(t.Context(), e.ID)
			noError(t, err)
			if e.MentionCount != 0 {
				t.Errorf("%d mentions are counted, and none is there", e.MentionCount)
			}
			_, err = db.Relationship(t.Context(), r.ID)
			wantCode(t, err, kgl.CodeNotFound)
		})
	}
}

// TestClaimPassesOverItemsInChange claims a task whose item a transaction holds
// that may want the task next, as one that stores a revision does.
func TestClaimPassesOverItemsInChange(t *testing.T) {
	db := open(t, postgresTemplate.NewDatabase(t))
	seedEvidence(t, db)
	noError(t, db.CreateTasks(t.Context(), []kgl.EnrichmentTask{{
		ID: "t1", ContentID: "c1", Revision: 1, Extractor: "mock", State: kgl.TaskPending, AvailableAt: now, CreatedAt: now, UpdatedAt: now,
	}}))
	claim := func() int {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		ts, err := db.ClaimTasks(ctx, "mock", "w", now, now.Add(time.Minute), 5)
		noError(t, err)
		return len(ts)
	}
	noError(t, db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
		noError(t, tx.SetContentStatus(ctx, "c1", kgl.ContentNew, now))
		if n := claim(); n != 0 {
			t.Errorf("%d tasks were claimed", n)
		}
		return nil
	}))
	if n := claim(); n != 1 {
		t.Errorf("%d tasks were claimed afterwards", n)
	}
}

// seedEvidence stores the source s1 with the item c1, and an entity and a
// relationship that nothing supports yet.
func seedEvidence(t *testing.T, db *store.DB) (kgl.Entity, kgl.Relationship) {
	t.Helper()
	noError(t, db.CreateSource(t.Context(), kgl.Source{
		ID: "s1", URL: "u", URLKey: "u", Host: "h", Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	}))
	_, err := db.CreateContents(t.Context(), []kgl.Content{{
		ID: "c1", SourceID: "s1", IdentityKind: kgl.IdentityGUID, IdentityKey: "g", Status: kgl.ContentNew, Revision: 1, Version: 1,
		ContentBody: kgl.ContentBody{PublishedAt: now}, FetchedAt: now, UpdatedAt: now,
	}})
	noError(t, err)
	entity := func(id string) kgl.Entity {
		return kgl.Entity{
			ID: id, Name: id, NameKey: id, Type: "grant", Attributes: []byte("{}"), Extractor: "mock", Version: 1, CreatedAt: now, UpdatedAt: now,
		}
	}
	es, _, err := db.UpsertEntities(t.Context(), []kgl.Entity{entity("e1"), entity("e2")})
	noError(t, err)
	rs, _, err := db.UpsertRelationships(t.Context(), []kgl.Relationship{{
		ID: "r1", From: kgl.EntityRef{ID: "e1"}, To: kgl.EntityRef{ID: "e2"}, Type: "funds", Extractor: "mock",
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}})
	noError(t, err)
	return es[0], rs[0]
}

// waitForLock waits until a transaction of the database waits for another one.
func waitForLock(t *testing.T, db *store.DB) {
	t.Helper()
	const waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if n, err := db.ScanRaw(t.Context(), false, waiting); err != nil || n != "0" {
			noError(t, err)
			return
		}
		<-tick.C
	}
	t.Fatal("nobody waits for a lock")
}

// TestLongStatement lets a statement take longer than an answer is waited for
// without asking the server: it is not taken for lost.
func TestLongStatement(t *testing.T) {
	db := open(t, postgresTemplate.NewDatabase(t))
	if have, err := db.ScanRaw(t.Context(), false, "SELECT 'done' FROM pg_sleep(4)"); err != nil || have != "done" {
		t.Errorf("%q %v", have, err)
	}
}
