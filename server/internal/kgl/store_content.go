package kgl

import (
	"context"
	"time"
)

// ContentStore keeps items and their revisions.
type ContentStore interface {
	// ContentStates returns the items of a source that have one of the
	// identities: the stored ones, and those that were removed. It does not write.
	ContentStates(ctx context.Context, sourceID string, ids []ContentIdentity) ([]ContentState, error)

	// SimilarContents returns items of a source, stored or removed, that share a
	// trait with one of those asked for: up to twenty for each. It does not write.
	SimilarContents(ctx context.Context, sourceID string, traits []ContentTraits) ([]ContentState, error)

	// MoveContents gives stored items other identities, without a revision; the
	// version grows where the GUID changes. Items that do not exist are left out.
	// CodeConflict: another item of the source has the identity.
	MoveContents(ctx context.Context, moves []ContentMove, now time.Time) error

	// CreateContents stores new items. An item whose identity is stored already
	// is left out; the result holds the ids of those that were stored, in the
	// order given. DuplicateOf is not taken over: see LinkDuplicates.
	// CodeConflict: a source does not exist.
	CreateContents(ctx context.Context, cs []Content) ([]string, error)

	// ReviseContent replaces the body and the identity of an item, keeps the old body as a
	// revision with ChangedFields, sets the status to new, clears links that were based on the old
	// body and removes open tasks on it, whose leases are lost. CodeNotFound;
	// CodeConflict: the stored revision is not c.Revision-1.
	ReviseContent(ctx context.Context, c Content) error

	// Content returns an item. CodeNotFound.
	Content(ctx context.Context, id string) (Content, error)

	// Contents returns a page of items. Position: Int (published_at), ID.
	// withBody false leaves HTML, Text, the identity and the hashes empty.
	Contents(ctx context.Context, f ContentFilter, sort ContentSort, withBody bool, p Page) (List[Content], error)

	// SetContentStatus changes the status of an item. CodeNotFound.
	SetContentStatus(ctx context.Context, id string, status ContentStatus, now time.Time) error

	// DeleteContent removes an item with its revisions, mentions and evidence, and
	// the relationships that an extractor found and that are left without
	// evidence: the event of the item stands for them too. ContentStates tells of
	// the item from then on. CodeNotFound.
	DeleteContent(ctx context.Context, id string, reason RemovalReason, now time.Time) error

	// SeeRemoved notes that the feed of a source listed removed items at now, and
	// forgets those that it has not listed since before.
	SeeRemoved(ctx context.Context, sourceID string, ids []ContentIdentity, now, before time.Time) error

	// ForgetRemoved forgets that items were removed: they are stored again.
	ForgetRemoved(ctx context.Context, sourceID string, ids []ContentIdentity) error

	// RevisionMarks returns what is kept of earlier states of items, oldest first.
	RevisionMarks(ctx context.Context, contentIDs []string) ([]RevisionMark, error)

	// DropRevisions removes the revisions of an item up to a number.
	DropRevisions(ctx context.Context, contentID string, newest int64) error

	// ContentRevisions returns a page of earlier revisions, newest first.
	// Position: Int (revision).
	ContentRevisions(ctx context.Context, contentID string, p Page) (List[ContentRevision], error)
}

// DuplicateStore keeps the links between items that are the same.
type DuplicateStore interface {
	// FindDuplicates returns, for each candidate, the first-seen stored item of
	// another source with the same canonical URL or text hash, and the reason;
	// the index of the result is that of the candidate, nil where there is none.
	// Of two transactions that store the same story at once, the later one finds
	// the other's item when both call this after storing theirs: it waits for the
	// end of the earlier one. So call it before anything that locks stored items.
	FindDuplicates(ctx context.Context, cs []DuplicateCandidate) ([]*DuplicateLink, error)

	// LinkDuplicates stores links and folds the items. A link to an item that is
	// itself folded goes to the head of its group; a link that exists stays; one
	// of an item that does not exist, or that would put items together that a
	// person took apart, is left out. The result is the links that were not.
	LinkDuplicates(ctx context.Context, links []DuplicateLink) ([]DuplicateLink, error)

	// Duplicates returns a page of the links of the group that the item belongs
	// to, oldest first. Position: Int (created_at), ID (content id) and Text
	// (reason).
	Duplicates(ctx context.Context, contentID string, p Page) (List[DuplicateLink], error)
}

