package kgl

import (
	"context"
	"time"
)

// Store is all that the backend keeps, cut by aggregate.
//
// Every method may also return CodeUnavailable (the database cannot be
// reached or is too busy), CodeStorageFull (its disk is full), CodeTimeout (ctx
// ended) and CodeInternal; the comments name what comes on top of these.
//
// A method that is given a context from inside InTx works in that
// transaction, whichever Store value it is called on.
type Store interface {
	SourceStore
	SourceImportStore
	HostStore
	ContentStore
	DuplicateStore
	NearStore
	TaskStore
	EntityStore
	RelationshipStore
	EventStore
	UserStore
	SessionStore
	ThrottleStore
	SigningKeyStore
	AuditStore
	IdempotencyStore
	SettingStore
	DashboardStore
	RetentionStore

	// InTx runs fn in a transaction: committed when fn returns nil, rolled back
	// otherwise. A nested call joins the outer transaction. When the database
	// reports a deadlock or a serialization failure, the outermost call runs fn
	// again, so fn has no effects outside the store that must not repeat.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Store) error) error

	// Ping runs a transaction that writes and rolls back, so that it fails when
	// the service could not work: no connection, a read-only or full disk, an
	// exhausted pool.
	Ping(ctx context.Context) error
}

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
	// are paused or gone.
	ScheduleSources(ctx context.Context, ids []string, at time.Time) error

	// DeleteSource removes a source with its content, mentions and evidence, and
	// the relationships that an extractor found and that are left without
	// evidence: the event of the source stands for them too. It gives groups of
	// duplicates whose first-seen item goes a new one. CodeNotFound.
	DeleteSource(ctx context.Context, id string) error

	// RequestFetch makes a source due now, unless it is paused or gone.
	// CodeNotFound; CodeConflict: paused or gone.
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
	// exists once.
	CreateTasks(ctx context.Context, ts []EnrichmentTask) error

	// ClaimTasks leases at most limit pending tasks (or leased ones whose lease
	// ended) of the extractor, oldest first, adds one to Attempts and sets their
	// items to processing. Concurrent callers never get the same task.
	ClaimTasks(ctx context.Context, extractor, owner string, now, until time.Time, limit int) ([]EnrichmentTask, error)

	// CompleteTask stores that the task is done. CodeLeaseLost.
	CompleteTask(ctx context.Context, t EnrichmentTask, now time.Time) error

	// RetryTask gives a task back to be claimed at availableAt. CodeLeaseLost.
	RetryTask(ctx context.Context, t EnrichmentTask, lastError string, now, availableAt time.Time) error

	// ReleaseTask gives a task back as if it had not been claimed: it can be
	// claimed from now on, Attempts is one less, and its item is new again, if it
	// is processing. CodeLeaseLost.
	ReleaseTask(ctx context.Context, t EnrichmentTask, now time.Time) error

	// BuryTask gives a task up. CodeLeaseLost.
	BuryTask(ctx context.Context, t EnrichmentTask, lastError string, now time.Time) error

	// NextTaskAt returns when the next task of the extractor becomes available;
	// nil when there is none.
	NextTaskAt(ctx context.Context, extractor string) (*time.Time, error)
}

// EntityStore keeps entities, their aliases and their mentions.
type EntityStore interface {
	// CreateEntity stores an entity. CodeConflict: one with the same Type and
	// NameKey exists.
	CreateEntity(ctx context.Context, e Entity) error

	// UpsertEntities stores the entities that do not exist (by Type and NameKey,
	// or an alias of that type) and raises the confidence of those that do to
	// the greater one. It returns the stored entities in the order given, and
	// says of each whether it was created.
	UpsertEntities(ctx context.Context, es []Entity) ([]Entity, []bool, error)

	// Entity returns an entity. CodeNotFound.
	Entity(ctx context.Context, id string) (Entity, error)

	// Entities returns a page of entities. Position: Text (name key), Number
	// (confidence) or Int (created_at), and ID.
	Entities(ctx context.Context, f EntityFilter, sort EntitySort, p Page) (List[Entity], error)

	// UpdateEntity stores Name, Type, Description, Aliases, Attributes and
	// Confidence when the stored version is e.Version, and returns it with
	// Version+1. CodeNotFound; CodePreconditionFailed; CodeConflict as in
	// CreateEntity.
	UpdateEntity(ctx context.Context, e Entity) (Entity, error)

	// DeleteEntity removes an entity with its mentions and relationships.
	// CodeNotFound.
	DeleteEntity(ctx context.Context, id string) error

	// ReplaceMentions replaces the extractor's mentions of a content item, and
	// keeps MentionCount of the entities right.
	ReplaceMentions(ctx context.Context, contentID, extractor string, ms []Mention) error

	// ContentEntities returns a page of the entities that a content item
	// mentions, by name, each with its mentions (at most 100). Position: Text, ID.
	ContentEntities(ctx context.Context, contentID string, p Page) (List[EntityMentions], error)
}

