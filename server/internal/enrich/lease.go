package enrich

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Bounds of leases.
const (
	// MaxLeases is how many tasks a caller may hold at once.
	MaxLeases = 500
	// MaxWaiting is how many callers may wait for work in one process.
	MaxWaiting = 512
	// leasePoll is how often work of other processes is looked for while callers
	// wait.
	leasePoll = time.Second
	// leaseRounds bounds how often a caller who got nothing but tasks that had to
	// be settled claims again.
	leaseRounds = 20
	// handOutTimeout bounds what is done after a claim, even for a caller that is
	// gone.
	handOutTimeout = 10 * time.Second
)

// LeaseConfig says how work is handed out. A zero value takes its default.
type LeaseConfig struct {
	Lane        string        // kgl.LaneAI
	MaxLeases   int           // of one caller
	MaxWaiting  int           // callers in one process
	Poll        time.Duration // longest time after which a waiting caller notices work of other processes
	MaxAttempts int64         // after that many a task is given up
	RetryBase   time.Duration // wait after the first failure; it doubles with each
	RetryMax    time.Duration // longest wait
	Active      []string      // lanes that new items get tasks of
	Wake        func()        // told of requeued tasks of any lane; nil: nobody
}

func (c LeaseConfig) withDefaults() LeaseConfig {
	defaultTo(&c.Lane, kgl.LaneAI)
	defaultTo(&c.MaxLeases, MaxLeases)
	defaultTo(&c.MaxWaiting, MaxWaiting)
	defaultTo(&c.Poll, leasePoll)
	defaultTo(&c.MaxAttempts, DefaultMaxAttempts)
	defaultTo(&c.RetryBase, DefaultRetryBase)
	defaultTo(&c.RetryMax, DefaultRetryMax)
	return c
}

// Leases is the pull side of enrichment: callers lease tasks of a lane, and
// extend, complete, fail or release their leases. A lease is known by its task
// and token and belongs to the principal that took it. It is safe for
// concurrent use, and any number of processes hand out the same work.
type Leases struct {
	store    kgl.Store
	recorder *Recorder
	clock    kgl.Clock
	ids      kgl.IDSource
	log      *slog.Logger
	metrics  Metrics
	cfg      LeaseConfig
	line     *line
}

// NewLeases returns the service. Nobody waits in vain only while Run runs.
// metrics may be nil.
func NewLeases(store kgl.Store, recorder *Recorder, clock kgl.Clock, ids kgl.IDSource, log *slog.Logger, metrics Metrics, cfg LeaseConfig) *Leases {
	cfg = cfg.withDefaults()
	return &Leases{
		store: store, recorder: recorder, clock: clock, ids: ids, log: log, metrics: metrics, cfg: cfg, line: newLine(cfg.MaxWaiting),
	}
}

// LeaseRequest asks for work.
type LeaseRequest struct {
	Kinds []string      // of tasks; without kgl.TaskKindExtract there are none
	Max   int           // tasks at most
	For   time.Duration // how long the lease lasts
	Wait  time.Duration // for the first task; 0: not at all
}

// Leased is a task that was handed out, with its item.
type Leased struct {
	Task    kgl.EnrichmentTask
	Content kgl.Content
}

// Lease hands tasks out to the principal of ctx: by priority, then in an order
// that is fair between sources. Where there are none it waits for the first.
// CodeRateLimited: the caller holds as many as it may, or too many callers wait.
func (l *Leases) Lease(ctx context.Context, r LeaseRequest) ([]Leased, error) {
	if !slices.Contains(r.Kinds, kgl.TaskKindExtract) {
		return nil, l.line.idle(ctx, r.Wait) // there is never any
	}
	got, err := l.take(ctx, r)
	if err != nil || len(got) > 0 || r.Wait <= 0 {
		return got, err
	}
	end := time.NewTimer(r.Wait)
	defer end.Stop()
	for {
		place, err := l.line.enter()
		if err != nil || place == nil {
			return nil, err
		}
		select {
		case <-place.turn:
		case <-end.C:
			l.line.leave(place)
			return nil, nil
		case <-ctx.Done():
			l.line.leave(place)
			return nil, ctx.Err()
		}
		if l.line.isClosed() {
			return nil, nil
		}
		got, err := l.take(ctx, r)
		if err != nil || len(got) > 0 {
			l.line.next() // there may be more
			return got, err
		}
	}
}

