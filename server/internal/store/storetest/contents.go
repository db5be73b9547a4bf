package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runContents(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an item comes back as it was stored", contentRoundTrip},
		{"an unknown item is not found", contentNotFound},
		{"an item that is stored already is left out", createKnown},
		{"concurrent writers store an item once", createRace},
		{"content of an unknown source conflicts", createWithoutSource},
		{"states are found by identity", contentStates},
		{"the list pages in both orders", contentPages},
		{"the list filters", contentFilters},
		{"the list leaves bodies out on request", contentWithoutBody},
		{"a revision replaces the body and keeps the old one", reviseContent},
		{"a revision out of turn conflicts", reviseConflict},
		{"a revision takes open tasks away", reviseTasks},
		{"the status changes", contentStatus},
		{"a deleted item takes its revisions, mentions and evidence along", deleteContent},
		{"large batches are stored", createMany},
	})
}

func contentRoundTrip(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	full, bare := newContent(1, s), newContent(2, s)
	bare.Authors, bare.Categories, bare.Enclosures = []kgl.Author{}, []string{}, []kgl.Enclosure{}
	bare.GUID, bare.Language, bare.HTML, bare.Text, bare.Summary = "", "", "", "", ""
	bare.IdentityKind, bare.IdentityKey = kgl.IdentityURL, bare.CanonicalURL
	same(t, got(db.CreateContents(ctx(t), []kgl.Content{bare, full}))(t), []string{bare.ID, full.ID})
	same(t, content(t, db, full.ID), full)
	same(t, content(t, db, bare.ID), bare)
	all := got(db.Contents(ctx(t), kgl.ContentFilter{}, kgl.ContentOldestFirst, true, kgl.Page{Limit: 5}))(t)
	same(t, all.Rows, []kgl.Content{full, bare})
}

func contentNotFound(t *testing.T, db *store.DB) {
	_, err := db.Content(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	wantCode(t, db.SetContentStatus(ctx(t), id(1), kgl.ContentFailed, epoch), kgl.CodeNotFound)
	wantCode(t, db.DeleteContent(ctx(t), id(1), kgl.RemovedByPerson, epoch), kgl.CodeNotFound)
	wantCode(t, db.ReviseContent(ctx(t), newContent(1, newSource(1, "a.example", nil))), kgl.CodeNotFound)
	if l := got(db.ContentRevisions(ctx(t), id(1), kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 {
		t.Fatal("an unknown item has revisions")
	}
}

func createKnown(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	first := addContents(t, db, newContent(1, a))[0]
	again, fresh, elsewhere := newContent(2, a), newContent(3, a), newContent(4, b)
	again.IdentityKey, again.Title = first.IdentityKey, "another title"
	elsewhere.IdentityKey = first.IdentityKey
	twice := newContent(5, a)
	twice.IdentityKey = fresh.IdentityKey
	otherKind := newContent(6, a)
	otherKind.IdentityKind, otherKind.IdentityKey = kgl.IdentityHash, first.IdentityKey
	ids := got(db.CreateContents(ctx(t), []kgl.Content{again, fresh, elsewhere, twice, otherKind}))(t)
	same(t, ids, []string{fresh.ID, elsewhere.ID, otherKind.ID})
	same(t, content(t, db, first.ID), first)
	same(t, got(db.CreateContents(ctx(t), nil))(t), nil)
}

func createRace(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	const writers, items = 4, 10
	stored := make([][]string, writers)
	for _, err := range parallel(writers, func(w int) (err error) {
		cs := make([]kgl.Content, items)
		for i := range cs {
			cs[i] = newContent(i, s)
			cs[i].ID = id(30_000 + w*items + i)
		}
		stored[w], err = db.CreateContents(ctx(t), cs)
		return err
	}) {
		must(t, err)
	}
	if n := len(slices.Concat(stored...)); n != items {
		t.Fatalf("%d ids for %d items", n, items)
	}
	same(t, got(db.SourceContentCounts(ctx(t), []string{s.ID}))(t), map[string]int64{s.ID: items})
}

func createWithoutSource(t *testing.T, db *store.DB) {
	_, err := db.CreateContents(ctx(t), []kgl.Content{newContent(1, newSource(1, "a.example", nil))})
	wantCode(t, err, kgl.CodeConflict)
}

func contentStates(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	byURL := newContent(2, a)
	byURL.IdentityKind, byURL.IdentityKey = kgl.IdentityURL, `https://a.example/"quoted"?a=ü`
	addContents(t, db, newContent(1, a), byURL, newContent(3, a), newContent(1001, b))
	asked := []kgl.ContentIdentity{
		{Kind: kgl.IdentityGUID, Key: "guid-1"}, {Kind: kgl.IdentityURL, Key: byURL.IdentityKey}, {Kind: kgl.IdentityGUID, Key: "guid-1"},
		{Kind: kgl.IdentityHash, Key: "guid-3"}, {Kind: kgl.IdentityGUID, Key: "guid-1001"},
	}
	states := got(db.ContentStates(ctx(t), a.ID, asked))(t)
	slices.SortFunc(states, func(x, y kgl.ContentState) int { return slices.Compare([]byte(x.ID), []byte(y.ID)) })
	same(t, states, []kgl.ContentState{stateOf(newContent(1, a)), stateOf(byURL)})
	same(t, got(db.ContentStates(ctx(t), a.ID, nil))(t), nil)
}

func contentPages(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	var want []string
	for i := range 7 {
		c := newContent(i, s)
		c.PublishedAt = second(i / 3) // several at the same time
		want = append(want, addContents(t, db, c)[0].ID)
	}
	for limit := 1; limit <= 8; limit++ {
		for sort, order := range map[kgl.ContentSort][]string{kgl.ContentOldestFirst: want, kgl.ContentNewestFirst: reversed(want)} {
			all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Content], error) {
				return db.Contents(ctx(t), kgl.ContentFilter{}, sort, false, p)
			})
			same(t, idsOf(all, contentID), order)
		}
	}
}