// RelationshipStore keeps relationships and their evidence.
type RelationshipStore interface {
	// UpsertRelationships stores the relationships that do not exist (by ends and
	// type) and raises the confidence of those that do to the greater one. It
	// returns the stored ones in the order given, and says of each whether it
	// was created.
	UpsertRelationships(ctx context.Context, rs []Relationship) ([]Relationship, []bool, error)

	// ReplaceEvidence replaces the extractor's evidence from a content item,
	// keeps EvidenceCount right, and removes relationships of that extractor
	// that are left without evidence; it returns the ids of the removed.
	ReplaceEvidence(ctx context.Context, contentID, extractor string, es []Evidence) (removed []string, err error)

	// Relationship returns a relationship. CodeNotFound.
	Relationship(ctx context.Context, id string) (Relationship, error)

	// Relationships returns a page, newest first. Position: Int (created_at), ID.
	Relationships(ctx context.Context, f RelationshipFilter, p Page) (List[Relationship], error)

	// EntityRelationships returns a page of the relationships of an entity,
	// newest first; typ empty means every type. Position: Int, ID.
	EntityRelationships(ctx context.Context, entityID string, d Direction, typ string, p Page) (List[Relationship], error)

	// RelationshipEvidence returns at most limit pieces of evidence, newest first.
	RelationshipEvidence(ctx context.Context, relationshipID string, limit int) ([]Evidence, error)
}

// EventStore keeps the outbox, which is also the change feed.
type EventStore interface {
	// AppendEvents writes events in the order given. Position is set by the store.
	AppendEvents(ctx context.Context, es []Event) error

	// EventsAfter returns at most limit events behind a position, in order. It
	// never returns an event while one before it may still be committed. A reader
	// that begins, at the zero position, gets what is kept.
	// CodeCursorExpired: events behind the position were dropped by DropEvents.
	EventsAfter(ctx context.Context, after EventPosition, limit int) ([]Event, error)
}

// UserStore keeps accounts.
type UserStore interface {
	// CreateUser stores a user. CodeConflict: the email is taken.
	CreateUser(ctx context.Context, u User) error

	// User returns a user. CodeNotFound.
	User(ctx context.Context, id string) (User, error)

	// UserByEmail returns the user with that EmailKey. CodeNotFound.
	UserByEmail(ctx context.Context, emailKey string) (User, error)

	// Users returns a page, newest first. Position: Int (created_at), ID.
	Users(ctx context.Context, f UserFilter, p Page) (List[User], error)

	// UpdateUser stores Email, Name, Role, Status and PasswordHash when the
	// stored version is u.Version, and returns it with Version+1.
	// CodeNotFound; CodePreconditionFailed; CodeConflict: the email is taken.
	UpdateUser(ctx context.Context, u User) (User, error)

	// RecordLogin sets LastLoginAt and, unless empty, the password hash (a
	// rehash under stronger parameters) without a new version. CodeNotFound.
	RecordLogin(ctx context.Context, userID string, at time.Time, passwordHash string) error

	// DeleteUser removes a user with its sessions. CodeNotFound.
	DeleteUser(ctx context.Context, id string) error

	// CountActiveAdmins returns the number of active admins. In a transaction it
	// locks them, so that two callers cannot each remove the other's last one.
	CountActiveAdmins(ctx context.Context) (int64, error)

	// CountUsers returns the number of users.
	CountUsers(ctx context.Context) (int64, error)
}

// SessionStore keeps login sessions and their refresh tokens.
type SessionStore interface {
	// CreateSession stores a session with its first refresh token.
	CreateSession(ctx context.Context, s Session, t RefreshToken) error

	// Session returns a session. CodeNotFound.
	Session(ctx context.Context, id string) (Session, error)

	// SessionState returns what a token check needs, in one read. CodeNotFound.
	SessionState(ctx context.Context, sessionID string) (SessionState, error)

	// RefreshTokenForUpdate returns the token with that hash and locks it until
	// the transaction ends. CodeNotFound.
	RefreshTokenForUpdate(ctx context.Context, hash string) (RefreshToken, error)

	// RotateRefreshToken marks old as used (UsedAt, SuccessorSealed) and stores
	// its successor. CodeConflict: old was used already.
	RotateRefreshToken(ctx context.Context, old, successor RefreshToken) error

	// RevokeSession ends a session; one that ended stays as it is. CodeNotFound.
	RevokeSession(ctx context.Context, id, reason string, now time.Time) error

	// RevokeUserSessions ends all sessions of a user and returns their number.
	RevokeUserSessions(ctx context.Context, userID, reason string, now time.Time) (int64, error)

	// DeleteExpiredSessions removes at most limit sessions that expired before
	// the given time, and returns their number.
	DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int64, error)
}

