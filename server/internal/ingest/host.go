package ingest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of giving up after a fault of ours, and of giving a host back.
const (
	faultPause     = time.Minute
	outagePause    = time.Second // after an outage of the database, which says nothing about the host
	releaseTimeout = 5 * time.Second
)

// turnRequests is how many requests one turn has where requests are not spaced:
// a host with thousands of feeds, or one that is refreshed without end, must not
// keep a worker from the others.
const turnRequests = 20

// freshDue is how long a list of due sources is good for: what a person changes
// meanwhile is seen with the list after it.
const freshDue = time.Second

// turn is a worker's time with one leased host.
type turn struct {
	lease     kgl.HostLease
	requests  int
	most      int       // requests of the turn
	notBefore time.Time // when the host may be asked again; zero: at any time
	released  bool      // with the last fetch

	due    []kgl.Source // that are still to be fetched, as they were at dueAt
	dueAt  time.Time
	dueAll bool // due were all of the host's at that time
}

// workHost fetches the due sources of one leased host, one after the other.
// Where requests to a host are spaced, a turn has one request: the next one is
// made by whoever claims the host when the pause is over, and other hosts that
// have waited longer come first.
func (w *Worker) workHost(ctx context.Context, lease kgl.HostLease) {
	t := &turn{lease: lease, most: w.turnRequests(lease.Host)}
	defer w.release(ctx, t)
	for w.workNext(ctx, t) && t.requests < t.most {
	}
}

// turnRequests is how many requests a turn has at most. A claim takes one token
// of the host's domain.
func (w *Worker) turnRequests(host string) int {
	if w.cfg.HostDelay > 0 || w.isPaced(host) {
		return 1
	}
	return turnRequests
}

// nextDue takes the host's most overdue source; nil when there is none.
func (w *Worker) nextDue(ctx context.Context, t *turn) (*kgl.Source, error) {
	now, limit := w.clock.Now(), t.most-t.requests
	if len(t.due) == 0 || now.Sub(t.dueAt) >= freshDue {
		if len(t.due) == 0 && t.dueAll {
			return nil, nil // what has become due since is claimed anew
		}
		var err error
		if t.due, err = w.store.DueSources(ctx, t.lease.Host, now, limit); err != nil {
			return nil, err
		}
		t.dueAt, t.dueAll = now, len(t.due) < limit
	}
	if len(t.due) == 0 {
		return nil, nil
	}
	next := &t.due[0]
	t.due = t.due[1:]
	return next, nil
}

// isLast reports whether the source that was taken last ends the turn, unless
// something happens to it.
func (w *Worker) isLast(t *turn) bool {
	return t.requests == t.most || len(t.due) == 0 && t.dueAll
}

// workNext works on the host's most overdue source, and reports whether the
// host may be asked for another one at once.
func (w *Worker) workNext(ctx context.Context, t *turn) bool {
	src, err := w.nextDue(ctx, t)
	if err != nil {
		return w.giveUp(ctx, t, "", err)
	}
	if src == nil {
		return false
	}
	if err := w.extend(ctx, t); err != nil {
		return w.giveUp(ctx, t, src.ID, err)
	}
	t.requests++
	a := w.newAttempt(*src)
	a.isLast = w.isLast(t)
	pause, err := w.workSource(ctx, t.lease, a)
	if pause = max(pause, w.cfg.HostDelay); pause > 0 {
		t.notBefore = w.clock.Now().Add(pause)
	}
	if err != nil {
		return w.giveUp(ctx, t, src.ID, err)
	}
	t.released = a.released
	return pause == 0 && !t.released
}

// extend makes sure that the lease outlasts a further source: it is extended
// when a tenth of it has gone, so that sources which are fetched quickly do not
// cost a transaction more each. Until it ends, nobody else claims the host.
func (w *Worker) extend(ctx context.Context, t *turn) error {
	now := w.clock.Now()
	if t.lease.Until.Sub(now) > w.cfg.Lease*9/10 {
		return nil
	}
	t.lease.Until = now.Add(w.cfg.Lease)
	return w.store.ExtendHost(ctx, t.lease, t.lease.Until)
}

