package kgl

import (
	"context"
	"time"
)

// EntityStore keeps entities, their aliases and their mentions.
type EntityStore interface {
	// CreateEntity stores an entity; its Extractor is the source of the aliases.
	// CodeConflict: one with the same Type and NameKey exists, or an external id
	// belongs to another one, which Fields names then.
	CreateEntity(ctx context.Context, e Entity) error

	// UpsertEntities stores the entities that do not exist and raises the
	// confidence of those that do to the greater one; nothing else that they are
	// called or described by changes. An entity exists when one has one of its
	// external ids, else its Type and NameKey, else an alias of that type; one that
	// was merged stands for what it was merged into, and a rejected one for itself.
	// Further names of it become aliases of the stored one, with the language
	// unknown and its Extractor as the source, unless an entity of that type has
	// the name or the alias already; external ids that no entity has are added to
	// it. A changed entity has a new version. It returns the stored entities in the
	// order given, and says of each whether it was created.
	UpsertEntities(ctx context.Context, es []Entity) ([]Entity, []bool, error)

	// Entity returns an entity, whatever its status. CodeNotFound.
	Entity(ctx context.Context, id string) (Entity, error)

	// FollowEntity is Entity for ids that may be old: it returns the entity into
	// which the one with the id was merged in the end. CodeNotFound.
	FollowEntity(ctx context.Context, id string) (Entity, error)

	// Entities returns a page of entities. Position: Text (name key), Number
	// (confidence) or Int (created_at, last_seen_at, degree), and ID. An entity
	// whose place in the order changes between pages may come twice or not at all;
	// each of the others comes once.
	Entities(ctx context.Context, f EntityFilter, sort EntitySort, p Page) (List[Entity], error)

	// UpdateEntity stores Name, Type, Description, Aliases, ExternalIDs, Attributes
	// and Confidence when the stored version is e.Version, and returns it with
	// Version+1. Aliases that stay keep their language and source, new ones have
	// the source ExtractorManual. CodeNotFound; CodePreconditionFailed;
	// CodeConflict as in CreateEntity.
	UpdateEntity(ctx context.Context, e Entity) (Entity, error)

	// DeleteEntity removes an entity with its mentions and relationships, lowers
	// the degree of the entities that it was connected with, and removes what was
	// merged into it. CodeNotFound.
	DeleteEntity(ctx context.Context, id string) error

	// EntityAliases returns a page of the aliases of an entity by their normalised
	// form. Position: Text.
	EntityAliases(ctx context.Context, entityID string, p Page) (List[Alias], error)

	// AddAlias adds an alias and returns the entity with Version+1. CodeNotFound:
	// no such entity; CodeConflict: it has the alias already.
	AddAlias(ctx context.Context, a Alias, now time.Time) (Entity, error)

	// RemoveAlias removes the alias with a normalised form and returns the entity
	// with Version+1. CodeNotFound: no such entity or alias.
	RemoveAlias(ctx context.Context, entityID, key string, now time.Time) (Entity, error)

	// EntityMentions returns a page of the mentions of an entity that have at
	// least a confidence, those in the newest publication first. Position: Int
	// (published_at), Text (content id), ID.
	EntityMentions(ctx context.Context, entityID string, minConfidence float64, p Page) (List[EntityMention], error)

	// EntityContents returns a page of the items that mention an entity, each
	// once, newest publication first. Position: Int (published_at), ID.
	EntityContents(ctx context.Context, entityID string, p Page) (List[EntityContent], error)

	// PrefixMatches returns at most limit active entities of the types (none: of
	// all) of which the normalised name or an alias begins with a text. The ones
	// that are called so exactly come first, then the best connected. When very
	// many names begin so, those of badly connected entities may be missing.
	PrefixMatches(ctx context.Context, prefix string, types []string, limit int) ([]NameMatch, error)

	// ExactMatches returns the active entities that have one of the normalised
	// names as their name or as an alias; at most 50 of each.
	ExactMatches(ctx context.Context, keys []string) ([]NameMatch, error)

	// ExternalMatches returns the active entities that have one of the ids.
	ExternalMatches(ctx context.Context, ids []ExternalID) ([]ExternalMatch, error)

	// SimilarMatches returns, for each of the normalised names, at most limit
	// active entities of the types (none: of all) of which a name or an alias has
	// at least the likeness NameSimilarity and at least half and at most twice as
	// many characters, the most similar first. Names that have nothing but very
	// common trigrams in common with the asked one may be missing, but for those
	// that differ from it in their spaces only.
	SimilarMatches(ctx context.Context, keys, types []string, limit int) ([]NameMatch, error)

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

	// ContentEntities returns a page of the active entities that a content item
	// mentions, by name, each with its mentions (at most 100). Position: Text, ID.
	ContentEntities(ctx context.Context, contentID string, p Page) (List[EntityMentions], error)
}

