package kgl

import (
	"context"
)

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

	// InsertMentions stores mentions, keeps MentionCount, FirstSeenAt and
	// LastSeenAt of their entities right, and returns how many it stored.
	// PublishedAt is that of the item, whatever is given; an empty Type becomes
	// that of the entity. A place where the same extractor found the same entity
	// already stays as it is. CodeConflict: an item, an entity or a run does not
	// exist.
	InsertMentions(ctx context.Context, ms []Mention) (int64, error)

	// DeleteRunMentions removes the mentions that a run found and that are still
	// there, whosever entity they have become by a merge, keeps the counters and
	// the times of their entities right, and returns how many it removed.
	DeleteRunMentions(ctx context.Context, runID string) (int64, error)

	// DeleteExtractorMentions is DeleteRunMentions for what an extractor, named
	// without its version, found in an item before there were runs.
	DeleteExtractorMentions(ctx context.Context, contentID, name string) (int64, error)

	// ReplaceMentions replaces the extractor's mentions of a content item, and
	// keeps what InsertMentions keeps. The item and the extractor are those of
	// the arguments.
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

	// InsertEvidence stores evidence and keeps EvidenceCount and Weight right. A
	// place that the same extractor gave before for the relationship and the item
	// is kept as one piece, which now belongs to the new run.
	InsertEvidence(ctx context.Context, es []Evidence) error

	// DeleteRunEvidence removes the evidence from an item that the run found, and
	// what an extractor of that name (see ExtractorName) found when there were no
	// runs; runID may be empty. It keeps EvidenceCount and Weight right, removes
	// the relationships that are left without evidence, unless a person made them,
	// and returns the ids of the removed. Call it after InsertEvidence of the run
	// that follows, so that what both found stays.
	DeleteRunEvidence(ctx context.Context, contentID, runID, name string) (removed []string, err error)

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
