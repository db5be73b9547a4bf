package benchdata

import (
	"fmt"
	"time"
)

// Config says what to fill a database with.
type Config struct {
	// Items is how many content items to make, at least 1.
	Items int
	// Seed of everything: the same Config gives the same rows.
	Seed uint64
	// Until is when the newest item was fetched; the oldest one is a year older.
	// It must not be zero.
	Until time.Time
	// BatchItems is how many items share a transaction. 0: 2,000.
	BatchItems int
	// Progress, if set, is told after every batch how many items are stored.
	Progress func(items int)
}

// How the rows are made up. Shares are of all items.
const (
	itemsPerSource  = 50
	itemsPerEntity  = 10
	itemsPerFetch   = 8
	relationsPerTen = 15 // relationships for ten entities

	duplicateShare = 0.05
	revisionShare  = 0.04
	failedShare    = 0.01
	skippedShare   = 0.02
	waitingShare   = 0.02 // the newest: their enrichment has not begun

	relationShare   = 0.5 // items that support a relationship
	maxLoneMentions = 2   // mentions beside those of the relationship, at most

	span             = 365 * 24 * time.Hour
	defaultBatch     = 2000
	recentHeads      = 512 // items that a duplicate may repeat
	extractor        = "mock"
	fetchesPerSource = 50 // kept at most
)

// unfetched is how long after Config.Until the first source is due: a service
// that is started on the rows does not set off to fetch hosts that do not exist.
const unfetched = 7 * 24 * time.Hour

func (c Config) check() error {
	if c.Items < 1 {
		return fmt.Errorf("benchdata: %d items", c.Items)
	}
	if c.Until.IsZero() {
		return fmt.Errorf("benchdata: the time of the newest item is not set")
	}
	return nil
}

func (c Config) sources() int { return max(c.Items/itemsPerSource, min(c.Items, 10)) }

func (c Config) entities() int { return max(c.Items/itemsPerEntity, 20) }

func (c Config) relationships() int { return c.entities() * relationsPerTen / 10 }
