// Package enrich turns content into entities, mentions and relationships.
//
// An Extractor reads one item and says what it found; a Worker claims the
// enrichment tasks, runs an Extractor on each and stores the result with its
// events in one transaction. Mock is the extractor of an installation without
// an AI module: deterministic, offline, and named as a mock in every row.
package enrich
