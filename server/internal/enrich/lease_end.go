package enrich

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// held returns a task whose lease the principal of ctx holds. CodeNotFound: no
// such task; CodeLeaseLost, CodeConsentDenied and CodeConflict, which wraps
// ErrSuperseded, say why the lease is none.
func (l *Leases) held(ctx context.Context, id string, token int64) (kgl.EnrichmentTask, error) {
	t, err := l.store.Task(ctx, id)
	if err != nil {
		return t, err
	}
	switch {
	case token != t.LeaseToken:
		return t, kgl.Errorf(kgl.CodeLeaseLost, "this is not the newest lease of the task: it was handed out again")
	case t.State == kgl.TaskLeased && t.LeaseOwner != ownerOf(kgl.PrincipalFrom(ctx)):
		return t, kgl.Errorf(kgl.CodeLeaseLost, "the task is leased to somebody else")
	case t.State == kgl.TaskLeased:
		return t, nil
	case t.State == kgl.TaskWithheld:
		return t, ConsentDenied()
	}
	c, err := l.store.Content(ctx, t.ContentID)
	if err == nil && c.Revision != t.Revision {
		return t, superseded()
	}
	return t, kgl.Errorf(kgl.CodeLeaseLost, "the lease has ended: the task is %s", t.State)
}

// Extend prolongs a lease: it ends that long from now. The errors are those of
// held.
func (l *Leases) Extend(ctx context.Context, id string, token int64, by time.Duration) (kgl.EnrichmentTask, error) {
	t, err := l.held(ctx, id, token)
	if err != nil {
		return t, err
	}
	now := l.clock.Now()
	until := now.Add(by)
	if err := l.store.ExtendTask(ctx, t, now, until); err != nil {
		return t, l.whyLost(ctx, t, err)
	}
	t.LeaseUntil, t.AvailableAt, t.UpdatedAt = &until, until, now
	return t, nil
}

// Complete stores what was found with the end of the task. Where the extraction
// has no quotes they are taken from the text. The same lease again has no effect
// and returns the same run. CodeResultInvalid, with the fields: the result breaks
// a rule, and the lease goes on; else the errors of held.
func (l *Leases) Complete(ctx context.Context, id string, token int64, x kgl.Extraction) (kgl.ExtractionRun, error) {
	if run, err := l.store.RunOfTask(ctx, id, token); err == nil && run.Actor == ownerOf(kgl.PrincipalFrom(ctx)) {
		return run, nil
	} else if err != nil && !kgl.Is(err, kgl.CodeNotFound) {
		return kgl.ExtractionRun{}, err
	}
	t, err := l.held(ctx, id, token)
	if err != nil {
		return kgl.ExtractionRun{}, err
	}
	c, err := l.store.Content(ctx, t.ContentID)
	if kgl.Is(err, kgl.CodeNotFound) || err == nil && c.Revision != t.Revision {
		return kgl.ExtractionRun{}, superseded()
	}
	if err != nil {
		return kgl.ExtractionRun{}, err
	}
	FillQuotes(x, c.Text)
	run, err := l.recorder.Record(ctx, Result{
		Lane: t.Extractor, Task: &t, Content: c, Extraction: x, Actor: ownerOf(kgl.PrincipalFrom(ctx)), StartedAt: t.UpdatedAt,
	})
	if kgl.Is(err, kgl.CodeInvalid) {
		return run, asResultInvalid(err)
	}
	if err != nil {
		return run, l.whyLost(ctx, t, err)
	}
	l.count(t, OutcomeProcessed, l.clock.Now().Sub(t.UpdatedAt))
	return run, nil
}

// asResultInvalid gives an error about a result the code that says so: the call
// was valid, what it carried was not.
func asResultInvalid(err error) error {
	invalid := &kgl.Error{Code: kgl.CodeResultInvalid, Message: messageOf(err), Err: err}
	if e, ok := errors.AsType[*kgl.Error](err); ok {
		invalid.Fields = e.Fields
	}
	return invalid
}

// whyLost says more about a lease that was lost while it was used.
func (l *Leases) whyLost(ctx context.Context, t kgl.EnrichmentTask, err error) error {
	if !kgl.Is(err, kgl.CodeLeaseLost) {
		return err
	}
	if _, why := l.held(ctx, t.ID, t.LeaseToken); why != nil {
		return why
	}
	return err
}

// FailureReport says why an attempt failed.
type FailureReport struct {
	Reason    string         // for people
	Retriable bool           // another attempt may do better
	After     *time.Duration // not before that; nil: a pause that grows with each attempt
}

// Fail ends an attempt without a result: a retriable task waits for the next
// one, and a fatal one, or one that failed too often, is given up. The errors
// are those of held.
func (l *Leases) Fail(ctx context.Context, id string, token int64, f FailureReport) (kgl.EnrichmentTask, error) {
	t, err := l.held(ctx, id, token)
	if err != nil {
		return t, err
	}
	reason, outcome := errorText(errors.New(f.Reason)), OutcomeBuried
	if f.Retriable && t.Attempts < l.cfg.MaxAttempts {
		pause := backoff(t.Attempts, l.cfg.RetryBase, l.cfg.RetryMax)
		if f.After != nil {
			pause = *f.After
		}
		outcome = OutcomeRetried
		err = endAttempt(ctx, l.store, l.clock, t, kgl.ContentNew, func(ctx context.Context, tx kgl.Store, now time.Time) error {
			return tx.RetryTask(ctx, t, reason, now, now.Add(pause))
		})
	} else {
		err = l.bury(ctx, t, reason)
	}
	if err != nil {
		return t, l.whyLost(ctx, t, err)
	}
	l.count(t, outcome, l.clock.Now().Sub(t.UpdatedAt))
	l.Notify() // who waits learns when it is due
	return l.store.Task(ctx, id)
}

// bury gives a task up.
func (l *Leases) bury(ctx context.Context, t kgl.EnrichmentTask, reason string) error {
	return endAttempt(ctx, l.store, l.clock, t, kgl.ContentFailed, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		return tx.BuryTask(ctx, t, reason, now)
	}, failedEvent(l.ids, l.clock, t))
}

// Release gives a task back as if it had not been leased. The errors are those
// of held.
func (l *Leases) Release(ctx context.Context, id string, token int64) (kgl.EnrichmentTask, error) {
	t, err := l.held(ctx, id, token)
	if err != nil {
		return t, err
	}
	if err := l.store.ReleaseTask(ctx, t, l.clock.Now()); err != nil {
		return t, l.whyLost(ctx, t, err)
	}
	l.count(t, OutcomeReleased, l.clock.Now().Sub(t.UpdatedAt))
	l.Notify()
	return l.store.Task(ctx, id)
}
