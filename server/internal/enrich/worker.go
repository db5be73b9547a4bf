package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Outcome says how the work on one task ended.
type Outcome string

// The outcomes of a task.
const (
	OutcomeProcessed  Outcome = "processed"
	OutcomeSkipped    Outcome = "skipped"    // the item holds no text
	OutcomeSuperseded Outcome = "superseded" // a newer revision exists, or the item is gone
	OutcomeWithheld   Outcome = "withheld"   // the source does not allow it any more
	OutcomeRetried    Outcome = "retried"
	OutcomeBuried     Outcome = "buried"   // given up
	OutcomeReleased   Outcome = "released" // given back without an attempt: the item is not to blame
	OutcomeLost       Outcome = "lost"     // the lease went to another worker, or could not be used in time
)

// Metrics is told of every task that a worker handled. It is called from
// several goroutines.
type Metrics interface {
	EnrichmentTask(extractor string, outcome Outcome, took time.Duration)
}

// Defaults of Config.
const (
	DefaultBatch          = 16
	DefaultConcurrency    = 2
	DefaultLease          = 5 * time.Minute
	DefaultExtractTimeout = time.Minute
	DefaultPollInterval   = 2 * time.Second
	DefaultGrace          = 5 * time.Second
	DefaultMaxAttempts    = 5
	DefaultRetryBase      = 15 * time.Second
	DefaultRetryMax       = time.Hour
	DefaultOutageMax      = 5 * time.Second
)

// storeAtOnce is how many results of one worker are stored at the same time. A
// hundred that end together would wait for each other in the database until it
// takes the wait for a fault, and their extraction would be for nothing.
const storeAtOnce = 4

// Config says how a Worker works. A zero value takes its default.
type Config struct {
	Owner          string        // names this replica in leases; unique among replicas
	Batch          int           // tasks claimed at once
	Concurrency    int           // tasks handled at the same time
	Lease          time.Duration // how long a claim lasts; longer than a batch takes
	ExtractTimeout time.Duration // bounds one extraction
	PollInterval   time.Duration // longest wait before looking for work of other replicas
	Grace          time.Duration // how long a stopping worker goes on with what it has begun
	MaxAttempts    int64         // after that many a task is given up
	RetryBase      time.Duration // wait after the first failure; it doubles with each
	RetryMax       time.Duration // longest wait
	OutageMax      time.Duration // longest wait while the database fails; the first is PollInterval
}

func (c Config) withDefaults() Config {
	defaultTo(&c.Owner, "enrich")
	defaultTo(&c.Batch, DefaultBatch)
	defaultTo(&c.Concurrency, DefaultConcurrency)
	defaultTo(&c.Lease, DefaultLease)
	defaultTo(&c.ExtractTimeout, DefaultExtractTimeout)
	defaultTo(&c.PollInterval, DefaultPollInterval)
	defaultTo(&c.Grace, DefaultGrace)
	defaultTo(&c.MaxAttempts, DefaultMaxAttempts)
	defaultTo(&c.RetryBase, DefaultRetryBase)
	defaultTo(&c.RetryMax, DefaultRetryMax)
	defaultTo(&c.OutageMax, DefaultOutageMax)
	return c
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Worker runs one extractor on the tasks that wait for it. Any number of
// workers, in any number of processes, share the work: each task is leased, and
// a result counts only while its lease is the newest.
type Worker struct {
	store     kgl.Store
	recorder  *Recorder
	extractor Extractor
	clock     kgl.Clock
	ids       kgl.IDSource
	log       *slog.Logger
	metrics   Metrics
	cfg       Config
	wake      chan struct{}
	storing   chan struct{}
	owed      debts
}

// NewWorker returns a worker that hands its results to recorder. metrics may be
// nil.
func NewWorker(store kgl.Store, recorder *Recorder, extractor Extractor, clock kgl.Clock, ids kgl.IDSource, log *slog.Logger, metrics Metrics, cfg Config) *Worker {
	return &Worker{
		store: store, recorder: recorder, extractor: extractor, clock: clock, ids: ids,
		log: log.With("extractor", extractor.Name()), metrics: metrics,
		cfg: cfg.withDefaults(), wake: make(chan struct{}, 1), storing: make(chan struct{}, storeAtOnce),
	}
}

// Notify tells the worker that there may be new tasks. It never blocks.
func (w *Worker) Notify() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// Run works until ctx ends. It then claims nothing more, and goes on with what
// it has begun for at most the grace time; what it could not begin goes back.
// While the database fails it waits, longer each time.
func (w *Worker) Run(ctx context.Context) error {
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "enrich"})
	outage := w.cfg.PollInterval
	for ctx.Err() == nil {
		n, err := w.RunOnce(ctx)
		if err == nil {
			outage = w.cfg.PollInterval
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.log.ErrorContext(ctx, "enrichment waits for the database", "error", err)
			pause(ctx, outage)
			outage = min(2*outage, max(w.cfg.OutageMax, w.cfg.PollInterval))
		case n == 0:
			w.wait(ctx, w.untilNext(ctx))
		}
	}
	if err := w.payBack(ctx); err != nil {
		w.log.WarnContext(ctx, "enrichment tasks could not be given back: their leases end by themselves", "error", err)
	}
	return nil
}

