package kgl

import "time"

// SourceStatus says whether a source is fetched.
type SourceStatus string

// The states of a source.
const (
	SourceActive  SourceStatus = "active"  // fetched on schedule
	SourcePaused  SourceStatus = "paused"  // not fetched until a person resumes it
	SourceFailing SourceStatus = "failing" // fetched with backoff, because the last fetches failed
	SourceGone    SourceStatus = "gone"    // answered 410: not fetched any more
)

// The bounds of a source's own fetch interval.
const (
	MinFetchInterval = 5 * time.Minute
	MaxFetchInterval = 7 * 24 * time.Hour
)

// Source is a feed that the backend watches.
type Source struct {
	ID            string
	URL           string // what is requested
	URLKey        string // canonical form of URL; unique
	Host          string // key of the Host that the URL belongs to
	Title         string
	TitleIsManual bool // a person set the title: the feed does not overwrite it
	Description   string
	SiteURL       string
	Format        string // rss, atom, rdf, json; empty before the first fetch
	Language      string
	Tags          []string
	Status        SourceStatus
	FetchInterval time.Duration // 0: the installation's default

	ETag         string // validator of the last stored document
	LastModified string
	BodyHash     string // SHA-256 of the last stored document, hex

	NextFetchAt         *time.Time // nil: not scheduled
	LastFetchedAt       *time.Time
	LastSuccessAt       *time.Time
	ConsecutiveFailures int64
	LastErrorCode       string
	LastError           string
	LastErrorAt         *time.Time

	CreatedBy string // user id; empty for seeds
	Version   int64  // changes with what the API shows as editable; the ETag
	CreatedAt time.Time
	UpdatedAt time.Time
}

// SourceFilter selects sources; a zero field does not filter.
type SourceFilter struct {
	Status      []SourceStatus
	Host        string
	Tag         string
	TitlePrefix string // case-insensitive
}

// SourceSort is an order of the list of sources.
type SourceSort string

// The orders of the list of sources.
const (
	SourceNewestFirst SourceSort = "-created_at"
	SourceByTitle     SourceSort = "title"
)

// FetchOutcome says how a fetch of a source ended.
type FetchOutcome string

// The outcomes of a fetch.
const (
	FetchNewContent  FetchOutcome = "new_content"  // items were created or changed
	FetchUnchanged   FetchOutcome = "unchanged"    // the document was read and held nothing new
	FetchNotModified FetchOutcome = "not_modified" // the server answered 304
	FetchFailed      FetchOutcome = "failed"
)

// Warning tells of something odd that did not stop the work.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Fetch is one row of a source's fetch history.
type Fetch struct {
	ID           string
	SourceID     string
	StartedAt    time.Time
	Duration     time.Duration
	Outcome      FetchOutcome
	HTTPStatus   int64 // 0: no answer
	Bytes        int64 // decoded
	ItemsSeen    int64
	ItemsCreated int64
	ItemsUpdated int64
	ItemsFailed  int64
	ErrorCode    string
	Error        string
	Warnings     []Warning
}

// HostLease is a worker's claim on a host. While it lasts, no other worker
// sends requests to that host. Token fences it: a write that carries a token
// which is no longer the newest is refused.
type HostLease struct {
	Host  string
	Owner string
	Token int64
	Until time.Time
}

// FetchResult is what a worker learned by fetching one source; it is stored
// with the items in one transaction.
type FetchResult struct {
	Fetch Fetch

	// FetchedURL is what was requested. When the source has another URL by now,
	// only the history is stored. Empty: not compared.
	FetchedURL string

	// Metadata from the document; only applied when Document is set.
	Document    bool
	Title       string
	Description string
	SiteURL     string
	Format      string
	Language    string

	ETag         string
	LastModified string
	BodyHash     string

	Status              SourceStatus
	ConsecutiveFailures int64
	NextFetchAt         *time.Time
}
