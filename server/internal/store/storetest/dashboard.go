package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runDashboard(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an empty installation counts nothing", func(t *testing.T, db *store.DB) {
			same(t, got(db.Dashboard(ctx(t), epoch))(t), kgl.Dashboard{GeneratedAt: epoch})
		}},
		{"rows are counted by state and type", dashboardCounts},
		{"the most frequent types are listed", dashboardTypes},
		{"what is merged or rejected is not counted", dashboardHidden},
	})
}

func dashboardCounts(t *testing.T, db *store.DB) {
	states := []kgl.SourceStatus{
		kgl.SourceActive, kgl.SourceActive, kgl.SourcePaused, kgl.SourceFailing, kgl.SourceGone,
	}
	for n, status := range states {
		s := kgl.Source{
			Health: []kgl.SourceHealth{kgl.HealthPending, kgl.HealthOK}[n%2],
			ID:     id(10 + n), URL: fmt.Sprint("https://example.org/", n), URLKey: fmt.Sprint("https://example.org/", n),
			Host: "example.org", Status: status, Version: 1, CreatedAt: epoch, UpdatedAt: epoch,
		}
		must(t, db.CreateSource(ctx(t), s))
	}
	s := graphSource(t, db, 1)
	var cs []kgl.Content
	for n, status := range []kgl.ContentStatus{
		kgl.ContentNew, kgl.ContentNew, kgl.ContentProcessing, kgl.ContentProcessed, kgl.ContentFailed, kgl.ContentSkipped,
	} {
		c := newGraphContent(s, n)
		c.Status, c.FetchedAt = status, after(time.Duration(n)*12*time.Hour)
		cs = append(cs, c)
	}
	got(db.CreateContents(ctx(t), cs))(t)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{{
		ContentID: cs[1].ID, DuplicateOf: cs[0].ID, Reason: kgl.DuplicateSameText, Score: 1, CreatedAt: epoch,
	}}))(t)
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "grant", "B")
	addEntity(t, db, 3, "grant", "C")
	addRelationships(t, db, newRelationship(4, a, b, "offers"))
	now := after(60 * time.Hour)
	d := got(db.Dashboard(ctx(t), now))(t)
	same(t, d, kgl.Dashboard{
		GeneratedAt: now,
		Sources:     kgl.DashboardSources{Total: 6, Active: 3, Paused: 1, Failing: 1, Gone: 1, ByHealth: map[kgl.SourceHealth]int64{kgl.HealthPending: 4, kgl.HealthOK: 2}},
		Content: kgl.DashboardContent{
			Total: 6, New: 2, Processing: 1, Processed: 1, Failed: 1, Skipped: 1, Duplicates: 1,
			Last24Hours:       3, // fetched 36, 48 and 60 hours after the epoch
			LatestPublishedAt: func() *time.Time { t := minute(5); return &t }(),
		},
		Entities:      kgl.DashboardTypes{Total: 3, ByType: []kgl.TypeCount{{Type: "grant", Count: 2}, {Type: "person", Count: 1}}},
		Relationships: kgl.DashboardTypes{Total: 1, ByType: []kgl.TypeCount{{Type: "offers", Count: 1}}},
	})
}

func dashboardHidden(t *testing.T, db *store.DB) {
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	c := addEntity(t, db, 3, "grant", "C")
	addRelationships(t, db, newRelationship(4, a, c, "offers"), newRelationship(5, b, c, "offers"), newRelationship(6, a, b, "knows"))
	merge(t, db, 7, a, b)
	d := got(db.Dashboard(ctx(t), epoch))(t)
	same(t, d.Entities, kgl.DashboardTypes{Total: 2, ByType: []kgl.TypeCount{{Type: "grant", Count: 1}, {Type: "person", Count: 1}}})
	same(t, d.Relationships, kgl.DashboardTypes{Total: 1, ByType: []kgl.TypeCount{{Type: "offers", Count: 1}}})
}

func dashboardTypes(t *testing.T, db *store.DB) {
	n := 0
	for kind := range 23 {
		for range 1 + kind%3 {
			addEntity(t, db, n, fmt.Sprintf("type%02d", kind), fmt.Sprint("Entity ", n))
			n++
		}
	}
	d := got(db.Dashboard(ctx(t), epoch))(t).Entities
	if d.Total != int64(n) || len(d.ByType) != 20 {
		t.Fatalf("%d entities, %d types", d.Total, len(d.ByType))
	}
	same(t, d.ByType[0], kgl.TypeCount{Type: "type02", Count: 3})
	same(t, d.ByType[7], kgl.TypeCount{Type: "type01", Count: 2})
	same(t, d.ByType[19], kgl.TypeCount{Type: "type12", Count: 1})
}
