package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Metrics is told what workers did. Implementations are safe for concurrent
// use.
type Metrics interface {
	// FetchDone is called after each fetch with how it ended, how long it took
	// and the decoded bytes.
	FetchDone(outcome kgl.FetchOutcome, took time.Duration, bytes int64)
	// ItemsStored is called after items were committed.
	ItemsStored(created, updated, failed int)
}

// Config is how a Worker works. A zero field takes its default.
type Config struct {
	Owner       string        // names this process in leases; must be unique
	Workers     int           // hosts that are worked on at once; default 8
	Lease       time.Duration // claim on a host; nine tenths of it must outlast one fetch and its storing; default 2 min
	HostDelay   time.Duration // pause between two requests to one host; default none
	Poll        time.Duration // how long at most until the next look for due hosts; default 5 s
	KeepFetches int           // rows of history a source keeps at least; default 100
	ParseBudget int64         // bytes of documents that are read and stored at once; default 16 MiB
	MaxDocument int64         // bytes of a document, unpacked and as UTF-8; default 32 MiB
	Retention   Retention
	Extractors  []string // each gets a task for every new revision
	Schedule    Schedule
	Vault       *Vault         // opens the credentials of sources; nil: they cannot be fetched
	DomainRate  kgl.DomainRate // of requests to all hosts of a registrable domain; zero: no limit
}

func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = 8
	}
	if c.Lease <= 0 {
		c.Lease = 2 * time.Minute
	}
	if c.Poll <= 0 {
		c.Poll = 5 * time.Second
	}
	if c.KeepFetches <= 0 {
		c.KeepFetches = 100
	}
	if c.ParseBudget <= 0 {
		c.ParseBudget = 16 << 20
	}
	if c.MaxDocument <= 0 {
		c.MaxDocument = 32 << 20
	}
	c.Retention = c.Retention.withDefaults()
	c.Schedule = c.Schedule.withDefaults()
	return c
}

// Worker claims hosts that have due sources, fetches these one after the
// other, and stores what is new. Any number of workers in any number of
// processes share one database.
type Worker struct {
	cfg      Config
	store    kgl.Store
	fetcher  Fetcher
	clock    kgl.Clock
	ids      kgl.IDSource
	log      *slog.Logger
	metrics  Metrics
	onStored func()

	budget *semaphore.Weighted // of ParseBudget
	wake   chan struct{}
	rest   rest
	swept  time.Time // when stale buckets of domains were deleted last; used by claim alone

	// What claim and untilDue, which take turns, know of the hosts.
	found  bool       // the last claim got all hosts that it asked for
	looked bool       // dueAt is of the last look, and none was claimed since
	dueAt  *time.Time // when the next host is due; nil: none is
}

// NewWorker returns a worker. onStored is called after new content was
// committed; it may be nil.
func NewWorker(cfg Config, store kgl.Store, fetcher Fetcher, clock kgl.Clock, ids kgl.IDSource, log *slog.Logger, metrics Metrics, onStored func()) *Worker {
	cfg = cfg.withDefaults()
	if onStored == nil {
		onStored = func() {}
	}
	return &Worker{
		cfg: cfg, store: store, fetcher: fetcher, clock: clock, ids: ids, log: log, metrics: metrics,
		onStored: onStored, budget: semaphore.NewWeighted(cfg.ParseBudget), wake: make(chan struct{}, 1),
	}
}

// Wake makes the worker look for due hosts now. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. Fetches in flight are then broken off, their hosts
// released, and Run returns when all is given back.
func (w *Worker) Run(ctx context.Context) {
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "ingest"})
	var hosts sync.WaitGroup
	defer hosts.Wait()
	hosts.Go(func() { w.keepKeys(ctx) })
	freed := make(chan struct{}, w.cfg.Workers)
	busy := 0
	for ctx.Err() == nil {
		for _, lease := range w.claim(ctx, w.cfg.Workers-busy) {
			busy++
			hosts.Go(func() {
				w.workHost(ctx, lease)
				freed <- struct{}{}
			})
		}
		busy -= w.pause(ctx, freed, busy)
	}
}

// maxClaims bounds how often claim looks for hosts whose domain has a token,
// before what was found is worked on.
const maxClaims = 50

func (w *Worker) claim(ctx context.Context, free int) []kgl.HostLease {
	w.looked = false
	if free == 0 {
		return nil
	}
	now := w.clock.Now()
	if w.rest.left(now) > 0 {
		return nil
	}
	// A look that does not write: an idle worker leaves the database alone. Where
	// the last claim found all that it asked for, there may be more.
	if w.looked = !w.found; w.looked {
		var err error
		if w.dueAt, err = w.store.NextDueAt(ctx); err != nil {
			w.looked = false
		} else if w.dueAt == nil || w.dueAt.After(now) {
			return nil
		}
	}
	w.sweepDomains(ctx, now)
	var leases []kgl.HostLease
	// Hosts that are put off leave their worker free for others that are due.
	for range maxClaims {
		more, postponed, err := w.claimPaced(ctx, now, free-len(leases))
		leases = append(leases, more...)
		if err != nil && ctx.Err() == nil {
			w.log.ErrorContext(ctx, "hosts could not be claimed", "error", err)
			w.rest.begin(now, err)
		}
		if err != nil || postponed == 0 || len(leases) == free {
			break
		}
	}
	w.found, w.looked = len(leases) == free, false
	return leases
}

// gather is how long at most a free worker waits for others to become free, so
// that their hosts are claimed together: a claim costs as much as a fetch that
// finds nothing new.
const gather = 5 * time.Millisecond

// pause waits until there may be work that a free worker can take, and returns
// how many workers became free meanwhile.
func (w *Worker) pause(ctx context.Context, freed <-chan struct{}, busy int) int {
	timer := time.NewTimer(w.untilDue(ctx, busy))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0
	case <-w.wake:
		return 0
	case <-timer.C:
		return 0
	case <-freed:
	}
	timer.Reset(gather)
	n := 1
	for n < busy && w.cfg.Workers-busy+n < (w.cfg.Workers+1)/2 {
		select {
		case <-ctx.Done():
			return n
		case <-timer.C:
			return n
		case <-freed:
			n++
		}
	}
	for {
		select {
		case <-freed:
			n++
		default:
			return n
		}
	}
}

func (w *Worker) untilDue(ctx context.Context, busy int) time.Duration {
	if busy == w.cfg.Workers {
		return w.cfg.Poll
	}
	if left := w.rest.left(w.clock.Now()); left > 0 {
		return min(left, w.cfg.Poll)
	}
	due := w.dueAt
	if !w.looked {
		var err error
		if due, err = w.store.NextDueAt(ctx); err != nil {
			return w.cfg.Poll
		}
	}
	if due == nil {
		return w.cfg.Poll
	}
	// A host that another replica claims first must not make this a busy loop.
	return min(max(due.Sub(w.clock.Now()), w.cfg.Poll/10), w.cfg.Poll)
}
