package storetest

import (
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runNear(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"items of other sources that share a key are found by their heads", nearHeads},
		{"keys that many items share find the newest few", nearCrowd},
		{"new keys of an item replace the old ones", nearReplaced},
		{"keys go with their item, and when they are old", nearGone},
		{"items without keys are listed, the first-seen first", nearMissing},
		{"texts of items", nearTexts},
		{"heads count what is folded under them", countFolded},
		{"an edit of the text ends near text, and leaves what people said", nearEdited},
		{"members of an edited head are not put together", nearEditedHead},
		{"a member that is taken out stays out", takeMember},
		{"a head that is taken out leaves its group to the next", takeHead},
		{"what cannot be taken apart", takeNothing},
		{"groups that were taken apart are not merged over others", takenApartChain},
		{"a person puts together what was taken apart", linkByHand},
		{"what cannot be linked by hand", linkByHandRefused},
	})
}

func nearLink(n, head int) kgl.DuplicateLink {
	l := link(n, head)
	l.Reason, l.Score = kgl.DuplicateNearText, 0.9
	return l
}

// keysOf returns keys for the n-th item, in the source with its number.
func keysOf(n int, keys ...int64) kgl.ContentKeys {
	return kgl.ContentKeys{ContentID: id(10_000 + n), SourceID: id(n), SeenAt: second(n), Version: 1, Keys: keys}
}

// heads returns the numbers of the items that are found for the keys.
func heads(t *testing.T, db *store.DB, k kgl.ContentKeys, since, limit int) []int {
	t.Helper()
	var list []int
	for _, found := range got(db.NearHeads(ctx(t), []kgl.ContentKeys{k}, second(since), limit))(t)[0] {
		n := 0
		for found != id(10_000+n) {
			n++
		}
		list = append(list, n)
	}
	return list
}

func nearHeads(t *testing.T, db *store.DB) {
	items(t, db, 6)
	const big = -1 << 63
	must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{
		keysOf(1, 1, 2, 3, 4, 5, big), keysOf(2, 1, 2, 13, 14, 15, 16), keysOf(3, 21, 22, 3, 24, 25, 26),
		keysOf(4, 2, 1, 31, 32, 33, 34), // the same keys, but of other bands
		keysOf(5), keysOf(6, 41, 42, 43, 44, 45, big),
	}))
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, big), 0, 9), []int{1, 2, 3, 6})
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, big), 0, 2), []int{1, 2})
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, big), 3, 9), []int{3, 6})
	same(t, heads(t, db, keysOf(1, 1, 2, 3, 4, 5, big), 0, 9), []int{2, 3, 6})
	same(t, heads(t, db, keysOf(9, 0, 0, 0, 0, 0, 0), 0, 9), nil)
	same(t, heads(t, db, keysOf(9), 0, 9), nil)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{nearLink(3, 2), nearLink(6, 2)}))(t)
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, big), 0, 9), []int{1, 2})
	both := got(db.NearHeads(ctx(t), []kgl.ContentKeys{keysOf(9, 0, 0, 0, 0, 0, 16), keysOf(9), keysOf(9, 21, 0, 0, 0, 0, 0)}, epoch, 9))(t)
	same(t, both, [][]string{{id(10_002)}, nil, {id(10_002)}})
	if none := got(db.NearHeads(ctx(t), nil, epoch, 9))(t); len(none) != 0 {
		t.Fatal(none)
	}
}

func nearCrowd(t *testing.T, db *store.DB) {
	cs := items(t, db, 40)
	var ks []kgl.ContentKeys
	for n := range cs {
		k := int64(100 * n)
		ks = append(ks, keysOf(n+1, 7, k+1, k+2, k+3, k+4, k+5))
	}
	must(t, db.PutContentKeys(ctx(t), ks))
	found := heads(t, db, keysOf(99, 7, 0, 0, 0, 0, 105), 0, 100)
	if len(found) > 20 || found[0] != 2 || !slices.Contains(found, 40) || slices.Contains(found, 3) {
		t.Fatalf("found %v", found)
	}
}

func nearReplaced(t *testing.T, db *store.DB) {
	items(t, db, 1)
	must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(1, 1, 2, 3, 4, 5, 6)}))
	must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(1, 1, 12, 13, 14, 15, 16)}))
	same(t, heads(t, db, keysOf(9, 0, 2, 3, 4, 5, 6), 0, 9), nil)
	same(t, heads(t, db, keysOf(9, 1, 0, 0, 0, 0, 16), 0, 9), []int{1})
	must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(1)}))
	same(t, heads(t, db, keysOf(9, 1, 0, 0, 0, 0, 16), 0, 9), nil)
	must(t, db.PutContentKeys(ctx(t), nil))
	wantCode(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(5, 1, 2, 3, 4, 5, 6)}), kgl.CodeConflict)
}

