package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEntityMentions(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"mentions are stored with run, type and salience", mentionInsert},
		{"mentions of a run are taken back, and only these", mentionRun},
		{"mentions from before runs are taken back by the extractor's name", mentionExtractor},
		{"entities know when they were first and last seen", mentionSeen},
		{"mentions of an entity come with their items, newest publication first", mentionsOfEntity},
		{"items of an entity come once, newest publication first", contentsOfEntity},
		{"an item whose time of publication changes comes once", contentMoves},
	})
}

func mentionID(m kgl.EntityMention) string { return m.Mention.ID }

func insertMentions(t *testing.T, db *store.DB, ms ...kgl.Mention) {
	t.Helper()
	if n := got(db.InsertMentions(ctx(t), ms))(t); n != int64(len(ms)) {
		t.Fatalf("%d of %d mentions were stored", n, len(ms))
	}
}

func mentionInsert(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	e := addEntity(t, db, 1, "person", "Ada")
	run := addRun(t, db, 1, content, "builtin@1")
	m := newMention(10, content, e.ID)
	m.Extractor, m.RunID, m.Type, m.Salience, m.Revision = "builtin@1", &run.ID, "creator", 0.25, 3
	m.PublishedAt = minute(99) // that of the item counts
	insertMentions(t, db, m)
	stored := got(db.EntityMentions(ctx(t), e.ID, 0, kgl.Page{Limit: 5}))(t).Rows[0].Mention
	m.PublishedAt = minute(0)
	same(t, stored, m)
	again := m
	again.ID, again.Salience = id(11), 1
	if n := got(db.InsertMentions(ctx(t), []kgl.Mention{again}))(t); n != 0 {
		t.Fatalf("a known place was stored %d times", n)
	}
	same(t, got(db.EntityMentions(ctx(t), e.ID, 0, kgl.Page{Limit: 5}))(t).Rows[0].Mention, m)
	wantMentions(t, db, map[string]int64{e.ID: 1})
	for _, wrong := range []func(m *kgl.Mention){
		func(m *kgl.Mention) { m.EntityID = id(99) },
		func(m *kgl.Mention) { m.ContentID = id(99) },
		func(m *kgl.Mention) { m.RunID = &m.ID },
	} {
		bad := newMention(20, content, e.ID)
		wrong(&bad)
		_, err := db.InsertMentions(ctx(t), []kgl.Mention{bad})
		wantCode(t, err, kgl.CodeConflict)
	}
	wantMentions(t, db, map[string]int64{e.ID: 1})
}

func mentionRun(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	a, b := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	one, two := addRun(t, db, 1, content, "builtin@1"), addRun(t, db, 2, content, "other@1")
	for n := range 6 {
		m := newMention(10+n, content, []kgl.Entity{a, b}[n%2].ID)
		if n < 4 {
			m.RunID = []*string{&one.ID, &two.ID}[n/3]
		}
		insertMentions(t, db, m)
	}
	wantMentions(t, db, map[string]int64{a.ID: 3, b.ID: 3})
	if n := got(db.DeleteRunMentions(ctx(t), one.ID))(t); n != 3 {
		t.Fatalf("%d were taken back", n)
	}
	wantMentions(t, db, map[string]int64{a.ID: 1, b.ID: 2})
	if n := got(db.DeleteRunMentions(ctx(t), one.ID))(t); n != 0 {
		t.Fatalf("%d were taken back again", n)
	}
	// What a merge moved is taken back from its new owner.
	mergeInto(t, db, 1, a.ID, b.ID)
	if n := got(db.DeleteRunMentions(ctx(t), two.ID))(t); n != 1 {
		t.Fatalf("%d were taken back from the winner", n)
	}
	wantMentions(t, db, map[string]int64{a.ID: 2})
}

func mentionExtractor(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 2)
	e := addEntity(t, db, 1, "person", "A")
	run := addRun(t, db, 1, cs[0], "mock@2")
	for n, extractor := range []string{"mock", "mock@1", "mocker@1", "mock@2", "manual"} {
		m := newMention(10+n, cs[0], e.ID)
		m.Extractor = extractor
		if extractor == "mock@2" {
			m.RunID = &run.ID
		}
		insertMentions(t, db, m)
	}
	insertMentions(t, db, newMention(30, cs[1], e.ID))
	if n := got(db.DeleteExtractorMentions(ctx(t), cs[0], "mock"))(t); n != 2 {
		t.Fatalf("%d were taken back", n)
	}
	left := got(db.EntityMentions(ctx(t), e.ID, 0, kgl.Page{Limit: 9}))(t).Rows
	same(t, idsOf(left, func(m kgl.EntityMention) string { return m.Mention.Extractor }), []string{"mock", "manual", "mock@2", "mocker@1"})
}