// untilNext returns how long the worker may sleep.
func (w *Worker) untilNext(ctx context.Context) time.Duration {
	next, err := w.store.NextTaskAt(ctx, w.extractor.Name())
	if err != nil || next == nil {
		return w.cfg.PollInterval
	}
	idle := max(next.Sub(w.clock.Now()), w.paused(ctx), 0)
	return min(w.cfg.PollInterval, idle+time.Millisecond)
}

func (w *Worker) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-timer.C:
	}
}

// pause waits, whatever Notify says.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// RunOnce claims one batch and handles it, and returns the number of tasks. The
// error is one of the database: nothing could be claimed, or results could not
// be stored. What goes wrong with a task is stored with the task.
func (w *Worker) RunOnce(ctx context.Context) (int, error) {
	if err := w.payBack(ctx); err != nil {
		return 0, err
	}
	now := w.clock.Now()
	next, err := w.store.NextTaskAt(ctx, w.extractor.Name())
	if err != nil {
		return 0, err
	}
	if next == nil || next.After(now) {
		return 0, nil // a look that does not write: an idle worker leaves the database alone
	}
	if w.paused(ctx) > 0 {
		return 0, nil
	}
	tasks, err := w.store.ClaimTasks(ctx, w.extractor.Name(), w.cfg.Owner, now, now.Add(w.cfg.Lease), w.cfg.Batch)
	if err != nil {
		return 0, err
	}
	return len(tasks), w.handleAll(ctx, tasks)
}

// handleAll handles a batch, some tasks at a time. Once ctx ends, the running
// ones have the grace time and the waiting ones are given back; so are these
// when the database fails, which is the error.
func (w *Worker) handleAll(ctx context.Context, tasks []kgl.EnrichmentTask) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(w.cfg.Grace, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stop()
	begin, halt := context.WithCancelCause(ctx)
	defer halt(nil)

	queue := make(chan kgl.EnrichmentTask)
	var group sync.WaitGroup
	for range min(w.cfg.Concurrency, len(tasks)) {
		group.Go(func() {
			for t := range queue {
				w.handle(begin, work, halt, t)
			}
		})
	}
	for _, t := range tasks {
		queue <- t
	}
	close(queue)
	group.Wait()
	if ctx.Err() != nil || begin.Err() == nil {
		return nil
	}
	return context.Cause(begin)
}