func reversed(s []string) []string {
	out := slices.Clone(s)
	slices.Reverse(out)
	return out
}

func contentFilters(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	for i := range 8 {
		c := newContent(i, []kgl.Source{a, b}[i%2])
		c.Status = []kgl.ContentStatus{kgl.ContentNew, kgl.ContentProcessed, kgl.ContentFailed}[i%3]
		c.Language = []string{"en", "de", "de", "en"}[i%4]
		addContents(t, db, c)
	}
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(6, 1), link(7, 2)}))(t)
	for _, tc := range []struct {
		name   string
		filter kgl.ContentFilter
		want   []int
	}{
		{"default folds", kgl.ContentFilter{}, []int{5, 4, 3, 2, 1, 0}},
		{"fold", kgl.ContentFilter{Duplicates: kgl.DuplicatesFold}, []int{5, 4, 3, 2, 1, 0}},
		{"all", kgl.ContentFilter{Duplicates: kgl.DuplicatesAll}, []int{7, 6, 5, 4, 3, 2, 1, 0}},
		{"duplicates only", kgl.ContentFilter{Duplicates: kgl.DuplicatesOnly}, []int{7, 6}},
		{"source", kgl.ContentFilter{SourceID: b.ID, Duplicates: kgl.DuplicatesAll}, []int{7, 5, 3, 1}},
		{"unknown source", kgl.ContentFilter{SourceID: id(77)}, nil},
		{"status", kgl.ContentFilter{Status: []kgl.ContentStatus{kgl.ContentProcessed}}, []int{4, 1}},
		{"two states", kgl.ContentFilter{Status: []kgl.ContentStatus{kgl.ContentProcessed, kgl.ContentFailed}}, []int{5, 4, 2, 1}},
		{"language", kgl.ContentFilter{Language: "de"}, []int{5, 2, 1}},
		{"since is inclusive", kgl.ContentFilter{Published: kgl.TimeRange{Since: second(4)}}, []int{5, 4}},
		{"until is exclusive", kgl.ContentFilter{Published: kgl.TimeRange{Until: second(2)}}, []int{1, 0}},
		{"all filters", kgl.ContentFilter{SourceID: b.ID, Status: []kgl.ContentStatus{kgl.ContentNew, kgl.ContentFailed}, Language: "de",
			Published: kgl.TimeRange{Since: second(1), Until: second(7)}, Duplicates: kgl.DuplicatesAll}, []int{5}},
	} {
		var want []string
		for _, n := range tc.want {
			want = append(want, id(10_000+n))
		}
		have := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.Content], error) {
			return db.Contents(ctx(t), tc.filter, kgl.ContentNewestFirst, false, p)
		})
		if !slices.Equal(idsOf(have, contentID), want) {
			t.Errorf("%s: %v, want %v", tc.name, idsOf(have, contentID), want)
		}
	}
}

