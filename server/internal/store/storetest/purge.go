package storetest

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runPurge(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"what extractors found in a source goes, and what it alone supports", purgeSource},
		{"what people made stays", purgePeople},
		{"an entity and those merged into it stand and fall together", purgeMerged},
		{"items are purged in pages, and again without effect", purgePages},
		{"purged items are new, and their tasks withheld", purgeReopens},
	})
}

// purgeAll purges a source in pages and returns the sum.
func purgeAll(t *testing.T, db *store.DB, sourceID string, page int) kgl.Purged {
	t.Helper()
	var sum kgl.Purged
	for after := ""; ; {
		p := got(db.PurgeDerived(ctx(t), sourceID, after, page, minute(500)))(t)
		sum.Contents += p.Contents
		sum.Runs += p.Runs
		sum.Mentions += p.Mentions
		sum.Relationships = append(sum.Relationships, p.Relationships...)
		sum.Entities = append(sum.Entities, p.Entities...)
		if after = p.Last; after == "" {
			return sum
		}
	}
}

func wantGone(t *testing.T, db *store.DB, entities ...kgl.Entity) {
	t.Helper()
	for _, e := range entities {
		if _, err := db.Entity(ctx(t), e.ID); !kgl.Is(err, kgl.CodeNotFound) {
			t.Errorf("%s is still there (%v)", e.Name, err)
		}
	}
}

