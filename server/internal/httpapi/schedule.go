package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ScheduleExplainer tells why sources are fetched when they are. An
// *ingest.Explainer is one.
type ScheduleExplainer interface {
	Explain(ctx context.Context, sourceID string) (ingest.Explanation, error)
}

// GetSourceSchedule tells why a source is fetched when it is.
func (s *server) GetSourceSchedule(ctx context.Context, r api.GetSourceScheduleRequestObject) (api.GetSourceScheduleResponseObject, error) {
	x, err := s.Schedules.Explain(ctx, r.SourceID)
	if err != nil {
		return nil, err
	}
	return api.GetSourceSchedule200JSONResponse(toSchedule(x)), nil
}

// SourceReport returns a source with its schedule and its last fetches as the
// contract has them, for a terminal.
func SourceReport(x ingest.Explanation, contentCount int64, fetches []kgl.Fetch) ([]byte, error) {
	return json.Marshal(struct {
		Source   api.Source         `json:"source"`
		Schedule api.SourceSchedule `json:"schedule"`
		Fetches  []api.Fetch        `json:"fetches"`
	}{toSource(x.Source, contentCount), toSchedule(x), convertAll(fetches, toFetch)})
}

func toSchedule(x ingest.Explanation) api.SourceSchedule {
	src, state := x.Source, x.Source.State
	return api.SourceSchedule{
		SourceID: src.ID, Status: api.SourceStatus(src.Status), Health: toHealth(src), NextFetchAt: timeOrNull(src.NextFetchAt),
		Trigger: textOrNull(x.Trigger), Decision: toDecision(state.Decision),
		Interval: api.ScheduleInterval{
			Own: unlessZero(seconds(src.FetchInterval)), Default: seconds(x.Schedule.Interval),
			Shortest: seconds(x.Schedule.Min), Longest: seconds(x.Schedule.Max),
		},
		Hints:  toHints(state.Hints),
		Rhythm: api.ScheduleRhythm{GapSeconds: unlessZero(state.MeanGap), NewestItemAt: timeOrNull(state.NewestAt)},
		Failures: api.ScheduleFailures{
			Count: src.ConsecutiveFailures, Since: timeOrNull(state.FailingSince), GoneSince: timeOrNull(state.GoneSince),
		},
		Redirect: toRedirect(state.Redirect),
		Host: api.ScheduleHost{
			Host: src.Host, DueAt: timeOrNull(x.Host.DueAt), NotBefore: timeOrNull(after(x.Host.NotBefore, x.At)),
			LeasedUntil: timeOrNull(after(x.Host.LeasedUntil, x.At)),
		},
		Domain: toDomain(x),
		WaitingFor: convertAll(x.Waiting, func(w ingest.Waiting) api.ScheduleWait {
			return api.ScheduleWait{Code: w.Code, Text: w.Text, Until: timeOrNull(w.Until)}
		}),
		AsOf: x.At.UTC(),
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// after returns nil for a time that has passed, which says nothing any more.
func after(t *time.Time, now time.Time) *time.Time {
	if t == nil || !t.After(now) {
		return nil
	}
	return t
}

func toHints(h kgl.FeedHints) api.ScheduleHints {
	return api.ScheduleHints{
		TTLSeconds: unlessZero(h.TTL), FreshSeconds: unlessZero(h.Fresh),
		SkipHours: convertAll(h.SkipHours, func(hour int) int32 { return int32(hour) }),
		SkipDays: convertAll(h.SkipDays, func(day int) api.ScheduleHintsSkipDays {
			return api.ScheduleHintsSkipDays(strings.ToLower(time.Weekday(day).String()))
		}),
	}
}

func toDomain(x ingest.Explanation) nullable.Nullable[api.ScheduleDomain] {
	if x.Domain == "" || x.Rate.Interval <= 0 {
		return nullable.NewNullNullable[api.ScheduleDomain]()
	}
	return nullable.NewNullableWithValue(api.ScheduleDomain{
		Domain: x.Domain, IntervalSeconds: x.Rate.Interval.Seconds(), Burst: int64(max(x.Rate.Burst, 1)),
	})
}

func toHealth(s kgl.Source) api.SourceHealth {
	return api.SourceHealth{
		State: api.SourceHealthState(s.Health), Reason: textOrNull(s.State.HealthReason), Since: timeOrNull(s.HealthSince),
	}
}