func contentWithoutBody(t *testing.T, db *store.DB) {
	want := addContents(t, db, newContent(1, addSource(t, db, 1, "a.example", nil)))[0]
	want.HTML, want.Text, want.IdentityKind, want.IdentityKey, want.ContentHash, want.TextHash = "", "", "", "", "", ""
	same(t, got(db.Contents(ctx(t), kgl.ContentFilter{}, kgl.ContentNewestFirst, false, kgl.Page{Limit: 5}))(t).Rows, []kgl.Content{want})
}

// revised returns the next revision of an item, made at a time, with nothing
// left of the old body.
func revised(c kgl.Content, at time.Time) kgl.Content {
	c.Revision++
	c.UpdatedAt = at
	c.ContentBody = kgl.ContentBody{
		URL: c.URL + "&r", CanonicalURL: fmt.Sprintf("%s/%d", c.CanonicalURL, c.Revision), Title: c.Title + "!", HTML: "<p>new</p>", Text: "new",
		Authors: []kgl.Author{}, Categories: []string{"edited"}, Enclosures: []kgl.Enclosure{}, Language: "fr", WordCount: 1,
		PublishedAt: c.PublishedAt.Add(time.Second), ContentHash: c.ContentHash + "'", TextHash: c.TextHash + "'",
	}
	return c
}

func reviseContent(t *testing.T, db *store.DB) {
	first := addContents(t, db, newContent(1, addSource(t, db, 1, "a.example", nil)))[0]
	must(t, db.SetContentStatus(ctx(t), first.ID, kgl.ContentProcessed, second(5)))
	second1 := revised(first, second(10))
	must(t, db.ReviseContent(ctx(t), second1))
	have := content(t, db, first.ID)
	if have.Version <= 2 {
		t.Fatalf("version %d", have.Version)
	}
	want := second1
	want.Status, want.Version = kgl.ContentNew, have.Version
	same(t, have, want)
	third := revised(second1, second(20))
	must(t, db.ReviseContent(ctx(t), third))
	for limit := 1; limit <= 3; limit++ {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.ContentRevision], error) {
			return db.ContentRevisions(ctx(t), first.ID, p)
		})
		same(t, all, []kgl.ContentRevision{
			{ContentID: first.ID, Revision: 2, ContentBody: second1.ContentBody, RecordedAt: second(20), Changed: []string{}},
			{ContentID: first.ID, Revision: 1, ContentBody: first.ContentBody, RecordedAt: second(10), Changed: []string{}},
		})
	}
}

func reviseConflict(t *testing.T, db *store.DB) {
	c := addContents(t, db, newContent(1, addSource(t, db, 1, "a.example", nil)))[0]
	for _, revision := range []int64{0, 1, 3} {
		r := revised(c, second(10))
		r.Revision = revision
		wantCode(t, db.ReviseContent(ctx(t), r), kgl.CodeConflict)
	}
	same(t, content(t, db, c.ID), c)
	won := 0
	for _, err := range parallel(5, func(int) error { return db.ReviseContent(ctx(t), revised(c, second(10))) }) {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, kgl.CodeConflict)
	}
	if won != 1 {
		t.Fatalf("revision 2 was written %d times", won)
	}
}

func reviseTasks(t *testing.T, db *store.DB) {
	c := addContents(t, db, newContent(1, addSource(t, db, 1, "a.example", nil)))[0]
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{newTask(1, c)}))
	held := claimTasks(t, db, second(1), 1)[0]
	next := revised(c, second(10))
	must(t, db.ReviseContent(ctx(t), next))
	wantCode(t, db.CompleteTask(ctx(t), held, second(11)), kgl.CodeLeaseLost)
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{newTask(2, next)}))
	if ts := claimTasks(t, db, after(time.Hour), 5); len(ts) != 1 || ts[0].Revision != 2 {
		t.Fatalf("claimed %+v", ts)
	}
}

func contentStatus(t *testing.T, db *store.DB) {
	want := addContents(t, db, newContent(1, addSource(t, db, 1, "a.example", nil)))[0]
	must(t, db.SetContentStatus(ctx(t), want.ID, kgl.ContentFailed, second(9)))
	want.Status, want.UpdatedAt, want.Version = kgl.ContentFailed, second(9), 2
	same(t, content(t, db, want.ID), want)
}

