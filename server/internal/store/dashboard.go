package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxDashboardTypes is how many types DashboardTypes lists.
const maxDashboardTypes = 20

// Dashboard implements kgl.DashboardStore.
func (db *DB) Dashboard(ctx context.Context, now time.Time) (kgl.Dashboard, error) {
	var rows []sqlitedb.DashboardCountsRow
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.DashboardCounts(ctx, micros(now.Add(-24*time.Hour)))
		return err
	})
	if err != nil {
		return kgl.Dashboard{}, err
	}
	d := kgl.Dashboard{GeneratedAt: timeOf(micros(now))}
	for _, row := range rows {
		addCount(&d, row)
	}
	capTypes(&d.Entities)
	capTypes(&d.Relationships)
	return d, nil
}

// addCount puts one row of DashboardCounts in its place.
func addCount(d *kgl.Dashboard, row sqlitedb.DashboardCountsRow) {
	switch row.Kind {
	case "source":
		addSources(&d.Sources, row)
	case "health":
		if d.Sources.ByHealth == nil {
			d.Sources.ByHealth = map[kgl.SourceHealth]int64{}
		}
		d.Sources.ByHealth[kgl.SourceHealth(row.Label)] = row.N
	case "content":
		addContent(&d.Content, row)
	case "duplicate":
		d.Content.Duplicates = row.N
	case "recent":
		d.Content.Last24Hours = row.N
	case "entity":
		addType(&d.Entities, row)
	case "relationship":
		addType(&d.Relationships, row)
	}
}

func addSources(s *kgl.DashboardSources, row sqlitedb.DashboardCountsRow) {
	s.Total += row.N
	s.LastSuccessAt = newest(s.LastSuccessAt, row.Newest)
	switch kgl.SourceStatus(row.Label) {
	case kgl.SourceActive:
		s.Active = row.N
	case kgl.SourcePaused:
		s.Paused = row.N
	case kgl.SourceFailing:
		s.Failing = row.N
	case kgl.SourceGone:
		s.Gone = row.N
	}
}

func addContent(c *kgl.DashboardContent, row sqlitedb.DashboardCountsRow) {
	c.Total += row.N
	c.LatestPublishedAt = newest(c.LatestPublishedAt, row.Newest)
	switch kgl.ContentStatus(row.Label) {
	case kgl.ContentNew:
		c.New = row.N
	case kgl.ContentProcessing:
		c.Processing = row.N
	case kgl.ContentProcessed:
		c.Processed = row.N
	case kgl.ContentFailed:
		c.Failed = row.N
	case kgl.ContentSkipped:
		c.Skipped = row.N
	}
}

// newest returns the later of two times; us 0 means that there is none.
func newest(t *time.Time, us int64) *time.Time {
	if us == 0 || t != nil && t.UnixMicro() >= us {
		return t
	}
	return timePtr(&us)
}

// addType adds to the count of a type, or takes away from it.
func addType(t *kgl.DashboardTypes, row sqlitedb.DashboardCountsRow) {
	t.Total += row.N
	for i := range t.ByType {
		if t.ByType[i].Type == row.Label {
			t.ByType[i].Count += row.N
			return
		}
	}
	t.ByType = append(t.ByType, kgl.TypeCount{Type: row.Label, Count: row.N})
}

// capTypes keeps the most frequent types.
func capTypes(t *kgl.DashboardTypes) {
	t.ByType = slices.DeleteFunc(t.ByType, func(c kgl.TypeCount) bool { return c.Count == 0 })
	if len(t.ByType) == 0 {
		t.ByType = nil
	}
	slices.SortFunc(t.ByType, func(a, b kgl.TypeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type))
	})
	t.ByType = t.ByType[:min(len(t.ByType), maxDashboardTypes)]
}
