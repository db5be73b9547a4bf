package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The triggers of a fetch.
const (
	TriggerFirst    = "first"    // of the source
	TriggerSchedule = "schedule" // its time had come
	TriggerRequest  = "request"  // a person asked for it, or changed the source
	TriggerRetry    = "retry"    // its time had come after a failure
	TriggerProbe    = "probe"    // the source is dead, and looked after
)

// maxFormerURLs bounds how many URLs of before a source shows.
const maxFormerURLs = 20

// triggerOf returns why a source that is due is fetched.
func triggerOf(src kgl.Source) string {
	planned, next := src.State.PlannedAt, src.NextFetchAt
	switch {
	case src.LastFetchedAt == nil:
		return TriggerFirst
	case src.State.Decision != nil && next != nil && (planned == nil || !planned.Equal(*next)):
		return TriggerRequest
	case src.Status == kgl.SourceGone:
		return TriggerProbe
	case src.ConsecutiveFailures > 0:
		return TriggerRetry
	}
	return TriggerSchedule
}

// settle decides what the attempt, of which done was stored, means for the
// source: its status and health, what is remembered of it, and when it is fetched
// again. It only reads, and gives the same when it is called again.
func (w *Worker) settle(ctx context.Context, tx kgl.Store, a *attempt, done stored) error {
	r, now := &a.result, w.clock.Now()
	state := a.source.State
	state.Repaired, state.Warnings, state.UnstableIDs, state.IDDrift = r.State.Repaired, r.State.Warnings, r.State.UnstableIDs, r.State.IDDrift
	state.IDSettled, state.IDProbe, state.ListedAt, state.RereadAt = r.State.IDSettled, r.State.IDProbe, r.State.ListedAt, r.State.RereadAt
	at := Situation{Now: now, Own: a.source.FetchInterval}
	r.Move = nil
	if r.Fetch.Outcome == kgl.FetchFailed {
		at.Fate = w.failed(a, &state, now)
		at.Failures, at.Throttled, at.RetryAfter = r.ConsecutiveFailures, a.heard.throttled, a.heard.retryAfter
	} else if err := w.succeeded(ctx, tx, a, done, &state, now); err != nil {
		return err
	}
	at.Hints, at.Gap, at.Newest = state.Hints, time.Duration(state.MeanGap)*time.Second, state.NewestAt
	plan := w.cfg.Schedule.Decide(at)
	r.NextFetchAt = plan.Next
	state.Decision, state.PlannedAt = &plan.FetchDecision, nil
	if plan.Next != nil {
		planned := plan.Next.Truncate(time.Microsecond) // as it is stored
		r.NextFetchAt, state.PlannedAt = &planned, &planned
	}
	r.Health, state.HealthReason = healthOf(checkup{
		now: now, fate: at.Fate, failures: at.Failures, throttled: at.Throttled, error: r.Fetch.Error,
		redirect: state.Redirect, gap: at.Gap, newest: at.Newest,
	})
	state.HealthReason = explainIDs(r.Health, state.HealthReason, state.UnstableIDs)
	r.State = state
	r.Fetch.Details.Next, r.Fetch.Details.NextAt = state.Decision, state.PlannedAt
	return nil
}

// failed remembers a failure. 410 must be said twice, a day apart: one answer
// may be a mistake, and to be asked again takes a person.
func (w *Worker) failed(a *attempt, state *kgl.FetchState, now time.Time) Fate {
	r := &a.result
	if a.source.ConsecutiveFailures == 0 { // also after a person resumed it
		state.FailingSince, state.GoneSince = nil, nil
	}
	r.ConsecutiveFailures = a.source.ConsecutiveFailures + 1
	if state.FailingSince == nil {
		state.FailingSince = &now
	}
	r.Status = kgl.SourceFailing
	if a.source.Status == kgl.SourceGone {
		r.Status = kgl.SourceGone
	}
	fate := FateNone
	switch {
	case isWithdrawn(a.source): // a person asked for it once more
		fate = FateGone
	case a.heard.gone && state.GoneSince != nil && now.Sub(*state.GoneSince) >= confirmGone:
		fate, r.Status = FateGone, kgl.SourceGone
	case a.heard.gone:
		fate = FateDoubtful
		if state.GoneSince == nil {
			state.GoneSince = &now
		}
	case r.ConsecutiveFailures >= deadFailures && now.Sub(*state.FailingSince) >= deadAfter:
		fate, r.Status = FateDead, kgl.SourceGone
	}
	return fate
}

// isWithdrawn reports whether a source is gone because its server said so twice:
// no other failure says more about the feed than that.
func isWithdrawn(src kgl.Source) bool {
	return src.Status == kgl.SourceGone && src.State.Decision != nil && src.State.Decision.Rule == RuleGone
}