func deleteContent(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := addContents(t, db, newContent(1, s), newContent(2, s))
	ada, acme := addEntity(t, db, 1, "person", "Ada"), addEntity(t, db, 2, "organization", "Acme")
	rel := got2(db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(1, ada, acme, "works_for")}))(t)[0]
	for i, c := range cs {
		must(t, db.ReplaceMentions(ctx(t), c.ID, kgl.ExtractorMock, []kgl.Mention{newMention(2*i+1, c.ID, ada.ID), newMention(2*i+2, c.ID, ada.ID)}))
		got(db.ReplaceEvidence(ctx(t), c.ID, kgl.ExtractorMock, []kgl.Evidence{newEvidence(i+1, rel.ID, c.ID)}))(t)
	}
	must(t, db.ReviseContent(ctx(t), revised(cs[0], second(5))))
	must(t, db.CreateTasks(ctx(t), []kgl.EnrichmentTask{newTask(1, cs[0])}))
	last := got(db.Content(ctx(t), cs[0].ID))(t)
	must(t, db.DeleteContent(ctx(t), cs[0].ID, kgl.RemovedByPerson, epoch))
	wantDeletionKept(t, db, last)
	_, err := db.Content(ctx(t), cs[0].ID)
	wantCode(t, err, kgl.CodeNotFound)
	if n := got(db.Entity(ctx(t), ada.ID))(t).MentionCount; n != 2 {
		t.Fatalf("the entity counts %d mentions, want 2", n)
	}
	if n := got(db.Relationship(ctx(t), rel.ID))(t).EvidenceCount; n != 1 {
		t.Fatalf("the relationship counts %d pieces of evidence, want 1", n)
	}
	if l := got(db.ContentRevisions(ctx(t), cs[0].ID, kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 {
		t.Fatal("revisions stayed")
	}
	if ts := claimTasks(t, db, after(time.Hour), 5); len(ts) != 0 {
		t.Fatal("a task stayed")
	}
}

// got2 is got for functions with a second result that does not matter here.
func got2[T, U any](v T, _ U, err error) func(t testing.TB) T { return got(v, err) }

func createMany(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := make([]kgl.Content, 1500)
	for i := range cs {
		cs[i] = newContent(i, s)
	}
	addContents(t, db, cs...)
	all := pages(t, 100, func(p kgl.Page) (kgl.List[kgl.Content], error) {
		return db.Contents(ctx(t), kgl.ContentFilter{}, kgl.ContentOldestFirst, true, p)
	})
	same(t, all, cs)
}

// wantDeletionKept expects that a deleted item is known as such, until that is
// forgotten.
func wantDeletionKept(t *testing.T, db *store.DB, c kgl.Content) {
	t.Helper()
	identity := kgl.ContentIdentity{Kind: c.IdentityKind, Key: c.IdentityKey}
	asked := []kgl.ContentIdentity{identity}
	states := func() []kgl.ContentState { return got(db.ContentStates(ctx(t), c.SourceID, asked))(t) }
	removed := kgl.ContentState{
		Identity: identity, GUID: c.GUID, AltKey: c.AltKey, ContentHash: c.ContentHash, PublishedAt: c.PublishedAt, PublishedInferred: c.PublishedInferred,
		Removed: kgl.RemovedByPerson, RemovedAt: epoch,
	}
	same(t, states(), []kgl.ContentState{removed})
	again := c
	again.ID, again.Revision, again.Version = id(77_001), 1, 1
	addContents(t, db, again)
	same(t, states(), []kgl.ContentState{stateOf(again), removed})
	must(t, db.ForgetRemoved(ctx(t), c.SourceID, asked))
	same(t, states(), []kgl.ContentState{stateOf(again)})
	must(t, db.DeleteContent(ctx(t), again.ID, kgl.RemovedByAge, second(9)))
	removed.Removed, removed.RemovedAt = kgl.RemovedByAge, second(9)
	same(t, states(), []kgl.ContentState{removed})
	addContents(t, db, again)
	must(t, db.DeleteContent(ctx(t), again.ID, kgl.RemovedByPerson, epoch)) // a second removal takes the place of the first
	removed.Removed, removed.RemovedAt = kgl.RemovedByPerson, epoch
	same(t, states(), []kgl.ContentState{removed})
}

// stateOf returns what ContentStates tells of a stored item.
func stateOf(c kgl.Content) kgl.ContentState {
	return kgl.ContentState{
		ID: c.ID, Identity: kgl.ContentIdentity{Kind: c.IdentityKind, Key: c.IdentityKey}, GUID: c.GUID, AltKey: c.AltKey, RawHash: c.RawHash,
		ContentHash: c.ContentHash, Revision: c.Revision, PublishedAt: c.PublishedAt, PublishedInferred: c.PublishedInferred,
	}
}