func mentionSeen(t *testing.T, db *store.DB) {
	cs := graphContents(t, db, 4) // published in the minutes 0 to 3
	e := addEntity(t, db, 1, "person", "A")
	want := func(first, last int) {
		t.Helper()
		have := got(db.Entity(ctx(t), e.ID))(t)
		if first < 0 {
			if have.FirstSeenAt != nil || have.LastSeenAt != nil {
				t.Fatalf("seen %v to %v", have.FirstSeenAt, have.LastSeenAt)
			}
			return
		}
		if have.FirstSeenAt == nil || !have.FirstSeenAt.Equal(minute(first)) || !have.LastSeenAt.Equal(minute(last)) {
			t.Fatalf("seen %v to %v, want %v to %v", have.FirstSeenAt, have.LastSeenAt, minute(first), minute(last))
		}
	}
	want(-1, -1)
	insertMentions(t, db, newMention(10, cs[2], e.ID))
	want(2, 2)
	insertMentions(t, db, newMention(11, cs[1], e.ID), newMention(12, cs[3], e.ID))
	want(1, 3)
	must(t, db.DeleteContent(ctx(t), cs[3], kgl.RemovedByPerson, epoch))
	want(1, 2)
	must(t, db.ReplaceMentions(ctx(t), cs[1], kgl.ExtractorMock, nil))
	want(2, 2)
	// As many come as go, at another time.
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		if _, err := tx.DeleteExtractorMentions(ctx, cs[2], kgl.ExtractorMock); err != nil {
			return err
		}
		_, err := tx.InsertMentions(ctx, []kgl.Mention{newMention(13, cs[0], e.ID)})
		return err
	}))
	want(0, 0)
	must(t, db.DeleteSource(ctx(t), id(5001)))
	want(-1, -1)
}

// mentionedEntity stores an entity with two mentions in each of seven items, of
// which two share their time of publication, and mentions of another one.
func mentionedEntity(t *testing.T, db *store.DB) (kgl.Entity, []string) {
	t.Helper()
	s := graphSource(t, db, 1)
	var cs []kgl.Content
	for n := range 7 {
		c := newGraphContent(s, n)
		c.Title, c.Language, c.PublishedAt = fmt.Sprint("Item ", n), []string{"", "en"}[n%2], minute(n-n/4)
		cs = append(cs, c)
	}
	ids := got(db.CreateContents(ctx(t), cs))(t)
	e, other := addEntity(t, db, 1, "person", "A"), addEntity(t, db, 2, "person", "B")
	for n, content := range ids {
		sure, unsure := newMention(100+2*n, content, e.ID), newMention(101+2*n, content, e.ID)
		sure.Confidence, unsure.Confidence = 0.9, 0.3
		insertMentions(t, db, sure, unsure, newMention(300+n, content, other.ID))
	}
	return e, ids
}

func mentionsOfEntity(t *testing.T, db *store.DB) {
	e, ids := mentionedEntity(t, db)
	var all, sure []string
	for n := 6; n >= 0; n-- {
		all = append(all, id(101+2*n), id(100+2*n))
		sure = append(sure, id(100+2*n))
	}
	for _, limit := range []int{1, 3, 14, 50} {
		rows := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.EntityMention], error) { return db.EntityMentions(ctx(t), e.ID, 0, p) })
		same(t, idsOf(rows, mentionID), all)
		rows = pages(t, limit, func(p kgl.Page) (kgl.List[kgl.EntityMention], error) { return db.EntityMentions(ctx(t), e.ID, 0.5, p) })
		same(t, idsOf(rows, mentionID), sure)
		same(t, rows[1].Content, kgl.ContentBrief{
			ID: ids[5], SourceID: id(5001), Title: "Item 5", URL: "https://example.org/item-5", Language: "en", PublishedAt: minute(4),
		})
	}
	if n := len(got(db.EntityMentions(ctx(t), id(9), 0, kgl.Page{Limit: 5}))(t).Rows); n != 0 {
		t.Fatalf("an unknown entity has %d mentions", n)
	}
}

func contentsOfEntity(t *testing.T, db *store.DB) {
	e, ids := mentionedEntity(t, db)
	insertMentions(t, db, newMention(500, ids[3], e.ID))
	for _, limit := range []int{1, 3, 7, 50} {
		rows := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.EntityContent], error) { return db.EntityContents(ctx(t), e.ID, p) })
		var have []string
		for _, row := range rows {
			have = append(have, fmt.Sprint(row.Content.Title, " ", row.MentionCount))
		}
		same(t, have, []string{"Item 6 2", "Item 5 2", "Item 4 2", "Item 3 3", "Item 2 2", "Item 1 2", "Item 0 2"})
	}
}

// contentMoves gives an item another time of publication between the mentions
// of two extractors.
func contentMoves(t *testing.T, db *store.DB) {
	s := graphSource(t, db, 1)
	c := newGraphContent(s, 0)
	ids := got(db.CreateContents(ctx(t), []kgl.Content{c, newGraphContent(s, 1)}))(t)
	e := addEntity(t, db, 1, "person", "A")
	insertMentions(t, db, newMention(10, ids[0], e.ID), newMention(11, ids[1], e.ID))
	edited := got(db.Content(ctx(t), ids[0]))(t)
	edited.PublishedAt, edited.ContentHash, edited.UpdatedAt = minute(5), "edited", minute(6)
	edited.Revision++
	must(t, db.ReviseContent(ctx(t), edited))
	m := newMention(12, ids[0], e.ID)
	m.Extractor = "other@1"
	insertMentions(t, db, m)
	rows := pages(t, 1, func(p kgl.Page) (kgl.List[kgl.EntityContent], error) { return db.EntityContents(ctx(t), e.ID, p) })
	same(t, idsOf(rows, func(c kgl.EntityContent) string { return c.Content.ID }), []string{ids[0], ids[1]})
	have := got(db.Entity(ctx(t), e.ID))(t)
	if !have.FirstSeenAt.Equal(minute(1)) || !have.LastSeenAt.Equal(minute(5)) {
		t.Fatalf("seen %v to %v", have.FirstSeenAt, have.LastSeenAt)
	}
}
