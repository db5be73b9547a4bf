// Package benchdata fills an empty, migrated database of either engine with
// realistic rows, for measurements and drills: sources, items of 1 to 6 KB with
// revisions and duplicates, entities, mentions, relationships with evidence,
// tasks, runs, events and the history of fetches. The rows hold what the service itself keeps true
// (offsets fit their quotes, counters fit their rows, every folded item has its
// link), and are the same for the same Config.
//
// It writes rows with the drivers' bulk paths instead of the store's methods,
// which is several times faster; its tests hold the result against the store on
// both engines. The package is for tests and tools only. Its command is
// cmd/filldb.
package benchdata
