package kgl

import "time"

// SourceStatus says whether a source is fetched.
type SourceStatus string

// The states of a source.
const (
	SourceActive  SourceStatus = "active"  // fetched on schedule
	SourcePaused  SourceStatus = "paused"  // not fetched until a person resumes it
	SourceFailing SourceStatus = "failing" // fetched with backoff, because the last fetches failed
	SourceGone    SourceStatus = "gone"    // answered 410, or was dead for long: not fetched on schedule
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

	Health      SourceHealth
	HealthSince *time.Time // nil before the first fetch
	Settings    SourceSettings
	Secrets     string         // sealed request headers and credentials; empty when there are none
	State       FetchState     // what fetching remembers
	Consents    SourceConsents // set by the services only: ConsentStore keeps them

	CreatedBy string // user id; empty for seeds
	Version   int64  // changes with what the API shows as editable; the ETag
	CreatedAt time.Time
	UpdatedAt time.Time
}

// SourceSettings is what people set for one source beyond its columns. Zero
// fields mean the installation's defaults.
type SourceSettings struct {
	MaxItems   int64 `json:"max_items,omitempty"`    // retention: the newest items that are kept; 0: the default
	MaxAgeDays int64 `json:"max_age_days,omitempty"` // retention: days after publication; 0: the default

	HeaderNames []string `json:"header_names,omitempty"` // of the request headers in Secrets, for people
	Username    string   `json:"username,omitempty"`     // of the basic authentication in Secrets
}

// FetchState is what fetching remembers of a source between two fetches. Only
// the fetching of the source writes it.
type FetchState struct {
	HealthReason string         `json:"health_reason,omitempty"` // why Health is what it is, for people
	Decision     *FetchDecision `json:"decision,omitempty"`      // why NextFetchAt is what it is
	Hints        FeedHints      `json:"hints,omitzero"`
	MeanGap      int64          `json:"mean_gap,omitempty"`  // seconds between two items, by the feed's rhythm; 0: not known
	NewestAt     *time.Time     `json:"newest_at,omitempty"` // publication of its newest item

	PlannedAt    *time.Time `json:"planned_at,omitempty"`    // what Decision led to; another NextFetchAt was asked for
	FailingSince *time.Time `json:"failing_since,omitempty"` // first of the failures in a row
	GoneSince    *time.Time `json:"gone_since,omitempty"`    // first answer 410 among them

	Redirect   *PermanentRedirect `json:"redirect,omitempty"`    // to be adopted when it lasts
	FormerURLs []string           `json:"former_urls,omitempty"` // URLs that redirected for good, newest first

	Repaired    bool      `json:"repaired,omitempty"`     // the last document that was read was mended
	Warnings    []Warning `json:"warnings,omitempty"`     // about that document
	UnstableIDs bool      `json:"unstable_ids,omitempty"` // known items come back with new ids: ids do not count
	IDDrift     int64     `json:"id_drift,omitempty"`     // fetches in a row in which known items had new ids
	IDSettled   int64     `json:"id_settled,omitempty"`   // with UnstableIDs: fetches in a row in which one item kept its id
	IDProbe     string    `json:"id_probe,omitempty"`     // that item and its id, hashed

	ListedAt *time.Time `json:"listed_at,omitempty"` // when it was last noted which removed items the feed still lists
	RereadAt *time.Time `json:"reread_at,omitempty"` // from then on its document is read even when it did not change: edits are held
}

// FeedHints is what a server and a feed say about how often to ask.
type FeedHints struct {
	TTL       int64 `json:"ttl,omitempty"`        // seconds, the longest of ttl and sy:updatePeriod
	Fresh     int64 `json:"fresh,omitempty"`      // seconds, of Cache-Control or Expires of the last answer
	SkipHours []int `json:"skip_hours,omitempty"` // hours of the day, UTC
	SkipDays  []int `json:"skip_days,omitempty"`  // 0 is Sunday, UTC
}

