package kgl

import (
	"context"
	"encoding/json"
	"time"
)

// RunStore keeps the results of extractors.
type RunStore interface {
	// CreateRun stores a run. CodeConflict: the item, or the lease of the task,
	// has one already that is current for the extractor's name, or the item does
	// not exist.
	CreateRun(ctx context.Context, r ExtractionRun) error

	// Run returns a run. CodeNotFound.
	Run(ctx context.Context, id string) (ExtractionRun, error)

	// RunOfTask returns the run that was stored for a lease of a task.
	// CodeNotFound.
	RunOfTask(ctx context.Context, taskID string, leaseToken int64) (ExtractionRun, error)

	// CurrentRuns returns the current runs of an item, by the extractor's name.
	CurrentRuns(ctx context.Context, contentID string) ([]ExtractionRun, error)

	// Runs returns a page, newest first. Position: Int (finished_at), ID.
	Runs(ctx context.Context, f ExtractionRunFilter, p Page) (List[ExtractionRun], error)

	// SupersedeRun ends the current run of an item and an extractor's name, and
	// returns its id; empty: there was none. What it found stays, until
	// DeleteRunMentions and DeleteRunEvidence.
	SupersedeRun(ctx context.Context, contentID, name string, now time.Time) (string, error)

	// RetractRun ends a current run, takes back what it found, as
	// DeleteRunMentions and DeleteRunEvidence do, and returns it with the ids of
	// the relationships that went. CodeNotFound; CodeConflict: it is not current.
	RetractRun(ctx context.Context, id string, now time.Time) (r ExtractionRun, relationships []string, err error)

	// PurgeDerived removes what extractors derived from at most limit items of a
	// source, by id, after an id: mentions, evidence, runs, the relationships that
	// nothing supports after that, and the entities that only extractors made,
	// that nothing mentions or relates to any more, with those merged into them.
	// What people made stays. The items are new again, and their tasks withheld.
	PurgeDerived(ctx context.Context, sourceID, after string, limit int, now time.Time) (Purged, error)
}

// Purged is what a step of a purge removed.
type Purged struct {
	Contents      int64 // items that something was removed of
	Runs          int64
	Mentions      int64
	Relationships []string
	Entities      []EntityRef
	Last          string // the last item that was looked at; empty: there were no more
}

// ConsentStore keeps what may be done with the items of sources.
type ConsentStore interface {
	// Consents returns the consents of the sources, by their ids; of one that
	// nobody decided about, the default.
	Consents(ctx context.Context, sourceIDs []string) (map[string]SourceConsents, error)

	// HoldConsents returns the consents of a source and keeps them from being
	// changed until the transaction ends. Call it before what locks items.
	// CodeNotFound.
	HoldConsents(ctx context.Context, sourceID string) (SourceConsents, error)

	// DecideConsents stores decisions about a source that change something, as a
	// first decision does in any case, and returns its consents before and after. In the same transaction a withdrawal
	// of PurposeAIProcessing withholds the tasks of the source, and a permission
	// gives them back. Call it before what locks the source otherwise.
	// CodeNotFound.
	DecideConsents(ctx context.Context, sourceID string, allowed map[ConsentPurpose]bool, by string, now time.Time) (before, after SourceConsents, err error)
}

// ExtractionRequestStore keeps extractions on demand.
type ExtractionRequestStore interface {
	// CreateExtractionRequest stores a request. CodeConflict: its item does not
	// exist.
	CreateExtractionRequest(ctx context.Context, r ExtractionRequest) error

	// ExtractionRequest returns a request. CodeNotFound.
	ExtractionRequest(ctx context.Context, id string) (ExtractionRequest, error)

	// ClaimExtractionRequests leases at most limit requests that wait, or whose
	// lease ended, oldest first, and adds one to Attempts. Concurrent callers
	// never get the same one.
	ClaimExtractionRequests(ctx context.Context, now, until time.Time, limit int) ([]ExtractionRequest, error)

	// FinishExtractionRequest stores Status, LeaseUntil, Text, Result, RunID,
	// Failure, FinishedAt and ExpiresAt of a running request. CodeLeaseLost: it is
	// not running any more, or Attempts is not the newest.
	FinishExtractionRequest(ctx context.Context, r ExtractionRequest) error

	// FinishContentRequests stores the result of all open requests for an item,
	// and returns their number.
	FinishContentRequests(ctx context.Context, contentID, runID string, result json.RawMessage, now, expires time.Time) (int64, error)

	// DemandTask moves the task on a revision of an item in a lane to the front, as
	// its Priority says, also one that is done or dead, and creates it where there
	// is none. A withheld one stays.
	DemandTask(ctx context.Context, t EnrichmentTask, now time.Time) error

	// FailStrandedRequests stores the failure of open requests for items that have
	// no open task in the lane, and returns their number.
	FailStrandedRequests(ctx context.Context, lane, failure string, now time.Time) (int64, error)

	// DeleteExpiredExtractionRequests removes at most limit requests that expired
	// before a time, and returns their number.
	DeleteExpiredExtractionRequests(ctx context.Context, before time.Time, limit int) (int64, error)
}
