package cli

import (
	"context"
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// addDead stores an item with a dead task of the AI module.
func addDead(ctx context.Context, t *testing.T, db kgl.Store) (source, task string) {
	t.Helper()
	clock := kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	ids, now := kgl.NewUUIDv7(clock, rand.Reader), clock.Now()
	s := kgl.Source{ID: ids.NewID(), URL: "https://e.example/", URLKey: "https://e.example/", Host: "e.example", Tags: []string{}, Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now}
	c := kgl.Content{ID: ids.NewID(), SourceID: s.ID, IdentityKind: kgl.IdentityGUID, IdentityKey: "k", Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now}
	c.Authors, c.Categories, c.Enclosures = []kgl.Author{}, []string{}, []kgl.Enclosure{}
	work := kgl.NewEnrichmentTask(ids, now, c.ID, s.ID, 1, kgl.LaneAI)
	err := db.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.CreateSource(ctx, s); err != nil {
			return err
		}
		if _, err := tx.CreateContents(ctx, []kgl.Content{c}); err != nil {
			return err
		}
		if err := tx.CreateTasks(ctx, []kgl.EnrichmentTask{work}); err != nil {
			return err
		}
		claimed, err := tx.ClaimTasks(ctx, kgl.LaneAI, "w", now, now.Add(time.Minute), 1)
		if err != nil {
			return err
		}
		return tx.BuryTask(ctx, claimed[0], "the model is out", now)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.ID, work.ID
}

func TestWork(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		var source, task string
		s.withApp(func(ctx context.Context, a *app.App) { source, task = addDead(ctx, s.t, a.Store) })
		spaces := regexp.MustCompile(` {2,}`)
		has := func(args, want string) {
			s.t.Helper()
			if out := spaces.ReplaceAllString(s.want(0, line(args)).stdout, "  "); !strings.Contains(out, want) {
				s.t.Errorf("%s printed\n%s\nwithout %q", args, out, want)
			}
		}
		has("work stats", "\nai  no  0  0  0  0  0  1  never\n")
		has("work stats", "\nbuiltin  yes  0  0  0  0  0  0  never\n")
		has("work list --state dead --lane ai", task+"  ai  dead  0  1  2026-03-01 12:00:00  ")
		has("work list --source "+source, "the model is out")
		s.want(2, line("work list --state lost"), "--state must be one of")
		s.want(2, line("work list --limit 0"), "--limit")
		s.want(2, line("work requeue"), "--id, --source or --lane, or --all")
		s.want(2, line("work requeue --all --priority 11"), "--priority")
		has("work requeue --lane builtin", "requeued 0 tasks")
		has("work requeue --source "+source+" --priority 3", "requeued 1 tasks")
		has("work list --state pending", "ai  pending  3  0  ")
		has("work stats", "\nai  no  1  0  0  0  0  0  2026-03-01 12:00:00\n")
		s.withApp(func(ctx context.Context, a *app.App) {
			rows, err := a.Store.AuditEvents(ctx, kgl.AuditFilter{Action: "work.requeue"}, kgl.Page{Limit: 5})
			if err != nil || len(rows.Rows) != 1 || rows.Rows[0].SubjectID != source {
				s.t.Errorf("audited %+v (%v)", rows.Rows, err)
			}
		})
	})
}
