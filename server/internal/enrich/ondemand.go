package enrich

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Defaults of OnDemandConfig.
const (
	DefaultDemandWait        = 250 * time.Millisecond
	DefaultDemandConcurrency = 4
	DefaultDemandAttempts    = 3
	DefaultDemandLease       = 3 * time.Minute
	DefaultDemandKept        = 24 * time.Hour
)

// maxDemandText bounds a text to extract from, in characters.
const maxDemandText = 100_000

// demandPriority is that of tasks that somebody waits for.
const demandPriority = 10

// maxDemandWaiting is how many requests may wait for room in one process.
const maxDemandWaiting = 200

// expiredBatch is how many expired requests are removed at a time.
const expiredBatch = 500

// OnDemandConfig says how extraction on demand works. A zero value takes its
// default.
type OnDemandConfig struct {
	Pull           bool          // the AI module comes for its work: nothing is extracted in this process
	Wait           time.Duration // how long an answer waits for the result
	Concurrency    int           // extractions under way at once in this process
	MaxAttempts    int64         // after that many a request fails
	Lease          time.Duration // how long an attempt may take before another replica takes it up
	ExtractTimeout time.Duration // bounds one extraction
	PollInterval   time.Duration // how often abandoned requests are looked for
	Kept           time.Duration // how long a request without a result is kept
}

func (c OnDemandConfig) withDefaults() OnDemandConfig {
	defaultTo(&c.Wait, DefaultDemandWait)
	defaultTo(&c.Concurrency, DefaultDemandConcurrency)
	defaultTo(&c.MaxAttempts, DefaultDemandAttempts)
	defaultTo(&c.Lease, DefaultDemandLease)
	defaultTo(&c.ExtractTimeout, DefaultExtractTimeout)
	defaultTo(&c.PollInterval, DefaultPollInterval)
	defaultTo(&c.Kept, DefaultDemandKept)
	return c
}

// OnDemand extracts what somebody asks for and waits for. A request is stored
// before it is worked on, and leased to the process that does so: when that
// process ends, another one takes the request up. Close it.
type OnDemand struct {
	store     kgl.Store
	recorder  *Recorder
	extractor Extractor
	clock     kgl.Clock
	ids       kgl.IDSource
	log       *slog.Logger
	cfg       OnDemandConfig

	slots   chan struct{}
	waiting atomic.Int64    // requests of this process that are not done
	ctx     context.Context // of the work, which outlives the calls
	cancel  context.CancelFunc
	mu      sync.Mutex // guards closed, with which group is not added to any more
	closed  bool
	group   sync.WaitGroup
}

// NewOnDemand returns the service. In pull mode extractor is not called.
func NewOnDemand(store kgl.Store, recorder *Recorder, extractor Extractor, clock kgl.Clock, ids kgl.IDSource, log *slog.Logger, cfg OnDemandConfig) *OnDemand {
	cfg = cfg.withDefaults()
	ctx := kgl.WithPrincipal(context.Background(), kgl.Principal{Type: kgl.PrincipalSystem, ID: "enrich"})
	ctx, cancel := context.WithCancel(ctx)
	return &OnDemand{
		store: store, recorder: recorder, extractor: extractor, clock: clock, ids: ids, log: log, cfg: cfg,
		slots: make(chan struct{}, cfg.Concurrency), ctx: ctx, cancel: cancel,
	}
}

// Close ends the work. What is not done is taken up by another process, or by
// the next one.
func (d *OnDemand) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.group.Wait()
}

// Demand is what somebody asks to extract from: an item, or a text.
type Demand struct {
	ContentID string
	Text      string
	Language  string // of Text, BCP 47; empty: not known
}

// Start stores a request and works on it. It returns after a moment, with the
// result when there is one by then. In a transaction of the caller it returns at
// once, and the work begins with the commit.
//
// CodeInvalid; CodeNotFound: no such item; CodeConflict: the item holds no text,
// or texts are not extracted on demand in pull mode; CodeConsentDenied;
// CodeUnavailable: too many requests wait in this process.
func (d *OnDemand) Start(ctx context.Context, demand Demand) (kgl.ExtractionRequest, error) {
	content, err := d.check(ctx, demand)
	if err != nil {
		return kgl.ExtractionRequest{}, err
	}
	now := d.clock.Now()
	r := kgl.ExtractionRequest{
		ID: d.ids.NewID(), Owner: ownerOf(kgl.PrincipalFrom(ctx)), Text: demand.Text, Language: demand.Language,
		Status: kgl.RequestPending, CreatedAt: now, ExpiresAt: now.Add(d.cfg.Kept),
	}
	if demand.ContentID != "" {
		r.ContentID = &demand.ContentID
	}
	if d.cfg.Pull {
		return r, d.hand(ctx, r, content)
	}
	lease := now.Add(d.cfg.Lease)
	r.Status, r.Attempts, r.LeaseUntil = kgl.RequestRunning, 1, &lease
	if err := d.store.CreateExtractionRequest(ctx, r); err != nil {
		return kgl.ExtractionRequest{}, err
	}
	done, begun := make(chan struct{}), false
	d.store.AfterCommit(ctx, func() {
		begun = true
		d.begin(r, done)
	})
	if !begun {
		return r, nil // waiting would hold the transaction of the caller
	}
	timer := time.NewTimer(d.cfg.Wait)
	defer timer.Stop()
	select {
	case <-done:
		return d.store.ExtractionRequest(ctx, r.ID)
	case <-timer.C:
	case <-ctx.Done():
	}
	return r, nil
}

