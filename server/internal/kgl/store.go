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
	MergeStore
	RunStore
	ConsentStore
	ExtractionRequestStore
	GraphStore
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

	// AfterCommit runs fn, which must be quick, when the transaction that ctx
	// carries was committed, and never when it is rolled back. Without one it runs
	// fn at once.
	AfterCommit(ctx context.Context, fn func())

	// Ping runs a transaction that writes and rolls back, so that it fails when
	// the service could not work: no connection, a read-only or full disk, an
	// exhausted pool.
	Ping(ctx context.Context) error
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