// RelationshipStore keeps relationships and their evidence.
type RelationshipStore interface {
	// UpsertRelationships stores the relationships that do not exist (by ends and
	// type), raises the confidence of those that do to the greater one, and fills
	// in Fact, and ValidFrom with ValidTo, where there is none. An end that was
	// merged stands for the entity that it was merged into. It returns the stored
	// ones in the order given, and says of each whether it was created.
	UpsertRelationships(ctx context.Context, rs []Relationship) ([]Relationship, []bool, error)

	// ReplaceEvidence replaces the extractor's evidence from a content item,
	// keeps EvidenceCount and Weight right, and removes relationships that are left
	// without evidence, unless a person made them; it returns the ids of the removed.
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

	// UpdateRelationship stores Fact, Confidence, ValidFrom, ValidTo and Status
	// when the stored version is r.Version, and returns the relationship with
	// Version+1. Of the states RelationshipRejected rejects it, every other takes
	// that back: it is active then, or suppressed when an end is not active.
	// CodeNotFound; CodePreconditionFailed; CodeConflict: it was merged into
	// another one.
	UpdateRelationship(ctx context.Context, r Relationship) (Relationship, error)

	// DeleteRelationship removes a relationship with its evidence and with those
	// that were merged into it. CodeNotFound.
	DeleteRelationship(ctx context.Context, id string) error

	// Relationships returns a page. Position: Int (created_at) or Number (weight),
	// and ID.
	Relationships(ctx context.Context, f RelationshipFilter, sort RelationshipSort, p Page) (List[Relationship], error)

	// EntityRelationships returns a page of the active relationships of an entity.
	// Position: Int (created_at) and ID, or Number (weight), Text (the other end)
	// and ID.
	EntityRelationships(ctx context.Context, entityID string, f EntityRelationshipFilter, sort RelationshipSort, p Page) (List[Relationship], error)

	// RelationshipEvidence returns a page of the evidence, newest first. Position:
	// Int (created_at), ID.
	RelationshipEvidence(ctx context.Context, relationshipID string, p Page) (List[Evidence], error)
}

// MergeStore merges entities, and takes them out of the graph and back.
type MergeStore interface {
	// MergeEntities merges m.Losers into m.Winner and stores m, of which ID, the
	// ids of the entities, Reason, Actor and CreatedAt count; it returns m with
	// what it moved. CodeNotFound: an entity does not exist; CodeConflict: one is
	// not active; CodeInvalid: no loser, or one named twice.
	MergeEntities(ctx context.Context, m EntityMerge) (EntityMerge, error)

	// UndoMerge gives the losers of a merge back what is theirs and what was theirs
	// by earlier merges, as far as it exists, in whatever order merges are undone.
	// CodeNotFound; CodeConflict: it was undone already.
	UndoMerge(ctx context.Context, id, actor string, now time.Time) (EntityMerge, error)

	// EntityMerge returns a merge. CodeNotFound.
	EntityMerge(ctx context.Context, id string) (EntityMerge, error)

	// EntityMerges returns a page of the merges that an entity took part in, on
	// either side, newest first. Position: Int (created_at), ID.
	EntityMerges(ctx context.Context, entityID string, p Page) (List[EntityMerge], error)

	// SetEntityStatus rejects an entity or makes it active again, and its
	// relationships with it, without looking at its version. CodeNotFound;
	// CodeInvalid: another state; CodeConflict: it was merged into another one.
	SetEntityStatus(ctx context.Context, id string, status EntityStatus, now time.Time) error
}