// giveUp ends a turn because of an error that is not the source's: the
// database is away, the lease is in other hands, or the worker stops.
func (w *Worker) giveUp(ctx context.Context, t *turn, sourceID string, err error) bool {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return false
	}
	if kgl.Is(err, kgl.CodeLeaseLost) {
		w.log.WarnContext(ctx, "a host was lost to another worker", "host", t.lease.Host, "source_id", sourceID)
		return false
	}
	w.log.ErrorContext(ctx, "a host was left alone because of a fault", "host", t.lease.Host, "source_id", sourceID, "code", kgl.ErrorCode(err), "error", err)
	pause := faultPause
	if outage(err) {
		pause = outagePause
	}
	if kgl.Is(err, kgl.CodeStorageFull) {
		w.rest.begin(w.clock.Now(), err)
	}
	if until := w.clock.Now().Add(pause); until.After(t.notBefore) {
		t.notBefore = until
	}
	return false
}

// release gives the lease back even when the worker is stopping, so that
// another replica need not wait for it to run out. While the database is away,
// or has no room, it tries again, for as long as the lease lasts: a short outage must not leave
// a host alone for minutes.
func (w *Worker) release(ctx context.Context, t *turn) {
	for !t.released {
		err := w.tryRelease(ctx, t)
		if err == nil {
			return
		}
		if !outage(err) || !w.clock.Now().Before(t.lease.Until) || !sleep(ctx, outagePause) {
			w.log.WarnContext(ctx, "a host could not be released; its lease will run out", "host", t.lease.Host, "error", err)
			return
		}
	}
}

func (w *Worker) tryRelease(ctx context.Context, t *turn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return w.store.ReleaseHost(ctx, t.lease, t.notBefore)
}

// sleep waits and reports whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// workSource fetches and stores one source. It returns how long the host asks
// to be left alone. An error means that nothing was recorded, so the source
// stays due.
//
// Whatever is wrong with the source, its document or the rows made of it is
// recorded as a failed fetch: the source backs off, and those that share its
// host have their turn.
func (w *Worker) workSource(ctx context.Context, lease kgl.HostLease, a *attempt) (time.Duration, error) {
	var done stored
	err := recovered(func() (err error) {
		done, err = w.attempt(ctx, lease, a)
		return err
	})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if refused(err) {
		w.log.ErrorContext(ctx, "what was fetched could not be stored", "source_id", a.source.ID, "error", err)
		a.fail(kgl.Wrap(err, kgl.CodeInternal, "what was fetched could not be stored"))
		done, err = w.write(ctx, lease, a)
	}
	if kgl.Is(err, kgl.CodeNotFound) {
		return 0, nil // deleted meanwhile
	}
	if err != nil {
		return 0, err
	}
	w.rest.end()
	f := a.result.Fetch
	w.metrics.FetchDone(a.outcome(done), f.Duration, f.Bytes)
	w.metrics.ItemsStored(done.created, done.updated, done.failed)
	if done.created+done.updated > 0 {
		w.onStored()
	}
	return w.hostPause(ctx, a)
}

// When a whole host is left alone because it asks for patience: its last answers,
// about so many feeds, were all such, in so short a time. One alone is about one
// feed: hosts of thousands of them limit each.
const (
	throttledFeeds  = 3
	throttledWithin = 10 * time.Minute
)

// hostPause returns how long the host is to be left alone after an attempt,
// which is stored.
func (w *Worker) hostPause(ctx context.Context, a *attempt) (time.Duration, error) {
	if a.result.Health != kgl.HealthThrottled {
		return 0, nil
	}
	last, err := w.store.HostFetches(ctx, a.source.Host, w.clock.Now().Add(-throttledWithin), throttledFeeds)
	if err != nil || len(last) < throttledFeeds {
		return 0, err
	}
	for _, f := range last {
		if f.Health != kgl.HealthThrottled {
			return 0, nil
		}
	}
	pause := w.cfg.Schedule.RetryFirst
	if a.heard.retryAfter > 0 {
		pause = min(max(a.heard.retryAfter, minRetryAfter), w.cfg.Schedule.MaxDelay)
	}
	w.log.InfoContext(ctx, "a host asks for patience about several feeds and is left alone", "host", a.source.Host, "pause", pause.String())
	return pause, nil
}

// recovered turns a panic of fn into an error.
func recovered(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = kgl.Wrap(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), kgl.CodeInternal, "an internal fault")
		}
	}()
	return fn()
}