func nearGone(t *testing.T, db *store.DB) {
	items(t, db, 4)
	for n := 1; n <= 4; n++ {
		must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(n, 1, 2, 3, 4, 5, 6)}))
	}
	must(t, db.DeleteContent(ctx(t), id(10_001), kgl.RemovedByPerson, epoch))
	must(t, db.DeleteSource(ctx(t), id(2)))
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, 6), 0, 9), []int{3, 4})
	same(t, got(db.DeleteOldKeys(ctx(t), second(3), 10))(t), int64(0))
	same(t, got(db.DeleteOldKeys(ctx(t), second(9), 1))(t), int64(1))
	same(t, heads(t, db, keysOf(9, 1, 2, 3, 4, 5, 6), 0, 9), []int{4})
}

func nearMissing(t *testing.T, db *store.DB) {
	var cs []kgl.Content
	for i, seen := range []int{5, 3, 9, 1} {
		c := newContent(i+1, addSource(t, db, i+1, "a.example", nil))
		c.FetchedAt = second(seen)
		cs = append(cs, c)
	}
	cs = addContents(t, db, cs...)
	missing := func(version int64, limit int) []string {
		var ids []string
		for _, c := range got(db.ContentsWithoutKeys(ctx(t), version, second(2), limit))(t) {
			ids = append(ids, c.ID)
		}
		return ids
	}
	same(t, missing(1, 9), []string{cs[1].ID, cs[0].ID, cs[2].ID})
	same(t, missing(1, 2), []string{cs[1].ID, cs[0].ID})
	must(t, db.PutContentKeys(ctx(t), []kgl.ContentKeys{keysOf(2), keysOf(3, 1, 2, 3, 4, 5, 6)}))
	same(t, missing(1, 9), []string{cs[0].ID})
	same(t, missing(2, 9), []string{cs[1].ID, cs[0].ID, cs[2].ID})
}

func nearTexts(t *testing.T, db *store.DB) {
	c := newContent(1, addSource(t, db, 1, "a.example", nil))
	long := make([]rune, 25_000)
	for i := range long {
		long[i] = 'ß'
	}
	c.Text = string(long)
	c = addContents(t, db, c)[0]
	same(t, got(db.ContentTexts(ctx(t), []string{c.ID, id(99), c.ID}))(t), []kgl.ContentText{
		{ID: c.ID, SourceID: c.SourceID, FetchedAt: c.FetchedAt, Title: c.Title, Text: string(long[:20_000])},
	})
	if none := got(db.ContentTexts(ctx(t), nil))(t); len(none) != 0 {
		t.Fatal(none)
	}
}

// wantCounts checks how many items are folded under each of the items 1 to n.
func wantCounts(t *testing.T, db *store.DB, counts ...int64) {
	t.Helper()
	for i, want := range counts {
		if have := content(t, db, id(10_001+i)).Duplicates; have != want {
			t.Errorf("%d items are folded under item %d, want %d", have, i+1, want)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func countFolded(t *testing.T, db *store.DB) {
	cs := items(t, db, 6)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), link(3, 1), link(5, 4), link(6, 4)}))(t)
	wantCounts(t, db, 2, 0, 0, 2, 0, 0)
	same(t, content(t, db, cs[0].ID).Version, cs[0].Version+1)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{textLink(5, 2)}))(t)
	wantCounts(t, db, 5, 0, 0, 0, 0, 0)
	must(t, db.ReviseContent(ctx(t), revised(content(t, db, cs[1].ID), second(60))))
	wantCounts(t, db, 4, 0, 0, 0, 0, 0)
	must(t, db.DeleteContent(ctx(t), cs[5].ID, kgl.RemovedByPerson, epoch))
	wantCounts(t, db, 3, 0, 0, 0, 0)
	must(t, db.DeleteSource(ctx(t), cs[4].SourceID))
	wantCounts(t, db, 2, 0, 0, 0)
	must(t, db.DeleteContent(ctx(t), cs[0].ID, kgl.RemovedByPerson, epoch))
	for n, want := range map[int]int64{2: 0, 3: 1, 4: 0} {
		same(t, content(t, db, id(10_000+n)).Duplicates, want)
	}
}

func nearEdited(t *testing.T, db *store.DB) {
	cs := items(t, db, 3)
	byHand := link(3, 1)
	byHand.Reason, byHand.CreatedBy = kgl.DuplicateManual, "u1"
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{nearLink(2, 1), nearLink(3, 1), byHand}))(t)
	retitled := revised(cs[1], second(60))
	retitled.TextHash = cs[1].TextHash
	must(t, db.ReviseContent(ctx(t), retitled))
	wantHeads(t, db, 0, 1, 1)
	must(t, db.ReviseContent(ctx(t), revised(content(t, db, cs[1].ID), second(61))))
	must(t, db.ReviseContent(ctx(t), revised(content(t, db, cs[2].ID), second(61))))
	wantHeads(t, db, 0, 0, 1)
	same(t, group(t, db, 1), untimed(byHand))
}