func wantThere(t *testing.T, db *store.DB, entities ...kgl.Entity) {
	t.Helper()
	for _, e := range entities {
		if _, err := db.Entity(ctx(t), e.ID); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// twoSources stores an item each in the sources 1 and 2 with a run each.
func twoSources(t *testing.T, db *store.DB) (items []string, runs []kgl.ExtractionRun) {
	t.Helper()
	a, b := graphSource(t, db, 1), graphSource(t, db, 2)
	items = got(db.CreateContents(ctx(t), []kgl.Content{newGraphContent(a, 1), newGraphContent(b, 2)}))(t)
	for n, c := range items {
		runs = append(runs, addRun(t, db, n, c, "builtin@1"))
	}
	return items, runs
}

func purgeSource(t *testing.T, db *store.DB) {
	items, runs := twoSources(t, db)
	here, both, there := addEntity(t, db, 1, "person", "Here"), addEntity(t, db, 2, "person", "Both"), addEntity(t, db, 3, "person", "There")
	rs := addRelationships(t, db, newRelationship(10, here, both, "knows"), newRelationship(11, both, there, "knows"))
	asked, askedThere := addRequest(t, db, 1, items[0]), addRequest(t, db, 2, items[1])
	mentionOf(t, db, 20, items[0], here, runs[0])
	mentionOf(t, db, 21, items[0], both, runs[0])
	mentionOf(t, db, 22, items[1], both, runs[1])
	evidenceOf(t, db, 30, items[0], rs[0], runs[0])
	evidenceOf(t, db, 31, items[0], rs[1], runs[0])
	evidenceOf(t, db, 32, items[1], rs[1], runs[1])
	same(t, purgeAll(t, db, id(5001), 10), kgl.Purged{
		Contents: 1, Runs: 1, Mentions: 2, Relationships: []string{rs[0].ID}, Entities: []kgl.EntityRef{refTo(here)},
	})
	wantGone(t, db, here)
	wantMentionCount(t, db, both.ID, 1)
	wantEvidence(t, db, map[string]int64{rs[1].ID: 1})
	same(t, got(db.Entity(ctx(t), both.ID))(t).Degree, int64(1))
	_, err := db.Run(ctx(t), runs[0].ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.ExtractionRequest(ctx(t), asked.ID)
	wantCode(t, err, kgl.CodeNotFound)
	same(t, got(db.Run(ctx(t), runs[1].ID))(t), runs[1])
	same(t, got(db.ExtractionRequest(ctx(t), askedThere.ID))(t), askedThere)
	same(t, purgeAll(t, db, id(5001), 10), kgl.Purged{})
	wantThere(t, db, there) // nothing spoke of it, but not because of this source
}

func purgePeople(t *testing.T, db *store.DB) {
	items, runs := twoSources(t, db)
	made := newEntity(1, "person", "Made")
	made.Extractor = kgl.ExtractorManual
	described, rejected, named := newEntity(2, "person", "Described"), addEntity(t, db, 3, "person", "Rejected"), addEntity(t, db, 4, "person", "Named")
	described.Description = "A person wrote this."
	must(t, db.CreateEntity(ctx(t), made))
	must(t, db.CreateEntity(ctx(t), described))
	spoken, related := addEntity(t, db, 5, "person", "Spoken of"), addEntity(t, db, 6, "person", "Related")
	must(t, db.SetEntityStatus(ctx(t), rejected.ID, kgl.EntityRejected, minute(9)))
	all := []kgl.Entity{made, described, rejected, spoken, related}
	for n, e := range append(all, named) {
		mentionOf(t, db, 20+n, items[0], e, runs[0])
	}
	manual := newRelationship(10, made, related, "knows")
	manual.Extractor = kgl.ExtractorManual
	rs := addRelationships(t, db, manual)
	evidenceOf(t, db, 30, items[0], rs[0], runs[0])
	byHand := newMention(40, items[0], spoken.ID)
	byHand.Extractor = kgl.ExtractorManual
	same(t, got(db.InsertMentions(ctx(t), []kgl.Mention{byHand}))(t), 1)

	p := purgeAll(t, db, id(5001), 10)
	same(t, p.Entities, []kgl.EntityRef{refTo(named)})
	wantThere(t, db, all...)
	wantMentionCount(t, db, spoken.ID, 1)
	wantEvidence(t, db, map[string]int64{rs[0].ID: 0})
}

func purgeMerged(t *testing.T, db *store.DB) {
	items, runs := twoSources(t, db)
	winner, loser := addEntity(t, db, 1, "person", "Winner"), addEntity(t, db, 2, "person", "Loser")
	other, kept := addEntity(t, db, 3, "person", "Other"), addEntity(t, db, 4, "person", "Kept")
	rs := addRelationships(t, db, newRelationship(10, winner, kept, "knows"), newRelationship(11, loser, kept, "knows"))
	for n, e := range []kgl.Entity{winner, loser, other, kept} {
		mentionOf(t, db, 20+n, items[0], e, runs[0])
	}
	mentionOf(t, db, 30, items[1], kept, runs[1])
	evidenceOf(t, db, 40, items[0], rs[0], runs[0])
	evidenceOf(t, db, 41, items[0], rs[1], runs[0])
	merge := func(n int, winner, loser kgl.Entity) {
		t.Helper()
		_ = got(db.MergeEntities(ctx(t), kgl.EntityMerge{
			ID: id(900 + n), Winner: refTo(winner), Losers: []kgl.EntityRef{refTo(loser)}, Actor: "ada", CreatedAt: minute(n),
		}))(t)
	}
	merge(1, winner, loser)
	merge(2, kept, other)
	p := purgeAll(t, db, id(5001), 10)
	same(t, p.Entities, []kgl.EntityRef{refTo(winner), refTo(loser)})
	wantGone(t, db, winner, loser)
	wantThere(t, db, kept, other) // the other source speaks of kept, and the merge can be undone
	for _, r := range rs {
		_, err := db.Relationship(ctx(t), r.ID)
		wantCode(t, err, kgl.CodeNotFound)
	}
	same(t, got(db.Entity(ctx(t), kept.ID))(t).Degree, int64(0))
	_ = got(db.UndoMerge(ctx(t), id(902), "ada", minute(600)))(t)
}

func purgePages(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 5)
	e := addEntity(t, db, 1, "person", "A")
	for n, c := range cs {
		mentionOf(t, db, 20+n, c, e, addRun(t, db, n, c, "builtin@1"))
	}
	first := got(db.PurgeDerived(ctx(t), id(5001), "", 2, minute(500)))(t)
	same(t, first, kgl.Purged{Contents: 2, Runs: 2, Mentions: 2, Last: cs[1]})
	wantMentionCount(t, db, e.ID, 3)
	same(t, purgeAll(t, db, id(5001), 2), kgl.Purged{Contents: 3, Runs: 3, Mentions: 3, Entities: []kgl.EntityRef{refTo(e)}})
	same(t, purgeAll(t, db, id(5001), 2), kgl.Purged{})
	same(t, got(db.PurgeDerived(ctx(t), id(1), "", 2, minute(500)))(t), kgl.Purged{}) // no such source
}

func purgeReopens(t *testing.T, db *store.DB) {
	cs := addTasks(t, db, 2)
	source := cs[0].SourceID
	task := claimTasks(t, db, second(9), 1)[0]
	must(t, db.CompleteTask(ctx(t), task, second(9)))
	must(t, db.SetContentStatus(ctx(t), task.ContentID, kgl.ContentProcessed, second(9)))
	addRun(t, db, 1, task.ContentID, "mock")
	allow(t, db, source, kgl.PurposeAIProcessing, false, 1)
	same(t, purgeAll(t, db, source, 10), kgl.Purged{Contents: 1, Runs: 1})
	if s := content(t, db, task.ContentID).Status; s != kgl.ContentNew {
		t.Errorf("the item is %s", s)
	}
	same(t, len(claimTasks(t, db, minute(60), 9)), 0)
	allow(t, db, source, kgl.PurposeAIProcessing, true, 2)
	same(t, len(claimTasks(t, db, minute(60), 9)), 2)
}
