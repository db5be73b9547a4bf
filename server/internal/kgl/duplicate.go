package kgl

import (
	"context"
	"time"
)

// NearKeys is how many keys the index of nearly equal texts keeps of an item.
const NearKeys = 6

// ContentKeys are the keys by which items with nearly the same text are found.
type ContentKeys struct {
	ContentID string
	SourceID  string
	SeenAt    time.Time // FetchedAt of the item
	Version   int64     // of the way in which keys are made
	Keys      []int64   // NearKeys of them; none when the text is too short
}

// ContentText is what of an item is compared with others: its title and the
// first 20,000 characters of its text.
type ContentText struct {
	ID        string
	SourceID  string
	FetchedAt time.Time
	Title     string
	Text      string
}

// NearStore keeps the index of nearly equal texts, and what people say about
// groups of duplicates.
type NearStore interface {
	// PutContentKeys stores the keys of items, in place of those that they had.
	// CodeConflict: an item does not exist.
	PutContentKeys(ctx context.Context, ks []ContentKeys) error

	// NearHeads returns, for each of the keys, the heads of the groups with items
	// of other sources that share a key and were first seen at since or later:
	// those that share most keys first, at most limit. It looks at the newest few
	// items of a key only, so that a key of thousands costs no more than another.
	NearHeads(ctx context.Context, ks []ContentKeys, since time.Time, limit int) ([][]string, error)

	// ContentTexts returns the texts of those of the items that exist, in any
	// order.
	ContentTexts(ctx context.Context, ids []string) ([]ContentText, error)

	// ContentsWithoutKeys returns at most limit items, first seen at since or
	// later, that have no keys of the version; the first-seen first.
	ContentsWithoutKeys(ctx context.Context, version int64, since time.Time, limit int) ([]ContentText, error)

	// DeleteOldKeys removes the keys of items that were first seen before a time:
	// it looks at the limit oldest ones and returns how many went.
	DeleteOldKeys(ctx context.Context, before time.Time, limit int) (int64, error)

	// LinkByHand puts two items and their groups together, also when a person took
	// them apart before. CodeNotFound: one of them does not exist; CodeConflict:
	// they are in one group already.
	LinkByHand(ctx context.Context, l DuplicateLink) error

	// TakeApart takes an item out of its group, and returns the ids of the others,
	// the first-seen first. They are never put together again, except by hand. A
	// group whose head is taken out gets the first-seen of the others as its head.
	// CodeNotFound: no such item; CodeConflict: it is in no group.
	TakeApart(ctx context.Context, contentID, by string, now time.Time) ([]string, error)
}