// ThrottleStore counts failed logins for all replicas.
type ThrottleStore interface {
	// LoginThrottles returns the counters with the given keys, those that exist.
	LoginThrottles(ctx context.Context, keys []string) ([]LoginThrottle, error)

	// AddLoginFailure adds one failure to the counter and returns it; a counter
	// whose window began before windowStart starts anew at now.
	AddLoginFailure(ctx context.Context, key string, now, windowStart time.Time) (LoginThrottle, error)

	// BlockLogin sets the time until which the key is blocked. CodeNotFound.
	BlockLogin(ctx context.Context, key string, until, now time.Time) error

	// ClearLoginThrottles removes the counters.
	ClearLoginThrottles(ctx context.Context, keys []string) error

	// DeleteStaleThrottles removes at most limit counters that were last changed
	// before the given time, and returns their number.
	DeleteStaleThrottles(ctx context.Context, before time.Time, limit int) (int64, error)
}

// SigningKeyStore keeps sealed signing keys for all replicas.
type SigningKeyStore interface {
	// SigningKeys returns all keys, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)

	// CreateSigningKey stores a key. CodeConflict: the id exists.
	CreateSigningKey(ctx context.Context, k SigningKey) error

	// RetireSigningKey stores RetiredAt and ExpiresAt. CodeNotFound.
	RetireSigningKey(ctx context.Context, id string, retiredAt, expiresAt time.Time) error

	// DeleteSigningKeys removes keys that expired before the given time.
	DeleteSigningKeys(ctx context.Context, before time.Time) error
}

// AuditStore keeps the append-only audit log.
type AuditStore interface {
	// AppendAudit chains the row to the last one: it sets Seq, PrevHash and Hash
	// and returns the row as stored. It locks the end of the chain until the
	// transaction ends, so it is called last in a transaction.
	AppendAudit(ctx context.Context, e AuditEvent) (AuditEvent, error)

	// AuditEvents returns a page, newest first. Position: Int (seq).
	AuditEvents(ctx context.Context, f AuditFilter, p Page) (List[AuditEvent], error)

	// AuditEventsFrom returns at most limit rows from a sequence number on, in
	// order, for verification.
	AuditEventsFrom(ctx context.Context, seq int64, limit int) ([]AuditEvent, error)

	// AuditHead returns the number and the hash of the last row that was
	// written; zero and empty for an empty log.
	AuditHead(ctx context.Context) (seq int64, hash string, err error)
}

// IdempotencyStore remembers answers to requests with an Idempotency-Key.
type IdempotencyStore interface {
	// ReserveIdempotencyKey stores r when neither a live record with its
	// principal and key exists nor another transaction holds it; otherwise it
	// returns the stored record and false. A record past ExpiresAt is replaced.
	// CodeIdempotencyInFlight: another transaction holds the key.
	ReserveIdempotencyKey(ctx context.Context, r IdempotencyRecord, now time.Time) (stored IdempotencyRecord, reserved bool, err error)

	// CompleteIdempotencyKey stores the answer. CodeNotFound.
	CompleteIdempotencyKey(ctx context.Context, r IdempotencyRecord) error

	// DeleteExpiredIdempotencyKeys removes at most limit records that expired
	// before the given time, and returns their number.
	DeleteExpiredIdempotencyKeys(ctx context.Context, before time.Time, limit int) (int64, error)
}

// SettingStore keeps small facts about the installation, such as that its
// seeds were subscribed.
type SettingStore interface {
	// Setting returns a value. CodeNotFound.
	Setting(ctx context.Context, key string) (string, error)

	// CreateSetting stores a value that does not exist yet, and says whether it
	// did: exactly one of several concurrent callers is told true.
	CreateSetting(ctx context.Context, key, value string, now time.Time) (bool, error)

	// SetSetting stores a value.
	SetSetting(ctx context.Context, key, value string, now time.Time) error
}

// DashboardStore counts.
type DashboardStore interface {
	// Dashboard returns the counts as they are at now.
	Dashboard(ctx context.Context, now time.Time) (Dashboard, error)
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
