package kgl

import (
	"context"
	"time"
)

// SourceStore keeps sources and their fetch history.
type SourceStore interface {
	// CreateSource stores a new source and makes its host known.
	// CodeConflict: a source with the same URLKey exists.
	CreateSource(ctx context.Context, s Source) error

	// Source returns a source. CodeNotFound.
	Source(ctx context.Context, id string) (Source, error)

	// SourceByURLKey returns the source with that canonical URL, else the one that
	// had it before it moved. CodeNotFound.
	SourceByURLKey(ctx context.Context, urlKey string) (Source, error)

	// Sources returns a page of sources. Position: Int (created_at) or Text
	// (title, lower case) and ID.
	Sources(ctx context.Context, f SourceFilter, sort SourceSort, p Page) (List[Source], error)

	// UpdateSource stores what people may edit (URL, Title, TitleIsManual, Tags,
	// Status, FetchInterval, NextFetchAt, and LastError* and ConsecutiveFailures
	// as reset by a resume) when the stored version is s.Version, and returns it
	// with Version+1. A changed URL, and a title that is not manual any more,
	// forget validators and body hash, so that the document is read again.
	// CodeNotFound; CodePreconditionFailed: another version is stored;
	// CodeConflict: a source with the same URLKey exists.
	UpdateSource(ctx context.Context, s Source) (Source, error)

	// LockSources returns the sources with the given ids, by id, and locks them
	// until the transaction ends; those that do not exist are left out.
	LockSources(ctx context.Context, ids []string) ([]Source, error)

	// UpdateSources is UpdateSource for several, whose URLs stay. Call it in the
	// transaction in which LockSources gave them. CodeNotFound;
	// CodePreconditionFailed: another version of one is stored; CodeInvalid: the
	// URL of one is another.
	UpdateSources(ctx context.Context, ss []Source) error

	// ScheduleSources makes sources due at a time, unless they are due sooner, or
	// are paused.
	ScheduleSources(ctx context.Context, ids []string, at time.Time) error

	// DeleteSource removes a source with its content, mentions and evidence, and
	// the relationships that an extractor found and that are left without
	// evidence: the event of the source stands for them too. It gives groups of
	// duplicates whose first-seen item goes a new one. CodeNotFound.
	DeleteSource(ctx context.Context, id string) error

	// RequestFetch makes a source due now, also one that is gone, unless it is
	// paused. CodeNotFound; CodeConflict: paused.
	RequestFetch(ctx context.Context, id string, now time.Time) error

	// SourceContentCounts returns the number of items of each of the sources.
	SourceContentCounts(ctx context.Context, ids []string) (map[string]int64, error)

	// Fetches returns a page of a source's fetch history, newest first; of those
	// with one of the outcomes, if any are given.
	// Position: Int (started_at) and ID. It is empty for an unknown source.
	Fetches(ctx context.Context, sourceID string, p Page, outcomes ...FetchOutcome) (List[Fetch], error)
}

// HostStore hands hosts to workers, so that one worker at a time talks to a
// host, whatever the number of replicas.
type HostStore interface {
	// ClaimHosts leases at most limit hosts that have a due source and no live
	// lease, most overdue first. Concurrent callers never get the same host.
	ClaimHosts(ctx context.Context, owner string, now, until time.Time, limit int) ([]HostLease, error)

	// ExtendHost prolongs a lease. CodeLeaseLost.
	ExtendHost(ctx context.Context, l HostLease, until time.Time) error

	// DueSources returns at most limit sources of the leased host that are due,
	// most overdue first.
	DueSources(ctx context.Context, host string, now time.Time, limit int) ([]Source, error)

	// FinishFetch stores what a fetch gave: the row of the history (the oldest
	// beyond keep are dropped; keep below 0: none), metadata, validators, failures, health, state and
	// the next time; an unchanged Version stays unless the API shows a change. With
	// Move the source gets another URL, and is known by the old one too. A source that was
	// paused meanwhile stays paused, and one whose URL is not FetchedURL any more
	// takes the row of the history only. A source that was made due while the
	// fetch ran stays due.
	// CodeLeaseLost: the lease is not the newest of its host any more;
	// CodeNotFound: the source was deleted meanwhile; CodeConflict: Move leads to
	// the URL of another source.
	FinishFetch(ctx context.Context, l HostLease, r FetchResult, keep int) error

	// ReleaseHost gives the lease back; the host is due again when its next
	// source is, but not before notBefore. A lost lease is not an error.
	ReleaseHost(ctx context.Context, l HostLease, notBefore time.Time) error

	// NextDueAt returns when the next host becomes due; nil when none will.
	NextDueAt(ctx context.Context) (*time.Time, error)

	// TakeToken takes a token of a domain's bucket and returns now, or, when it is
	// empty, the time at which the caller is to ask again: each has a place of its
	// own behind the others that were put off, at most an hour ahead. Concurrent
	// callers never get more tokens than the rate allows.
	TakeToken(ctx context.Context, domain string, now time.Time, rate DomainRate) (time.Time, error)

	// DomainBucket returns the state of a domain's bucket. CodeNotFound: it was
	// not used of late.
	DomainBucket(ctx context.Context, domain string) (DomainBucket, error)

	// DeleteStaleDomains deletes at most limit buckets that were not used since
	// before and are full by then, and returns how many.
	DeleteStaleDomains(ctx context.Context, before time.Time, limit int) (int64, error)

	// Host returns the state of a host. CodeNotFound.
	Host(ctx context.Context, host string) (Host, error)

	// HostFetches returns how the last fetches of at most limit sources of a host
	// ended, newest first, each that was since a time.
	HostFetches(ctx context.Context, host string, since time.Time, limit int) ([]HostFetch, error)
}
