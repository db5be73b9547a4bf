package kgl

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ContentStatus says how far enrichment of a content item has come.
type ContentStatus string

// The states of a content item.
const (
	ContentNew        ContentStatus = "new"        // waits for enrichment
	ContentProcessing ContentStatus = "processing" // leased by an extractor
	ContentProcessed  ContentStatus = "processed"
	ContentFailed     ContentStatus = "failed"  // enrichment gave up after bounded attempts
	ContentSkipped    ContentStatus = "skipped" // holds nothing to enrich
)

// IdentityKind says by what an item is recognised inside its source.
type IdentityKind string

// The kinds of identity, strongest first.
const (
	IdentityGUID IdentityKind = "guid"
	IdentityURL  IdentityKind = "url"  // canonical URL
	IdentityHash IdentityKind = "hash" // content hash
)

// Author is who wrote an item, as far as the feed says.
type Author struct {
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
}

// Enclosure is a media file that belongs to an item.
type Enclosure struct {
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Length int64  `json:"length,omitempty"` // bytes; 0 when unknown
}

// ContentBody is the part of an item that comes from the feed and that a
// revision keeps.
type ContentBody struct {
	URL          string
	CanonicalURL string
	Title        string
	Summary      string
	HTML         string // sanitised
	Text         string // plain text of HTML; mentions count their offsets in it
	Authors      []Author
	Categories   []string
	Enclosures   []Enclosure
	Language     string
	WordCount    int64

	PublishedAt       time.Time // never in the future when stored
	PublishedInferred bool      // the feed gave no usable date: the time of the fetch stands in
	ContentHash       string    // changes when the item changed in the source
	TextHash          string    // of the normalised text; empty when too short to compare
	Details           ContentDetails
}

// ContentDetails is what some feeds say about an item beyond its text.
type ContentDetails struct {
	PublishedSource string     `json:"published_source,omitempty"` // where PublishedAt comes from; empty: published, or the fetch when it is inferred
	ModifiedAt      *time.Time `json:"modified_at,omitempty"`      // the last edit, by the feed's account
	CommentsURL     string     `json:"comments_url,omitempty"`
	ImageURL        string     `json:"image_url,omitempty"`
	Media           *Media     `json:"media,omitempty"`
	Repairs         []Warning  `json:"repairs,omitempty"` // what was mended or worked around to read the item
	Held            *Held      `json:"held,omitempty"`    // it is edited too often
}

// Held says that edits of an item are taken over once a day at most.
type Held struct {
	Reason HeldReason `json:"reason"`
	Since  time.Time  `json:"since"`
}

// HeldReason says why edits of an item are held.
type HeldReason string

// The reasons to hold edits.
const (
	HeldOften HeldReason = "often" // there were too many within a day
	HeldFlips HeldReason = "flips" // it goes back to states that it had before
)

// PublishedSource names where PublishedAt comes from: published, updated, url
// or fetched.
func (b ContentBody) PublishedSource() string {
	switch {
	case b.PublishedInferred:
		return "fetched"
	case b.Details.PublishedSource == "":
		return "published"
	}
	return b.Details.PublishedSource
}

// Media is what podcasts and videos say about themselves.
type Media struct {
	Duration    int64        `json:"duration,omitempty"` // seconds
	Season      int64        `json:"season,omitempty"`
	Episode     int64        `json:"episode,omitempty"`
	EpisodeType string       `json:"episode_type,omitempty"` // full, trailer or bonus
	Explicit    *bool        `json:"explicit,omitempty"`
	ChaptersURL string       `json:"chapters_url,omitempty"`
	Transcripts []Transcript `json:"transcripts,omitempty"`
	Keywords    []string     `json:"keywords,omitempty"`
	Persons     []Person     `json:"persons,omitempty"`
}

// Transcript is a text of what is said.
type Transcript struct {
	URL      string `json:"url"`
	Type     string `json:"type,omitempty"` // media type
	Language string `json:"language,omitempty"`
}

// Person takes part in a podcast or video.
type Person struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
	URL  string `json:"url,omitempty"`
}

// Content is one item of a source.
type Content struct {
	ID           string
	SourceID     string
	GUID         string // as published; may be empty
	IdentityKind IdentityKind
	IdentityKey  string // unique within the source
	AltKey       string // a form of the GUID that outlasts changes of scheme, host and fragment; empty when it has none
	RawHash      string // of what the document said before it was normalised; equal: nothing changed
	ContentBody

	Status      ContentStatus
	Revision    int64     // 1 for the first; an edit in the source adds one
	DuplicateOf string    // the first-seen item of the group; empty for that item itself
	Duplicates  int64     // items that are folded under this one
	ChangedAt   time.Time // when its source changed it last: stored first, or revised

	ChangedFields []string // what a revision changes; only ReviseContent reads it
	Version       int64    // changes with every visible change; the ETag
	FetchedAt     time.Time
	UpdatedAt     time.Time
}

