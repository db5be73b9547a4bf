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
	Version      int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// EntityFilter selects entities; a zero field does not filter.
type EntityFilter struct {
	Types         []string
	NamePrefix    string // of the name or an alias, normalised as NormalizeName does
	MinConfidence float64
}

// EntitySort is an order of the list of entities.
type EntitySort string

// The orders of the list of entities.
const (
	EntityByName        EntitySort = "name"
	EntityMostConfident EntitySort = "-confidence"
	EntityNewestFirst   EntitySort = "-created_at"
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
	Confidence float64
	Extractor  string
	CreatedAt  time.Time
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
	Confidence    float64
	Extractor     string
	EvidenceCount int64
	Version       int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

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
	CreatedAt      time.Time
}

// RelationshipFilter selects relationships; a zero field does not filter.
type RelationshipFilter struct {
	Type          string
	FromEntityID  string
	ToEntityID    string
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