func nearEditedHead(t *testing.T, db *store.DB) {
	cs := items(t, db, 4)
	byHand := link(4, 1)
	byHand.Reason = kgl.DuplicateManual
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{nearLink(2, 1), nearLink(3, 1), byHand}))(t)
	must(t, db.ReviseContent(ctx(t), revised(cs[0], second(60))))
	wantHeads(t, db, 0, 0, 0, 1)
	wantCounts(t, db, 1, 0, 0, 0)
}

func takeMember(t *testing.T, db *store.DB) {
	items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), textLink(2, 1), nearLink(3, 1)}))(t)
	same(t, got(db.TakeApart(ctx(t), id(10_002), "u1", second(70)))(t), []string{id(10_001), id(10_003)})
	wantHeads(t, db, 0, 0, 1, 0)
	wantCounts(t, db, 1, 0, 0, 0)
	for _, l := range []kgl.DuplicateLink{link(2, 1), link(1, 2), nearLink(2, 3), link(3, 2)} {
		same(t, len(got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{l}))(t)), 0)
	}
	wantHeads(t, db, 0, 0, 1, 0)
	// What comes later may be put to either, but puts nothing together.
	same(t, got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(4, 2), link(4, 1)}))(t), []kgl.DuplicateLink{link(4, 2)})
	wantHeads(t, db, 0, 0, 1, 2)
	wantCounts(t, db, 1, 1, 0, 0)
}

func takeHead(t *testing.T, db *store.DB) {
	items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(4, 1), nearLink(2, 1), link(3, 1)}))(t)
	same(t, got(db.TakeApart(ctx(t), id(10_001), "u1", second(70)))(t), []string{id(10_002), id(10_003), id(10_004)})
	wantHeads(t, db, 0, 0, 2, 2)
	wantCounts(t, db, 0, 2, 0, 0)
	same(t, len(got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(4, 1)}))(t)), 0)
	wantHeads(t, db, 0, 0, 2, 2)
}

func takeNothing(t *testing.T, db *store.DB) {
	items(t, db, 1)
	_, err := db.TakeApart(ctx(t), id(10_001), "u1", second(70))
	wantCode(t, err, kgl.CodeConflict)
	_, err = db.TakeApart(ctx(t), id(10_009), "u1", second(70))
	wantCode(t, err, kgl.CodeNotFound)
}

func takenApartChain(t *testing.T, db *store.DB) {
	items(t, db, 5)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1)}))(t)
	got(db.TakeApart(ctx(t), id(10_002), "u1", second(70)))(t)
	made := got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(3, 1), link(4, 2), link(4, 3), link(5, 3)}))(t)
	same(t, made, []kgl.DuplicateLink{link(3, 1), link(4, 2), link(5, 3)})
	wantHeads(t, db, 0, 0, 1, 2, 1)
}

func linkByHand(t *testing.T, db *store.DB) {
	items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), link(4, 3)}))(t)
	got(db.TakeApart(ctx(t), id(10_002), "u1", second(70)))(t)
	byHand := link(2, 4)
	byHand.Reason, byHand.CreatedBy = kgl.DuplicateManual, "u1"
	must(t, db.LinkByHand(ctx(t), byHand))
	wantHeads(t, db, 0, 3, 0, 3)
	back := link(2, 1)
	back.Reason, back.CreatedBy = kgl.DuplicateManual, "u1"
	must(t, db.LinkByHand(ctx(t), back))
	wantHeads(t, db, 0, 1, 1, 1)
	wantCounts(t, db, 3, 0, 0, 0)
	for _, l := range group(t, db, 2) {
		if l.Reason == kgl.DuplicateManual && l.CreatedBy != "u1" {
			t.Errorf("by whom: %+v", l)
		}
	}
	got(db.TakeApart(ctx(t), id(10_004), "u1", second(71)))(t)
	wantHeads(t, db, 0, 1, 1, 0)
}

func linkByHandRefused(t *testing.T, db *store.DB) {
	items(t, db, 2)
	wantCode(t, db.LinkByHand(ctx(t), link(1, 9)), kgl.CodeNotFound)
	wantCode(t, db.LinkByHand(ctx(t), link(9, 1)), kgl.CodeNotFound)
	wantCode(t, db.LinkByHand(ctx(t), link(1, 1)), kgl.CodeConflict)
	must(t, db.LinkByHand(ctx(t), link(2, 1)))
	wantCode(t, db.LinkByHand(ctx(t), link(2, 1)), kgl.CodeConflict)
	wantCode(t, db.LinkByHand(ctx(t), link(1, 2)), kgl.CodeConflict)
}
