package httpapi

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fakeSchedules explains the sources of the fake.
type fakeSchedules struct{ sources SourceService }

func (f fakeSchedules) Explain(ctx context.Context, id string) (ingest.Explanation, error) {
	src, err := f.sources.Get(ctx, id)
	if err != nil {
		return ingest.Explanation{}, err
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	src.NextFetchAt = &later
	src.State = kgl.FetchState{
		Decision: &kgl.FetchDecision{Rule: ingest.RuleBackoff, Reason: "Asked again after 1 h: the last fetch failed", Interval: 3600, At: now},
		Hints:    kgl.FeedHints{TTL: 60, SkipHours: []int{0, 23}, SkipDays: []int{0, 6}},
		Redirect: &kgl.PermanentRedirect{URL: "https://b.example/", Since: now, Fetches: 1},
		MeanGap:  7200, NewestAt: &now, FailingSince: &now,
	}
	return ingest.Explanation{
		Source: src, At: now, Schedule: ingest.DefaultSchedule(nil), Trigger: ingest.TriggerRetry, Domain: "example.org",
		Rate: kgl.DomainRate{Interval: 2 * time.Second, Burst: 3}, Host: kgl.Host{Host: src.Host, DueAt: &later, NotBefore: &now, LeasedUntil: &later},
		Waiting: []ingest.Waiting{{Code: ingest.WaitBackoff, Text: "1 fetches in a row failed, and it is due in 1 h", Until: &later}},
	}, nil
}

func TestScheduleAsJSON(t *testing.T) {
	x := ingest.Explanation{
		Source:   kgl.Source{ID: "a", FetchInterval: time.Hour, State: kgl.FetchState{Hints: kgl.FeedHints{SkipHours: []int{0, 23}, SkipDays: []int{0, 6}}}},
		Schedule: ingest.DefaultSchedule(nil), At: time.Unix(100, 0),
		Host: kgl.Host{NotBefore: ptr(time.Unix(99, 0)), LeasedUntil: ptr(time.Unix(101, 0))},
	}
	text, err := SourceReport(x, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	var have struct {
		Source struct {
			ContentCount int64 `json:"content_count"`
		}
		Schedule struct {
			Interval struct{ Own, Default, Shortest, Longest *int64 }
			Hints    struct {
				SkipHours []int    `json:"skip_hours"`
				SkipDays  []string `json:"skip_days"`
			}
			Host struct {
				NotBefore   *time.Time `json:"not_before"`
				LeasedUntil *time.Time `json:"leased_until"`
			}
			Domain     *struct{}
			WaitingFor []struct{} `json:"waiting_for"`
		}
		Fetches []struct{}
	}
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	s := have.Schedule
	if *s.Interval.Own != 3600 || *s.Interval.Shortest != 900 || *s.Interval.Longest != 86400 || have.Source.ContentCount != 3 {
		t.Errorf("interval: %s", text)
	}
	if len(s.Hints.SkipHours) != 2 || s.Hints.SkipDays[0] != "sunday" || s.Hints.SkipDays[1] != "saturday" {
		t.Errorf("hints: %s", text)
	}
	if s.Host.NotBefore != nil || s.Host.LeasedUntil == nil || s.Domain != nil || s.WaitingFor == nil || have.Fetches == nil {
		t.Errorf("host, domain and lists: %s", text)
	}
}