// TaskStore keeps the enrichment tasks.
type TaskStore interface {
	// CreateTasks stores tasks; one for the same content, revision and extractor
	// exists once. A pending task of a source that does not allow AI processing
	// begins withheld.
	CreateTasks(ctx context.Context, ts []EnrichmentTask) error

	// ClaimTasks leases at most limit tasks of a lane that are pending, or wait no
	// longer, or whose lease ended; adds one to Attempts and sets their items to
	// processing. Tasks of a greater priority come first, those of one priority in
	// an order that is fair between sources, and those of one source in the order
	// in which they became pending. Concurrent callers never get the same task,
	// and none is of a source that does not allow AI processing.
	ClaimTasks(ctx context.Context, extractor, owner string, now, until time.Time, limit int) ([]EnrichmentTask, error)

	// Task returns a task. CodeNotFound.
	Task(ctx context.Context, id string) (EnrichmentTask, error)

	// Tasks returns a page of tasks, the last changed first. Position: Int
	// (updated_at) and ID.
	Tasks(ctx context.Context, f TaskFilter, p Page) (List[EnrichmentTask], error)

	// CountTasks returns the numbers of tasks by lane and state, in the order of
	// the lanes. It reads an index over all tasks.
	CountTasks(ctx context.Context) ([]TaskCounts, error)

	// CountLeases returns how many tasks an owner has leased at a time.
	CountLeases(ctx context.Context, owner string, now time.Time) (int64, error)

	// CompleteTask stores that the task is done. CodeLeaseLost.
	CompleteTask(ctx context.Context, t EnrichmentTask, now time.Time) error

	// ExtendTask prolongs a lease. CodeLeaseLost.
	ExtendTask(ctx context.Context, t EnrichmentTask, now, until time.Time) error

	// RetryTask gives a task back to be claimed at availableAt. CodeLeaseLost.
	RetryTask(ctx context.Context, t EnrichmentTask, lastError string, now, availableAt time.Time) error

	// ReleaseTask gives a task back as if it had not been claimed: it can be
	// claimed from now on, Attempts is one less, and its item is new again, if it
	// is processing. CodeLeaseLost.
	ReleaseTask(ctx context.Context, t EnrichmentTask, now time.Time) error

	// BuryTask gives a task up. CodeLeaseLost.
	BuryTask(ctx context.Context, t EnrichmentTask, lastError string, now time.Time) error

	// NextTaskAt returns when the next task of a lane can be claimed, a time that
	// is over when one can be claimed now; nil when there is none. It reads two
	// rows.
	NextTaskAt(ctx context.Context, extractor string) (*time.Time, error)

	// WithholdTasks withholds the tasks of a source that are not done or dead, and
	// returns their number: leases on them are lost, and their items new again.
	WithholdTasks(ctx context.Context, sourceID string, now time.Time) (int64, error)

	// RestoreTasks makes the withheld tasks of a source pending again, and returns
	// their number. The consent of the source must be stored before.
	RestoreTasks(ctx context.Context, sourceID string, now time.Time) (int64, error)

	// MoveTasks moves at most 500 of the tasks that wait in a lane, or are
	// withheld there, to another one, without attempts and in their order, and
	// returns their number. A task that is in both lanes stays.
	MoveTasks(ctx context.Context, from, to string, now time.Time) (int64, error)

	// RequeueTasks makes at most limit dead tasks pending again, those first that
	// died first, with no attempts and this priority, and their items new. It
	// returns their number and that of the dead ones that are left.
	RequeueTasks(ctx context.Context, f DeadTaskFilter, priority int64, now time.Time, limit int) (requeued, remaining int64, err error)
}

// RetentionStore finds and removes what has outlived its use.
type RetentionStore interface {
	// ClaimRetention makes owner the one that runs retention until the given
	// time, and says whether it did: nobody else has an unexpired claim.
	ClaimRetention(ctx context.Context, owner string, now, until time.Time) (bool, error)

	// RetentionSources returns at most limit sources by id, after an id: all, or
	// those with a retention of their own. Only ID and Settings are set.
	RetentionSources(ctx context.Context, after string, all bool, limit int) ([]Source, error)

	// ExpiredContents returns the ids of at most limit items of a source that
	// were published before a time (zero: none for that) or that are not among
	// the keep newest (0: none for that), oldest first, and leaves out those that
	// are referred to: by items folded under them, by mentions and evidence that
	// a person made, and by evidence of relationships that a person made.
	ExpiredContents(ctx context.Context, sourceID string, before time.Time, keep int64, limit int) ([]string, error)

	// DropEvents removes at most limit of the oldest events, as far as they
	// occurred before a time, and returns their number.
	DropEvents(ctx context.Context, before time.Time, limit int) (int64, error)
}
