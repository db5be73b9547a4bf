package kgl

import (
	"encoding/json"
	"time"
)

// The extractors of this version, as entities, mentions, relationships and
// evidence carry them.
const (
	ExtractorManual = "manual" // a person, through the API
	ExtractorMock   = "mock"   // the mock enrichment: not a real analysis
)

// EntityStatus says whether an entity is part of the graph.
type EntityStatus string

// The states of an entity.
const (
	EntityActive   EntityStatus = "active"
	EntityMerged   EntityStatus = "merged"   // into another one, see Entity.MergedInto
	EntityRejected EntityStatus = "rejected" // it is none, as a person decided
)

// ExternalID is the name of an entity elsewhere. It belongs to one entity only.
type ExternalID struct {
	Scheme string // whose id it is: wikidata, domain, youtube ...
	Value  string
}

// Alias is another name of an entity.
type Alias struct {
	EntityID string
	Alias    string
	Language string // BCP 47; empty: not known
	Source   string // the extractor that found it, ExtractorManual, or AliasOfMerge
}

// AliasOfMerge is the source of aliases that came with a merged entity.
const AliasOfMerge = "merge"

// Entity is a thing that content speaks of.
type Entity struct {
	ID           string
	Name         string
	NameKey      string // NormalizeName(Name); unique with Type
	Type         string // open vocabulary, lower-case: person, organization, platform, grant ...
	Description  string
	Aliases      []string
	Attributes   json.RawMessage // a JSON object
	Confidence   float64         // 0 to 1
	Extractor    string          // who created it
	MentionCount int64
	Status       EntityStatus
	MergedInto   *string // the entity that this one was merged into
	ExternalIDs  []ExternalID
	Degree       int64      // active relationships
	FirstSeenAt  *time.Time // publication of the oldest item that mentions it
	LastSeenAt   *time.Time // and of the newest
	Version      int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// EntityFilter selects entities; a zero field does not filter.
type EntityFilter struct {
	Types         []string
	NamePrefix    string // of the name or an alias, normalised as NormalizeName does
	MinConfidence float64
	Statuses      []EntityStatus // empty: active
	SeenSince     *time.Time     // LastSeenAt is that time or later
}

// EntitySort is an order of the list of entities.
type EntitySort string

// The orders of the list of entities.
const (
	EntityByName        EntitySort = "name"
	EntityMostConfident EntitySort = "-confidence"
	EntityNewestFirst   EntitySort = "-created_at"
	EntityLastSeenFirst EntitySort = "-last_seen_at"
	EntityMostConnected EntitySort = "-degree"
)

// Mention is a place in a content item that names an entity. Start and End
// count Unicode code points in the item's plain text; End is exclusive.
type Mention struct {
	ID         string
	ContentID  string
	Revision   int64 // the revision of the content that the offsets belong to
	EntityID   string
	Start      int64
	End        int64
	Quote      string
	Type       string // what the extractor took the entity for
	Confidence float64
	Salience   float64 // how much the item is about it, to 1; 0: not known
	Extractor  string  // name@version
	RunID      *string // the extraction run; nil for what people added
	CreatedAt  time.Time

	PublishedAt time.Time // of the item
}

// EntityMentions is an entity with its mentions in one content item.
type EntityMentions struct {
	Entity   Entity
	Mentions []Mention
}

// EntityRef is the short form of an entity inside a relationship.
type EntityRef struct {
	ID   string
	Name string
	Type string
}

// Relationship is a directed, typed edge between two entities. Its ends and
// its type identify it.
type Relationship struct {
	ID            string
	From          EntityRef
	To            EntityRef
	Type          string // open vocabulary, lower-case: offers, works_for, located_in ...
	Fact          string // what it says as a sentence; may be empty
	Confidence    float64
	Extractor     string
	EvidenceCount int64
	Weight        float64 // set by the store: RelationshipWeight
	Status        RelationshipStatus
	MergedInto    *string // the relationship that it became the same as when their entities were merged
	ValidFrom     string  // as the text says: YYYY, YYYY-MM, YYYY-MM-DD or empty
	ValidTo       string
	Version       int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// RelationshipStatus says whether a relationship is part of the graph.
type RelationshipStatus string

// The states of a relationship.
const (
	RelationshipActive     RelationshipStatus = "active"
	RelationshipRejected   RelationshipStatus = "rejected"   // wrong, as a person decided
	RelationshipSuppressed RelationshipStatus = "suppressed" // one of its ends is not active
	RelationshipMerged     RelationshipStatus = "merged"     // into MergedInto
)

// RelationshipWeight is how well a relationship is supported: its confidence
// times the pieces of evidence, at least one.
func RelationshipWeight(confidence float64, evidence int64) float64 {
	return confidence * float64(max(evidence, 1))
}

// RelationshipSort is an order of lists of relationships.
type RelationshipSort string

// The orders of lists of relationships.
const (
	RelationshipNewestFirst   RelationshipSort = "-created_at"
	RelationshipHeaviestFirst RelationshipSort = "-weight"
)

// Evidence is the place in a content item that supports a relationship.
type Evidence struct {
	ID             string
	RelationshipID string
	ContentID      string
	Revision       int64
	Start          int64 // as in Mention
	End            int64
	Quote          string
	Confidence     float64
	Extractor      string
	RunID          *string // as in Mention
	CreatedAt      time.Time
}

// RelationshipFilter selects relationships; a zero field does not filter.
type RelationshipFilter struct {
	Type          string
	FromEntityID  string
	ToEntityID    string
	MinConfidence float64
	Status        RelationshipStatus // empty: active
}

// EntityRelationshipFilter selects relationships of one entity; a zero field
// does not filter.
type EntityRelationshipFilter struct {
	Direction     Direction
	Type          string
	MinConfidence float64
}

// Direction says which relationships of an entity are meant.
type Direction string

// The directions.
const (
	DirectionAny Direction = "any"
	DirectionOut Direction = "out" // the entity is From
	DirectionIn  Direction = "in"  // the entity is To
)