// ContentIdentity names an item inside its source.
type ContentIdentity struct {
	Kind IdentityKind
	Key  string
}

// RemovalReason says why an item is not stored any more.
type RemovalReason string

// The reasons of a removal.
const (
	RemovedByPerson RemovalReason = "deleted"
	RemovedByAge    RemovalReason = "expired" // by the retention of its source
)

// ContentState is what ingestion needs to know of a stored item to decide
// whether a fetched one is new, changed or the same.
type ContentState struct {
	ID          string // empty for a removed item
	Identity    ContentIdentity
	GUID        string
	AltKey      string
	RawHash     string
	ContentHash string
	Revision    int64
	PublishedAt time.Time

	PublishedInferred bool

	Removed   RemovalReason // the item was removed, and this is what is remembered of it; empty: it is stored
	RemovedAt time.Time

	// Only set by SimilarContents.
	CanonicalURL string
	TextHash     string
	TitleKey     string // see TitleKey
	Summary      string // empty for a removed item
}

// ContentTraits asks for the items of a source that share something with one
// whose identity is not stored; an empty field asks for nothing.
type ContentTraits struct {
	AltKey       string
	CanonicalURL string
	TextHash     string
	PublishedAt  time.Time
}

// ContentMove gives a stored item another identity, or takes over hashes of a
// document that changed nothing that a revision would show.
type ContentMove struct {
	ID          string
	Identity    ContentIdentity
	GUID        string
	AltKey      string
	RawHash     string
	ContentHash string
}

// RevisionMark tells of an earlier state of an item without its body.
type RevisionMark struct {
	ContentID   string
	Revision    int64
	RecordedAt  time.Time // when the next state replaced it
	ContentHash string
}

// TitleKey returns a short key that is equal for titles that differ in nothing
// but case, white space and punctuation; empty for a title without a letter or
// a digit. Titles are not told by it.
func TitleKey(title string) string {
	folded := NormalizeName(title)
	if folded == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(folded))
	return hex.EncodeToString(sum[:16])
}

// ContentRevision is an earlier state of an item. RecordedAt is when the next
// state replaced it.
type ContentRevision struct {
	ContentID string
	Revision  int64
	ContentBody
	RecordedAt time.Time
	Changed    []string // fields that the next state changed
}

// DuplicateFilter says how a list treats items that are the same as others.
type DuplicateFilter string

// The ways to treat duplicates.
const (
	DuplicatesFold DuplicateFilter = "fold" // show each group by its first-seen item
	DuplicatesAll  DuplicateFilter = "all"
	DuplicatesOnly DuplicateFilter = "only"
)

// ContentFilter selects content; a zero field does not filter.
type ContentFilter struct {
	SourceID     string
	Published    TimeRange
	ChangedAfter time.Time
	Status       []ContentStatus
	Duplicates   DuplicateFilter // zero: DuplicatesFold
	Language     string
	Publishable  *bool // whether the source allows publication
}

// ContentSort is an order of the list of content.
type ContentSort string

// The orders of the list of content.
const (
	ContentNewestFirst ContentSort = "-published_at"
	ContentOldestFirst ContentSort = "published_at"
	ContentByChange    ContentSort = "changed_at" // oldest change first: what a follower reads on from
	ContentLastChanged ContentSort = "-changed_at"
)

// DuplicateReason says why two items are held to be the same.
type DuplicateReason string

// The reasons of a duplicate link.
const (
	DuplicateSameURL  DuplicateReason = "same_canonical_url"
	DuplicateSameText DuplicateReason = "same_text"
	DuplicateNearText DuplicateReason = "near_text" // most of the text is the same
	DuplicateManual   DuplicateReason = "manual"    // a person said so
)

// DuplicateLink says that one item repeats another of an other source. Links
// are evidence: deleting them restores both items to the lists.
type DuplicateLink struct {
	ContentID   string
	DuplicateOf string
	Reason      DuplicateReason
	Score       float64 // 1 for exact sameness; else the part of the shorter text that both have
	CreatedBy   string  // id of the user who linked them; empty: ingestion did
	CreatedAt   time.Time
}

// DuplicateCandidate asks for the first-seen items of other sources that share
// the canonical URL or the text hash of a new item.
type DuplicateCandidate struct {
	SourceID     string
	CanonicalURL string
	TextHash     string
}