// take hands out what can be handed out now. Tasks of which nothing can come are
// settled on the way.
func (l *Leases) take(ctx context.Context, r LeaseRequest) ([]Leased, error) {
	owner := ownerOf(kgl.PrincipalFrom(ctx))
	for range leaseRounds {
		claimed, err := l.claim(ctx, owner, r)
		if err != nil || len(claimed) == 0 {
			return nil, err
		}
		got, err := l.handOut(ctx, claimed)
		if err != nil || len(got) > 0 {
			return got, err
		}
	}
	return nil, nil
}

// claim leases tasks that wait, within what the caller may hold.
func (l *Leases) claim(ctx context.Context, owner string, r LeaseRequest) ([]kgl.EnrichmentTask, error) {
	now := l.clock.Now()
	next, err := l.store.NextTaskAt(ctx, l.cfg.Lane)
	if err != nil || next == nil || next.After(now) {
		return nil, err // a look that does not write
	}
	held, err := l.store.CountLeases(ctx, owner, now)
	if err != nil {
		return nil, err
	}
	room := l.cfg.MaxLeases - int(held)
	if room <= 0 {
		return nil, &kgl.Error{
			Code: kgl.CodeRateLimited, Message: "you hold as many tasks as one caller may: end some of them first", RetryAfter: leasePoll,
		}
	}
	return l.store.ClaimTasks(ctx, l.cfg.Lane, owner, now, now.Add(r.For), min(r.Max, room))
}

// handOut returns claimed tasks with their items. When that fails, or the caller
// is gone by now, they are given back.
func (l *Leases) handOut(ctx context.Context, claimed []kgl.EnrichmentTask) ([]Leased, error) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOutTimeout)
	defer cancel()
	var got []Leased
	for i, t := range claimed {
		item, err := l.item(work, t)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			for _, g := range got {
				l.giveBack(work, g.Task)
			}
			for _, t := range claimed[i:] {
				l.giveBack(work, t)
			}
			return nil, err
		}
		if item != nil {
			got = append(got, Leased{Task: t, Content: *item})
		}
	}
	return got, nil
}

// item returns the item of a task, or settles the task where nothing can come of
// it and returns nil.
func (l *Leases) item(ctx context.Context, t kgl.EnrichmentTask) (*kgl.Content, error) {
	c, err := l.store.Content(ctx, t.ContentID)
	outcome := OutcomeSuperseded
	switch {
	case kgl.Is(err, kgl.CodeNotFound):
		return nil, nil // the task went with its item
	case err != nil:
		return nil, err
	case c.Revision != t.Revision:
		err = l.store.CompleteTask(ctx, t, l.clock.Now())
	case t.Attempts > l.cfg.MaxAttempts:
		outcome, err = OutcomeBuried, l.bury(ctx, t, "no attempt was brought to an end")
	case !hasText(c):
		outcome, err = OutcomeSkipped, l.recorder.Skip(ctx, t.Extractor, t, c)
	default:
		return &c, nil
	}
	if kgl.Is(err, kgl.CodeLeaseLost) || kgl.Is(err, kgl.CodeConflict) || kgl.Is(err, kgl.CodeConsentDenied) {
		return nil, nil // it was edited, removed or withheld this moment
	}
	if err == nil {
		l.count(t, outcome, 0)
	}
	return nil, err
}

// giveBack releases a task that its caller will not get to know of. What fails
// is left to the end of the lease.
func (l *Leases) giveBack(ctx context.Context, t kgl.EnrichmentTask) {
	if err := l.store.ReleaseTask(ctx, t, l.clock.Now()); err != nil && !kgl.Is(err, kgl.CodeLeaseLost) {
		l.log.WarnContext(ctx, "a leased task could not be given back: its lease ends by itself", "error", err)
	}
}

// count tells the metrics how a task ended.
func (l *Leases) count(t kgl.EnrichmentTask, outcome Outcome, took time.Duration) {
	if l.metrics != nil {
		l.metrics.EnrichmentTask(t.Extractor, outcome, took)
	}
}