// succeeded remembers what a success taught of the feed.
func (w *Worker) succeeded(ctx context.Context, tx kgl.Store, a *attempt, done stored, state *kgl.FetchState, now time.Time) error {
	r, h := &a.result, a.heard
	r.Status, r.ConsecutiveFailures = kgl.SourceActive, 0
	state.FailingSince, state.GoneSince = nil, nil
	// An answer 304 may leave out what the one before has said.
	if h.isFresh || r.Fetch.Outcome != kgl.FetchNotModified {
		state.Hints.Fresh = int64(h.fresh / time.Second)
	}
	if r.Document {
		state.Hints.TTL = int64(h.ttl / time.Second)
		state.Hints.SkipHours, state.Hints.SkipDays = h.skipHours, nil
		for _, d := range h.skipDays {
			state.Hints.SkipDays = append(state.Hints.SkipDays, int(d))
		}
		w.learnRhythm(a, done, state, now)
	}
	if a.ahead.url != "" && h.moved == "" {
		state.Redirect = rememberAnnounced(state.Redirect, a.source.URL, a.ahead, now)
	} else {
		state.Redirect = redirected(state.Redirect, a.source.URL, h.moved, a.recognised(done), now)
	}
	return w.adopt(ctx, tx, a, state, now)
}

// learnRhythm takes the rhythm from the dates of the items. A feed that shows
// too few of them, or none, is known by when it brought something new.
func (w *Worker) learnRhythm(a *attempt, done stored, state *kgl.FetchState, now time.Time) {
	gap, newest := rhythm(a.heard.published, now, w.cfg.Schedule.Min)
	if gap == 0 {
		gap = time.Duration(state.MeanGap) * time.Second
		switch {
		case done.created > 0 && newest == nil:
			newest = &now
			gap = observed(gap, state.NewestAt, now)
		case done.created > 0:
			gap = observed(gap, state.NewestAt, *newest)
		case newest == nil:
			newest = state.NewestAt
		}
	}
	state.MeanGap, state.NewestAt = int64(gap/time.Second), newest
}

// adopt moves the source to where it redirects, when that has lasted and nobody
// else watches it.
func (w *Worker) adopt(ctx context.Context, tx kgl.Store, a *attempt, state *kgl.FetchState, now time.Time) error {
	move, lasted := adoptable(a.source, state.Redirect, now)
	if move == nil {
		return nil
	}
	other, err := tx.SourceByURLKey(ctx, move.URLKey)
	switch {
	case err == nil && other.ID != a.source.ID:
		state.Redirect.Obstacle = "another source watches that URL already"
		return nil
	case err != nil && !kgl.Is(err, kgl.CodeNotFound):
		return err
	}
	if !lasted {
		return nil
	}
	a.result.Move = move
	if state.Redirect.Announced { // the validators are those of the server that is left
		a.result.ETag, a.result.LastModified, a.result.BodyHash = "", "", ""
	}
	former := slices.DeleteFunc(slices.Clone(state.FormerURLs), func(u string) bool { return u == move.URL || u == a.source.URL })
	former = slices.Insert(former, 0, a.source.URL)
	state.FormerURLs, state.Redirect = former[:min(len(former), maxFormerURLs)], nil
	return nil
}

// report writes what people and other modules are told: that the source got
// another URL, and that its state is another. What a person changed meanwhile
// counts more.
func (w *Worker) report(ctx context.Context, tx kgl.Store, a *attempt) error {
	if a.result.Move == nil && a.result.Status == a.source.Status {
		return nil
	}
	now, err := tx.Source(ctx, a.source.ID)
	if err != nil {
		return err
	}
	if m := a.result.Move; m != nil && now.URL == m.URL {
		if err := w.reportMove(ctx, tx, a, m.URL); err != nil {
			return err
		}
	} else if now.URL != a.source.URL {
		return nil
	}
	if a.result.Status == a.source.Status || now.Status != a.result.Status {
		return nil
	}
	return w.reportStatus(ctx, tx, a)
}

func (w *Worker) reportMove(ctx context.Context, tx kgl.Store, a *attempt, to string) error {
	data := map[string]any{"from": a.source.URL, "to": to}
	if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(w.ids, w.clock, kgl.EventSourceMoved, "source", a.source.ID, data)}); err != nil {
		return err
	}
	_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, w.ids, w.clock, "source.move", "source", a.source.ID, kgl.AuditSuccess, data))
	return err
}

func (w *Worker) reportStatus(ctx context.Context, tx kgl.Store, a *attempt) error {
	data := map[string]any{}
	typ := kgl.EventSourceRecovered
	switch a.result.Status {
	case kgl.SourceFailing:
		typ = kgl.EventSourceFailing
		data["error_code"], data["error"] = a.result.Fetch.ErrorCode, a.result.Fetch.Error
	case kgl.SourceGone:
		typ = kgl.EventSourceGone
		data["reason"] = string(FateGone)
		if d := a.result.State.Decision; d != nil && d.Rule == RuleDead {
			data["reason"] = string(FateDead)
		}
	}
	return tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(w.ids, w.clock, typ, "source", a.source.ID, data)})
}