// handle brings one task to an end and reports how. A task is begun only until
// begin ends, which halt does when the database fails.
func (w *Worker) handle(begin, work context.Context, halt context.CancelCauseFunc, t kgl.EnrichmentTask) {
	start := w.clock.Now()
	outcome, err := w.attempt(begin, work, t)
	log := w.log.With("attempt", t.Attempts)
	switch {
	case kgl.Is(err, kgl.CodeLeaseLost):
		outcome = OutcomeLost
		log.InfoContext(work, "lease of an enrichment task lost, its result is dropped")
	case outcome == OutcomeReleased && err != nil:
		halt(err)
		log.WarnContext(work, "enrichment task given back, the database failed", "error", err)
	case err != nil:
		// The lease ends by itself, and then the task is claimed again.
		outcome = OutcomeLost
		halt(err)
		log.ErrorContext(work, "the end of an enrichment task could not be stored", "error", err)
	case outcome == OutcomeRetried || outcome == OutcomeBuried:
		log.WarnContext(work, "enrichment failed", "outcome", string(outcome))
	default:
		log.DebugContext(work, "enrichment task done", "outcome", string(outcome))
	}
	if outcome != OutcomeReleased {
		w.owed.forget(t)
	}
	if w.metrics != nil {
		w.metrics.EnrichmentTask(w.extractor.Name(), outcome, w.clock.Now().Sub(start))
	}
}

// attempt extracts and stores; a failure that may be the item's is stored as a
// failed attempt, and one of the database, or of an extractor that cannot work
// at all, gives the task back. The error tells what the database did not take.
func (w *Worker) attempt(begin, work context.Context, t kgl.EnrichmentTask) (Outcome, error) {
	if begin.Err() != nil || t.LeaseUntil != nil && !w.clock.Now().Before(*t.LeaseUntil) {
		return OutcomeReleased, w.giveBack(work, t)
	}
	if t.Attempts > w.cfg.MaxAttempts {
		// Claimed too often without an end: the task stops the workers that take it.
		return w.fail(work, t, errors.New("the worker stopped during every attempt"))
	}
	outcome, err := w.process(work, t)
	switch {
	case err == nil, kgl.Is(err, kgl.CodeLeaseLost):
		return outcome, err
	case work.Err() != nil:
		return OutcomeReleased, w.giveBack(work, t)
	case w.outage(t, err):
		if lost := w.giveBack(work, t); kgl.Is(lost, kgl.CodeLeaseLost) {
			return OutcomeLost, lost
		}
		return OutcomeReleased, err
	case w.excused(t, err):
		return OutcomeReleased, w.giveBack(work, t)
	}
	return w.fail(work, t, err)
}

// process does the task: reads the item, extracts, stores.
func (w *Worker) process(ctx context.Context, t kgl.EnrichmentTask) (Outcome, error) {
	c, err := w.store.Content(ctx, t.ContentID)
	if kgl.Is(err, kgl.CodeNotFound) {
		return OutcomeSuperseded, nil // the task went with its item
	}
	if err != nil {
		return "", err
	}
	if c.Revision != t.Revision {
		return OutcomeSuperseded, w.store.CompleteTask(ctx, t, w.clock.Now())
	}
	var x kgl.Extraction
	started := w.clock.Now()
	if hasText(c) {
		if x, err = safely(ctx, w.log, w.extractor, c, w.cfg.ExtractTimeout); err != nil {
			return "", extractionError{err}
		}
	}
	select {
	case w.storing <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-w.storing }()
	return w.storeResult(ctx, t, c, x, started)
}

// safely runs an extractor within a time, turns a panic into an error, and
// refuses a result that breaks the rules.
func safely(ctx context.Context, log *slog.Logger, extractor Extractor, c kgl.Content, timeout time.Duration) (x kgl.Extraction, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			log.ErrorContext(ctx, "the extractor panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			x, err = kgl.Extraction{}, kgl.Errorf(kgl.CodeInternal, "the extractor panicked")
		}
	}()
	if x, err = extractor.Extract(ctx, c); err != nil {
		return kgl.Extraction{}, err
	}
	if err := CheckOwner(extractor.Name(), x.Extractor); err != nil {
		return kgl.Extraction{}, err
	}
	return x, Check(x, c.Text)
}

// backoff is how long a task waits after its n-th failed attempt: base, and
// twice as long with each further one, up to most.
func backoff(n int64, base, most time.Duration) time.Duration {
	for ; n > 1 && base < most; n-- {
		base *= 2
	}
	return min(base, most)
}