// PermanentRedirect is an answer 301 or 308 that is not adopted yet, or what the
// feed itself says of another URL.
type PermanentRedirect struct {
	From      string    `json:"from,omitempty"` // URL of the source that is redirected
	URL       string    `json:"url"`
	Since     time.Time `json:"since"`
	Fetches   int64     `json:"fetches"`             // in a row that were redirected to URL, or in which the feed named it
	Same      bool      `json:"same,omitempty"`      // the feed at URL was known for that of the source when it began
	Obstacle  string    `json:"obstacle,omitempty"`  // why it is not adopted although it lasts, for people
	Announced bool      `json:"announced,omitempty"` // the feed names URL; nothing redirects there
	Verified  int64     `json:"verified,omitempty"`  // with Announced: looks in a row at which the feed was read at URL
	CheckedAt time.Time `json:"checked_at,omitzero"` // with Announced: the last look at URL
}

// FetchDecision tells why a source is fetched at a time.
type FetchDecision struct {
	Rule     string    `json:"rule"`               // a stable name, such as adaptive or retry_after
	Reason   string    `json:"reason"`             // for people
	Interval int64     `json:"interval,omitempty"` // seconds that the rule gave, without jitter
	At       time.Time `json:"at"`                 // when it was decided
}

// SourceHealth says how a source fares, for people. Status says whether it is
// fetched.
type SourceHealth string

// The states of health.
const (
	HealthPending   SourceHealth = "pending"   // not fetched yet
	HealthOK        SourceHealth = "ok"        // fetched, and has news as usual
	HealthQuiet     SourceHealth = "quiet"     // fetched, and silent for much longer than usual
	HealthFailing   SourceHealth = "failing"   // the last fetches failed
	HealthThrottled SourceHealth = "throttled" // its server asks for patience
	HealthMoved     SourceHealth = "moved"     // answers with a permanent redirect that is not adopted yet
	HealthGone      SourceHealth = "gone"      // withdrawn by its publisher, or dead for long
)

// SourceFilter selects sources; a zero field does not filter.
type SourceFilter struct {
	Status      []SourceStatus
	Health      []SourceHealth
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
	Details      FetchDetails
}

// FetchDetails tells more of a fetch than is counted.
type FetchDetails struct {
	Trigger       string         `json:"trigger,omitempty"`   // why it was made, such as schedule or request
	FinalURL      string         `json:"final_url,omitempty"` // after redirects; empty when it is the source's
	Redirects     int64          `json:"redirects,omitempty"`
	Next          *FetchDecision `json:"next,omitempty"` // what it decided about the next one
	NextAt        *time.Time     `json:"next_at,omitempty"`
	ItemsRepaired int64          `json:"items_repaired,omitempty"` // items that were mended
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
	Health              SourceHealth
	State               FetchState

	Move *SourceMove // the source gets another URL; nil: it keeps its own

	// Release gives the host's lease back with the fetch, as ReleaseHost does:
	// the host is not due before. nil: the lease stays.
	Release *time.Time
}

// SourceMove gives a source the URL to which it redirected for good. The old
// one stays known as an alias.
type SourceMove struct {
	URL    string
	URLKey string
	Host   string
}

// Host is the state of a host that sources are fetched from.
type Host struct {
	Host        string
	DueAt       *time.Time // nil: none of its sources is scheduled
	NotBefore   *time.Time // it is left alone until then
	LeasedUntil *time.Time // a worker has it until then
}

// HostFetch is how the last fetch of one source of a host ended.
type HostFetch struct {
	SourceID  string
	Health    SourceHealth
	FetchedAt time.Time
}

// DomainRate is how quickly requests may follow each other to all hosts of one
// registrable domain: the generic cell rate algorithm (ITU-T I.371) with one
// token an Interval, and room for Burst of them.
type DomainRate struct {
	Interval time.Duration // 0: no limit
	Burst    int           // requests at once after a silence, at least 1
}

// Tolerance returns how far requests may be ahead of the rate.
func (r DomainRate) Tolerance() time.Duration { return time.Duration(max(r.Burst-1, 0)) * r.Interval }

// DomainBucket is the state of the token bucket of a domain.
type DomainBucket struct {
	Domain      string
	ArrivalAt   time.Time // theoretical arrival time of the next request
	QueuedUntil time.Time // behind the last host that was put off
}
