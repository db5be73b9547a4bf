package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

func TestExplain(t *testing.T) {
	rate := kgl.DomainRate{Interval: 10 * time.Second, Burst: 1}
	onEngines(t, func(t *testing.T, w *world) {
		explainer := NewExplainer(w.db, w.clock, Schedule{}, rate)
		src, worker := w.add(feedURL), w.worker(Config{DomainRate: rate})
		explain := func() Explanation {
			t.Helper()
			x, err := explainer.Explain(t.Context(), src.ID)
			w.must(err)
			return x
		}
		texts := func(x Explanation) string {
			var list []string
			for _, wait := range x.Waiting {
				list = append(list, wait.Code+": "+wait.Text)
			}
			return strings.Join(list, "; ")
		}
		x := explain()
		w.want("new", fmt.Sprint(x.Trigger, x.Domain, texts(x)), TriggerFirst+"a.example")

		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			w.want("while it is fetched", texts(explain()),
				"host_busy: a worker is busy with a.example, for at most 2 min; domain_rate: the hosts of a.example were asked as often as is polite; the next request may be made in 10 s")
			return answer(500, ""), nil
		})
		w.round(worker)
		x = explain()
		w.want("failed", fmt.Sprint(x.Trigger, texts(x)), "retry"+
			"backoff: the last fetch failed, and it is due in 5 min; domain_rate: the hosts of a.example were asked as often as is polite; the next request may be made in 10 s")
		w.want("rule", x.Source.State.Decision.Rule, RuleBackoff)

		w.clock.Advance(time.Minute)
		w.due(src.ID)
		x = explain()
		w.want("asked for", fmt.Sprint(x.Trigger, texts(x)), TriggerRequest)
		w.web.serve(feedURL, answer(429, "", "Retry-After: 3600"))
		w.round(worker)
		w.want("trigger", w.fetches(src.ID)[0].Details.Trigger, TriggerRequest)
		w.clock.Advance(time.Minute)
		x = explain()
		w.want("throttled", texts(x), "throttled: its server asked for patience, and it is due in 59 min")

		lease := w.lease("a.example")
		w.must(w.db.ReleaseHost(t.Context(), lease, w.clock.Now().Add(time.Hour)))
		w.want("resting", texts(explain()), "host_resting: a.example is left alone for 1 h")

		paused := kgl.SourcePaused
		_, err := w.sources.Patch(t.Context(), src.ID, SourcePatch{Status: &paused})
		w.must(err)
		x = explain()
		w.want("paused", fmt.Sprint(x.Trigger, texts(x)), "paused: a person paused it")

		_, err = explainer.Explain(t.Context(), w.ids.NewID())
		w.wantCode(err, kgl.CodeNotFound)
	})
}

func TestTriggers(t *testing.T) {
	at, other := start, start.Add(time.Minute)
	planned := func(t *time.Time) kgl.FetchState { return kgl.FetchState{Decision: &kgl.FetchDecision{}, PlannedAt: t} }
	for _, tc := range []struct {
		src  kgl.Source
		want string
	}{
		{kgl.Source{NextFetchAt: &at}, TriggerFirst},
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at}, TriggerSchedule}, // of before this was remembered
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at, State: planned(&at)}, TriggerSchedule},
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at, State: planned(&other)}, TriggerRequest},
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at, State: planned(nil)}, TriggerRequest}, // resumed from gone
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at, ConsecutiveFailures: 2, State: planned(&at)}, TriggerRetry},
		{kgl.Source{LastFetchedAt: &at, NextFetchAt: &at, ConsecutiveFailures: 99, Status: kgl.SourceGone, State: planned(&at)}, TriggerProbe},
	} {
		if have := triggerOf(tc.src); have != tc.want {
			t.Errorf("%+v: %s, want %s", tc.src, have, tc.want)
		}
	}
}

// What was fetched is stored with its validators, or neither is.
func TestValidatorsAreStoredWithTheItems(t *testing.T) {
	for _, call := range []string{"CreateContents", "AppendEvents", "FinishFetch"} {
		t.Run(call, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				w.web.serve(feedURL, answer(200, rss("alpha", "one", "two"), `Etag: "1"`, "Last-Modified: Sun, 01 Mar 2026 10:00:00 GMT"))
				w.faults.before = func(name string, _ any) error {
					if name == call {
						return errAway
					}
					return nil
				}
				w.round(worker)
				s := w.source(src.ID)
				w.want("after the fault", s.ETag+s.LastModified+s.BodyHash+w.titles(src.ID), "")
				w.want("remembered", fmt.Sprint(s.State.Decision, s.Health), "<nil>pending")
				w.faults.before = nil
				w.clock.Advance(faultPause)
				w.round(worker)
				w.want("asked again without a condition", len(w.web.last().Header), 0)
				w.want("items", w.titles(src.ID), "one, two")
				w.want("validator", w.source(src.ID).ETag, `"1"`)
			})
		})
	}
}
