package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestClaimAsksForConsent: a task that was made pending while its source
// withdrew its consent, which its transaction did not see, is not handed out,
// keeps no worker awake, and is withheld by the next claim that wants more.
func TestClaimAsksForConsent(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedPlans(t, db) // the sources s10, s20 ... do not allow it
			now := time.UnixMicro(1)
			next := func() *time.Time {
				t.Helper()
				at, err := db.NextTaskAt(t.Context(), kgl.LaneAI)
				if err != nil {
					t.Fatal(err)
				}
				return at
			}
			for i, source := range []string{"s10", "s20", "s1"} {
				execute(t, db, fmt.Sprintf("INSERT INTO enrichment_tasks (id, content_id, revision, extractor, state, attempts, available_at, lease_owner, lease_token, "+
					"last_error, created_at, updated_at, source_id) VALUES ('a%d', 'c%d', 1, 'ai', 'pending', 0, 0, '', 0, '', 0, 0, '%s')", i, i+1, source))
				if at := next(); (at == nil) != (source != "s1") {
					t.Fatalf("with a task of %s the next one is available at %v", source, at)
				}
			}
			claimed, err := db.ClaimTasks(t.Context(), kgl.LaneAI, "w", now, now.Add(time.Minute), 5)
			if err != nil || len(claimed) != 1 || claimed[0].SourceID != "s1" {
				t.Fatalf("claimed %+v (%v)", claimed, err)
			}
			for _, id := range []string{"a0", "a1"} {
				if task, err := db.Task(t.Context(), id); err != nil || task.State != kgl.TaskWithheld {
					t.Errorf("%s is %s (%v)", id, task.State, err)
				}
			}
		})
	}
}
