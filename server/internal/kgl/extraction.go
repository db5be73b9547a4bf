package kgl

import (
	"encoding/json"
	"strings"
	"time"
)

// RunStatus says whether what a run found is part of the graph.
type RunStatus string

// The states of an extraction run.
const (
	RunCurrent    RunStatus = "current"
	RunSuperseded RunStatus = "superseded" // by a newer run of the same extractor on the item
	RunRetracted  RunStatus = "retracted"  // taken back
)

// ExtractionRun is a result of an extractor on a revision of an item, as it was
// stored. The item and the name of the extractor have at most one current run:
// the next one replaces it and takes back what it found, and only that.
type ExtractionRun struct {
	ID            string
	ContentID     string
	Revision      int64
	Extractor     string // name@version
	Model         string // empty: none
	ConfigHash    string // of the prompt or the configuration; empty: none
	Actor         string // who handed the result in
	Status        RunStatus
	TaskID        string // empty: there was none
	LeaseToken    int64  // of the task
	Entities      int64
	Mentions      int64
	Relationships int64
	StartedAt     time.Time
	FinishedAt    time.Time
	EndedAt       *time.Time // superseded or retracted
}

// ExtractorName returns the name of an extractor without its version.
func ExtractorName(extractor string) string {
	name, _, _ := strings.Cut(extractor, "@")
	return name
}

// ExtractionRunFilter selects runs; a zero field does not filter.
type ExtractionRunFilter struct {
	ContentID string
	Name      string // of the extractor, without its version
	Status    RunStatus
}

// RequestStatus says how far an extraction on demand is.
type RequestStatus string

// The states of an extraction on demand.
const (
	RequestPending   RequestStatus = "pending"
	RequestRunning   RequestStatus = "running"
	RequestSucceeded RequestStatus = "succeeded"
	RequestFailed    RequestStatus = "failed"
)

// ExtractionRequest is an extraction that somebody asked for: of an item, whose
// result is stored as a run, or of a text, whose result is only kept here.
type ExtractionRequest struct {
	ID         string
	Owner      string  // who asked, and may read the answer
	ContentID  *string // nil: of Text
	Text       string
	Language   string
	Status     RequestStatus
	Attempts   int64
	LeaseUntil *time.Time
	Result     json.RawMessage // an Extraction as the caller encoded it; empty until it succeeded
	RunID      *string
	Failure    string
	CreatedAt  time.Time
	FinishedAt *time.Time
	ExpiresAt  time.Time
}