// check refuses what cannot be extracted, and returns the item that is asked for.
func (d *OnDemand) check(ctx context.Context, demand Demand) (kgl.Content, error) {
	switch {
	case (demand.ContentID == "") == (demand.Text == ""):
		return kgl.Content{}, kgl.Invalid("content_id", "either content_id or text is needed")
	case demand.Language != "" && demand.Text == "":
		return kgl.Content{}, kgl.Invalid("language", "is that of a text: an item has its own")
	case demand.Text != "" && (!validText(demand.Text, maxDemandText) || strings.TrimSpace(demand.Text) == ""):
		return kgl.Content{}, kgl.Invalid("text", "must be a text of 1 to %d characters", maxDemandText)
	case demand.Text != "" && d.cfg.Pull:
		return kgl.Content{}, kgl.Errorf(kgl.CodeConflict, "the AI module comes for its work itself: only items can be extracted on demand, not texts")
	case d.waiting.Load() >= maxDemandWaiting:
		return kgl.Content{}, &kgl.Error{Code: kgl.CodeUnavailable, Message: "too many extractions wait", RetryAfter: d.cfg.PollInterval}
	case demand.Text != "":
		return kgl.Content{}, nil
	}
	c, err := d.store.Content(ctx, demand.ContentID)
	if err != nil {
		return kgl.Content{}, err
	}
	consents, err := d.store.Consents(ctx, []string{c.SourceID})
	switch {
	case err != nil:
		return kgl.Content{}, err
	case !allows(consents[c.SourceID]):
		return kgl.Content{}, ConsentDenied()
	case !hasText(c):
		return kgl.Content{}, kgl.Errorf(kgl.CodeConflict, "the item holds no text")
	}
	return c, nil
}

func allows(c kgl.SourceConsents) bool { return c.AIProcessing.Allowed }

// hand stores a request for an item and moves the task on it to the front; the
// result of the task ends the request.
func (d *OnDemand) hand(ctx context.Context, r kgl.ExtractionRequest, c kgl.Content) error {
	return d.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := d.clock.Now()
		task := kgl.NewEnrichmentTask(d.ids, now, c.ID, c.SourceID, c.Revision, kgl.LaneAI)
		task.Priority = demandPriority
		if err := tx.DemandTask(ctx, task, now); err != nil {
			return err
		}
		return tx.CreateExtractionRequest(ctx, r)
	})
}

// Get returns a request of the caller, or any for an administrator.
// CodeNotFound.
func (d *OnDemand) Get(ctx context.Context, id string) (kgl.ExtractionRequest, error) {
	r, err := d.store.ExtractionRequest(ctx, id)
	if err != nil {
		return kgl.ExtractionRequest{}, err
	}
	p := kgl.PrincipalFrom(ctx)
	if r.Owner != ownerOf(p) && p.Role != kgl.RoleAdmin || !d.clock.Now().Before(r.ExpiresAt) {
		return kgl.ExtractionRequest{}, kgl.NotFound("extraction")
	}
	return r, nil
}

func ownerOf(p kgl.Principal) string { return string(p.Type) + ":" + p.ID }

// begin works on a request in the background, as soon as there is room.
func (d *OnDemand) begin(r kgl.ExtractionRequest, done chan<- struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return // its lease ends by itself
	}
	d.waiting.Add(1)
	d.group.Go(func() {
		defer close(done)
		defer d.waiting.Add(-1)
		select {
		case d.slots <- struct{}{}:
			defer func() { <-d.slots }()
			d.work(d.ctx, r)
		case <-d.ctx.Done():
		}
	})
}

// Run takes up the requests of processes that ended, and removes expired ones,
// until ctx ends.
func (d *OnDemand) Run(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := d.RunOnce(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "extraction on demand waits for the database", "error", err)
		}
		if n == 0 || err != nil {
			pause(ctx, d.cfg.PollInterval)
		}
	}
}

// RunOnce works on requests that no living process has, as many as there is room
// for, and returns their number.
func (d *OnDemand) RunOnce(ctx context.Context) (int, error) {
	now := d.clock.Now()
	if _, err := d.store.DeleteExpiredExtractionRequests(ctx, now, expiredBatch); err != nil {
		return 0, err
	}
	if d.cfg.Pull {
		_, err := d.store.FailStrandedRequests(ctx, kgl.LaneAI, "the item could not be extracted: its task failed or was withheld", now)
		return 0, err
	}
	claimed, err := d.store.ClaimExtractionRequests(ctx, now, now.Add(d.cfg.Lease), d.cfg.Concurrency)
	if err != nil {
		return 0, err
	}
	var group sync.WaitGroup
	for _, r := range claimed {
		group.Go(func() { d.work(ctx, r) })
	}
	group.Wait()
	return len(claimed), nil
}
