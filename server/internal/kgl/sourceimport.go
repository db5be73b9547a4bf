package kgl

import (
	"context"
	"time"
)

// ImportState says how far an import of sources has come.
type ImportState string

// The states of an import.
const (
	ImportPending  ImportState = "pending"  // waits for a worker
	ImportRunning  ImportState = "running"  // a worker is at it, or was when it stopped
	ImportDone     ImportState = "done"     // every line has its outcome
	ImportCanceled ImportState = "canceled" // what was added stays
)

// SourceImport is a list of feeds that is added in the background.
type SourceImport struct {
	ID        string
	State     ImportState
	FileName  string   // as its sender calls it; may be empty
	Tags      []string // that every source of the list gets
	DryRun    bool     // only says what would become of each line
	Total     int64    // lines
	Processed int64    // lines that have their outcome
	Added     int64
	Existing  int64
	Failed    int64
	CreatedBy string // user id; empty for the operator

	CreatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt *time.Time
}

// LineOutcome says what became of one line of an import.
type LineOutcome string

// The outcomes of a line.
const (
	LinePending  LineOutcome = "pending"
	LineAdded    LineOutcome = "added"    // a source was made; of a dry run: would be made
	LineExisting LineOutcome = "existing" // the feed is watched already
	LineFailed   LineOutcome = "failed"   // the feed cannot be watched
)

// ImportLine is one feed of the list of an import.
type ImportLine struct {
	Position  int64 // in the list, from 1
	Line      int64 // of the file, from 1; several feeds may stand in one
	URL       string
	Title     string
	SiteURL   string
	Tags      []string
	Outcome   LineOutcome
	SourceID  string // of the source that was added or existed; may be gone by now
	ErrorCode string
	Message   string // why it failed, or what else there is to know
}

// ImportLease is a worker's claim on an import, fenced by its token.
type ImportLease struct {
	ImportID string
	Owner    string
	Token    int64
	Until    time.Time
}

// TagCount is a tag and the number of sources that carry it.
type TagCount struct {
	Tag   string
	Count int64
}

// SourceImportStore keeps imports of sources, and adds sources by the hundred.
type SourceImportStore interface {
	// CreateSources stores the new sources whose URLKey no source has, now or
	// formerly, and makes their hosts known; it returns the ids of those that
	// were stored, in the order given.
	CreateSources(ctx context.Context, ss []Source) ([]string, error)

	// SourceIDsByURLKeys returns the id of the source that has each canonical
	// URL, or had it; keys that no source has are left out.
	SourceIDsByURLKeys(ctx context.Context, keys []string) (map[string]string, error)

	// SourceTags returns a page of the tags of all sources, by tag. Position: Text.
	SourceTags(ctx context.Context, p Page) (List[TagCount], error)

	// CreateSourceImport stores an import with its lines.
	CreateSourceImport(ctx context.Context, i SourceImport, lines []ImportLine) error

	// SourceImport returns an import. CodeNotFound.
	SourceImport(ctx context.Context, id string) (SourceImport, error)

	// SourceImports returns a page, newest first. Position: Int (created_at), ID.
	SourceImports(ctx context.Context, p Page) (List[SourceImport], error)

	// ImportLines returns a page of the lines of an import in their order, those
	// with one of the outcomes, if any are given. Position: Int (position). It is
	// empty for an unknown import.
	ImportLines(ctx context.Context, importID string, outcomes []LineOutcome, p Page) (List[ImportLine], error)

	// CancelSourceImport ends an import that has not ended. CodeNotFound;
	// CodeConflict: it is done or canceled.
	CancelSourceImport(ctx context.Context, id string, now time.Time) error

	// ClaimSourceImport leases the oldest import that has not ended and has no
	// live lease; nil when there is none. Concurrent callers never get the same.
	ClaimSourceImport(ctx context.Context, owner string, now, until time.Time) (*SourceImport, ImportLease, error)

	// NextSourceImportAt returns when the next import can be claimed; nil when
	// none has to be.
	NextSourceImportAt(ctx context.Context) (*time.Time, error)

	// PendingImportLines returns at most limit lines without an outcome, in their
	// order.
	PendingImportLines(ctx context.Context, importID string, limit int) ([]ImportLine, error)

	// FinishImportLines stores the outcomes of lines, counts them, and prolongs
	// the lease to its Until; an import whose last lines they are is done.
	// CodeLeaseLost: another worker has the import, or it was canceled.
	FinishImportLines(ctx context.Context, l ImportLease, lines []ImportLine, now time.Time) (SourceImport, error)

	// ReleaseSourceImport gives a lease back. A lost lease is not an error.
	ReleaseSourceImport(ctx context.Context, l ImportLease) error

	// DeleteSourceImports removes at most limit imports that ended and were
	// created before the given time, and returns their number.
	DeleteSourceImports(ctx context.Context, before time.Time, limit int) (int64, error)
}
